"""What an attacker who holds the log's key can do to the trail itself: cut it, fork it, sign it with another key, and touch
what cosigners signed and what is confidential. Each row names the statement that both verifiers must find false."""

import base64
import copy
import hashlib
import json
import os
import subprocess
import tempfile

from verifier.log import Tree
from verifier.strict import canonical_bytes, sha256

from .change import Change
from .resigned import Forger


class Trail(Forger):
    def row(self, name, claim, edit, expected=None, more=None):
        change = self.change(name, edit, expected, more)
        change.claim = claim
        return change

    def places(self, kind, **members):
        """Of entries of that type, by members beside the body."""
        return [place for place, entry in enumerate(self.entries) if entry["type"] == kind
                and all(entry.get(name.rstrip("_")) == value for name, value in members.items())]


def _row(name, claim, files, expected=None):
    change = Change(name, files, expected=expected)
    change.claim = claim
    return change


def cuts(trail, other):
    """Truncated to every earlier checkpoint, forked, signed by another key, continued."""
    entries = trail.entries
    for size in range(1, len(entries)):
        yield _row("cut to %d and signed" % size, "closing", trail.signed(entries[:size]))
    half = len(entries) // 2
    yield _row("cut and not signed", "log", {"entries": trail.signed(entries[:half])["entries"]})
    old = trail.signed(entries[:half])
    yield _row("an earlier checkpoint", "log", {"checkpoint": old["checkpoint"]})

    def continued(changed):
        changed[half:] = copy.deepcopy(other[half:len(entries)])

    def forked(changed):
        changed[-2]["time"] = changed[-1]["time"]
        changed.insert(-1, copy.deepcopy(changed[-2]))

    def cut_and_closed(changed):
        del changed[half:-1]

    yield trail.change("cut, and continued by another log", continued)
    yield trail.change("cut, and closed at once", cut_and_closed)
    yield trail.change("forked before the close", forked)
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "key")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
        mine, trail.key_file = trail.key_file, key
        yield _row("signed with another key", "log", {"checkpoint": trail.signed(entries)["checkpoint"]})
        trail.key_file = mine


def cosigners(trail):
    """Where the log has `cosigned` entries."""
    if not trail.places("cosigned"):
        return
    place = trail.places("cosigned")[-1]
    body = trail.entries[place]["body"]
    lines, size = body["cosignatures"], body["size"]
    tree = Tree()
    for entry in trail.entries:
        tree.push(sha256(b"\x00" + canonical_bytes(entry)))

    def put(**members):
        def edit(changed):
            changed[place]["body"].update(members)
        return edit

    def flipped(line):
        head, _, data = line.rpartition(" ")
        raw = bytearray(base64.b64decode(data))
        raw[-1] ^= 1
        return head + " " + base64.b64encode(bytes(raw)).decode()

    def gone(changed):
        del changed[place]

    def later(changed):
        """One entry of the ceremony more than was cosigned."""
        wanted = [entry for entry in changed[:place] if entry["type"] == "answer" and "body" in entry][-1]
        changed.insert(place + 1, dict(copy.deepcopy(wanted), time=changed[place]["time"]))

    yield trail.row("a cosigner listed twice", "cosigners", put(cosignatures=lines + lines[:1]))
    yield trail.row("a cosigner twice in another's place", "cosigners", put(cosignatures=[lines[0]] * len(lines)))
    yield trail.row("a cosigner less", "cosigners", put(cosignatures=lines[1:]))
    yield trail.row("no cosigner", "cosigners", put(cosignatures=[]))
    yield trail.row("a cosigner that nobody named", "cosigners", put(cosignatures=[lines[0].replace(".example", ".elsewhere")] + lines[1:]))
    yield trail.row("a cosignature that does not hold", "cosigners", put(cosignatures=[flipped(lines[0])] + lines[1:]))
    yield trail.row("a stale cosignature", "cosigners", put(size=size + 1, root=tree.roots[size + 1]))
    yield trail.row("a cosigned root that never was", "cosigners", put(root="0" * 64))
    yield trail.row("closed without cosigners", "cosigners", gone)
    yield trail.row("more done than was cosigned", "cosigners", later)

    def back(changed):
        """The same history told otherwise, below what was cosigned, and the entry's root put right."""
        changed[1]["time"] = changed[0]["time"]
        changed[0]["body"]["name"] += "-x"
        forked = Tree()
        for entry in changed[:size]:
            plain = {key: value for key, value in entry.items() if key != "was"}
            forked.push(sha256(b"\x00" + canonical_bytes(plain)))
        changed[place]["body"]["root"] = forked.roots[size]

    yield trail.row("forked below what was cosigned", "cosigners", back)
    if "cosignatures" in trail.files:
        def later_close(changed):
            changed[-1]["time"] = "2099" + changed[-1]["time"][4:]

        yield trail.row("signed again after the cosigners", "cosigners", later_close, "cosign")
        whole = trail.files["cosignatures"]
        yield _row("closing cosignatures gone", "cosigners", {"cosignatures": None})
        yield _row("a closing cosigner twice", "cosigners", {"cosignatures": whole + whole.split(b"\n")[0] + b"\n"})
        yield _row("closing cosignatures of another size", "cosigners",
                   {"cosignatures": "".join(line + "\n" for line in lines).encode()})


