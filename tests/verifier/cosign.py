"""Cosigners: tlog-policy lines, and tlog-cosignature v1 over the log's checkpoints."""

import base64
import re

from . import crypto
from .strict import Refused, count, digest, integer, members, need, sha256, texts, unbase64

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
AFTER = {"cosigned", "left", "timestamp", "environment"}  # entries that need no cosignature before a close
AFTER_ACTIONS = {"cosign", "close", "leave", "timestamp"}


class Key:
    def __init__(self, value):
        parts = value.split("+", 2)
        need(len(parts) == 3 and parts[0] and re.fullmatch(r"[0-9a-f]{8}", parts[1]), "a cosigner's key is malformed")
        key = unbase64(parts[2], "a cosigner's key")
        need(len(key) == 33 and key[0] == 4, "a cosigner's key is not of type 4")
        self.name, self.public = parts[0], key[1:]
        self.id = sha256(self.name.encode() + b"\n" + key)[:4]
        need(self.id.hex() == parts[1], "a cosigner's key has another hash")


class Cosigners:
    def __init__(self, value):
        members(value, "policy ?close", "cosigners")
        close = value.get("close", "false")
        need(close in ("true", "false", "checkpoint"), "cosigners: close")
        self.before_close, self.closing = close != "false", close == "checkpoint"
        lines = value["policy"]
        lines = texts([lines] if type(lines) is str else lines, "cosigners")
        self.keys, self.groups, self.quorum, taken = {}, {}, None, set()
        for at, line in enumerate(lines):
            words = re.split(r"[ \t]+", line.strip(" \t"))
            need((words[0] == "quorum") == (at + 1 == len(lines)), "cosigners: the quorum is not the last line")
            if words[0] == "witness":
                need(len(words) in (3, 4) and not self.groups, "cosigners: a witness line")
                self._new(words[1])
                key = Key(words[2])
                need(all(other.public != key.public for other in self.keys.values()), "cosigners: a key twice")
                self.keys[words[1]] = key
            elif words[0] == "group":
                need(len(words) >= 4, "cosigners: a group line")
                self._new(words[1])
                size = len(words) - 3
                k = {"any": 1, "all": size}.get(words[2]) or count(words[2], 1, size, "cosigners")
                for name in words[3:]:
                    need((name in self.keys or name in self.groups) and name not in taken, "cosigners: a member")
                    taken.add(name)
                self.groups[words[1]] = k, words[3:]
            else:
                need(words[0] == "quorum" and len(words) == 2, "cosigners: a line")
                need(words[1] in self.keys or words[1] in self.groups, "cosigners: the quorum")
                self.quorum = words[1]

    def _new(self, name):
        need(NAME.fullmatch(name) and name != "none" and name not in self.keys and name not in self.groups,
             "cosigners: a name")

    def met(self, signed, name=None):
        name = self.quorum if name is None else name
        if name in self.keys:
            return name in signed
        k, inner = self.groups[name]
        return sum(self.met(signed, one) for one in inner) >= k

    def signers(self, text, lines):
        """Names of those who signed; a line by one of them that does not hold is refused, others are passed over."""
        signed = []
        for line in lines:
            for name, key in self.keys.items():
                begin = "\u2014 %s " % key.name
                if not line.startswith(begin):
                    continue
                raw = unbase64(line[len(begin):], "a cosignature")
                if raw[:4] != key.id:
                    continue
                at = int.from_bytes(raw[4:12], "big")
                need(len(raw) == 76 and 0 < at < 2**63, "a cosignature by %s is malformed", name)
                need(crypto.ed25519(key.public, b"cosignature/v1\ntime %d\n" % at + text, raw[12:]),
                     "a cosignature by %s does not hold", name)
                signed.append(name)
        return signed


class Cosigned:
    """The `cosigned` entries so far."""

    def __init__(self, tree, world):
        self.tree, self.world, self.records = tree, world, []

    def entry(self, entry):
        body = members(entry.body, "cosignatures root size ?step", entry.what)
        size = integer(body["size"], entry.what)
        need(0 < size <= entry.seq and self.tree.roots[size] == digest(body["root"], entry.what),
             "%s: a root that this log never had", entry.what)
        lines = texts(body["cosignatures"], entry.what)
        self._judge(size, lines, entry.what)
        self.records.append((size, lines))

    def _judge(self, size, lines, what):
        judge = self.world.policy.cosigners
        need(judge is not None, "%s: the policy names no cosigners", what)
        signed = judge.signers(self.text(size), lines)
        need(len(signed) == len(set(signed)) == len(lines), "%s: a cosigner twice, or one that the policy does not name",
             what)
        need(judge.met(signed), "%s: fewer cosigners than the policy asks for", what)

    def closing(self, folder, size):
        """The transcript's own checkpoint; how many signed it."""
        judge = self.world.policy.cosigners
        if not folder.has("cosignatures"):
            need(judge is None or not judge.closing, "cosignatures: nobody cosigned the closing checkpoint")
            return 0
        try:
            lines = folder.take("cosignatures").decode("utf-8").split("\n")
        except UnicodeDecodeError:
            raise Refused("cosignatures: not UTF-8") from None
        need(len(lines) > 1 and lines.pop() == "" and all(lines) and len(set(lines)) == len(lines), "cosignatures: lines")
        self._judge(size, lines, "cosignatures")
        return len(lines)

    def text(self, size):
        root = base64.b64encode(bytes.fromhex(self.tree.roots[size])).decode()
        return ("%s\n%d\n%s\n" % (self.world.origin_at(size), size, root)).encode()

    def size(self, judge):
        """So many entries the quorum of this policy has signed."""
        best = 0
        for size, lines in self.records if judge is not None else []:
            try:
                if size > best and judge.met(judge.signers(self.text(size), lines)):
                    best = size
            except Refused:
                continue
        return best


def may_follow(entry):
    return entry.type in AFTER or (entry.type == "step" and entry.body.get("action") in AFTER_ACTIONS)
