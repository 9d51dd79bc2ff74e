"""What a host that is not honest could write while the estate goes on: people sign what comes after it in good faith, so that
nothing but the entry itself can be wrong. Run together with everybody (collusion)."""

import copy
import json

from verifier.strict import canonical_bytes


def _row(forger, name, claim, expected, edit, more=None):
    change = forger.change(name, edit, expected, more)
    change.claim = claim
    return change


def replays(forger):
    """Of transcripts with a drill, and keys that were born as a rule plainly allows."""
    entries = forger.entries
    opening = forger.find("ceremony-opened")
    asked = forger.find("request", request=entries[opening]["body"]["request"])
    drill, enrolled, arrived = forger.find("drill"), forger.find("site-enrolled"), forger.find("arrived")
    plain = forger.find("born", function="C_GenerateKeyPair", label="own-1")
    approved = next(place for place, entry in enumerate(entries) if entry["type"] == "born" and len(entry["body"]["sites"]) > 1)

    def before_opening(*added):
        def edit(changed):
            for kind, body in reversed(added):
                changed.insert(asked, {"body": copy.deepcopy(body), "time": changed[asked - 1]["time"], "type": kind})
        return edit

    def body(place, **members):
        return dict(entries[place]["body"], **{name.replace("_", "-"): value for name, value in members.items()})

    def put(place, **members):
        def edit(changed):
            changed[place]["body"] = body(place, **members)
        return edit

    yield _row(forger, "a drill's answer given again", "drills", "answered before", before_opening(("drill", entries[drill]["body"])))
    gone = {"bag": "X", "site": entries[arrived]["body"]["site"], "token": entries[arrived]["body"]["token"]}
    answered = body(arrived, bag="X", challenge=entries[enrolled]["body"]["challenge"], answer=entries[enrolled]["body"]["answer"])
    yield _row(forger, "arrived by the answer of its enrolment", "sites", "answered before",
               before_opening(("departed", gone), ("arrived", answered)))
    free = {name: value for name, value in body(plain, label="own-9").items() if name != "intent"}
    for name, members in (("a key of before", {}), ("a key that people approved", dict(
            fingerprint=entries[approved]["body"]["fingerprint"], type=entries[approved]["body"]["type"],
            **{"public-key": entries[approved]["body"]["public-key"]}))):
        yield _row(forger, "generated freely: " + name, "births", "generated before", before_opening(("born", dict(free, **members))))
    imported = dict(free, function="C_CreateObject", label="own-9")
    for name, expected, members in (
            ("at two sites", "primary", {"sites": ["slough", "cardiff"]}), ("at another site", "primary", {"sites": ["cardiff"]}),
            ("of another type", "type", {"type": "EC:P-521"}), ("in no known way", "allows", {"function": "C_Sign"})):
        yield _row(forger, "copied freely: " + name, "births", expected,
                   before_opening(("born", dict(imported, function="C_CopyObject", **members) if "function" not in members
                                   else dict(imported, **members))))
    held = _row(forger, "copied freely", None, None, before_opening(("born", dict(imported, function="C_CopyObject"))))
    held.wanted = "held"
    yield held
    yield _row(forger, "plainly allowed, born elsewhere", "births", "primary", put(plain, sites=["cardiff"]))
    yield _row(forger, "plainly allowed, of another type", "births", "type", put(plain, type="EC:P-384"))
    told = forger.find("accepted", intent=entries[plain]["body"]["intent"])
    yield _row(forger, "a stranger is told of a birth", "births", "of no birth", put(told, sites=["slough", "leeds"]))
    renamed = {name: entries[plain]["body"][name] for name in ("class", "id", "label", "token")}
    yield _row(forger, "a free key gets the label of a governed one", "changes", "new label",
               before_opening(("modified", dict(renamed, **{"new-label": "app-1"}))))
    held = _row(forger, "a free key gets another free label", None, None, before_opening(("modified", dict(renamed, **{"new-label": "own-7"}))))
    held.wanted = "held"
    yield held
    ended = forger.find("destroyed")
    yield _row(forger, "gone at a site, and left there", "changes", "one too many", put(ended, sites=entries[ended]["body"]["left"]))
    yield from _requests(forger, entries[plain]["body"]["intent"], put)


def _requests(forger, intent, put):
    """Nobody signs the request of what a rule plainly allows."""
    entries = forger.entries
    asked = forger.find("request", request=entries[intent]["body"]["request"])
    name = "requests/%s/request.json" % entries[asked]["body"]["request"]
    document = json.loads(forger.files[name])
    later = "2%03d%s" % (int(document["expires"][1:4]) + 1, document["expires"][4:])
    for what, expected, expires, edited in (
            ("made under another version", "another policy", document["expires"], dict(document, policy=dict(document["policy"], version=77))),
            ("that waits for a year", "lasts longer", later, dict(document, expires=later))):
        yield _row(forger, "a request " + what, "requests", expected, put(asked, expires=expires), {name: canonical_bytes(edited)})
