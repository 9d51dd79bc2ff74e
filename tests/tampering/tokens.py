"""Which site stands for a token."""

import copy


def _failover(forger, place, /, **body):
    def edit(entries):
        entries.insert(place + 1, {"body": body, "time": entries[place]["time"], "type": "failover"})
    return edit


def failovers(forger):
    enrolled = forger.find("site-enrolled")
    token, site = (forger.entries[enrolled]["body"][name] for name in ("token", "site"))
    try:
        moved = forger.find("failover")
    except LookupError:
        yield forger.change("uses by a site that the policy gives none to",
                            _failover(forger, enrolled, reason="lost", site=site, token=token), "failover")
        return
    there = forger.entries[moved]["body"]

    def again(entries):
        entries.insert(moved + 1, copy.deepcopy(entries[moved]))
        del entries[moved + 1]["was"]

    yield forger.change("uses that go where they go already", again, "served already")
    for name, members, word in (("a stranger", {"site": "leeds"}, "site"), ("another token", {"token": "leaf"}, "failover"),
                                ("more to say", {"more": "x"}, None), ("no reason", {"reason": ""}, None)):
        yield forger.change("uses that go to a replica: " + name, _failover(forger, moved, **dict(there, **members)), word)


def promotions(forger):
    try:
        place = forger.find("promoted")
    except LookupError:
        return
    entry = forger.entries[place]
    intent = next(at for at, other in enumerate(forger.entries)
                  if other["type"] == "intent" and other["body"]["request"] == entry["body"]["request"])

    def edited(**members):
        def edit(entries):
            entries[place]["body"].update(members)
        return edit

    def dropped(at):
        def edit(entries):
            del entries[at]
        return edit

    yield forger.change("a promotion of another site", edited(site="glasgow"), "approved")
    yield forger.change("a promotion of another token", edited(token="leaf"), "approved")
    yield forger.change("a promotion that was not decided", dropped(intent), "intent")
    yield forger.change("a promotion that the record leaves out", dropped(place), None)


def moves(forger):
    try:
        place = forger.find("moved")
    except LookupError:
        return
    moved = forger.entries[place]
    intent = next(at for at, other in enumerate(forger.entries)
                  if other["type"] == "intent" and other["body"]["request"] == moved["body"]["request"])
    first = forger.entries[0]["body"]["log-key"]

    def dropped(at):
        def edit(entries):
            del entries[at]
        return edit

    def named(**members):
        def edit(entries):
            entries[place].update(members)
        return edit

    yield forger.change("a move of the home: left out", dropped(place), None)
    yield forger.change("a move of the home: not decided", dropped(intent), "intent")
    yield forger.change("a move of the home: to where it was", named(body=dict(moved["body"], **{"log-key": first})), None)
    yield forger.change("a move of the home: as a change of key", named(type="log-key"), "origin")
