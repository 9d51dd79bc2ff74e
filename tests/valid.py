#!/usr/bin/env python3
"""Holds ceremonies at random, in estates without an HSM, and asks both verifiers about their transcripts, of which random
classes are withheld: every one must hold. valid.py [--count N] [--seed N]

Exit 0: all hold. 1: a verifier found a fault where there is none; what lies in the folder that is named then.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

from verifier import crypto, folder
from verifier.strict import Refused, sha256_hex
from verifier.transcript import read_trust, verify

ROLES = {"administrator": "ceremony-administrator", "witness": "witness", "auditor": "auditor"}
PEOPLE = {"administrator": "ceremony-administrator", "witness-1": "witness", "witness-2": "witness", "witness-3": "witness",
          "auditor": "auditor", "authority-1": "authority", "authority-2": "authority", "authority-3": "authority"}
CLASSES = ["personal", "custody", "commercial.1", "x"]
TYPES = ["answer", "artifact", "deviation", "exhibit"]
WORDS = ["red", "green", "blue", "Käse", "one two", "x'y", "ab\"c", "\\", "7", "{x}", "commit:" + "0" * 64]
WRITTEN = {"^[a-z]+$": ["red", "green"], "^[0-9]{2}$": ["12", "99"], ".": WORDS, "^(yes|no)$": ["yes", "no"]}
WRONG = "?!?"
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"


class Failed(Exception):
    pass


class Estate:
    """One home, its people, and the ceremonies that it held."""

    def __init__(self, given, people, seed):
        self.chance, self.quorate, self.people = random.Random(seed), os.path.abspath(given.quorate), people
        self.folder = tempfile.mkdtemp(prefix="estate-%d-" % seed, dir=given.scratch)
        self.version, self.bags, self.held, self.bag = 0, {}, 0, 0
        self.cosigners = self.chance.choice([0, 0, 1, 2])
        site = {"module": SOFTHSM, "serial": "0", "pin": "file:pin"}  # never there, and never asked
        self.write("bindings.yaml", {"home": "home", "policy": "policy.yaml", "tokens": {"root": {"here": site}}})
        os.mkdir(self.path("tokens"))
        with open(self.path("softhsm2.conf"), "w", encoding="utf-8") as stream:
            stream.write("directories.tokendir = %s\nobjectstore.backend = file\n" % self.path("tokens"))
        self._start()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, value):
        with open(self.path(name), "w", encoding="utf-8") as stream:
            json.dump(value, stream, ensure_ascii=False)

    def run(self, *words, good=(0,)):
        done = subprocess.run([self.quorate] + list(words), stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              cwd=self.folder, env=dict(os.environ, QUORATE_BINDINGS=self.path("bindings.yaml"),
                                       SOFTHSM2_CONF=self.path("softhsm2.conf")))
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        if done.returncode not in good:
            raise Failed("%s ended with %d: %s" % (" ".join(words), done.returncode, said))
        return done.returncode, said

    def approved(self, *words):
        """Asked for, approved by enough, done."""
        before = set(os.listdir(self.path("home", "requests")))
        status, said = self.run(*words, good=(0, 1))
        new = set(os.listdir(self.path("home", "requests"))) - before
        if len(new) != 1:
            raise Failed("%s left %d requests: %s" % (" ".join(words), len(new), said))
        id_, wanted = new.pop(), ["authority-%d" % number for number in (1, 2, 3)]
        self.chance.shuffle(wanted)
        for person in wanted[:self.quorum + self.chance.choice([0, 0, 0, 1])]:
            self.run("approve", id_, "--as", person, "--key", self.people[person][1], "--yes")
        return self.run(*words, good=(0, 1))

    def _start(self):
        os.mkdir(self.path("cosigners"))
        for number in range(self.cosigners):
            self.run("cosign", "init", self.path("cosigners", str(number)), "--name", "c%d.example/x" % number)
        self.quorum = 1
        self.write("policy.yaml", self.policy())
        self.run("init", "--environment", self.chance.choice(["test", "rehearsal"]))
        with open(self.path("home", "log", "vkey"), encoding="utf-8") as stream:
            self.log_key = stream.read().strip()
        self.trust = self.path("trust.yaml")
        with open(self.path("policy.yaml"), "rb") as stream:
            self.write("trust.yaml", {"log-key": self.log_key, "policy": "sha256:" + sha256_hex(stream.read())})
        for number in range(self.cosigners):
            self.run("cosign", "trust", self.path("cosigners", str(number)), self.log_key)
        self.adopt()

    def adopt(self):
        status, said = self.approved("policy", "adopt", "policy.yaml")
        if status:
            raise Failed("the policy was not adopted: " + said)
        self.quorum = self.next_quorum

    def policy(self):
        """The next version."""
        chance = self.chance
        self.version += 1
        self.next_quorum = chance.choice([1, 2])
        quorum = {"of": "authority", "at-least": str(self.next_quorum)}
        if self.version == 1:
            self.quorum = self.next_quorum
        people = [{"id": person, "name": person.title(), "organisation": chance.choice(["A", "B", "C"]), "roles": [role],
                   "certificate": self.people[person][0], "fingerprint": "sha256:" + self.people[person][2]}
                  for person, role in PEOPLE.items()]
        policy = {"quorate": "1", "semantics": "1", "name": "random", "version": str(self.version), "people": people,
                  "sites": [{"id": "here", "at": ["1", "2"]}], "tokens": [{"id": "root", "primary": "here"}],
                  "rules": [{"id": "all", "when": {"operation": ["open-ceremony", "adopt-policy", "change-log-key", "suspend",
                                                                "resume"]}, "require": {"quorum": quorum}}],
                  "otherwise": "deny", "succession": {"quorum": dict(quorum, **{"at-least": "2"})}}
        if chance.random() < 0.6:
            policy["confidential"] = {kind: chance.choice(CLASSES) for kind in TYPES if chance.random() < 0.5} or {"answer": "x"}
        if self.cosigners:
            lines = []
            for number in range(self.cosigners):
                with open(self.path("cosigners", str(number), "vkey"), encoding="utf-8") as stream:
                    lines.append("witness c%d %s" % (number, stream.read().strip()))
            names = " ".join("c%d" % number for number in range(self.cosigners))
            lines += ["group g %s %s" % (chance.choice(["any", "all"]), names), "quorum g"]
            self.closing = chance.choice(["false", "true", "checkpoint"])
            policy["cosigners"] = {"policy": lines, "close": self.closing}
        return policy

    def collect(self, *which):
        self.run("cosign", "collect", *which, good=(0, 1))
        for number in range(self.cosigners):
            asked = self.path("home", "cosign", "c%d" % number)
            if os.path.exists(asked + ".request"):
                self.run("cosign", "file", self.path("cosigners", str(number)), asked + ".request", asked + ".cosignature",
                         good=(0, 1))
        self.run("cosign", "collect", *which)

    # ---- scripts and what is said

    def value(self, pattern):
        return self.chance.choice(WRITTEN[pattern])

    def confidential(self, names):
        if self.chance.random() < 0.5:
            return {}
        if not names or self.chance.random() < 0.5:
            return {"confidential": self.chance.choice(CLASSES)}
        some = [name for name in names if self.chance.random() < 0.6] or names[:1]
        return {"confidential": {name: self.chance.choice(CLASSES) for name in some}}

    def step(self, id_, present):
        """(the step as written, its attempts)"""
        chance, by = self.chance, self.chance.choice(["administrator", "any witness", "each witness", "2 witness", "auditor"])
        kind = chance.choice(["confirm", "say", "check-clock", "record", "record", "open-bag", "seal-bag", "exhibit", "read-aloud",
                              "attest", "timestamp"])
        step, attempt, names, wrong = {"step": "Step " + id_, "by": by, "do": kind}, {}, [], None
        if kind == "say":
            step["say"] = "Hear, hear."
        elif kind == "check-clock":
            attempt, names = {"clock-1": "now", "clock-2": "now"}, ["clock-1", "clock-2"]
            wrong = dict(attempt, **{"clock-2": "2001-01-01T00:00:00Z"})
        elif kind == "record":
            names = chance.sample(["who", "what", "where", "bag", "item"], chance.randint(1, 3))
            step["with"] = {name: chance.choice(list(WRITTEN)) for name in names}
            attempt = {name: self.value(pattern) for name, pattern in step["with"].items()}
            unfit = [name for name in names if step["with"][name] != "."]
            wrong = dict(attempt, **{unfit[0]: WRONG}) if unfit else None
        elif kind in ("open-bag", "seal-bag"):
            item, names = chance.choice(["key", "card", "disk"]), ["bag"]
            step["with"] = {"item": item}
            self.bag += 1
            attempt, wrong = {"bag": "bag %d" % self.bag}, {"bag": "no such bag"}
            bag, sealed = self.bags.get(item, (None, True))
            if kind == "open-bag":
                if bag is not None and not sealed:
                    step["do"] = kind = "seal-bag"
                elif bag is not None:
                    attempt = {"bag": bag}
            elif bag is not None and sealed:
                step["do"], attempt = "open-bag", {"bag": bag}
            if step["do"] == "seal-bag" or bag is None:
                wrong = None
            self.bags[item] = (attempt["bag"], step["do"] == "seal-bag")
        elif kind == "exhibit":
            step["with"] = {"kind": "video"}
            attempt = {"file": "bindings.yaml"}
            attempt.update({name: chance.choice(WORDS[:3]) for name in ("device", "gaps") if chance.random() < 0.3})
        elif kind == "attest":
            step["with"] = {"statement": "So it was."}
        step.update(self.confidential(names))
        return step, self.attempts(step, attempt, wrong, present)

    def attempts(self, step, attempt, wrong, present):
        chance, deviation = self.chance, {"deviation": {"cause": "a cause", "accepted-by": "auditor"}}
        if "auditor" in step["by"]:
            deviation["deviation"]["accepted-by"] = "administrator"
        result = []
        if wrong is not None and chance.random() < 0.3:
            result.append(wrong)
        if wrong is not None and step["do"] != "open-bag" and chance.random() < 0.15:
            return result + [dict(wrong, **deviation)]
        if step["do"] in ("confirm", "say", "record", "check-clock", "read-aloud") and chance.random() < 0.1:
            return [deviation]  # left undone
        if attempt and chance.random() < 0.1:
            return result + [dict(attempt, **deviation)]
        return result + [attempt] if attempt or step["do"] == "timestamp" else result  # no response yet

    def ceremony(self):
        chance = self.chance
        self.held += 1
        answers = {}
        opening = [{"step": "Enter", "by": by, "do": "enter"} for by in ("administrator", "each witness", "auditor")]
        acts = [{"act": "Enter", "steps": opening}]
        for act in range(2, 2 + chance.randint(1, 3)):
            steps = []
            for number in range(1, 1 + chance.randint(1, 5)):
                step, attempts = self.step("%d.%d" % (act, number), None)
                steps.append(step)
                if attempts:
                    answers["%d.%d" % (act, number)] = attempts
            acts.append({"act": "Act", "steps": steps})
        end = [{"step": "Close", "by": "administrator", "do": "close"}]
        if chance.random() < 0.3:
            end.insert(0, {"step": "Leave", "by": "each witness", "do": "leave"})
        acts.append({"act": "End", "steps": end})
        name = chance.choice(["alpha", "beta"])
        roles = {role: {"of": of} for role, of in ROLES.items()}
        roles["witness"].update({"at-least": "2", "card": "optional"})
        roles["administrator"]["card"] = roles["auditor"]["card"] = "optional"
        self.write("script.yaml", {"ceremony": "At random", "id": name, "roles": roles, "acts": acts})
        witnesses = chance.sample(["witness-1", "witness-2", "witness-3"], chance.choice([2, 2, 3]))
        signers = [person for person in ["administrator", "auditor"] + witnesses if chance.random() < 0.2]
        self.write("answers.yaml", {"people": {"administrator": "administrator", "auditor": "auditor", "witness": witnesses},
                                    "keys": {person: self.people[person][1] for person in signers}, "answers": answers})
        run = ("run", "script.yaml", "--answers", "answers.yaml")
        status, said = self.approved(*run)
        if status and "wants the record cosigned" in said:
            self.collect()
            status, said = self.run(*run, good=(0, 1))
        if status:
            raise Failed(said)
        ceremony = os.path.basename(max(glob.glob(self.path("home", "ceremonies", "*")), key=os.path.getmtime))
        if self.cosigners and self.closing == "checkpoint":
            self.collect("--ceremony", ceremony)
        return ceremony

    # ---- transcripts

    def classes(self, ceremony):
        with open(self.path("home", "ceremonies", ceremony, "checkpoint"), encoding="utf-8") as stream:
            size = int(stream.read().split("\n")[1])
        with open(self.path("home", "log", "entries"), encoding="utf-8") as stream:
            entries = [json.loads(line) for line in stream.readlines()[:size]]
        return sorted({entry["class"] for entry in entries if "class" in entry})

    def transcripts(self, ceremony):
        """Verified: with everything in it, and without some."""
        count, known = 0, self.classes(ceremony)
        some = [class_ for class_ in known if self.chance.random() < 0.6]
        for withheld in [[], some] if some else [[]]:
            count += 1
            name = self.path("transcript-%d-%d" % (self.held, count))
            self.run("transcript", ceremony, name, *[word for class_ in withheld for word in ("--withhold", class_)])
            self.run("verify", name, "--trust", self.trust)
            with open(self.trust, "rb") as stream:
                trust = read_trust(stream.read())
            try:
                verify(folder.load(name), trust)
            except Refused as why:
                raise Failed("verify.py of %s: %s" % (name, why)) from None
            shutil.rmtree(name)
        return count

    def between(self):
        chance = self.chance
        if chance.random() < 0.3:
            self.write("policy.yaml", self.policy())
            self.adopt()
        if chance.random() < 0.2:
            self.approved("log", "change-key")
            with open(self.path("home", "log", "vkey"), encoding="utf-8") as stream:
                key = stream.read().strip()
            for number in range(self.cosigners):
                self.run("cosign", "trust", self.path("cosigners", str(number)), key)
        if chance.random() < 0.2:
            self.approved("suspend", "estate", "--reason", "at random")
            self.approved("resume", "estate")


def one_estate(given, people, seed, count):
    """So many transcripts at least, of one estate."""
    made, estate = 0, None
    crypto.set_folder(tempfile.mkdtemp(dir=given.scratch))
    try:
        estate = Estate(given, people, seed)
        while made < count:
            made += estate.transcripts(estate.ceremony())
            estate.between()
    except Failed as why:
        return made, "seed %d, in %s: %s" % (seed, estate.folder if estate else given.scratch, why)
    shutil.rmtree(estate.folder)
    return made, None


def people_make(scratch):
    """{person: (certificate, key, fingerprint)}"""
    people = {}
    for person in PEOPLE:
        stem = os.path.join(scratch, person)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256",
                        "-days", "3650", "-subj", "/CN=" + person, "-keyout", stem + ".key", "-out", stem + ".pem"],
                       check=True, capture_output=True)
        der = subprocess.run(["openssl", "x509", "-in", stem + ".pem", "-outform", "DER"], check=True, capture_output=True).stdout
        people[person] = (stem + ".pem", stem + ".key", sha256_hex(der))
    return people


def main():
    arguments = argparse.ArgumentParser(description="Ceremonies at random, whose transcripts must hold.")
    arguments.add_argument("--count", type=int, default=30, help="transcripts")
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments.add_argument("--quorate", default="build/quorate")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    given.scratch = tempfile.mkdtemp(prefix="valid-", dir=place)
    people = people_make(given.scratch)
    each, made, bad = 10, 0, 0
    with concurrent.futures.ProcessPoolExecutor(given.jobs) as pool:
        tasks = [pool.submit(one_estate, given, people, given.seed + number, min(each, given.count))
                 for number in range(-(-given.count // each))]
        for task in tasks:
            count, why = task.result()
            made += count
            if why:
                bad += 1
                print(why, flush=True)
    print("%d transcripts at random, %d estates in which something did not hold, seed %d" % (made, bad, given.seed))
    if not bad:
        shutil.rmtree(given.scratch)
    return 1 if bad or made < given.count else 0


if __name__ == "__main__":
    sys.exit(main())
