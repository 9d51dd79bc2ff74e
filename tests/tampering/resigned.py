"""What somebody can do who holds the log's key: entries are changed, numbered and signed again."""

import base64
import calendar
import copy
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time

from verifier.log import Tree, VerifierKey
from verifier.strict import canonical_bytes, sha256
from verifier.words import WORDS

from . import elsewhere, tokens
from .change import Change, named
from .stamps import stamps


class Forger:
    def __init__(self, files, trust, key_file):
        self.files, self.key_file = files, key_file
        self.entries = [json.loads(line) for line in files["entries"].split(b"\n")[:-1]]
        keys = [entry["body"]["log-key"] for entry in self.entries if entry["type"] in ("log-key", "moved")]
        self.key = VerifierKey(keys[-1] if keys else trust["log-key"])

    def find(self, kind, /, **body):
        """The last entry of that type with these members."""
        for place in range(len(self.entries) - 1, -1, -1):
            entry = self.entries[place]
            if entry["type"] == kind and all(entry.get("body", {}).get(name.replace("_", "-")) == value for name, value in body.items()):
                return place
        raise LookupError("the transcript has no entry %s %s" % (kind, body))

    def root_at(self, size):
        tree = Tree()
        for line in self.files["entries"].split(b"\n")[:size]:
            tree.push(sha256(b"\x00" + line))
        return tree.roots[size]

    def signed(self, entries):
        """{entries, checkpoint} under the real log key."""
        tree, lines = Tree(), []
        for entry in entries:
            line = canonical_bytes(entry)
            lines.append(line + b"\n")
            tree.push(sha256(b"\x00" + line))
        text = "%s\n%d\n%s\n" % (self.key.name, len(lines), base64.b64encode(bytes.fromhex(tree.roots[-1])).decode())
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "text")
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
            signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", self.key_file, "-rawin", "-in", path],
                                       capture_output=True, check=True).stdout
        note = "%s\n\u2014 %s %s\n" % (text, self.key.name, base64.b64encode(self.key.id + signature).decode())
        return {"entries": b"".join(lines), "checkpoint": note.encode()}

    def change(self, name, edit, expected=None, more=None):
        """edit(entries) changes a copy in place; afterwards seqs, and what refers to them, are put right."""
        entries = copy.deepcopy(self.entries)
        for entry in entries:
            entry["was"] = entry["seq"]
        edit(entries)
        now = {}
        for place, entry in enumerate(entries):
            now.setdefault(entry.pop("was", None), place)
            entry["seq"] = place
        for entry in entries:
            renumber(entry.get("body", {}), now)
        return Change(name, dict(self.signed(entries), **(more or {})), expected=expected)


def renumber(body, now):
    """References to entries that moved."""
    if type(body.get("intent")) is int:
        body["intent"] = now.get(body["intent"], body["intent"])
    for kind in ("failed", "proven"):
        if type(body.get(kind)) is list:
            body[kind] = sorted(now.get(seq, seq) for seq in body[kind])
    evidence = body.get("evidence")
    if evidence:
        for kind in ("approvals", "rejections"):
            evidence[kind] = [now.get(seq, seq) for seq in evidence[kind]]
    result = body.get("result", {})
    if "intent" in result and result["intent"].isdigit():
        result["intent"] = str(now.get(int(result["intent"]), result["intent"]))


def digest(data):
    return hashlib.sha256(data).hexdigest()


def _birth(forger):
    """The intent of the last birth, and its last offer, receipt and born entry."""
    born = forger.find("born")
    intent = forger.entries[born]["body"]["intent"]
    return intent, forger.find("offer", intent=intent), forger.find("receipt", intent=intent), born


def _set(place, /, **members):
    def edit(entries):
        body = entries[place]["body"]
        for name, value in members.items():
            body[name.replace("_", "-")] = value
    return edit


def _drop(*places):
    def edit(entries):
        for place in sorted(places, reverse=True):
            del entries[place]
    return edit


