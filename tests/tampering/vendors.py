"""HSMs whose vendor attests their keys: forged certificates that everybody approved and signed. The bundles of an estate's
vendor/ are what the enrolment refused; each file has the certificates in order, the key's first."""

import base64
import json
import os
import re

from verifier.strict import canonical_bytes, sha256_hex

FORGED = {  # file: a word of the second verifier's reason
    "another-key": "of another key", "another-root": "no root", "no-ca": "no CA's", "no-key-usage": "no CA's",
    "past-device": "no chain", "expired": "no chain", "unknown-critical": "no chain", "sha1": "no chain", "gap": "no chain",
    "offers-alone": "of another key", "unlisted": "no chain",
    "brought-there": "as the policy wants", "nothing-said": "as the policy wants",
}


def _bundle(folder, name):
    with open(os.path.join(folder, name + ".bundle"), encoding="ascii") as stream:
        found = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END", stream.read(), re.S)
    return [base64.b64decode("".join(one.split())).hex() for one in found]


class Enrolment:
    """The last one that a vendor attests, with the request that people approved for it."""

    def __init__(self, forger):
        self.forger, self.entries = forger, forger.entries
        self.place = max(place for place, entry in enumerate(self.entries)
                         if entry["type"] == "site-enrolled" and "attestation" in entry["body"])
        self.body = self.entries[self.place]["body"]
        self.asked = forger.find("request", request=self.body["request"])

    def change(self, name, expected, **members):
        """Entry, subject and all that follows from them say the same; None takes a member away."""
        path = "requests/%s/request.json" % self.body["request"]
        document = json.loads(self.forger.files[path])
        for member, value in members.items():
            _put(document["subject"], member, value)

        def edit(entries):
            for member, value in members.items():
                _put(entries[self.place]["body"], member, value)
            entries[self.asked]["body"]["subject"] = sha256_hex(canonical_bytes(document["subject"]))
        return self.forger.change("attested by the vendor: " + name, edit, expected, {path: canonical_bytes(document)})

    def alone(self, name, expected, **members):
        """Only the entry says so."""
        def edit(entries):
            for member, value in members.items():
                _put(entries[self.place]["body"], member, value)
        return self.forger.change("attested by the vendor: " + name, edit, expected)


def _put(where, member, value):
    if value is None:
        del where[member]
    else:
        where[member] = value


def vendors(forger):
    """forger: everybody together."""
    enrolment = Enrolment(forger)
    good = enrolment.body["attestation"]
    identity, transport = good["identity"], good["transport"]
    for name, expected in sorted(FORGED.items()):
        chain = _bundle(os.path.join(forger.keys.estate, "vendor"), name)
        yield enrolment.change(name, expected, attestation=dict(good, identity=chain))
    stranger = _bundle(os.path.join(forger.keys.estate, "vendor"), "another-root")[1:]
    broken = identity[0][:-8] + "00000000"
    for name, expected, said in (
            ("a certificate of another order", None, {"identity": [identity[0]] + identity[:0:-1]}),
            ("a certificate too many", "no chain", {"identity": identity[:1] + stranger + identity[1:]}),
            ("a certificate twice", "no chain", {"identity": identity[:2] + identity[1:]}),
            ("the root alone", "not a list", {"identity": identity[-1:]}),
            ("a signature that does not hold", "no chain", {"identity": [broken] + identity[1:]}),
            ("the transport key's for the identity key's", "of another key", {"identity": transport}),
            ("the identity key's for the transport key's", "of another key", {"identity": identity, "transport": identity}),
            ("the transport key's alone", "identity", {"transport": transport}),
            ("of a third key too", "other", {"identity": identity, "other": transport}),
            ("no certificate", None, {"identity": ["00"] + identity[1:]}), ("nothing", "identity", {})):
        yield enrolment.change(name, expected, attestation=said)
    yield enrolment.change("no certificates at all", "go together", attestation=None)
    yield enrolment.change("people attest it, with certificates", "go together", hardware="attested-by-people")
    yield enrolment.alone("approved with certificates, enrolled without", None, attestation=None, hardware="attested-by-people")
    yield enrolment.alone("approved with others", "not what was approved", attestation={"identity": identity})
    transport_key, others = enrolment.body["transport"], [
        entry["body"] for entry in enrolment.entries[:enrolment.place] if entry["type"] == "site-enrolled"]
    assert transport_key.endswith("0203010001") and others
    yield enrolment.change("a transport key with an even exponent", "too weak", attestation={"identity": identity},
                           transport=transport_key[:-1] + "0")
    yield enrolment.change("the transport key of another site", "has already", attestation={"identity": identity},
                           transport=others[0]["transport"])
    held = enrolment.change("the transport key's left out, and approved so", None, attestation={"identity": identity})
    held.wanted = "held"
    yield held
    # The enrolment then holds, and the birth under the rule that wants the vendor's word does not.
    yield enrolment.change("people attest it, and approved so", "replica sites qualify", attestation=None,
                           hardware="attested-by-people")
