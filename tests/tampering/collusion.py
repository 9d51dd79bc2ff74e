"""What everybody together could do: after a change, requests, approvals, receipts, attestations and the log are made and
signed anew by their rightful keys, so that nothing but what the entries say can be wrong. Needs an estate of SoftHSM
tokens, as the demonstration's and the tests' are."""

import copy
import json
import os
import subprocess
import sys
import tempfile

from verifier import der
from verifier.log import Tree
from verifier.strict import canonical_bytes, parse_canonical, sha256, sha256_hex
from verifier.words import WORDS

from . import elsewhere, meanwhile, vendors
from .change import Change, named
from .resigned import Forger, births, drills, records, scripted, steps, uses, verdicts

# With everybody's help this is another truth, and has to hold; what is read aloud is put right.
TRUE_THEN, PUT_RIGHT = "a deviation removed", "other words read aloud"


class Keys:
    """Everybody's: cards and HSMs in SoftHSM, or PEM files. The same question is signed once."""

    def __init__(self, estate):
        self.estate, self.known = estate, {}
        self.environment = dict(os.environ, SOFTHSM2_CONF=os.path.join(estate, "softhsm2.conf"))

    def _read(self, name):
        with open(os.path.join(self.estate, name), encoding="utf-8") as stream:
            return stream.read().strip()

    def _openssl(self, command, uri, data):
        engine = ["-engine", "pkcs11", "-keyform", "engine"] if uri.startswith("pkcs11:") else []
        with tempfile.NamedTemporaryFile() as source:
            source.write(data)
            source.flush()
            return subprocess.run(["openssl"] + command + engine + ["-inkey", uri, "-in", source.name], check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment).stdout

    def card(self, person, document):
        question = (person, document)
        if question not in self.known:
            pem = os.path.join(self.estate, "people", person + ".pem")
            self.known[question] = self._openssl(["cms", "-sign", "-binary", "-outform", "DER", "-md", "sha256", "-signer", pem],
                                                 self._read("people/%s.uri" % person), document)
        return self.known[question]

    def identity(self, site, id_, digest):
        """r||s over a digest."""
        question = (site, id_, digest)
        if question not in self.known:
            escaped = "".join("%" + id_[place:place + 2] for place in range(0, len(id_), 2))
            uri = "pkcs11:token=root-%s;id=%s;type=private?pin-value=%s" % (site, escaped, self._read("pins/root-" + site))
            signature = self._openssl(["pkeyutl", "-sign"], uri, digest)
            pair = der.parse(signature, "a signature").sequence("a signature")
            self.known[question] = b"".join(part.integer("a signature").to_bytes(32, "big") for part in pair)
        return self.known[question]


