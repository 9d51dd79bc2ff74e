"""What the vendor of an HSM says of its keys: certificates, from the one of the key up to a root that the policy lists."""

from . import crypto, der
from .strict import members, need, sha256_hex, text, unhex

BASIC_CONSTRAINTS, KEY_USAGE = "2.5.29.19", "2.5.29.15"
CERTIFICATES, BYTES = 8, 12288  # in one list, at most
KEY_CERT_SIGN = 0x04  # of the first octet: bit 5


def _extensions(certificate, what):
    """{object identifier: value}; each once."""
    fields = der.parse(certificate, what).sequence(what)[0].sequence(what)
    found = {}
    for field in fields:
        if field.tag != 0xA3:
            continue
        for one in der.parse(field.content, what).sequence(what):
            parts = one.sequence(what)
            oid = parts[0].oid(what)
            need(oid not in found, "%s has an extension twice", what)
            found[oid] = parts[-1].expect(der.OCTETS, what).content
    return found


def _is_authority(certificate, what):
    found = _extensions(certificate, what)
    constraints = der.parse(found[BASIC_CONSTRAINTS], what).sequence(what) if BASIC_CONSTRAINTS in found else []
    if not constraints or constraints[0].tag != der.BOOLEAN or not constraints[0].boolean(what):
        return False
    if KEY_USAGE not in found:
        return True
    bits, _ = der.parse(found[KEY_USAGE], what).bits(what)
    return bool(bits) and bool(bits[0] & KEY_CERT_SIGN)


def _list_holds(values, site, spki, at, what):
    need(type(values) is list and 2 <= len(values) <= CERTIFICATES, "%s: not a list of certificates", what)
    chain = [unhex(text(value, what), what) for value in values]
    need(sum(len(one) for one in chain) <= BYTES, "%s: too many bytes", what)
    for one in chain:
        der.parse(one, what)
    need(crypto.certificate_key(chain[0]) == spki, "%s: of another key", what)
    need(sha256_hex(chain[-1]) in site.roots, "%s: the last certificate is no root that the policy lists", what)
    said = _extensions(chain[0], what)
    for oid, value in site.extensions.items():
        need(oid in said and said[oid].hex() == value, "%s: its extension %s is not as the policy wants", what, oid)
    for one in chain[1:]:
        need(_is_authority(one, what), "%s: a certificate that signs is no CA's", what)
    need(crypto.chain_holds(tuple(chain), at), "%s: the certificates are no chain that holds at that time", what)


def judge(body, policy, at, what):
    """Refuses unless the entry's hardware is people's word, or its vendor's certificates hold. What these name."""
    by_vendor = body["hardware"] == "attested-by-vendor"
    need(by_vendor == ("attestation" in body), "%s: the hardware and its attestation do not go together", what)
    if not by_vendor:
        return None
    said = members(body["attestation"], "identity ?transport", what)
    site = policy.sites.get(body["site"])
    need(site is not None and site.roots, "%s: the policy lists no vendor's roots for the site", what)
    for key, values in said.items():
        _list_holds(values, site, unhex(body[key], key), at, "%s: attestation of the %s key" % (what, key))
    return sha256_hex(bytes.fromhex(said["identity"][-1]))