def verdicts(forger):
    intent, _, _, _ = _birth(forger)
    body = forger.entries[intent]["body"]
    counted, approvals = body["verdict"]["counted"], body["evidence"]["approvals"]

    def counted_more(entries):
        entries[intent]["body"]["verdict"]["counted"] = counted + ["custodian-5"]

    def dropped(entries):
        entries[intent]["body"]["evidence"]["approvals"] = approvals[1:]

    def dropped_and_recounted(entries):
        dropped(entries)
        entries[intent]["body"]["verdict"]["counted"] = counted[1:]

    def never_given(entries):
        dropped_and_recounted(entries)
        del entries[approvals[0]]

    def other_rule(entries):
        entries[intent]["body"]["verdict"]["rule"] = "use of an application key"

    def judged_late(entries):
        entries[intent]["body"]["evidence"]["at"] = "2099-01-01T00:00:00Z"

    def two_days_later(entries):
        later = entries[intent]["time"][:4]
        for entry in entries[intent:]:
            entry["time"] = entry["time"].replace(later, str(int(later) + 1), 1)
        entries[intent]["body"]["evidence"]["at"] = entries[intent]["time"]

    signer = forger.entries[intent]["body"]["request"]
    lost = "requests/%s/%s.p7s" % (signer, counted[0])
    yield forger.change("a verdict that counts one more", counted_more, "verdict")
    yield forger.change("a verdict by another rule", other_rule, "verdict")
    yield forger.change("an approval dropped from the evidence", dropped, "approvals")
    yield forger.change("an approval dropped, and not counted", dropped_and_recounted, "approvals")
    yield forger.change("an approval that never was", never_given, None, {lost: None})
    yield forger.change("a verdict for a time to come", judged_late, "time")
    yield forger.change("an intent after its request expired", two_days_later, "expired")


def renewals(forger):
    """Of transcripts in which somebody approved the same request again."""
    entries = forger.entries
    again = [place for place, entry in enumerate(entries) if entry["type"] == "approval" and "renews" in entry["body"]]
    place, body = again[-1], entries[again[-1]]["body"]
    before = forger.find("approval", signature=body["renews"])
    intent = forger.find("intent", request=body["request"])
    stem = "requests/%s/%s" % (body["request"], body["person"])
    files = {at: "%s%s.p7s" % (stem, "." + entries[at]["body"]["renews"] if "renews" in entries[at]["body"] else "")
             for at in (place, before)}

    def plain(changed):
        del changed[place]["body"]["renews"]

    def alone(changed):
        changed[intent]["body"]["evidence"]["approvals"].remove(before)
        del changed[before]

    def swapped(changed):
        changed[before]["body"], changed[place]["body"] = changed[place]["body"], changed[before]["body"]

    yield forger.change("an approval that does not say that it renews one", plain, None)
    yield forger.change("an approval that renews another", _set(place, renews="0" * 64), None)
    yield forger.change("an approval that renews one which was left out", alone, "does not renew", {files[before]: None})
    yield forger.change("an approval renewed before it was given", swapped, "does not renew")
    yield forger.change("an approval renewed twice by one signature",
                        lambda changed: changed.insert(place + 1, copy.deepcopy(changed[place])), "does not renew")
    yield forger.change("an approval renewed by the signature of the first", _set(place, signature=body["renews"]), None,
                        {files[place]: forger.files[files[before]]})


def births(forger):
    intent, offer, receipt, born = _birth(forger)
    entries = forger.entries
    elder = [place for place, entry in enumerate(entries) if entry["type"] == "receipt" and entry["body"]["intent"] != intent]
    sites = entries[born]["body"]["sites"]
    receipts = [place for place, entry in enumerate(entries)
                if entry["type"] in ("offer", "receipt") and entry["body"]["intent"] == intent]
    names = {"receipts/%s.json" % entries[place]["body"]["receipt"]: None for place in receipts
             if entries[place]["type"] == "receipt"}
    answered = "receipts/%s.json" % entries[receipt]["body"]["receipt"]
    if elder:
        yield forger.change("a receipt of another birth", _set(receipt, receipt=entries[elder[-1]]["body"]["receipt"]),
                            "receipt", {answered: None})
    another = next(site for site in sites[1:] if site != entries[receipt]["body"]["site"])
    yield forger.change("a receipt of another site", _set(receipt, site=another), "offer")
    yield forger.change("born without receipts", _drop(*receipts), "receipt", names)
    yield forger.change("born with one receipt less", _drop(receipt), "receipt", {answered: None})
    yield forger.change("born at the primary alone", _set(born, sites=sites[:1]), "sites")
    yield forger.change("born of another kind", _set(born, type="EC:P-521"), None)
    yield forger.change("born under another name", _set(born, label="root-g9"), "label")
    yield forger.change("an offer with another challenge", _set(offer, challenge="0" * 64), "challenge")
    for mechanism in ("cloned:acme", "cloned:", "oaep-md5+aes-kwp"):
        if mechanism != entries[offer]["body"]["mechanism"]:
            yield forger.change("an offer by %s" % mechanism, _set(offer, mechanism=mechanism), None)
    yield forger.change("born twice", lambda changed: changed.insert(born + 1, copy.deepcopy(changed[born])), "intent")

    def freely(changed):
        del changed[born]["body"]["intent"]

    yield forger.change("born without an intent", freely, "intent")
    enrolled = forger.find("site-enrolled")
    yield forger.change("an HSM that did not answer", _set(enrolled, challenge="0" * 64), "challenge")
    yield forger.change("another HSM's serial number", _set(enrolled, serial="0000000000000000"), "serial")
    arrived = forger.find("arrived")
    yield forger.change("an HSM somewhere else", _set(arrived, latitude="51.51", longitude="-0.59", place="table"), None)


