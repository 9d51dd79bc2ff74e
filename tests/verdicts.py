#!/usr/bin/env python3
"""Asks both implementations of policy evaluation, semantics 1, about policies and votes made at random: the program by
`quorate policy explain`, and verifier/evaluate.py. Prints where they differ. verdicts.py [--count N] [--seed N]
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

from verifier import evaluate, policy
from verifier.strict import Refused, canonical_bytes, moment, sha256_hex

START = moment("2026-03-01T00:00:00Z")
ROLES = ["custodian", "authority", "auditor"]
ORGANISATIONS = ["Operator", "Provider", "Authority"]
LABELS = ["", "app-1", "root-g1", "oca-root", "root.g1", "a+b", "key{2}", "R\u00f6mer", "x]y", "tab\ttab", "UPPER-9"]
EXPRESSIONS = ["^root", "^(root|oca)-", "g[0-9]$", "^[^a-m]", "a\\+b", "[[:alpha:]]+-[[:digit:]]", "^.{3,5}$", "\\{2\\}",
               "x[]]y", "^$", "o+t?.", "(app|x)*-1", "[a-f-]", "[[:upper:]]{2}", "\u00f6"]
TYPES = ["EC:P-256", "EC:P-384", "RSA:3072", "AES:256"]
USAGES = ["sign", "decrypt", "derive", "wrap"]


def text(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


class Case:
    """One policy, one question, and the votes on it."""

    def __init__(self, chance):
        self.chance = chance
        self.people = [self._person(number) for number in range(chance.randrange(2, 8))]
        for number, person in enumerate(self.people):
            principals = [other["id"] for other in self.people[:number] if "alternate-for" not in other]
            if principals and chance.random() < 0.3:
                person["alternate-for"] = self._dates({"person": chance.choice(principals)}, 0.4)
        self.sites = [self._site(name) for name in ("a", "b", "c", "d")]
        self.aside = random.Random(repr(self.sites))  # what draws from it leaves the rest of a seed's cases as they were
        for site in self.sites:
            if self.aside.random() < 0.5:
                site["attested-by"] = "sha256:%064x" % self.aside.getrandbits(256)
                if self.aside.random() < 0.5:
                    site["attested-with"] = {"1.3.6.1.4.1.32473.%d" % self.aside.randrange(20): "05%02x" % self.aside.randrange(256)}
        self.birth = chance.random() < 0.5
        self.label, self.type = chance.choice(LABELS), chance.choice(TYPES)
        self.usage = chance.sample(USAGES, chance.randrange(1, 3))
        self.at = START + 60 * chance.randrange(40, 90)
        self.votes = [(chance.random() < 0.15, chance.choice(self.people)["id"], START + 60 * chance.randrange(1, 40))
                      for _ in range(chance.randrange(8))]

    def _dates(self, value, likely):
        """`from` and `until`, at times among those of the votes."""
        if self.chance.random() < likely:
            value["from"] = text(START + 60 * self.chance.randrange(0, 20))
        if self.chance.random() < likely:
            value["until"] = text(START + 60 * self.chance.randrange(20, 60))
        return value

    def _person(self, number):
        return self._dates({"id": "person-%d" % number, "name": "Person %d" % number,
                            "organisation": self.chance.choice(ORGANISATIONS), "fingerprint": "sha256:%064x" % number,
                            "roles": self.chance.sample(ROLES, self.chance.randrange(1, 3))}, 0.15)

    def _site(self, name):
        return {"id": name, "at": ["%.2f" % self.chance.uniform(50, 55), "%.2f" % self.chance.uniform(-4, 1)],
                "answer-within": self.chance.choice(["1 second", "2 minutes", "1 day"]),
                "country": self.chance.choice(["GB", "IE"]), "tags": self.chance.sample(["north", "dry"], self.chance.randrange(1, 3))}

    def _quorum(self):
        chance = self.chance
        result = {"of": chance.sample(ROLES, chance.randrange(1, 3)), "at-least": str(chance.randrange(1, 4))}
        for name, likely, value in (("organisations", 0.3, str(chance.randrange(1, int(result["at-least"]) + 1))),
                                    ("within", 0.4, "%d minutes" % chance.randrange(1, 30)),
                                    ("except", 0.2, [chance.choice(ROLES)]), ("reject-at", 0.3, str(chance.randrange(1, 3)))):
            if chance.random() < likely:
                result[name] = value
        return result

    def _require(self):
        chance, result = self.chance, {"quorum": self._quorum()}
        if not self.birth:
            return result
        if chance.random() < 0.7:
            replicas = {"at-least": str(chance.randrange(1, 4)), "prove": chance.choice(["signature", "attest"])}
            for name, likely, value in (("apart-km", 0.6, str(chance.randrange(20, 300))), ("tagged", 0.3, ["north"]),
                                        ("countries", 0.3, ["GB"]), ("sites", 0.2, ["b", "c", "d"])):
                if chance.random() < likely:
                    replicas[name] = value
            if self.aside.random() < 0.4:
                replicas["hardware"] = self.aside.choice(["attested", "attested-by-people", "attested-by-vendor"])
            result["replicas"] = replicas
        if chance.random() < 0.5:
            result["key"] = {"types": chance.sample(TYPES, 3), "usage": chance.sample(USAGES, 3)}
        return result

    def policy(self):
        operation = "generate" if self.birth else "suspend"
        rules = []
        for number in range(self.chance.randrange(1, 4)):
            when = {"operation": operation}
            if self.birth and self.chance.random() < 0.6:
                when["label"] = self.chance.choice(EXPRESSIONS)
            rule = {"id": "rule %d" % number, "when": when}
            effect = self.chance.choice(["allow", "deny", "require", "require", "require", "require"])
            rule[effect] = self._require() if effect == "require" else "true"
            rules.append(rule)
        return {"quorate": "1", "semantics": "1", "name": "random", "version": "1", "people": self.people,
                "sites": self.sites, "tokens": [{"id": "root", "primary": "a", "replicas": ["b", "c", "d"]}],
                "rules": rules, "otherwise": "deny"}

    def words(self):
        result = ["suspend"]
        if self.birth:
            result = ["generate", "--type", self.type, "--usage", ",".join(self.usage), "--token", "root"]
            result += ["--label", self.label] if self.label else []
        for rejection, person, at in self.votes:
            result += ["--reject" if rejection else "--approve", "%s@%s" % (person, text(at))]
        return result + ["--at", text(self.at), "--json"]

    def request(self, digest):
        subject = {"operation": "suspend", "requester": "uid:0"}
        if self.birth:
            secret = self.type.startswith("AES")
            halves = {"sign": ("CKA_SIGN", "CKA_VERIFY"), "decrypt": ("CKA_DECRYPT", "CKA_ENCRYPT"),
                      "derive": ("CKA_DERIVE", "CKA_DERIVE"), "wrap": ("CKA_UNWRAP", "CKA_WRAP")}
            sizes = {"EC:P-256": ("CKA_EC_PARAMS", "hex:06082a8648ce3d030107"), "EC:P-384": ("CKA_EC_PARAMS", "hex:06052b81040022"),
                     "RSA:3072": ("CKA_MODULUS_BITS", 3072), "AES:256": ("CKA_VALUE_LEN", 32)}[self.type]
            private = {halves[usage][0]: "true" for usage in self.usage}
            public = dict([sizes], **{halves[usage][1]: "true" for usage in self.usage})
            templates = {"key": dict(private, **public, CKA_KEY_TYPE="CKK_AES")} if secret else {"private": private, "public": public}
            subject = {"operation": "generate", "requester": "uid:0", "token": "root", "label": self.label, "object": "token",
                       "class": "secret-key" if secret else "private-key", "templates": templates}
        return {"subject": subject, "policy": {"digest": digest}, "expires-at": 2**62}

    def second(self, data):
        judged = policy.parse(data, sha256_hex(data))
        request = self.request(judged.digest)
        rule = evaluate.match(judged, request["subject"]["operation"], request["subject"].get("token"), self.label,
                              request["subject"].get("class"), request["subject"].get("object"))
        request["rule"] = rule.id if rule else "otherwise"
        sites = {}
        for site in judged.sites.values():
            standing = sites[("root", site.id)] = evaluate.Standing(
                site.id, "attested-by-vendor" if site.roots else "attested-by-people")
            standing.home, standing.place = True, (site.latitude, site.longitude, site.country, site.tags)
        votes = [evaluate.Vote(rejection, judged.people[person].fingerprint, person, at, seq)
                 for seq, (rejection, person, at) in enumerate(self.votes)]
        try:
            return evaluate.evaluate(judged, request, evaluate.Evidence(self.at, votes, sites))
        except Refused as why:
            return str(why)


def ask_first(quorate, path, words):
    done = subprocess.run([quorate, "policy", "explain", words[0], "--policy", path] + words[1:], stdin=subprocess.DEVNULL,
                          capture_output=True, check=False, env={"PATH": os.environ["PATH"]})
    if done.returncode > 1:
        return "ended with %d: %s" % (done.returncode, done.stderr.decode().strip())
    said = json.loads(done.stdout)
    if said["decision"] == "allow":
        return said["rule"], said["counted"]
    return "; ".join(finding["text"] for finding in said["findings"])


def main():
    arguments = argparse.ArgumentParser(description="Compares two evaluations of random policies.")
    arguments.add_argument("--count", type=int, default=2000)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments.add_argument("--quorate", default="build/quorate")
    given = arguments.parse_args()
    chance = random.Random(given.seed)
    allowed = differences = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "policy.yaml")
        for number in range(given.count):
            case = Case(chance)
            data = canonical_bytes(case.policy())
            with open(path, "wb") as stream:
                stream.write(data)
            first, second = ask_first(given.quorate, path, case.words()), case.second(data)
            allowed += not isinstance(second, str)
            if isinstance(first, str) != isinstance(second, str) or (not isinstance(first, str) and first != second):
                differences += 1
                print("case %d: %s\n  %s\n  first:  %s\n  second: %s" % (number, data.decode(), case.words(), first, second))
            elif isinstance(first, str) and first.startswith("ended with"):
                differences += 1
                print("case %d: %s\n  %s\n  %s" % (number, data.decode(), case.words(), first))
    print("%d verdicts, %d of them allow, %d differ; seed %d" % (given.count, allowed, differences, given.seed))
    return 1 if differences or not allowed else 0


if __name__ == "__main__":
    sys.exit(main())
