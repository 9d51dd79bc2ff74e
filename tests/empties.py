#!/usr/bin/env python3
"""Takes a policy in which every list and every map stands, empties one after the other (and each number, and each text), and
asks `quorate policy check` and the second verifier: both refuse, the first with the place. empties.py [--quorate PROGRAM]

Exit 0: none of it means anyone, or anything. 1: something empty was taken; what, is printed.
"""

import argparse
import copy
import json
import os
import re
import subprocess
import sys
import tempfile

from verifier import policy
from verifier.strict import Refused, canonical_bytes

# Where nothing names one of them, no site and no token is what a policy for papers alone has.
MEANS_NONE = {("sites",), ("tokens",)}
# Anchored by their author, and any text: of no account to who decides.
NO_MATTER = {"country"}


def person(number, organisation, more=None):
    return dict({"id": "p%d" % number, "name": "P", "organisation": organisation, "roles": ["custodian", "authority"],
                 "fingerprint": "sha256:%064x" % number}, **(more or {}))


def whole():
    quorum = {"of": ["custodian"], "at-least": "2", "organisations": "2", "within": "1 hour", "except": ["auditor"], "reject-at": "2"}
    replicas = {"at-least": "1", "prove": "signature", "apart-km": "1", "tagged": ["far"], "countries": ["GB"], "sites": ["s2"],
                "placed-within": "1 day", "hardware": "attested", "fresh": "1 year", "deferred": "1 day", "spares": "1",
                "provisional-use": ["self-sign"]}
    birth = {"ceremony": ["c"], "quorum": quorum, "replicas": replicas, "extractable": "closed",
             "key": {"types": ["EC:P-256"], "usage": ["sign"], "lifetime": "1 year"}, "transport": {"allow": ["oaep-sha1"]}}
    root = {"attested-by": ["sha256:" + "a" * 64], "attested-with": {"1.3.6.1": "0500"}}
    rules = [
        {"id": "birth", "when": {"operation": ["generate"], "token": ["t"], "label": "^a", "class": ["private-key"], "object": "token"},
         "require": birth, "expires": "1 day"},
        {"id": "self", "when": {"operation": ["use"], "label": "^a"}, "require": {"quorum": {"of": ["custodian"], "at-least": "1"}}},
        {"id": "uses", "when": {"operation": ["use"]}, "require": {"quorum": {"of": ["custodian"], "at-least": "1"},
                                                                   "uses": {"at-most": "5", "within": "1 hour"}}},
        {"id": "all", "when": {"operation": ["adopt-policy", "resume", "open-ceremony"]}, "require": {"quorum": {"of": "authority", "at-least": "1"}}}]
    return {"quorate": "1", "semantics": "1", "name": "n", "version": "1", "otherwise": "deny", "confidential": {"answer": "personal"},
            "people": [person(1, "A"), person(2, "B", {"alternate-for": {"person": "p1", "from": "2026-01-01"}}), person(3, "C")],
            "sites": [dict({"id": "s1", "at": ["1", "2"], "country": "GB", "tags": ["far"]}),
                      dict({"id": "s2", "at": ["3", "4"], "country": "GB", "tags": ["far"]}, **root)],
            "tokens": [{"id": "t", "primary": "s1", "replicas": ["s2"], "failover": "use"}], "rules": rules,
            "succession": {"quorum": {"of": ["authority"], "at-least": "2"}}}


def places(value, path=()):
    yield path
    for name, inner in value.items() if type(value) is dict else enumerate(value) if type(value) is list else ():
        yield from places(inner, path + (name,))


def put(value, path, new):
    value = copy.deepcopy(value)
    at = value
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = new
    return value


def emptied(value):
    """(where, the whole with that emptied)"""
    for path in places(value):
        at = value
        for step in path:
            at = at[step]
        if not path or (type(at) is str and path[-1] in NO_MATTER):
            continue
        if path in MEANS_NONE:
            yield path, put({name: inner for name, inner in value.items() if name not in ("tokens", "rules")}
                            | {"tokens": [], "rules": value["rules"][3:]}, path, []), True
            continue
        yield path, put(value, path, type(at)()), False
        if type(at) is str and re.fullmatch("[0-9]+( [a-z]+)?", at) and path[-1] not in ("spares", 0, 1):
            yield path, put(value, path, re.sub("^[0-9]+", "0", at)), False


def first(given, folder, value):
    """What the first verifier says of it: None, or why not."""
    path = os.path.join(folder, "policy.yaml")
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1)
    done = subprocess.run([given.quorate, "policy", "check", path], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode()
    return None if done.returncode == 0 else said


def second(value):
    try:
        policy.parse(canonical_bytes(value), "0" * 64)
        return None
    except Refused as why:
        return str(why)


def main():
    arguments = argparse.ArgumentParser(description="Empties what stands in a policy.")
    arguments.add_argument("--quorate", default="build/quorate")
    given = arguments.parse_args()
    tried, wrong = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for path, value, taken in [((), whole(), True)] + list(emptied(whole())):
            tried += 1
            said = first(given, folder, value), second(value)
            if path == ("rules",):  # it denies everything, so nothing could replace it
                good = said[0] is not None and "could never be replaced" in said[0]
            elif taken:
                good = said == (None, None)
            else:
                good = said[0] is not None and re.search(r"policy\.yaml:\d+:\d+: ", said[0]) and said[1] is not None
            if not good:
                wrong += 1
                print("%s: the first says %s; the second %s" % ("/".join(map(str, path)), said[0], said[1]))
    print("%d policies, %d not answered as they should be" % (tried, wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