def _committed(body):
    salt = os.urandom(32)
    commit = hashlib.sha256(salt + canonical_bytes(body)).hexdigest()
    return commit, {"confidential/%s.json" % commit: canonical_bytes({"body": body, "salt": salt.hex()})}


def confidential(trail):
    """Bodies, salts, classes and types exchanged; entries moved into a class and out of it."""
    entries, files = trail.entries, trail.files
    hidden = [place for place, entry in enumerate(entries) if "class" in entry]
    if not hidden:
        return

    def path(place):
        return "confidential/%s.json" % entries[place]["commit"]

    here = [place for place in hidden if path(place) in files]
    away = [place for place in hidden if path(place) not in files]

    def put(place, **members):
        def edit(changed):
            changed[place].update(members)
        return edit

    def result(changed, old, new):
        """Wherever a step's result says it."""
        for entry in changed:
            if entry["type"] == "step" and "result" in entry["body"]:
                said = entry["body"]["result"]
                for name in said:
                    said[name] = new if said[name] == old else said[name]

    for place in hidden:
        what = "%s %d" % (entries[place]["type"], place)
        others = [name for name in ("answer", "artifact", "deviation", "exhibit") if name != entries[place]["type"]]
        for name in others:
            yield trail.row("%s is said to be of type %s" % (what, name), None, put(place, type=name))
        yield trail.row(what + " is of another class", "confidential", put(place, **{"class": "other"}), "class")
        yield trail.row(what + " commits to something else", None, put(place, commit="0" * 64))
        yield trail.row(what + " is of a type that is never confidential", "log", put(place, type="born"), "never confidential")
    for place in here:
        what = "%s %d" % (entries[place]["type"], place)
        said = json.loads(files[path(place)])

        def out(changed, place=place, said=said):
            commit = changed[place].pop("commit")
            del changed[place]["class"]
            changed[place]["body"] = said["body"]
            result(changed, "commit:" + commit, said["body"].get("value", said["body"].get("digest")))

        yield trail.row(what + " moved out of its class", "confidential", out, "class", {path(place): None})
        other = dict(said["body"], person="mallory") if "person" in said["body"] else dict(said["body"], cause="none")
        commit, more = _committed(other)

        def lied(changed, place=place, commit=commit):
            result(changed, "commit:" + changed[place]["commit"], "commit:" + commit)
            changed[place]["commit"] = commit

        if "person" in other:
            yield trail.row(what + " by somebody else, and committed to", None, lied, None, dict(more, **{path(place): None}))
        yield _row(what + ": another body", "confidential",
                   {path(place): canonical_bytes({"body": other, "salt": said["salt"]})}, "confidential")
        yield _row(what + ": another salt", "confidential",
                   {path(place): canonical_bytes({"body": said["body"], "salt": os.urandom(32).hex()})}, "confidential")
        yield _row(what + ": no salt", "confidential", {path(place): canonical_bytes({"body": said["body"]})}, "confidential")
        same = [at for at in here if entries[at]["class"] == entries[place]["class"]]
        if len(same) > 1:
            yield _row(what + " missing from its class", "confidential", {path(place): None}, "confidential")
            two = same[(same.index(place) + 1) % len(same)]
            second = json.loads(files[path(two)])
            yield _row(what + ": body exchanged", "confidential", {path(place): files[path(two)], path(two): files[path(place)]})
            yield _row(what + ": salt exchanged", "confidential", {
                path(place): canonical_bytes(dict(said, salt=second["salt"])),
                path(two): canonical_bytes(dict(second, salt=said["salt"]))})
        else:
            alone = _row(what + " withheld", None, {path(place): None})
            alone.wanted = "held" if not any(entries[at]["type"] == "artifact" for at in same) else "refused"
            yield alone
    for place in away:
        what = "%s %d" % (entries[place]["type"], place)

        def dropped(changed, place=place):
            del changed[place]

        if entries[place]["type"] != "deviation" and any("commit:" + entries[place]["commit"] in entry["body"].get("result", {}).values()
                                                         for entry in entries if entry["type"] == "step"):
            yield trail.row(what + ", withheld, is gone", "steps", dropped)
            yield trail.row(what + ", withheld, commits to something else", "steps", put(place, commit="1" * 64))
        yield trail.row(what + " has a body that it does not commit to", "confidential", lambda changed: None, "confidential",
                        {path(place): canonical_bytes({"body": {}, "salt": "00" * 32})})
    for place in trail.places("answer"):
        if "body" in entries[place]:
            body = entries[place]["body"]
            commit, more = _committed(body)

            def into(changed, place=place, commit=commit, body=body):
                del changed[place]["body"]
                changed[place].update({"class": "personal", "commit": commit})
                result(changed, body["value"], "commit:" + commit)

            yield trail.row("answer %d moved into a class" % place, "confidential", into, "class", more)
            yield trail.row("answer %d moved into a class and withheld" % place, None, into, "class")


def attacks(files, trust, key_file, other):
    trail = Trail(files, trust, key_file)
    foreign = [json.loads(line) for line in other["entries"].split(b"\n")[:-1]]
    yield from cuts(trail, foreign)
    yield from cosigners(trail)
    yield from confidential(trail)

