"""The record of a site that is elsewhere: whose site it is, what it took in and what became of it."""

from . import crypto
from .strict import canonical_bytes, digest, integer, members, need, parse_canonical, sha256, text, unhex

PINS = "environment estate log-key origin site token"


class Far:
    def __init__(self, world):
        self.world, self.host, self.identity = world, None, None
        self.size, self.root, self.taken = 0, None, {}

    def introduced(self, entry):
        body = members(entry.body, PINS + " request verdict", entry.what)
        intent = self.world.closing(entry, "adopt-policy")
        need(self.host is None, "%s: this is a site of an estate already", entry.what)
        asked = members(intent.request.subject.get("host"), PINS, entry.what)
        need(all(body[name] == asked[name] for name in PINS.split()), "%s: not what was approved", entry.what)
        need(body["environment"] == self.world.environment, "%s: another environment", entry.what)
        need(body["log-key"].split("+")[0] == body["origin"], "%s: the log key is not the origin's", entry.what)
        self.host = asked

    def site_keys(self, entry):
        body = members(entry.body, "identity identity-id transport transport-id", entry.what)
        need(self.host is not None, "%s: this is no site of another estate", entry.what)
        for name in body:
            need(unhex(body[name], name), "%s: %s is empty", entry.what, name)
        self.identity = unhex(body["identity"], "identity")

    def seen(self, entry):
        members(entry.body, "root size", entry.what)
        self._seen(entry)

    def _seen(self, entry):
        size, root = integer(entry.body["size"], "size"), digest(entry.body["root"], "root")
        need(self.host is not None, "%s: this is no site of another estate", entry.what)
        need(size > self.size or (size == self.size and root == self.root), "%s: the host's log went back", entry.what)
        self.size, self.root = size, root

    def take(self, entry):
        body = members(entry.body, "intent offer ?receipt request root size", entry.what)
        offer, intent, request = (digest(body[name], name) for name in ("offer", "intent", "request"))
        known = self.taken.get(offer)
        if "receipt" in body:
            need(known is not None and known["state"] == "pending" and known["receipt"] is None
                 and (known["intent"], known["request"]) == (intent, request), "%s: no offer waits for it", entry.what)
            known["receipt"] = self._receipt(entry, body)
        else:
            need(known is None, "%s: the offer was taken before", entry.what)
            need(all(one["state"] == "withdrawn" for one in self.taken.values() if one["request"] == request),
                 "%s: an offer for this request was taken before", entry.what)
            self.taken[offer] = {"intent": intent, "request": request, "receipt": None, "state": "pending"}
        self._seen(entry)

    def _receipt(self, entry, body):
        name = digest(body["receipt"], "receipt")
        said = parse_canonical(self.world.folder.by_digest("receipts/%s.json" % name, name))
        need((said["offer"], said["intent"]) == (body["offer"], body["intent"]), "%s: for another offer", entry.what)
        asked = sha256(b"quorate receipt v1\n" + canonical_bytes({k: v for k, v in said.items() if k != "signature"}))
        need(crypto.digest_signature(self.identity, asked, unhex(said["signature"], "signature")),
             "%s: the receipt is not signed by this site", entry.what)
        return name

    def settled(self, entry):
        body = members(entry.body, "intent outcome root size", entry.what)
        before = {"born": "pending", "withdrawn": "pending", "destroyed": "born"}
        outcome, found = text(body["outcome"], "outcome"), False
        need(outcome in before, "%s: no such outcome", entry.what)
        for one in self.taken.values():
            if one["intent"] == digest(body["intent"], "intent") and one["state"] == before[outcome]:
                need(outcome != "born" or one["receipt"] is not None, "%s: without a receipt", entry.what)
                one["state"], found = outcome, True
        need(found, "%s: no key of this intent is %s", entry.what, before[outcome])
        self._seen(entry)