def uses(forger):
    used = forger.find("used")
    yield forger.change("other bytes signed", _set(used, data="0" * 64), "approved")
    yield forger.change("another signature returned", _set(used, signature="0" * 64), "signature")


def drills(forger):
    """Of transcripts that have some."""
    entries = forger.entries
    places = [place for place, entry in enumerate(entries) if entry["type"] == "drill" and entry["body"]["proven"]]
    if len(places) < 2:
        return
    first, last = places[0], places[-1]
    body, done = entries[last]["body"], _steps(forger, "drill")
    name = "receipts/%s.json" % body["receipt"]
    said = json.loads(forger.files[name])

    def answer(edit):
        """The answer changed, and the entry that names it."""
        other = copy.deepcopy(said)
        edit(other)
        data = canonical_bytes(other)
        result = dict(entries[done[-1]]["body"]["result"], receipt=digest(data))

        def changes(changed):
            changed[last]["body"]["receipt"] = digest(data)
            changed[done[-1]]["body"]["result"] = result
        return changes, {name: None, "receipts/%s.json" % digest(data): data}

    def attested(other):
        other["keys"][0] = {"born": other["keys"][0]["born"], "proof": "attested"}

    def by_another(other):
        signature = other["keys"][0]["proof-signature"]
        other["keys"][0]["proof-signature"] = signature[len(signature) // 2:] + signature[:len(signature) // 2]

    def unproven(other):
        other["keys"][0] = {"born": other["keys"][0]["born"], "reason": "no such key"}

    def another_nonce(other):
        other["nonce"] = "0" * 64

    for what, edit in (("a drilled key that only says so", attested), ("a drilled key that did not sign this", by_another),
                       ("a drill with another nonce", another_nonce), ("a failed key said to be proven", unproven)):
        changes, more = answer(edit)
        yield forger.change(what, changes, None, more)
    away = {key: value for key, value in body.items() if key != "receipt"}

    def replaced(members):
        def edit(changed):
            changed[last]["body"] = dict(members)
        return edit

    yield forger.change("a drill with another challenge", _set(last, challenge="0" * 64), "challenge")
    yield forger.change("a drill of another site", _set(last, site=entries[first]["body"]["site"]), "another")
    yield forger.change("another drill's answer", _set(last, receipt=entries[first]["body"]["receipt"]), None, {name: None})
    yield forger.change("keys proven without an answer", replaced(dict(away, reason="away")), "without an answer", {name: None})
    yield forger.change("a drilled key left out", _set(last, proven=body["proven"][1:]), "keys")
    yield forger.change("a drilled key that nobody holds", _set(last, proven=[0] + body["proven"]), "keys")
    yield forger.change("a drilled key twice", _set(last, failed=body["proven"]), "failed")
    result = entries[done[-1]]["body"]["result"]
    yield forger.change("a drill step of other counts", _set(done[-1], result=dict(result, proven="99")), "counts")
    yield forger.change("a drill step of no drill", _set(done[-1], result=dict(result, receipt="0" * 64)), "drill")
    yield forger.change("a drill step of another site", _set(done[-1], result=dict(entries[done[0]]["body"]["result"])), None)
    yield forger.change("a drill step without its drill", _drop(last), "drill", {name: None})


def retirements(forger):
    """Of transcripts in which a site retired."""
    entries = forger.entries
    place = forger.find("site-retired")
    body = entries[place]["body"]
    request = forger.find("request", request=body["request"])
    intent = forger.find("intent", request=body["request"])
    drills = [at for at in range(intent, place) if entries[at]["type"] == "drill"]
    cleared = forger.find("accepted", intent=intent)
    others = sorted({entry["body"]["site"] for entry in entries if entry["type"] == "site-enrolled"} - {body["site"]})

    def gone(at):
        return {"receipts/%s.json" % entries[at]["body"]["receipt"]: None}

    yield forger.change("another site retired", _set(place, site=others[0]), "approved")
    yield forger.change("retired without a drill", _drop(*drills), "drilled",
                        {name: None for at in drills for name in gone(at)})
    yield forger.change("retired with a drill less", _drop(drills[-1]), "drilled", gone(drills[-1]))

    def drilled_before(changed):
        entry = changed.pop(drills[-1])
        changed.insert(request, entry)
        entry["time"] = changed[request - 1]["time"]

    yield forger.change("drilled before people decided", drilled_before, "drilled")
    asked = [at for at in range(intent) if entries[at]["type"] == "drill" and "receipt" in entries[at]["body"]
             and entries[at]["body"]["site"] == entries[drills[-1]]["body"]["site"]]
    if asked:
        yield forger.change("retired by an old proof", _set(drills[-1], **entries[asked[-1]]["body"]), "answered before", gone(drills[-1]))
    waits = calendar.timegm(time.strptime(entries[intent]["time"], "%Y-%m-%dT%H:%M:%SZ"))
    for days in (-1, 15):
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(waits + days * 86400))
        yield forger.change("a retirement that waits %d days" % days, _set(intent, until=until), "until")
    sooner = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(waits + 86400))
    yield forger.change("retired by proofs for another intent", _set(intent, until=sooner), "drilled")
    yield forger.change("retired without an intent", _drop(intent), "intent")
    yield forger.change("retired twice", lambda changed: changed.insert(place + 1, copy.deepcopy(changed[place])), "intent")
    yield forger.change("destroyed at another site", _set(cleared, sites=others[:1]), "site")
    yield forger.change("another verdict on the retirement",
                        _set(place, verdict=dict(body["verdict"], counted=["authority-3"])), "verdict")


