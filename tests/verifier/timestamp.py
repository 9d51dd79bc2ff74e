"""Time stamps (RFC 3161) over the closing checkpoint, by the openssl command."""

import calendar
import re
import time

from . import crypto
from .strict import digest, members, moment, need, sha256_hex, text

NAME = re.compile(r"timestamps/([0-9a-f]{64})\.tsr")
CLOCKS_APART = 60  # seconds


def entry(one):
    body = members(one.body, "ceremony checkpoint time token", one.what)
    text(body["ceremony"], one.what)
    digest(body["checkpoint"], one.what)
    digest(body["token"], one.what)
    moment(body["time"], one.what)


def _imprint(said):
    lines = re.findall(r"^    [0-9a-f]{4} - ((?:[0-9a-f]{2}[ -]){15}[0-9a-f]{2})", said, re.M)
    return re.sub("[^0-9a-f]", "", "".join(lines))


def judge(response, over, authorities, what):
    """When an authority saw what has this digest; None where no authority is trusted."""
    said = crypto.stamp(response)
    when = re.search(r"^Time stamp: (.*) GMT$", said, re.M)
    need(re.search(r"^Hash Algorithm: sha256$", said, re.M) and when, "%s is no granted time stamp", what)
    need(_imprint(said) == over, "%s is over something else", what)
    if authorities is None:
        return None
    plain = re.sub(r"\.[0-9]+", "", when.group(1))
    at = calendar.timegm(time.strptime(plain, "%b %d %H:%M:%S %Y"))
    need(crypto.stamp_holds(response, over, authorities, at), "%s does not hold: another checkpoint, or authority", what)
    return at


def stamps(folder, last, authorities):
    """A statement for each."""
    found = []
    over = sha256_hex(folder.take("checkpoint"))
    for name in sorted(folder.files):
        named = NAME.fullmatch(name)
        if not named:
            continue
        response = folder.by_digest(name, named.group(1))
        at = judge(response, over, authorities, name)
        if at is None:
            found.append(("attested", "a time stamp is there; the trust file names no authority"))
            continue
        need(at + CLOCKS_APART >= last.time, "%s: the record is later than its time stamp", name)
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
        found.append(("proven", "an authority saw the closing checkpoint at %s GMT" % when))
    return found
