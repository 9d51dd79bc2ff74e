"""Certificates and CSRs against their profiles: each field is composed again and compared byte for byte."""

import functools
import hashlib

from . import crypto, der
from .strict import NAME, Refused, add, count, duration, loose_moment, members, need, parse_canonical, sha256_hex, text
from .policy import listed

ATTRIBUTES = {"C": ("2.5.4.6", der.PRINTABLE), "O": ("2.5.4.10", der.UTF8), "OU": ("2.5.4.11", der.UTF8),
              "CN": ("2.5.4.3", der.UTF8), "x500UniqueIdentifier": ("2.5.4.45", der.BITS)}
USAGES = ("digitalSignature nonRepudiation keyEncipherment dataEncipherment keyAgreement keyCertSign cRLSign encipherOnly "
          "decipherOnly").split()
EXTENSIONS = {
    "basicConstraints": ("2.5.29.19", "ca ?path-length"), "keyUsage": ("2.5.29.15", "usage"),
    "certificatePolicies": ("2.5.29.32", "policies"), "extKeyUsage": ("2.5.29.37", "purposes"),
    "subjectAltName": ("2.5.29.17", "hardware-module"), "subjectKeyIdentifier": ("2.5.29.14", "method"),
    "authorityKeyIdentifier": ("2.5.29.35", "method")}
HASHES = {"SHA256": (hashlib.sha256, "2.16.840.1.101.3.4.2.1", 2), "SHA384": (hashlib.sha384, "2.16.840.1.101.3.4.2.2", 3),
          "SHA512": (hashlib.sha512, "2.16.840.1.101.3.4.2.3", 4)}
NO_EXPIRY = b"99991231235959Z"


def sequence(*parts):
    return der.encode(der.SEQUENCE, b"".join(parts))


def explicit(number, content):
    return der.encode(0xA0 | number, content)


class Profile:
    def __init__(self, data):
        value = members(parse_canonical(data), "extensions id issuer key serial-bits signature subject validity", "the profile")
        need(type(value["id"]) is str and NAME.fullmatch(value["id"]), "the profile's id")
        self.id, self.issuer, self.key, self.signature = (value[name] for name in ("id", "issuer", "key", "signature"))
        need(self.issuer in ("self", "another") and (self.signature == "Ed25519" if self.key == "EC:Ed25519" else self.signature in HASHES),
             "the profile's issuer or signature")
        self.serial_bits = count(value["serial-bits"], 64, 127, "serial-bits")
        self.validity = None if value["validity"] == "none" else duration(value["validity"], "validity")
        self.subject = sequence(*[self._attribute(item) for item in value["subject"]])
        self.extensions = value["extensions"]

    @staticmethod
    def _attribute(item):
        need(type(item) is dict and len(item) == 1, "a subject's attribute")
        (name, value), = item.items()
        need(name in ATTRIBUTES, "the attribute %s is unknown", name)
        oid, tag = ATTRIBUTES[name]
        data = b"\0" + bytes.fromhex(value) if tag == der.BITS else text(value, name).encode("utf-8")
        return der.encode(der.SET, sequence(der.encode_oid(oid), der.encode(tag, data)))


@functools.lru_cache(maxsize=None)
def profile(data):
    try:
        return Profile(data)
    except (ValueError, TypeError, AttributeError, KeyError) as why:
        raise Refused("the profile cannot be read (%s)" % why) from None


def key_identifier(spki):
    """RFC 5280, 4.2.1.2, method 2."""
    bits, _ = der.parse(spki, "a key").sequence("a key")[1].bits("a key")
    low = int.from_bytes(hashlib.sha1(bits).digest(), "big") & ((1 << 60) - 1)
    return (0x4 << 60 | low).to_bytes(8, "big")


