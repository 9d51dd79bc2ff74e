"""Sites that are elsewhere: keys that wait for receipts, a site's next transport key, and the record of such a site."""

import copy


def _set(place, /, **members):
    def edit(entries):
        body = entries[place]["body"]
        for name, value in members.items():
            if value is None:
                del body[name.replace("_", "-")]
            else:
                body[name.replace("_", "-")] = value
    return edit


def _drop(place):
    def edit(entries):
        del entries[place]
    return edit


def _move(place, to):
    """Before the entry at `to`, at its time."""
    def edit(entries):
        entry = entries.pop(place)
        at = to if to < place else to - 1
        entry["time"] = entries[at]["time"]
        entries.insert(at, entry)
    return edit


def _again(place, /, **members):
    def edit(entries):
        entry = copy.deepcopy(entries[place])
        del entry["was"]
        entry["body"].update({name.replace("_", "-"): value for name, value in members.items()})
        entries.insert(place + 1, entry)
    return edit


def _flip(text):
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def underway(forger):
    """A key that goes to a site, in a step, and whose receipt is awaited."""
    place = forger.find("provisional")
    step = forger.find("step", action="replicate")
    body, result = forger.entries[place]["body"], forger.entries[step]["body"]["result"]
    name = "a key under way: "
    yield forger.change(name + "not said", _drop(place), None)
    yield forger.change(name + "twice", _again(place), None)
    yield forger.change(name + "for longer than the rule lets it", _set(place, until="2036-01-01T00:00:00Z"), "so late")
    yield forger.change(name + "to another site", _set(place, sites=["cardiff"]), None)
    yield forger.change(name + "to no site", _set(place, sites=[]), None)
    yield forger.change(name + "as if it were born", _set(place, fingerprint="0" * 64, id="00", public_key="00"), None)
    yield forger.change(name + "another one in the step", _set(step, result=dict(result, born=str(int(result["born"]) - 1))), "born")
    yield forger.change(name + "under another intent in the step", _set(step, result=dict(result, intent=str(body["intent"] - 1))), None)
    arrived = forger.change(name + "there without a receipt", lambda changed: changed.insert(place + 1, {
        "body": {"born": int(result["born"]), "intent": body["intent"], "label": result["label"], "site": result["site"],
                 "token": result["token"]}, "time": changed[place]["time"], "type": "replicated"}), "receipt")
    yield arrived


def carried(forger):
    """A provisional key, and the certificate that it signed of itself."""
    entries = forger.entries
    place, issued = forger.find("provisional"), forger.find("artifact", kind="certificate")
    body = entries[place]["body"]
    tbs, used = forger.find("artifact", kind="tbs"), forger.find("used")
    asked = next(at for at, other in enumerate(entries) if other["seq"] == entries[used]["body"]["intent"])
    name = "a provisional key: "
    yield forger.change(name + "left out", _drop(place), None)
    yield forger.change(name + "twice", _again(place), None)
    yield forger.change(name + "before it was offered", _move(place, forger.find("offer")), None)
    yield forger.change(name + "after it was used", _move(place, used + 1), None)
    yield forger.change(name + "for longer than the rule lets it", _set(place, until="2036-01-01T00:00:00Z"), "so late")
    yield forger.change(name + "nobody is awaited", _set(place, sites=[]), None)
    yield forger.change(name + "another site is awaited", _set(place, sites=["cardiff"]), None)
    yield forger.change(name + "another fingerprint", _set(place, fingerprint=_flip(body["fingerprint"])), None)
    yield forger.change(name + "another key", _set(place, public_key=_flip(body["public-key"])), None)
    yield forger.change(name + "half a key", _set(place, id=None), "half")
    yield forger.change(name + "no key at all", _set(place, id=None, public_key=None, fingerprint=None), None)
    yield forger.change(name + "more to say", _set(place, released="true"), None)
    yield forger.change(name + "used, and nobody decided so", _drop(asked), None)
    yield forger.change("a certificate that hides that its key is not born", _set(issued, awaits=None), "hides")
    yield forger.change("a certificate that awaits another birth", _set(issued, awaits=body["intent"] - 1), None)
    yield forger.change("a certificate that awaits something that is no number", _set(issued, awaits="true"), None)
    yield forger.change("something that awaits a birth and is no certificate", _set(tbs, awaits=body["intent"]), "hides")
    close = forger.find("ceremony-closed")
    undone = forger.change("a certificate that is void, and the record says so", lambda changed: changed.insert(close, {
        "body": {"intent": body["intent"], "reason": "too late"}, "time": changed[close]["time"], "type": "rolled-back"}))
    undone.wanted = "held"
    yield undone