def moves(forger):
    """Of transcripts in which an HSM went from one place to another."""
    out = forger.find("departed")
    there = next(place for place in range(out, len(forger.entries)) if forger.entries[place]["type"] == "arrived")
    body = forger.entries[there]["body"]

    def unanswered(changed):
        for member in ("answer", "challenge"):
            del changed[there]["body"][member]

    yield forger.change("arrived without having left", _drop(out), None)
    yield forger.change("arrived without an answer", unanswered, "challenge")
    yield forger.change("arrived with another answer", _set(there, answer=body["answer"][2:] + body["answer"][:2]), "answer")
    yield forger.change("arrived with another challenge", _set(there, challenge="0" * 64), "answer")
    yield forger.change("arrived in another bag", _set(there, bag="X"), "bag")
    yield forger.change("left in another bag", _set(out, bag="X"), None)
    yield forger.change("left twice", lambda changed: changed.insert(out + 1, copy.deepcopy(changed[out])), "way already")
    done = _steps(forger, "arrive")
    if done:
        result = forger.entries[done[0]]["body"]["result"]
        yield forger.change("received in another safe", _set(done[0], result=dict(result, safe="X")), "answered")
        yield forger.change("received at another site", _set(done[0], result=dict(result, site="cardiff")), None)


def ends(forger):
    """Of transcripts in which keys with replicas were destroyed as a rule plainly allows."""
    place, cleared = forger.find("destroyed"), forger.find("cleared")
    body = forger.entries[place]["body"]
    yield forger.change("a site of a destroyed key forgotten", _set(place, left=body["left"][1:]), None)
    yield forger.change("destroyed twice", lambda changed: changed.insert(place + 1, copy.deepcopy(changed[place])), "key")
    yield forger.change("cleared twice", lambda changed: changed.insert(cleared + 1, copy.deepcopy(changed[cleared])), "left")
    yield forger.change("cleared where nothing was", _set(cleared, sites=["leeds"]), "left")
    yield forger.change("cleared before it ended", _drop(place), None)
    yield forger.change("nothing cleared", _set(cleared, sites=[]), "left")


