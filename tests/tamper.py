#!/usr/bin/env python3
"""Changes a good transcript in every way that it knows, and asks both verifiers: each must refuse, and say why.

tamper.py DIR --trust FILE [--log-key FILE [--estate DIR]] [--other DIR --other-trust FILE] [--only TEXT] [--flips N|every] [--seed N]

Exit 0: the transcript holds as it is, and what was changed does not. 1: a verifier let something pass; which, is printed. 2: it cannot be tried.
"""

import argparse
import collections
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile

from tampering import collusion, plain, resigned, trail
from tampering.change import Change, Copy, in_memory
from verifier import crypto, folder
from verifier.strict import Refused
from verifier.transcript import read_trust, verify

Answer = collections.namedtuple("Answer", "first second reason_first reason_second")


class Trial:
    """Both verifiers, and in each process a copy of the transcript."""

    def __init__(self, given, files, trust_bytes, scratch):
        self.given, self.files, self.trust_bytes, self.scratch = given, files, trust_bytes, scratch

    def start(self):
        mine = tempfile.mkdtemp(dir=self.scratch)
        crypto.set_folder(mine)
        self.copy = Copy(self.given.folder, os.path.join(mine, "transcript"))
        self.trust = os.path.join(mine, "trust.yaml")

    def ask(self, change):
        trust_bytes = change.trust or self.trust_bytes
        with open(self.trust, "wb") as stream:
            stream.write(trust_bytes)
        self.copy.apply(change)
        done = subprocess.run([self.given.quorate, "verify", self.copy.path, "--trust", self.trust],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self.copy.undo(change)
        said = done.stdout.decode("utf-8", "replace").splitlines()
        failing = [line.split() for line in said if line.startswith("fails")]
        if change.claim is not None and change.claim not in [words[1] for words in failing]:
            failing = []  # another statement's failure is not what this change has to meet
        first = "refused" if done.returncode == 1 and failing else "held" if done.returncode == 0 else "broken"
        reason_first = ", ".join(words[1] for words in failing) or "exit %d" % done.returncode
        second, reason_second = "held", ""
        try:
            verify(in_memory(self.files, change), read_trust(trust_bytes))
        except Refused as why:
            second, reason_second = "refused", str(why)
        if second == "refused" and change.expected and change.expected not in reason_second:
            second = "refused for another reason than \"%s\"" % change.expected
        return change, Answer(first, second, reason_first, reason_second)


_trial = None  # of each process


def _start(trial):
    global _trial
    _trial = trial
    trial.start()


def _ask(change):
    return _trial.ask(change)


def everything(given, files, trust):
    if given.kinds and given.estate:
        yield "signed again by everybody", collusion.attacks(files, trust, given.log_key, given.estate, given.kinds)
        return
    if given.kinds:
        yield "signed again with the log's key", resigned.attacks(files, trust, given.log_key, given.kinds)
        return
    other, other_trust = files, dict(trust, **{"log-key": "other+8b25e7ba+AQ" + "A" * 42 + "=", "policy": "1" * 64})
    if given.other:
        other = folder.load(given.other)
        with open(given.other_trust, "rb") as stream:
            other_trust = read_trust(stream.read())
    yield "lines of entries", plain.lines(files, other)
    yield "files", plain.whole_files(files)
    yield "exchanged files", plain.exchanged(files)
    if given.other:
        yield "trust files", plain.trusts(trust, other_trust)
    yield "bytes flipped", plain.flips(files, given.flips, given.seed)
    if given.log_key:
        if not given.trail:
            yield "signed again with the log's key", resigned.attacks(files, trust, given.log_key)
        yield "the trail", trail.attacks(files, trust, given.log_key, other)
    if given.estate:
        yield "signed again by everybody", collusion.attacks(files, trust, given.log_key, given.estate)


def run(pool, given, files, trust):
    """The number of changes that a verifier let pass."""
    bad, total = 0, 0
    for kind, changes in everything(given, files, trust):
        tried, failed = 0, 0
        for change, answer in pool.imap_unordered(_ask, (change for change in changes if given.only in change.name), chunksize=5):
            tried += 1
            if given.verbose:
                print("  %-45s %s | %s" % (change.name[:45], answer.reason_first, answer.reason_second[:110]))
            if (answer.first, answer.second) != (change.wanted, change.wanted):
                failed += 1
                print("  WRONG     %s: the first verifier %s (%s), the second %s (%s)" % (
                    change.name, answer.first, answer.reason_first, answer.second, answer.reason_second))
        print("%-32s %5d changes, %d not answered as they should be" % (kind, tried, failed), flush=True)
        bad, total = bad + failed, total + tried
    print("%d changes in all, seed %d" % (total, given.seed))
    return bad


def parse_arguments():
    arguments = argparse.ArgumentParser(description="Tampers with a transcript and asks both verifiers.")
    arguments.add_argument("folder", metavar="DIR")
    arguments.add_argument("--trust", required=True)
    arguments.add_argument("--log-key", help="the log's secret key: entries are changed and signed again")
    arguments.add_argument("--kinds", type=lambda text: text.split(","),
                           help="nothing but these kinds of what is signed again with the log's key, as verdicts,drills; "
                                "by everybody where --estate is given")
    arguments.add_argument("--estate", help="where people's cards, pins/ and softhsm2.conf are: everybody signs again")
    arguments.add_argument("--other", help="the transcript of another ceremony, in another estate")
    arguments.add_argument("--other-trust")
    arguments.add_argument("--only", default="", help="changes whose name has this in it")
    arguments.add_argument("--trail", action="store_true", help="of what is signed again only what concerns log, cosigners "
                                                               "and confidential bodies: for a ceremony without keys")
    arguments.add_argument("--flips", type=lambda text: text if text == "every" else int(text), default=2000,
                           help="so many bytes are flipped; every: each byte of each file once")
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments.add_argument("--quorate", default="build/quorate")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--verbose", action="store_true", help="print each reason")
    return arguments.parse_args()


def main():
    given = parse_arguments()
    files = folder.load(given.folder)
    with open(given.trust, "rb") as stream:
        trust_bytes = stream.read()
    trust = read_trust(trust_bytes)
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="tamper-", dir=place) as scratch:
        trial = Trial(given, files, trust_bytes, scratch)
        with multiprocessing.Pool(given.jobs, _start, (trial,)) as pool:
            _, untouched = pool.apply(_ask, (Change("untouched", {}),))
            if (untouched.first, untouched.second) != ("held", "held"):
                print("The transcript does not hold as it is: %s | %s" % (untouched.reason_first, untouched.reason_second))
                return 2
            return 1 if run(pool, given, files, trust) else 0


if __name__ == "__main__":
    sys.exit(main())
