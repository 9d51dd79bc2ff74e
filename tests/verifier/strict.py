"""Encodings of which each value has exactly one: canonical JSON, hex, base64, times."""

import base64
import binascii
import calendar
import functools
import hashlib
import json
import re
import time
from json.encoder import encode_basestring

MAX_DEPTH = 24
MAX_INTEGER = 2**53 - 1
NEVER = 2**63 - 1

HEX = re.compile(r"[0-9a-f]*")
DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
DURATION = re.compile(r"([1-9][0-9]*) (second|minute|hour|day|week|month|year)s?")


class Refused(Exception):
    """A statement that does not hold."""


def need(condition, text, *values):
    if not condition:
        raise Refused(text % values if values else text)


def sha256(data):
    return hashlib.sha256(data).digest()


def sha256_hex(data):
    return hashlib.sha256(data).hexdigest()


def _pairs(pairs):
    result = dict(pairs)
    need(len(result) == len(pairs), "a member stands twice in one JSON object")
    return result


def _not_allowed(text):
    raise Refused("%s is no value of these documents" % text)


def canonical(value, depth=0):
    """RFC 8785, narrowed to objects, arrays, strings and integers."""
    need(depth <= MAX_DEPTH, "JSON is nested too deeply")
    if type(value) is str:
        need("\0" not in value, "a JSON string holds U+0000")
        return encode_basestring(value)
    if type(value) is int:
        need(abs(value) <= MAX_INTEGER, "a JSON integer is out of range")
        return str(value)
    if type(value) is list:
        return "[" + ",".join([canonical(item, depth + 1) for item in value]) + "]"
    if type(value) is dict:
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join([canonical(name) + ":" + canonical(value[name], depth + 1) for name in names]) + "}"
    raise Refused("a JSON value is neither object, array, string nor integer")


def canonical_bytes(value):
    return canonical(value).encode("utf-8")


@functools.lru_cache(maxsize=8192)
def parse_canonical(data):
    """The value of bytes that are their own canonical form. Shared by all who ask: never to be changed."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs, parse_float=_not_allowed,
                           parse_constant=_not_allowed)
        same = canonical_bytes(value) == data
    except (ValueError, RecursionError) as error:
        raise Refused("not JSON in UTF-8 (%s)" % error) from None
    need(same, "not the canonical form of what it means")
    return value


def members(value, names, what):
    """`value` is an object with exactly these members; those after '?' may be absent."""
    need(type(value) is dict, "%s is not an object", what)
    wanted, optional = set(), set()
    for name in names.split():
        (optional if name.startswith("?") else wanted).add(name.lstrip("?"))
    missing = wanted - set(value)
    need(not missing, "%s lacks %s", what, ", ".join(sorted(missing)))
    unknown = set(value) - wanted - optional
    need(not unknown, "%s has the unknown member %s", what, ", ".join(sorted(unknown)))
    return value


def text(value, what):
    need(type(value) is str and value != "", "%s is not a text", what)
    return value


def texts(value, what, empty=False):
    need(type(value) is list and (empty or value), "%s is not a list", what)
    for item in value:
        text(item, what)
    need(len(set(value)) == len(value), "%s names one thing twice", what)
    return value


def digest(value, what):
    need(type(value) is str and DIGEST.fullmatch(value), "%s is not a digest", what)
    return value


def unhex(value, what):
    need(type(value) is str and value and len(value) % 2 == 0 and HEX.fullmatch(value), "%s is not hex", what)
    return bytes.fromhex(value)


def integer(value, what):
    need(type(value) is int and value >= 0, "%s is not a number", what)
    return value


def name(value, what):
    need(type(value) is str and NAME.fullmatch(value), "%s is not a name", what)
    return value


def unbase64(value, what):
    """Padded, without white space, slack bits zero."""
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("%s is not base64" % what) from None
    need(base64.b64encode(data).decode() == value, "%s is not the only base64 of its bytes", what)
    return data


@functools.lru_cache(maxsize=8192)
def moment(value, what="a time"):
    found = TIME.fullmatch(value) if type(value) is str else None
    need(found, "%s is not of the form 2026-11-22T13:03:00Z", what)
    try:
        parts = time.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise Refused("%s is no time that there is" % what) from None
    need(parts.tm_sec < 60, "%s is no time that there is", what)
    return calendar.timegm(parts)


def loose_moment(value, what):
    """As people write: a date alone is its midnight, UTC."""
    return moment(value + "T00:00:00Z" if DATE.fullmatch(value) else value, what)


SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def duration(value, what):
    """(seconds, calendar months)"""
    found = DURATION.fullmatch(value) if type(value) is str else None
    need(found, "%s is not a duration", what)
    number, unit = int(found.group(1)), found.group(2)
    if unit in SECONDS:
        return number * SECONDS[unit], 0
    return 0, number * (12 if unit == "year" else 1)


def add(at, span):
    """A moment and a duration later: months are calendar months, clipped to the last day of the month."""
    seconds, months = span
    parts = time.gmtime(at)
    year, month = divmod(parts.tm_year * 12 + parts.tm_mon - 1 + months, 12)
    day = min(parts.tm_mday, calendar.monthrange(year, month + 1)[1])
    return calendar.timegm((year, month + 1, day, parts.tm_hour, parts.tm_min, parts.tm_sec)) + seconds


def count(value, low, high, what):
    need(type(value) is str and re.fullmatch(r"0|[1-9][0-9]{0,8}", value), "%s is not a number", what)
    need(low <= int(value) <= high, "%s is out of range", what)
    return int(value)