def recalled(forger):
    """Of transcripts in which a step signed: the entry has the signature."""
    used = forger.find("used")
    value = forger.entries[used]["body"]["value"]
    other = ("0" if value[0] != "0" else "1") + value[1:]

    def unsaid(changed):
        del changed[used]["body"]["value"]
        changed[used]["body"]["signature"] = "0" * 64

    yield forger.change("another signature in the log", _set(used, value=other), "value")
    yield forger.change("another signature returned, and not said which", unsaid, "signature")
    yield forger.change("another signature in the log, with its digest", _set(
        used, value=other, signature=digest(bytes.fromhex(other))), None)
    yield forger.change("a signature that is no bytes", _set(used, value=value[:-1]), None)


def plains(forger):
    """Of transcripts in which keys were born that a rule plainly allows, and others that people approved."""
    entries = forger.entries
    born = forger.find("born", function="C_GenerateKeyPair", label="own-1")
    secret = forger.find("born", function="C_GenerateKey", label="own-2")
    intent = entries[born]["body"]["intent"]
    approved = next(place for place, entry in enumerate(entries) if entry["type"] == "intent" and "type" in entry["body"])

    def unasked(changed):
        body = changed[approved]["body"]
        body["plain"], body["sites"] = "true", body["sites"][:1]
        del body["type"]

    yield forger.change("nobody need approve what people had to", _set(approved, plain="true"), "plainly")
    yield forger.change("nobody need approve it, at the primary alone", unasked, None)
    yield forger.change("plainly allowed in other words", _set(intent, plain="yes"), "plainly")
    yield forger.change("plainly allowed at another site", _set(intent, sites=["cardiff"]), None)
    yield forger.change("plainly allowed, with replicas", _set(born, sites=["slough", "cardiff"]), "primary")
    yield forger.change("plainly allowed, by another name", _set(born, label="own-3"), "label")
    yield forger.change("begun by another function", _set(secret, function="C_CopyObject"), None)
    yield forger.change("born of another's intent", _set(secret, intent=intent), None)
    yield forger.change("born and never begun", _drop(intent), None)


def replications(forger):
    """Of transcripts in which two keys were brought to a site."""
    place = forger.find("replicated")
    entry = forger.entries[place]
    other = next(e for e in forger.entries if e["type"] == "replicated" and e["body"]["born"] != entry["body"]["born"])["body"]
    intent, offered = entry["body"]["intent"], forger.find("offer", intent=entry["body"]["intent"])
    receipt = forger.find("receipt", intent=intent)
    yield forger.change("brought to another site", _set(place, site="cardiff"), None)
    yield forger.change("another key brought", _set(place, born=other["born"], label=other["label"]), None)
    yield forger.change("brought under another name", _set(place, label="root-g9"), None)
    yield forger.change("brought without a receipt", _drop(receipt), "receipt")
    yield forger.change("brought in a way that the rule does not allow", _set(offered, mechanism="rsa-pkcs+aes-kwp"), None)
    yield forger.change("brought twice", lambda changed: changed.insert(place + 1, copy.deepcopy(changed[place])), None)
    yield forger.change("brought and not said", _drop(place), None)
    yield forger.change("brought under another intent", _set(place, intent=other["intent"]), "intent")
    yield forger.change("from elsewhere than the primary", _set(intent, sites=["cardiff", entry["body"]["site"]]), "primary")
    yield forger.change("begun for another key", _set(intent, born=other["born"]), None)


def brought(forger):
    """Of a ceremony that brought two keys to a site, a step each."""
    first, second = _steps(forger, "replicate")
    said, other = (forger.entries[place]["body"]["result"] for place in (first, second))
    begun = forger.find("step", action="replicate", step=forger.entries[first]["body"]["step"], begun="true")
    for member in ("born", "intent", "label"):
        yield forger.change("a step that brought another %s" % member, _set(first, result=dict(said, **{member: other[member]})), None)
    yield forger.change("a step that brought what another one did", _set(first, result=other), "script asks for")
    yield forger.change("a step that brought it elsewhere", _set(first, result=dict(said, site="cardiff")), "script asks for")
    yield forger.change("a step of which it is not said what it brought", _set(first, result={}), "lacks")
    yield forger.change("a step that says it was there", _set(first, result={m: said[m] for m in said if m != "intent"}), "already")
    approved = _steps(forger, "approve")
    for place in approved:
        yield forger.change("nothing to approve", _set(place, result={"for": forger.entries[place]["body"]["result"]["for"]}), "nothing says")
    yield forger.change("a step that brought more", _set(first, result=dict(said, more="true")), "unknown")
    yield forger.change("a key brought in a step that was never begun", _drop(begun), None)


