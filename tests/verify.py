#!/usr/bin/env python3
"""Verifies a transcript: verify.py DIR --trust FILE. Written from docs/FORMAT.md; Python's library and openssl only.

Exit 0: everything holds, and what is proven and what attested is listed. 1: something does not hold. 2: cannot be asked.
"""

import argparse
import os
import sys

from verifier.strict import Refused
from verifier.transcript import verify_folder


def main():
    arguments = argparse.ArgumentParser(description="Verifies the transcript of a key ceremony.")
    arguments.add_argument("folder", metavar="DIR")
    arguments.add_argument("--trust", required=True, metavar="FILE", help="what the auditor brings")
    given = arguments.parse_args()
    if not os.path.isdir(given.folder):
        print("verify.py: %s is no folder" % given.folder, file=sys.stderr)
        return 2
    try:
        statements = verify_folder(given.folder, given.trust)
    except Refused as why:
        print("FAILS     %s" % why)
        return 1
    except (OSError, ValueError) as why:
        print("verify.py: %s" % why, file=sys.stderr)
        return 2
    for kind, text in statements:
        print("%-9s %s" % (kind, text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
