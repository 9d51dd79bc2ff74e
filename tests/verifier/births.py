"""Births and uses of keys: offers, receipts, what was born, and what a key signed."""

from . import crypto, evaluate
from .strict import add, canonical_bytes, digest, integer, members, moment, name, need, parse_canonical, sha256, sha256_hex, text, texts, unhex

CREATORS = {"C_GenerateKeyPair": "generate", "C_GenerateKey": "generate", "C_CreateObject": "import",
            "C_UnwrapKey": "import", "C_DeriveKey": "derive", "C_CopyObject": "copy"}


class Births:
    def __init__(self, estate):
        self.estate = estate
        self.used, self.drills, self.brought, self.ever = [], [], {}, {}

    def offer(self, entry):
        body = members(entry.body, "attributes-digest blobs challenge intent mechanism offer ?public-key site", entry.what)
        intent = self._travelling(entry, body)
        need(body["site"] in intent.entry.body["sites"] and body["site"] != self._primary(intent),
             "%s: to a site that the intent does not name", entry.what)
        clone = text(body["mechanism"], entry.what).startswith("cloned:")
        weak = "cloned" if clone else {"oaep-sha1+aes-kwp": "oaep-sha1"}.get(body["mechanism"])
        rule = self.estate.policy.rules[intent.verdict["rule"]]
        need((name(body["mechanism"][7:], entry.what) if clone else
              body["mechanism"] in ("oaep-sha1+aes-kwp", "oaep-sha256+aes-kwp", "rsa-aes-key-wrap-sha256"))
             and (weak is None or weak in rule.transport), "%s: the rule does not allow that transport", entry.what)
        for member in ("attributes-digest", "blobs", "challenge", "offer"):
            digest(body[member], entry.what)
        need(body["offer"] not in intent.offers, "%s: this offer is there already", entry.what)
        intent.offers[body["offer"]] = body

    def _travelling(self, entry, body):
        """The open birth, or the bringing of a key to a site, that an offer or a receipt is of."""
        known = self.estate.intents.get(body["intent"])
        replicate = known is not None and known.entry.body["operation"] == "replicate"
        return self.estate.closing(entry, "replicate" if replicate else "generate", body["intent"])

    def _templates(self, intent):
        """Of a birth what was asked; of a key that is brought elsewhere what was asked at its birth."""
        if intent.entry.body["operation"] == "replicate":
            key = self.ever.get(intent.entry.body["born"], {})  # it may have ended since
            need("intent" in key, "%s: the key was born without an intent", intent.entry.what)
            intent = self.estate.intents[key["intent"]]
        need("templates" in intent.request.subject, "%s: nobody said what the key was to be", intent.entry.what)
        return intent.request.subject["templates"]

    def _primary(self, intent):
        return intent.primary

    def receipt(self, entry):
        body = members(entry.body, "intent offer receipt site", entry.what)
        intent = self._travelling(entry, body)
        offer = intent.offers.get(body["offer"])
        need(offer is not None and offer["site"] == body["site"], "%s: no such offer went to the site", entry.what)
        need(body["site"] not in intent.receipts, "%s: the site has answered already", entry.what)
        late = body["site"] in intent.entry.body.get("later", [])
        need(intent.until is not None or not (late or offer["mechanism"].startswith("cloned:")),
             "%s: the site answered before the key was provisional", entry.what)
        need(not late or entry.time <= moment(intent.until), "%s: the site answered too late", entry.what)
        data = self.estate.folder.by_digest("receipts/%s.json" % digest(body["receipt"], entry.what), body["receipt"])
        said = members(parse_canonical(data), "challenge ?checkpoint estate intent nonce offer proof ?proof-signature serial signature "
                                              "site token type", "receipt " + body["receipt"][:12])
        token = intent.entry.body["token"]
        pinned = self.estate.enrolled[(token, body["site"])]
        wanted = {"challenge": offer["challenge"], "estate": self.estate.estate, "intent": intent.entry.digest,
                  "offer": body["offer"], "serial": pinned["serial"], "site": body["site"], "token": token,
                  "type": "quorate/receipt/v1"}
        for member, value in wanted.items():
            need(said[member] == value, "%s: the receipt's %s is of another birth or site", entry.what, member)
        self._proof(entry, intent, offer, said)
        signed = {name: value for name, value in said.items() if name != "signature"}
        asked = sha256(b"quorate receipt v1\n" + canonical_bytes(signed))
        need(crypto.digest_signature(unhex(pinned["identity"], "identity"), asked, unhex(said["signature"], "signature")),
             "%s: the receipt is not signed by the HSM that was enrolled", entry.what)
        intent.receipts[body["site"]] = said

    def _proof(self, entry, intent, offer, said):
        signs = self._templates(intent).get("private", {}).get("CKA_SIGN") == "true"
        if said["proof"] == "attested":
            need("proof-signature" not in said and not signs, "%s: the replica did not prove itself", entry.what)
            return
        need(said["proof"] == "signature" and "public-key" in offer, "%s: the receipt's proof is unknown", entry.what)
        asked = sha256(b"quorate proof v1\n" + bytes.fromhex(self.estate.estate + offer["offer"])
                       + sha256(said["site"].encode()) + bytes.fromhex(offer["challenge"])
                       + bytes.fromhex(digest(said["nonce"], entry.what)))
        need(crypto.digest_signature(unhex(offer["public-key"], "public-key"), asked,
                                     unhex(said["proof-signature"], "proof-signature")),
             "%s: the replica's signature over its statement does not hold", entry.what)

    def provisional(self, entry):
        body = members(entry.body, "?fingerprint ?id intent ?public-key sites until", entry.what)
        intent = self._travelling(entry, body)
        rule = self.estate.policy.rules[intent.verdict["rule"]]
        asked, brought = intent.request.subject, intent.entry.body["operation"] == "replicate"
        if brought:
            rule = evaluate.match(self.estate.policy, "generate", asked["token"], asked["label"], asked["class"], "token")
            need(rule is not None and "public-key" not in body, "%s: of no key that is born elsewhere", entry.what)
            self.brought[body["intent"]] = dict(asked, born=intent.entry.body["born"])
        need(rule.replicas is not None and rule.replicas.deferred is not None
             and moment(body["until"]) == add(intent.entry.time, rule.replicas.deferred)
             and moment(body["until"]) > entry.time, "%s: no rule lets receipts come so late", entry.what)
        offered = {offer["site"] for offer in intent.offers.values()}
        need(body["sites"] and set(body["sites"]) <= offered - set(intent.receipts) and intent.until is None,
             "%s: nothing is awaited from these sites", entry.what)
        need("later" not in intent.entry.body or sorted(body["sites"]) == sorted(intent.entry.body["later"]),
             "%s: not the sites whose receipts come later", entry.what)
        intent.until = body["until"]
        need(("public-key" in body) == ("fingerprint" in body) == ("id" in body), "%s: half a key", entry.what)
        if "public-key" in body:
            self._awaited(entry, body, intent)

    def _awaited(self, entry, body, intent):
        spki, began = unhex(body["public-key"], entry.what), intent.entry.body
        unhex(body["id"], entry.what)
        need(sha256_hex(spki) == body["fingerprint"] and crypto.key_type(spki)[0] == began.get("type"),
             "%s: not the key's fingerprint or type", entry.what)
        need(began.get("class") == "private-key" and all(offer.get("public-key") == body["public-key"]
                                                         for offer in intent.offers.values()),
             "%s: not the key that the sites were offered", entry.what)
        self.estate.provisional.append(dict(
            body, label=began.get("label", ""), token=began["token"], type=began["type"], time=entry.time_text,
            seq=entry.seq, sites=[intent.primary], ceremony=began["evidence"].get("ceremony")))

    def born(self, entry):
        body = members(entry.body, "class ?fingerprint ?function id ?intent label ?public-key sites token type", entry.what)
        need(body["class"] in ("private-key", "secret-key"), "%s: no key", entry.what)
        if "public-key" in body:
            spki = unhex(body["public-key"], entry.what)
            need(body["class"] == "private-key", "%s: a secret key has no public half", entry.what)
            need(sha256_hex(spki) == body.get("fingerprint"), "%s: not the key's fingerprint", entry.what)
            need(crypto.key_type(spki)[0] == body["type"], "%s: not the key's type", entry.what)
        if "intent" in body:
            self._born_of(entry, body)
        else:
            self._born_freely(entry, body)
        need("public-key" not in body or CREATORS.get(body.get("function")) != "generate" or all(
            key.get("fingerprint") != body["fingerprint"] for key in self.ever.values()), "%s: generated before", entry.what)
        self.ever[entry.seq] = dict(body, time=entry.time_text, seq=entry.seq)
        self.estate.keys.append(self.ever[entry.seq])

    def _born_of(self, entry, body):
        operation = CREATORS.get(body.get("function"))
        intent = self.estate.closing(entry, operation, body["intent"])
        if operation != "generate" or "plain" in intent.entry.body:
            return self._came_in(entry, body, intent)
        for member in ("class", "function", "label", "sites", "token", "type"):
            need(body.get(member) == intent.entry.body.get(member), "%s: %s is not the intent's", entry.what, member)
        for site in body["sites"]:
            if len(body["sites"]) > 1:
                self.estate.stays(entry, intent, site)
            if site == self._primary(intent):
                continue
            need(site in intent.receipts, "%s: without a receipt from %s", entry.what, site)
            offer = intent.offers[intent.receipts[site]["offer"]]
            need(offer.get("public-key") == body.get("public-key"), "%s: %s holds another key", entry.what, site)
        for key in self.estate.provisional:
            need(key["intent"] != body["intent"] or key["fingerprint"] == body.get("fingerprint"),
                 "%s: another key than the provisional one", entry.what)
        intent.born = body
        self.estate.spent(intent)

    def _came_in(self, entry, body, intent):
        for member in ("class", "function", "label", "token"):
            need(body.get(member) == intent.request.subject.get(member, ""), "%s: %s is not what was approved", entry.what, member)
        need(body["sites"] == [self._primary(intent)], "%s: at another site than the primary", entry.what)
        intent.born = body
        self.estate.spent(intent)

    def replicated(self, entry):
        body = members(entry.body, "born intent label site token", entry.what)
        intent = self.estate.closing(entry, "replicate", body["intent"])
        asked = intent.request.subject
        for member in ("label", "site", "token"):
            need(body[member] == asked[member], "%s: %s is not what was approved", entry.what, member)
        found = [key for key in self.estate.keys if key["seq"] == body["born"]]
        need(found and body["born"] == intent.entry.body["born"], "%s: of another key than the intent's", entry.what)
        key, site = found[0], body["site"]
        need(key["token"] == body["token"] and key["label"] == body["label"] and key["id"] == intent.entry.body["caller-id"],
             "%s: of another key", entry.what)
        need(asked["key"] == key.get("fingerprint") if "key" in asked else asked.get("born") == key["seq"],
             "%s: not the key that was approved", entry.what)
        need(site not in key["sites"] and (key["token"], site) in self.estate.enrolled, "%s: not to that site", entry.what)
        need(site in intent.receipts, "%s: without a receipt from %s", entry.what, site)
        self.estate.stays(entry, intent, site)
        offer = intent.offers[intent.receipts[site]["offer"]]
        need(offer.get("public-key") == key.get("public-key"), "%s: %s holds another key", entry.what, site)
        key["sites"] = key["sites"] + [site]
        intent.born = {"sites": intent.entry.body["sites"]}
        self.brought[body["intent"]] = body
        self.estate.spent(intent)

    def _born_freely(self, entry, body):
        operation = CREATORS.get(body.get("function"))
        rule = self.estate.policy and evaluate.match(self.estate.policy, operation, body["token"], body["label"], body["class"], "token")
        need(rule is not None and rule.effect == "allow", "%s: without an intent, and no rule plainly allows it", entry.what)
        need(body["sites"] == [self.estate.policy.tokens[body["token"]].primary], "%s: at another site than the primary", entry.what)

    # ---- drills

    def drill(self, entry):
        body = members(entry.body, "challenge failed proven ?reason ?receipt site token", entry.what)
        digest(body["challenge"], entry.what)
        place, estate = (body["token"], body["site"]), self.estate
        need(place in estate.enrolled, "%s: that site is not enrolled", entry.what)
        held = {key["seq"]: key for key in estate.keys if key["token"] == place[0] and place[1] in key["sites"]}
        for member in ("failed", "proven"):
            seqs = [integer(seq, entry.what) for seq in body[member]]
            need(seqs == sorted(set(seqs)) and set(seqs) <= set(held), "%s: %s are not keys of the site", entry.what, member)
        need(not set(body["failed"]) & set(body["proven"]), "%s: a key failed and did not", entry.what)
        if "receipt" not in body:
            need(not body["proven"] and text(body["reason"], entry.what), "%s: it proves keys without an answer", entry.what)
            return
        need("reason" not in body, "%s: a receipt, and a reason why there is none", entry.what)
        said = self._answer(entry, body, place)
        need([key["born"] for key in said["keys"]] == sorted(body["failed"] + body["proven"]),
             "%s: its keys are not those that the site answered for", entry.what)
        for key in said["keys"]:
            members(key, "born ?proof ?proof-signature ?reason", entry.what)
            need(("proof" in key) != ("reason" in key), "%s: a key has neither proof nor reason", entry.what)
            if key["born"] in body["proven"]:
                self._proves(entry, said, key, held[key["born"]])
        estate.once(body, said["nonce"], entry.what)
        self.drills.append((entry, len(body["proven"]), len(body["failed"])))
        if body["failed"]:
            estate.sites[place].drilled, estate.sites[place].drill = None, -1
            estate.sites[place].proofs.clear()
        elif set(held) <= set(body["proven"]):
            estate.sites[place].proofs.add(body["challenge"])
            estate.sites[place].drilled, estate.sites[place].drill = entry.time, entry.seq

    def _answer(self, entry, body, place):
        data = self.estate.folder.by_digest("receipts/%s.json" % digest(body["receipt"], entry.what), body["receipt"])
        said = members(parse_canonical(data), "challenge estate keys nonce serial signature site token type", entry.what)
        pinned = self.estate.enrolled[place]
        wanted = {"challenge": body["challenge"], "estate": self.estate.estate, "serial": pinned["serial"],
                  "site": place[1], "token": place[0], "type": "quorate/drill/v1"}
        for member, value in wanted.items():
            need(said[member] == value, "%s: the answer's %s is another", entry.what, member)
        signed = {name: value for name, value in said.items() if name != "signature"}
        asked = sha256(b"quorate drill receipt v1\n" + canonical_bytes(signed))
        need(crypto.digest_signature(unhex(pinned["identity"], "identity"), asked, unhex(said["signature"], "signature")),
             "%s: the answer is not signed by the HSM that was enrolled", entry.what)
        return said

    def _proves(self, entry, said, key, known):
        spki = unhex(known["public-key"], "public-key") if "public-key" in known else None
        need("proof" in key, "%s: key %d did not prove itself", entry.what, key["born"])
        if key["proof"] == "attested":
            intent = self.estate.intents.get(known.get("intent"))
            templates = intent.request.subject.get("templates", {}) if intent else {}
            signs = spki is not None and templates.get("private", {}).get("CKA_SIGN") == "true"
            need("proof-signature" not in key and not signs, "%s: key %d did not sign", entry.what, key["born"])
            return
        need(key["proof"] == "signature" and spki is not None, "%s: the proof of key %d is unknown", entry.what, key["born"])
        asked = sha256(b"quorate drill v1\n" + bytes.fromhex(self.estate.estate) + sha256(spki)
                       + sha256(("%s/%s" % (said["token"], said["site"])).encode()) + bytes.fromhex(said["challenge"])
                       + bytes.fromhex(digest(said["nonce"], entry.what)))
        need(crypto.digest_signature(spki, asked, unhex(key["proof-signature"], "proof-signature")),
             "%s: the signature of key %d does not hold", entry.what, key["born"])

    def accepted(self, entry):
        body = members(entry.body, "intent sites", entry.what)
        texts(body["sites"], entry.what, empty=True)
        intent = self.estate.intents.get(body["intent"])
        if intent is not None and intent.retired:
            need(set(body["sites"]) == intent.retired, "%s: of another site than the one that retired", entry.what)
            intent.retired = set()
            cleared = {(intent.entry.body["token"], site) for site in body["sites"]}
            cleared -= {(other.entry.body["token"], site) for other in self.estate.intents.values() for site in other.retired}
            for places in self.estate.left.values():
                places -= cleared
            return
        if intent is not None and intent.orphans and intent.born is None:
            need(not intent.open and body["sites"] and set(body["sites"]) <= intent.orphans, "%s: nothing was left there", entry.what)
            intent.orphans -= set(body["sites"])
            return
        need(intent is not None and intent.born is not None and set(body["sites"]) <= set(intent.born["sites"]),
             "%s: of no birth", entry.what)
        told = intent.orphans if intent.told else (set(intent.receipts) - intent.orphans)
        need(set(body["sites"]) <= told and body["sites"] if intent.told else told <= set(body["sites"]),
             "%s: not those that are to be told", entry.what)
        intent.told = True
        intent.orphans -= set(body["sites"])

    def rolled_back(self, entry):
        body = members(entry.body, "intent reason", entry.what)
        intent = self.estate.intents.get(body["intent"])
        need(intent is not None and intent.open, "%s: without an open intent", entry.what)
        intent.open = False
        intent.request.state = "void" if self.estate.policies and self.estate.policies[-1][0] > intent.entry.seq else "pending"

    def orphan(self, entry):
        body = members(entry.body, "intent site", entry.what)
        intent = self.estate.intents.get(body["intent"])
        offered = {offer["site"] for offer in intent.offers.values()} | {intent.primary} if intent is not None else ()
        need(body["site"] in offered and body["site"] not in intent.orphans, "%s: nothing of this birth can be there", entry.what)
        intent.orphans.add(body["site"])

    def use(self, entry):
        """Every use; of the operations that leave no key behind, `operation` says which."""
        body = members(entry.body, "?count ?data ?function intent ?interrupted label ?mechanism ?operation request ?signature token "
                       "?value", entry.what)
        operation = body.get("operation", "use")
        need(operation not in ("generate", "adopt-policy"), "%s: of an operation that ends otherwise", entry.what)
        intent = self.estate.closing(entry, operation, body["intent"])
        subject = intent.request.subject
        need(body["request"] == intent.entry.body["request"], "%s: of another request", entry.what)
        wanted = {"label": subject.get("label", ""), "token": subject["token"]}
        if body.get("interrupted") == "true":
            need(operation not in ("use", "wrap"), "%s: of an interrupted use nothing came out", entry.what)
        else:
            rule = self.estate.policy.rules[intent.verdict["rule"]]
            wanted.update(function=subject["function"], mechanism=subject.get("mechanism"),
                          data=subject.get("data", {}).get("sha256"), count=rule.uses if operation == "use" else None)
        for member, value in wanted.items():
            need(body.get(member) == value, "%s: %s is not what was approved", entry.what, member)
        if "signature" in body:
            digest(body["signature"], entry.what)
        need("value" not in body or (operation == "use" and sha256_hex(unhex(body["value"], entry.what)) == body.get("signature")),
             "%s: its value is not that of the signature", entry.what)
        awaited = self.estate.awaited(subject) if operation == "use" else None
        if awaited is not None:
            self.signs_itself(entry, body, intent, awaited)
        intent.awaited = awaited
        self.estate.spent(intent)
        self.used.append((entry, body, intent))

    def _key(self, entry, body):
        """The living key that an entry is about, and what was approved of it; without an intent a rule plainly allows."""
        found = [key for key in self.estate.keys
                 if all(key[member] == body[member] for member in ("class", "id", "label", "token"))]
        need(found, "%s: no such key", entry.what)
        key, operation = found[-1], {"modified": "modify", "destroyed": "destroy"}[entry.type]
        if "intent" not in body:
            rule = evaluate.match(self.estate.policy, operation, body["token"], body["label"], body["class"], "token")
            need(rule is not None and rule.effect == "allow" and (operation == "destroy" or len(key["sites"]) == 1)
                 and "request" not in body,
                 "%s: without an intent, and no rule plainly allows it", entry.what)
            return key, None
        intent = self.estate.intents.get(body["intent"])
        if entry.type == "destroyed" and intent is not None and intent.request.subject.get("function") == "C_InitToken":
            self.estate.closing(entry, "initialise", body["intent"])
            need("request" not in body and body["token"] == intent.request.subject["token"], "%s: of another token", entry.what)
            return key, None
        intent = self.estate.closing(entry, operation, body["intent"])
        subject = intent.request.subject
        need(body["request"] == intent.entry.body["request"], "%s: of another request", entry.what)
        need((body["label"], body["token"]) == (subject.get("label", ""), subject["token"]), "%s: of another key", entry.what)
        need(subject["key"] == key.get("fingerprint") if "key" in subject else subject.get("born") == key["seq"],
             "%s: of another key", entry.what)
        self.estate.spent(intent)
        return key, subject

    def modified(self, entry):
        body = members(entry.body, "class id ?intent label ?new-id ?new-label ?request token", entry.what)
        key, subject = self._key(entry, body)
        if subject is not None:
            asked = subject["templates"]["key"]
            named = "hex:" + body["new-id"] if "new-id" in body else None
            need((body.get("new-label"), named) == (asked.get("CKA_LABEL"), asked.get("CKA_ID")),
                 "%s: another change than was approved", entry.what)
        if "new-label" in body:
            self._labelled(entry, body, key)
        key["label"], key["id"] = body.get("new-label", key["label"]), body.get("new-id", key["id"])

    def _labelled(self, entry, body, key):
        """A rule plainly allows to change the key under its new label too, or that was decided."""
        rule = evaluate.match(self.estate.policy, "modify", body["token"], body["new-label"], body["class"], "token")
        decided = [intent.request.subject for intent in self.estate.intents.values() if intent.entry.body["operation"] == "modify"]
        need(rule is not None and rule.effect == "allow" or any(
            (asked["token"], asked.get("label")) == (body["token"], body["new-label"])
            and (asked["key"] == key.get("fingerprint") if "key" in asked else asked.get("born") == key["seq"]) for asked in decided),
             "%s: nothing allows it under its new label", entry.what)

    def destroyed(self, entry):
        body = members(entry.body, "class id ?intent label ?left ?request sites token", entry.what)
        key, _ = self._key(entry, body)
        named, token = body["sites"] + body.get("left", []), self.estate.policy.tokens.get(body["token"])
        need(len(set(named)) == len(named) and set(named) - {token.primary if token else None} <= set(key["sites"]) <= set(named),
             "%s: a site is left out, or one too many", entry.what)
        if "intent" not in body or "request" in body:
            self.estate.left[key["seq"]] = {(key["token"], site) for site in set(body.get("left", [])) & set(key["sites"])}
        self.estate.keys.remove(key)

    def cleared(self, entry):
        body = members(entry.body, "born sites", entry.what)
        left = self.estate.left.get(body["born"], set())
        places = {(token, site) for token, place in left for site in body["sites"] if site == place}
        need(body["sites"] and len(places) == len(body["sites"]), "%s: nothing was left there", entry.what)
        left -= places