class Rebuilder:
    """One transcript on its way to being consistent again."""

    def __init__(self, forger, files, now):
        self.forger, self.files, self.now = forger, files, now
        self.tree, self.lines, self.made = Tree(), [], []
        self.requests, self.artifacts, self.identities = {}, {}, {}
        self.deviations = []

    def take(self, entry):
        body = entry.get("body", {})
        handler = getattr(self, "_" + entry["type"].replace("-", "_"), None)
        if "request" in body and entry["type"] != "request":
            body["request"] = self.requests.get(body["request"], body["request"])
        if handler:
            handler(entry, body)
        line = canonical_bytes(entry)
        self.tree.push(sha256(b"\x00" + line))
        self.lines.append(line)
        self.made.append(entry)

    def root(self, size):
        """The root at what the size is now."""
        size = min(self.now.get(size, size), len(self.lines))
        return {"root": self.tree.roots[size], "size": size}

    def replace(self, old, new, data):
        self.files.pop(old, None)
        self.files[new] = data

    def _request(self, entry, body):
        old = body["request"]
        document = json.loads(self.files["requests/%s/request.json" % old])
        document["log"] = self.root(document["log"]["size"])
        data = canonical_bytes(document)
        body["request"] = self.requests[old] = sha256_hex(data)
        self.replace("requests/%s/request.json" % old, "requests/%s/request.json" % body["request"], data)
        for name in [name for name in self.files if name.startswith("requests/%s/" % old)]:
            self.files[name.replace(old, body["request"])] = self.files.pop(name)

    def _approval(self, entry, body):
        stem = "requests/%s/" % body["request"]
        signed = self.forger.keys.card(body["person"], self.files[stem + "request.json"])
        self.files[stem + body["person"] + ".p7s"] = signed
        body["signature"] = sha256_hex(signed)

    def _rejection(self, entry, body):
        stem = "requests/%s/%s.reject" % (body["request"], body["person"])
        document = canonical_bytes({"reason": body["reason"], "request": body["request"], "type": "quorate/rejection/v1"})
        self.files[stem + ".json"], body["document"] = document, sha256_hex(document)
        self.files[stem + ".p7s"] = self.forger.keys.card(body["person"], document)
        body["signature"] = sha256_hex(self.files[stem + ".p7s"])

    def _site_enrolled(self, entry, body):
        self.identities[body["site"]] = body["identity-id"]

    def _receipt(self, entry, body):
        name = "receipts/%s.json" % body["receipt"]
        if name not in self.files or body["intent"] >= len(self.lines):
            return
        said = dict(parse_canonical(self.files[name]))
        said["intent"] = sha256_hex(self.lines[body["intent"]])
        self._answered(body, name, said, b"quorate receipt v1\n")

    def _drill(self, entry, body):
        name = "receipts/%s.json" % body.get("receipt")
        if name not in self.files:
            if body.get("receipt") in self.artifacts:  # given before, and signed again since
                body["receipt"] = self.artifacts[body["receipt"]]
            return
        said = json.loads(self.files[name])
        for key in said["keys"]:
            key["born"] = self.now.get(key["born"], key["born"])
        old = body["receipt"]
        self.artifacts[old] = self._answered(body, name, said, b"quorate drill receipt v1\n")

    def _answered(self, body, name, said, prefix):
        """A site's answer, signed again; its digest."""
        del said["signature"]
        asked = sha256(prefix + canonical_bytes(said))
        said["signature"] = self.forger.keys.identity(said["site"], self.identities[said["site"]], asked).hex()
        data = canonical_bytes(said)
        self.replace(name, "receipts/%s.json" % sha256_hex(data), data)
        body["receipt"] = sha256_hex(data)
        return body["receipt"]

    def _deviation(self, entry, body):
        self.deviations.append(entry["seq"])

    def _artifact(self, entry, body):
        name = "artifacts/" + body["digest"]
        if body["kind"] != "attestation" or name not in self.files:
            return
        said = json.loads(self.files[name])
        said["checkpoint"] = self.root(said["checkpoint"]["size"])
        said["deviations"] = self.deviations
        data = canonical_bytes(said)
        self.artifacts[body["digest"]] = sha256_hex(data)
        self.replace(name, "artifacts/" + sha256_hex(data), data)
        body["digest"] = sha256_hex(data)
        if "signature" in body:
            signed = self.forger.keys.card(body["person"], data)
            self.replace(name + ".p7s", "artifacts/%s.p7s" % body["digest"], signed)
            body["signature"] = sha256_hex(signed)

    def _step(self, entry, body):
        result = body.get("result", {})
        for member, value in result.items():
            result[member] = self.artifacts.get(value, self.requests.get(value, value))
        if body["action"] == "read-aloud" and result:
            said = self.root(int(result["size"]))
            words = " ".join(WORDS[byte] for byte in bytes.fromhex(said["root"]))
            body["result"] = {"root": said["root"], "size": str(said["size"]), "words": words}


class Colluders(Forger):
    def __init__(self, files, trust, key_file, estate):
        super().__init__(files, trust, key_file)
        self.keys = Keys(estate)
        for entry in self.entries:
            body = entry.get("body", {})
            stem = "requests/%s/%s" % (body.get("request"), body.get("person"))
            if entry["type"] == "approval":
                self.keys.known[(body["person"], files["requests/%s/request.json" % body["request"]])] = files[stem + ".p7s"]
            elif entry["type"] == "artifact" and "signature" in body:
                name = "artifacts/" + body["digest"]
                self.keys.known[(body["person"], files[name])] = files[name + ".p7s"]

    def change(self, name, edit, expected=None, more=None):
        edited = super().change(name, edit)
        entries = [json.loads(line) for line in edited.files["entries"].split(b"\n")[:-1]]
        files = {name: data for name, data in {**self.files, **(more or {})}.items() if data is not None}
        now = self._now(edit)
        rebuilt = Rebuilder(self, files, now)
        for entry in entries:
            rebuilt.take(entry)
        files.update(self.signed(rebuilt.made))
        gone = {name: None for name in self.files if name not in files}
        changed = {name: data for name, data in files.items() if self.files.get(name) != data}
        return Change("together: " + name, dict(changed, **gone), expected=expected)

    def _now(self, edit):
        """Where each entry went; a size is the place behind its last entry."""
        entries = copy.deepcopy(self.entries)
        for entry in entries:
            entry["was"] = entry["seq"]
        edit(entries)
        return {entry["was"]: place for place, entry in reversed(list(enumerate(entries))) if "was" in entry}


KINDS = (verdicts, births, uses, drills, steps, scripted, records)


def attacks(files, trust, key_file, estate, kinds=None):
    forger = Colluders(files, trust, key_file, estate)
    for kind in KINDS if kinds is None else named(kinds, sys.modules[__name__], elsewhere, meanwhile, vendors):
        for change in kind(forger):
            if change.name == "together: " + TRUE_THEN:
                change.wanted = "held"
            if change.name != "together: " + PUT_RIGHT:
                yield change