def extension_value(item, spki):
    kind = item["extension"]
    if kind == "basicConstraints":
        parts = b"\x01\x01\xff" if item["ca"] == "true" else b""
        return sequence(parts + (der.encode_integer(int(item["path-length"])) if "path-length" in item else b""))
    if kind == "keyUsage":
        places = [USAGES.index(usage) for usage in listed(item["usage"], kind)]
        bits = sum(1 << (15 - place) for place in places).to_bytes(2, "big")
        return der.encode(der.BITS, bytes([7 - max(places) % 8]) + bits[:1 + max(places) // 8])
    if kind == "certificatePolicies":
        return sequence(*[sequence(der.encode_oid(oid)) for oid in listed(item["policies"], kind)])
    if kind == "extKeyUsage":
        return sequence(*[der.encode_oid(oid) for oid in listed(item["purposes"], kind)])
    if kind == "subjectAltName":
        module = members(item["hardware-module"], "serial type", kind)
        named = sequence(der.encode_oid(module["type"]), der.encode(der.OCTETS, bytes.fromhex(module["serial"])))
        return sequence(explicit(0, der.encode_oid("1.3.6.1.5.5.7.8.4") + explicit(0, named)))
    need(item["method"] == "2", "%s is not by method 2", kind)
    if kind == "subjectKeyIdentifier":
        return der.encode(der.OCTETS, key_identifier(spki))
    return sequence(der.encode(0x80, key_identifier(spki)))


def extension(item, spki):
    need(item.get("extension") in EXTENSIONS, "the profile has an unknown extension")
    oid, more = EXTENSIONS[item["extension"]]
    members(item, "critical extension " + more, item["extension"])
    need(item["critical"] in ("true", "false"), "%s: critical", item["extension"])
    critical = b"\x01\x01\xff" if item["critical"] == "true" else b""
    return sequence(der.encode_oid(oid), critical, der.encode(der.OCTETS, extension_value(item, spki)))


def moment_of(item):
    """RFC 5280, 4.1.2.5: two digits of a year until 2049."""
    need(item.tag in (der.UTC_TIME, der.GENERAL_TIME), "validity: not a time")
    digits = item.content.decode("latin-1")
    if item.tag == der.UTC_TIME:
        need(len(digits) == 13, "validity: not a time of RFC 5280")
        digits = ("20" if digits < "5" else "19") + digits
    need(len(digits) == 15, "validity: not a time of RFC 5280")
    at = loose_moment("%s-%s-%sT%s:%s:%s%s" % (digits[:4], digits[4:6], digits[6:8], digits[8:10], digits[10:12],
                                             digits[12:14], digits[14:]), "validity")
    need((item.tag == der.GENERAL_TIME) == (int(digits[:4]) >= 2050), "validity: not a time of RFC 5280")
    return at


def check_fields(tbs, made_by, spki):
    fields = der.parse(tbs, "what was signed").sequence("what was signed")
    need(len(fields) == 8, "the certificate has %d fields instead of 8", len(fields))
    serial = fields[1].integer("serial number")
    need(serial > 0 and serial.bit_length() == made_by.serial_bits + 1, "serial number: not a 1 and then %d bits",
         made_by.serial_bits)
    times = fields[4].sequence("validity")
    need(len(times) == 2, "validity: not two times")
    since = moment_of(times[0])
    if made_by.validity is None:
        need(times[1].tag == der.GENERAL_TIME and times[1].content == NO_EXPIRY, "validity: it has an end")
    else:
        need(moment_of(times[1]) == add(since, made_by.validity) - 1, "validity: not that of the profile (notAfter is inclusive)")
    extensions = explicit(3, sequence(*[extension(item, spki) for item in made_by.extensions]))
    wanted = ((0, "version", explicit(0, der.encode_integer(2))), (2, "signature algorithm", algorithm(made_by, spki)),
              (3, "issuer", made_by.subject), (5, "subject", made_by.subject), (6, "public key", spki),
              (7, "extensions", extensions))
    for place, name, value in wanted:
        need(fields[place].whole == value, "%s: not as profile %s has it", name, made_by.id)


def check_csr_fields(tbs, made_by, spki):
    need(tbs == sequence(der.encode_integer(0), made_by.subject, spki, explicit(0, b"")),
         "the CSR is not as profile %s has it", made_by.id)


def algorithm(made_by, spki):
    if made_by.signature == "Ed25519":
        return sequence(der.encode_oid("1.3.101.112"))
    last = HASHES[made_by.signature][2]
    if crypto.key_type(spki)[0].startswith("EC:"):
        return sequence(der.encode_oid("1.2.840.10045.4.3.%d" % last))
    return sequence(der.encode_oid("1.2.840.113549.1.1.%d" % (9 + last)), b"\x05\x00")


def is_own(tbs, spki, data):
    """The TBS of a certificate whose issuer is its subject and whose key is spki; data: SHA-256 of what the HSM was given."""
    try:
        fields = der.parse(tbs, "what was signed").sequence("what was signed")
    except Refused:
        return False
    if len(fields) < 7 or fields[0].tag != 0xA0 or fields[3].whole != fields[5].whole or fields[6].whole != spki:
        return False
    given = [tbs]
    for hashing, oid, _ in HASHES.values():
        hashed = hashing(tbs).digest()
        given += [hashed, sequence(sequence(der.encode_oid(oid), b"\x05\x00"), der.encode(der.OCTETS, hashed))]
    return data in [sha256_hex(one) for one in given]


def check(whole, tbs, made_by, spki, issued, used):
    """A signed structure: its fields, its signature, and that just these bytes went to the HSM and came back."""
    parts = der.parse(whole, "the certificate").sequence("the certificate")
    need(len(parts) == 3 and parts[0].whole == tbs, "it is not over the bytes that were approved")
    need(crypto.key_type(spki)[0] == made_by.key, "the key is not of the profile's type")
    need(parts[1].whole == algorithm(made_by, spki), "signature algorithm: not as profile %s has it", made_by.id)
    signature, unused = parts[2].bits("signature")
    need(unused == 0, "signature: not well formed")
    if issued:
        need(made_by.issuer == "self", "the profile is of certificates that another authority issues")
        check_fields(tbs, made_by, spki)
    else:
        check_csr_fields(tbs, made_by, spki)
    if made_by.signature == "Ed25519":
        need(crypto.ed25519(spki[-32:], tbs, signature), "signature: it does not hold")
        need((sha256_hex(tbs), sha256_hex(signature)) == (used["data"], used["signature"]), "the HSM was given, or gave, other bytes")
        return
    hashing, oid, _ = HASHES[made_by.signature]
    hashed = hashing(tbs).digest()
    if made_by.key.startswith("EC:"):
        size = crypto.key_type(spki)[1]
        need(crypto.ecdsa(spki, hashed, signature), "signature: it does not hold")
        pair = der.parse(signature, "signature").sequence("signature")
        went, came = hashed, b"".join(part.integer("signature").to_bytes(size, "big") for part in pair)
    else:
        need(crypto.rsa(spki, hashed, signature, made_by.signature.lower()), "signature: it does not hold")
        went = sequence(sequence(der.encode_oid(oid), b"\x05\x00"), der.encode(der.OCTETS, hashed))
        came = signature
    need(sha256_hex(went) == used["data"], "the HSM was given other bytes")
    need(sha256_hex(came) == used["signature"], "the HSM gave another signature")
