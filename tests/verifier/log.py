"""The log: entries, the RFC 6962 tree over them, and the signed checkpoint."""

import functools
import hashlib
import re

from . import confidential, crypto
from .strict import (Refused, integer, members, moment, need, parse_canonical, sha256, text, unbase64)

MAX_ENTRY = 65535


class Entry:
    """One line. `time` is in seconds; `what` names it in messages."""

    def __init__(self, line):
        value = parse_canonical(line)
        hidden = type(value) is dict and "class" in value
        members(value, "class commit ?ceremony seq time type" if hidden else "body ?ceremony seq time type", "an entry")
        self.seq = integer(value["seq"], "seq")
        self.type = text(value["type"], "an entry's type")
        self.time_text = value["time"]
        self.time = moment(value["time"], "the time of entry %d" % self.seq)
        self.ceremony = text(value["ceremony"], "an entry's ceremony") if "ceremony" in value else None
        self.body, self.class_, self.commit = value.get("body"), None, None
        if hidden:
            confidential.commitment(self, value)
        else:
            need(type(self.body) is dict, "the body of entry %d is not an object", self.seq)
        self.digest = hashlib.sha256(line).hexdigest()
        self.leaf = sha256(b"\x00" + line)
        self.what = "entry %d (%s)" % (self.seq, self.type)


@functools.lru_cache(maxsize=16384)
def entry(line):
    need(len(line) <= MAX_ENTRY, "an entry is too long")
    return Entry(line)


class Tree:
    """Roots of every size on the way."""

    def __init__(self):
        self.edge = []  # (size of a perfect subtree, its hash), largest first
        self.roots = [sha256(b"").hex()]

    def push(self, leaf):
        size, node = 1, leaf
        while self.edge and self.edge[-1][0] == size:
            node = sha256(b"\x01" + self.edge.pop()[1] + node)
            size *= 2
        self.edge.append((size, node))
        root = None
        for _, left in reversed(self.edge):
            root = left if root is None else sha256(b"\x01" + left + root)
        self.roots.append(root.hex())


def read(data):
    """The entries and the tree. Each entry must be canonical, in its place, and not before the one before it."""
    need(data.endswith(b"\n"), "entries: the last line is not ended")
    entries, tree, last = [], Tree(), 0
    for seq, line in enumerate(data[:-1].split(b"\n")):
        try:
            item = entry(line)
        except Refused as why:
            raise Refused("entries, line %d: %s" % (seq + 1, why)) from None
        need(item.seq == seq, "entries, line %d: seq is %d instead of %d", seq + 1, item.seq, seq)
        need(item.time >= last, "%s: its time is before that of the entry before it", item.what)
        last = item.time
        entries.append(item)
        tree.push(item.leaf)
    return entries, tree


class VerifierKey:
    """NAME+HASH8+BASE64(algorithm byte, key): a note's verifier key, Ed25519 only."""

    def __init__(self, value):
        parts = text(value, "log-key").split("+", 2)
        need(len(parts) == 3 and re.fullmatch(r"[0-9a-f]{8}", parts[1]), "log-key is not NAME+HASH+KEY")
        self.text, self.name = value, parts[0]
        need(self.name and not re.search(r"[\s+]", self.name), "log-key has a name that no key may have")
        key = unbase64(parts[2], "log-key")
        need(len(key) == 33 and key[0] == 1, "log-key is not an Ed25519 key")
        self.public = key[1:]
        self.id = sha256(self.name.encode() + b"\n" + key)[:4]
        need(self.id.hex() == parts[1], "log-key's hash is not that of its key")


def checkpoint(data, key):
    """(size, root) that the key signed; every byte must be as it has to be."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise Refused("checkpoint: not UTF-8") from None
    need(len(lines) == 6 and lines[3] == "" and lines[5] == "", "checkpoint: not a note with exactly one signature line")
    need(lines[0] == key.name, "checkpoint: its origin is not the log key's name")
    need(re.fullmatch(r"0|[1-9][0-9]{0,17}", lines[1]), "checkpoint: its size is not a number")
    root = unbase64(lines[2], "the checkpoint's root")
    need(len(root) == 32, "checkpoint: its root is not a SHA-256")
    words = lines[4].split(" ")
    need(len(words) == 3 and words[0] == "\u2014" and words[1] == key.name, "checkpoint: not signed by the log key")
    signature = unbase64(words[2], "the checkpoint's signature")
    need(len(signature) == 68 and signature[:4] == key.id, "checkpoint: its signature is not by the log key")
    signed = "\n".join(lines[:3]).encode() + b"\n"
    need(crypto.ed25519(key.public, signed, signature[4:]), "checkpoint: its signature does not hold")
    return int(lines[1]), root.hex()