def _steps(forger, action):
    return [place for place, entry in enumerate(forger.entries)
            if entry["type"] == "step" and entry["body"]["action"] == action and "begun" not in entry["body"]]


def steps(forger):
    entries = forger.entries
    confirmed = _steps(forger, "confirm")
    first, second = next((one, two) for one, two in zip(confirmed, confirmed[1:]) if two == one + 1)

    def swapped(changed):
        changed[first]["body"], changed[second]["body"] = changed[second]["body"], changed[first]["body"]

    born = _steps(forger, "generate-key-pair")[-1]
    approved = _steps(forger, "approve")[-1]
    begun = forger.find("step", action="generate-key-pair", begun="true")
    entered = forger.find("entered", role="custodian")
    yield forger.change("a step out of order", swapped, "turn")
    yield forger.change("a step left out", _drop(first), "turn")
    yield forger.change("a step done twice", lambda changed: changed.insert(first, copy.deepcopy(changed[first])), "turn")
    yield forger.change("a step by somebody else", _set(first, actors=["administrator"]), "role")
    yield forger.change("a step by a stranger", _set(first, actors=["mallory"]), "role")
    yield forger.change("an approval by one less", _set(approved, actors=entries[approved]["body"]["actors"][1:]), "people")
    yield forger.change("one person counted twice", _set(approved, actors=entries[approved]["body"]["actors"][:1] * 3), None)
    yield forger.change("a step that was never begun", _drop(begun), None)
    yield forger.change("a custodian who never entered", _drop(entered), "room")
    yield forger.change("another key's fingerprint", _set(born, result=dict(entries[born]["body"]["result"],
                                                                          fingerprint="0" * 64)), "fingerprint")
    yield forger.change("a result that says more", _set(first, result={"more": "true"}), "result")
    yield forger.change("a member more", _set(first, remark="fine"), "unknown")
    clock = forger.find("answer", name="clock-1")
    checked = _steps(forger, "check-clock")[0]
    wrong = "2001-01-01T00:00:00Z"

    def clock_off(changed):
        changed[clock]["body"]["value"] = changed[checked]["body"]["result"]["clock-1"] = wrong

    yield forger.change("a clock that is wrong", clock_off, "clock")
    yield forger.change("a clock that said something else", _set(clock, value=wrong), "answered")
    recorded = _steps(forger, "record")[-1]
    answer = forger.find("answer", step=entries[recorded]["body"]["step"])
    name = entries[answer]["body"]["name"]

    def unfit(changed):
        changed[answer]["body"]["value"] = changed[recorded]["body"]["result"][name] = "?!"

    yield forger.change("a value that does not fit", unfit, "pattern")
    aloud = _steps(forger, "read-aloud")[0]
    yield forger.change("other words read aloud", _set(aloud, result=dict(entries[aloud]["body"]["result"], words="acid")),
                        "words")
    before = [place for place, entry in enumerate(entries[:aloud]) if entry["type"] == "step" and "result" in entry["body"]][-1]
    size = entries[before]["seq"]  # so many entries came before it
    root = forger.root_at(size)
    yield forger.change("a root read aloud of before the step before", _set(aloud, result={
        "root": root, "size": str(size), "words": " ".join(WORDS[byte] for byte in bytes.fromhex(root))}), "its size")
    bag = _steps(forger, "open-bag")[0]
    yield forger.change("another bag than was answered", _set(bag, result=dict(entries[bag]["body"]["result"], bag="X")),
                        "answered")