def deferred(forger):
    """A birth whose receipts came later, be it that nobody used the key before."""
    entries = forger.entries
    born = forger.find("born")
    began = entries[born]["body"]["intent"]
    place, intent = forger.find("provisional", intent=began), next(at for at, entry in enumerate(entries) if entry["seq"] == began)
    answered = next(at for at in range(place, born) if entries[at]["type"] == "receipt")
    sites, later = (entries[at]["body"][member] for at, member in ((place, "sites"), (intent, "later")))
    cloned = all(entry["body"]["mechanism"].startswith("cloned:") for entry in entries
                 if entry["type"] == "offer" and entry["body"]["intent"] == began)
    name = "a birth whose receipts come later: "

    # With all that was asked for meanwhile, which rests on the log as it was.
    def left_out(changed):
        del changed[place:answered]

    def afterwards(changed):
        entry = changed[place]
        left_out(changed)
        changed.insert(place + 1, dict(entry, time=changed[place]["time"]))

    def silent(changed):
        del changed[intent]["body"]["later"]
        del changed[place]

    def years_later(changed):
        for entry in changed[answered:]:
            entry["time"] = str(int(entry["time"][:4]) + 1) + entry["time"][4:]

    yield forger.change(name + "not provisional before", left_out, "before the key was provisional")
    yield forger.change(name + "provisional after it answered", afterwards, "before the key was provisional")
    yield forger.change(name + "another one is awaited", _set(place, sites=[entries[intent]["body"]["sites"][0]]), None)
    yield forger.change(name + "the intent names the primary", _set(intent, later=later + entries[intent]["body"]["sites"][:1]),
                        "later")
    yield forger.change(name + "the intent names nobody", _set(intent, later=[]), None)
    yield forger.change(name + "the intent names another", _set(intent, later=["leeds"]), "later")
    if len(sites) > 1:
        yield forger.change(name + "one less is awaited", _set(place, sites=sites[1:]), "not the sites")
    yield forger.change(name + "not provisional before, and the intent is silent", silent,
                        "before the key was provisional" if cloned else "of another birth")
    yield forger.change(name + "an answer years later", years_later, "too late")


def renewed(forger):
    """The next transport key of a site."""
    place = forger.find("transport-renewed")
    body = forger.entries[place]["body"]
    name = "a transport key renewed: "
    yield forger.change(name + "another key", _set(place, transport=_flip(body["transport"])), None)
    yield forger.change(name + "another signature", _set(place, signature=_flip(body["signature"])), "not signed")
    yield forger.change(name + "another site's", _set(place, site="cardiff"), "not signed")
    yield forger.change(name + "of a site that nobody enrolled", _set(place, site="leeds"), "not enrolled")
    yield forger.change(name + "twice", _again(place), "has already")
    yield forger.change(name + "before the site was enrolled",
                        _move(place, forger.find("site-enrolled", site=body["site"])), "not enrolled")
    yield forger.change(name + "no id", _set(place, transport_id=""), None)
    yield forger.change(name + "more to say", _set(place, verdict="allow"), None)


def far(forger):
    """The record of a site: whose it is, its keys, what it took in and what became of that."""
    entries = forger.entries
    introduced, keys = forger.find("introduced"), next(at for at, e in enumerate(entries) if e["type"] == "site-keys")
    answered, settled = forger.find("taken"), forger.find("settled")
    taken = next(at for at, entry in enumerate(entries) if entry["type"] == "taken")
    pinned, offer, end = (entries[at]["body"] for at in (introduced, answered, settled))
    asked = next(at for at, e in enumerate(entries) if e["type"] == "intent" and e["body"]["request"] == pinned["request"])
    for member in ("estate", "origin", "log-key", "site", "token"):
        yield forger.change("a site of another estate: " + member,
                            _set(introduced, **{member.replace("-", "_"): _flip(pinned[member])}), None)
    yield forger.change("a site introduced: not decided", _drop(asked), None)
    yield forger.change("a site introduced: left out", _drop(introduced), None)
    yield forger.change("a site introduced: twice", _again(introduced), None)
    yield forger.change("a site introduced: after its keys were made", _move(introduced, keys + 1), None)
    yield forger.change("a site's keys: left out", _drop(keys), None)
    yield forger.change("a site's keys: another identity",
                        _set(keys, identity=entries[keys]["body"]["transport"], transport=entries[keys]["body"]["identity"]), None)
    yield forger.change("a site's keys: one for both", _set(keys, transport=entries[keys]["body"]["identity"]), None)
    yield forger.change("a site's keys: made after the key was taken in", _move(keys, answered + 1), None)
    yield forger.change("a key taken in: left out", _drop(taken), "no offer waits")
    yield forger.change("a key taken in: its receipt left out", _drop(answered), None)
    yield forger.change("a key taken in: twice", _again(taken), "taken before")
    yield forger.change("a key taken in: answered twice", _again(answered), "no offer waits")
    yield forger.change("a key taken in: answered before", _move(taken, answered + 1), "no offer waits")
    for member in ("intent", "offer", "request", "receipt"):
        yield forger.change("a key taken in: another " + member, _set(answered, **{member: _flip(offer[member])}), None)
    yield forger.change("a key taken in: more than once for a request",
                        _again(taken, offer=_flip(offer["offer"])), "taken before")
    yield forger.change("the host's log goes back", _set(settled, size=1), "went back")
    yield forger.change("the host's log is another",
                        _set(answered, root=_flip(offer["root"]), size=entries[taken]["body"]["size"]), "went back")
    yield forger.change("a size that is no number", _set(settled, size="9"), None)
    yield forger.change("what became of a key: something else", _set(settled, outcome="lost"), "no such outcome")
    yield forger.change("what became of a key: withdrawn when it was born", _again(settled, outcome="withdrawn"), None)
    yield forger.change("what became of a key: born twice", _again(settled), None)
    yield forger.change("what became of a key: destroyed before it was born", _set(settled, outcome="destroyed"), None)
    yield forger.change("what became of a key: before it was taken in", _move(settled, taken), None)
    yield forger.change("what became of a key: of another birth", _set(settled, intent=_flip(end["intent"])), None)
    for at in [at for at, entry in enumerate(entries) if entry["type"] == "seen"][:1]:
        yield forger.change("what was seen: more to say", _set(at, more="x"), None)
        yield forger.change("what was seen: nothing", _set(at, size=0), None)