def scripted(forger):
    """What the script asks for, and the log does otherwise."""
    entries = forger.entries

    def result(place, **members):
        return _set(place, result=dict(entries[place]["body"]["result"], **members))

    approved, generated = _steps(forger, "approve")[-1], _steps(forger, "generate-key-pair")[-1]
    bag, shown, entered = _steps(forger, "seal-bag")[-1], forger.find("exhibit"), forger.find("entered", role="auditor")
    deviation, answer = forger.find("deviation"), forger.find("answer", name="bag")
    elder = next((entry["body"] for entry in entries if entry["type"] == "born"
                  and entry["body"]["label"] != entries[generated]["body"]["result"]["label"]), None)
    yield forger.change("an approval for another step", result(approved, **{"for": "7.7"}), "another step")
    yield forger.change("another item in the bag", result(bag, item="spoon"), "item")
    yield forger.change("an exhibit of another kind", _set(shown, kind="rumour"), "step asks for")
    yield forger.change("an entrance at another step", _set(entered, step="1.9"), "turn")
    yield forger.change("a deviation of another step", _set(deviation, step="1.1"), "turn")
    yield forger.change("an answer of another step", _set(answer, step="1.1"), "turn")
    yield forger.change("an answer by a stranger", _set(answer, person="mallory"), "room")
    if elder:
        yield forger.change("another key than the script names", result(
            generated, fingerprint=elder["fingerprint"], intent=str(elder["intent"]), label=elder["label"]), None)
    given = forger.find("artifact", kind="attestation")
    said = json.loads(forger.files["artifacts/" + entries[given]["body"]["digest"]])
    said["statement"] = "I saw nothing."
    step = forger.find("step", action="attest", step=entries[given]["body"]["step"])
    old, new = entries[given]["body"]["digest"], digest(canonical_bytes(said))

    def other_statement(changed):
        changed[given]["body"]["digest"] = changed[step]["body"]["result"][said["person"]] = new

    more = {"artifacts/" + old: None, "artifacts/" + new: canonical_bytes(said)}
    if "signature" in entries[given]["body"]:
        more.update({"artifacts/%s.p7s" % old: None, "artifacts/%s.p7s" % new: forger.files["artifacts/%s.p7s" % old]})
    yield forger.change("another statement attested", other_statement, None, more)


def records(forger):
    entries = forger.entries
    close, opened = forger.find("ceremony-closed"), forger.find("ceremony-opened")
    environment = forger.find("environment")
    deviation = forger.find("deviation")

    def fewer(changed):
        changed[close]["body"]["deviations"] -= 1
        del changed[deviation]

    def after(kind, body, ceremony):
        def edit(changed):
            entry = {"body": body, "seq": 0, "time": changed[-1]["time"], "type": kind}
            if ceremony:
                entry["ceremony"] = changed[close]["ceremony"]
            changed.append(entry)
        return edit

    yield forger.change("a deviation removed", fewer, None)
    yield forger.change("a deviation removed, the count kept", _drop(deviation), None)
    yield forger.change("a deviation accepted by nobody", _set(deviation, accepted_by="mallory"), "accepted")
    yield forger.change("another number of steps", _set(close, steps=entries[close]["body"]["steps"] - 1), "count")
    yield forger.change("a deviation after the close",
                        after("deviation", {"accepted-by": "auditor", "cause": "late", "step": "7.7"}, True), "not open")
    yield forger.change("something after the close", after("recovered", {"bytes": 1, "digest": "0" * 64}, False), "end")
    yield forger.change("no close", _drop(close), "end")
    yield forger.change("no environment", _drop(environment), "environment")
    yield forger.change("an unknown entry", lambda changed: changed.insert(opened, {
        "body": {}, "seq": 0, "time": changed[opened]["time"], "type": "blessing"}), None)
    yield forger.change("a second genesis", lambda changed: changed.insert(1, copy.deepcopy(changed[0])), None)

    def back_in_time(changed):
        changed[opened]["time"] = "2001-01-01T00:00:00Z"

    yield forger.change("time that goes back", back_in_time, "time")
    people = entries[opened]["body"]["people"]
    yield forger.change("other people than were approved", _set(opened, people=people[1:]), "approved")
    yield forger.change("people in other roles", _set(opened, people=[dict(people[0], role=people[-1]["role"])] + people[1:]),
                        "approved")


def documents(forger):
    """Policy, script, profile, certificate and attestations put in the place of the real ones."""
    files, entries = forger.files, forger.entries
    adopted, opened = forger.find("policy"), forger.find("ceremony-opened")

    def swapped(place, member, folder, edit):
        body = copy.deepcopy(entries[place]["body"])
        named = body[member] if member else body
        yaml = "%s/%s.yaml" % (folder, named["digest"])
        form = "%s/%s.json" % (folder, named["digest"])
        other_yaml, other_form = edit(files[yaml]), edit(files[form])
        named["digest"], named["canonical"] = digest(other_yaml), digest(other_form)
        more = {yaml: None, form: None, "%s/%s.yaml" % (folder, named["digest"]): other_yaml,
                "%s/%s.json" % (folder, named["digest"]): other_form}
        return body, more

    def weaker(data):
        return data.replace(b"at-least: 3", b"at-least: 1").replace(b'"at-least":"3"', b'"at-least":"1"')

    for name, place, member, folder in (("policy", adopted, "", "policies"), ("script", opened, "script", "scripts")):
        body, more = swapped(place, member, folder, weaker)
        yield forger.change("another %s" % name, _set(place, **{key.replace("-", "_"): value for key, value in body.items()}),
                            None, more)
        named = entries[place]["body"][member] if member else entries[place]["body"]
        form = "%s/%s.json" % (folder, named["digest"])
        body = copy.deepcopy(entries[place]["body"])
        (body[member] if member else body)["canonical"] = digest(weaker(files[form]))
        yield forger.change("another canonical form of the %s" % name,
                            _set(place, **{key.replace("-", "_"): value for key, value in body.items()}), None,
                            {form: weaker(files[form])})
    profile = forger.find("artifact", kind="profile")
    body, more = swapped(profile, "", "profiles", lambda data: data.replace(b"25 years", b"99 years"))
    yield forger.change("another profile", _set(profile, **body), None, more)
    issued = forger.find("artifact", kind="certificate")
    step = _steps(forger, "issue-certificate")[0]
    real = "artifacts/" + entries[issued]["body"]["digest"]
    forged = bytearray(files[real])
    forged[-1] ^= 1

    def other_certificate(changed):
        changed[issued]["body"]["digest"] = changed[step]["body"]["result"]["artifact"] = digest(bytes(forged))

    yield forger.change("another certificate", other_certificate, None,
                        {real: None, "artifacts/" + digest(bytes(forged)): bytes(forged)})
    yield from attestations(forger)


def attestations(forger):
    files, entries = forger.files, forger.entries
    places = [place for place, entry in enumerate(entries)
              if entry["type"] == "artifact" and entry["body"]["kind"] == "attestation"]
    one, two = places[0], places[1]
    step = forger.find("step", action="attest", step=entries[one]["body"]["step"])
    document = "artifacts/" + entries[one]["body"]["digest"]

    def gone(changed):
        del changed[step]["body"]["result"][changed[one]["body"]["person"]]
        del changed[one]

    def unsigned(changed):
        del changed[one]["body"]["signature"]

    def of_another(changed):
        changed[one]["body"].update(digest=entries[two]["body"]["digest"], signature=entries[two]["body"]["signature"])
        changed[step]["body"]["result"][changed[one]["body"]["person"]] = entries[two]["body"]["digest"]

    said = json.loads(files[document])
    said["deviations"] = []
    lighter = canonical_bytes(said)

    def without_deviations(changed):
        changed[one]["body"]["digest"] = digest(lighter)
        changed[step]["body"]["result"][changed[one]["body"]["person"]] = digest(lighter)

    removed = {document: None, document + ".p7s": None}
    yield forger.change("an attestation that nobody gave", gone, "attestation", removed)
    yield forger.change("an attestation that nobody signed", unsigned, "sign", {document + ".p7s": None})
    yield forger.change("somebody else's attestation", of_another, None, removed)
    yield forger.change("an attestation without the deviations", without_deviations, "signature",
                        {document: None, document + ".p7s": None, "artifacts/" + digest(lighter): lighter,
                         "artifacts/" + digest(lighter) + ".p7s": files[document + ".p7s"]})


ATTACKS = (verdicts, births, uses, drills, tokens.failovers, tokens.promotions, tokens.moves, steps, stamps, scripted, records, documents)


def attacks(files, trust, key_file, kinds=None):
    forger = Forger(files, trust, key_file)
    for kind in ATTACKS if kinds is None else named(kinds, sys.modules[__name__], elsewhere):
        yield from kind(forger)
