"""The fold of the log: policies, sites, requests and votes, suspension. Each verdict is evaluated again."""

from . import attestation, cosign, crypto, evaluate, log, policy
from .strict import (Refused, add, canonical_bytes, digest, integer, members, moment, need, parse_canonical, sha256, sha256_hex, text,
                     texts, unhex)

VOTE = "certificate person public-key request signature"
FRAME = "?ceremony expires log made nonce policy rule ?step subject type version"
PKCS11 = {"generate", "import", "derive", "copy", "modify", "wrap", "use", "destroy", "initialise", "set-pin"}
SUBJECT = "environment estate operation origin requester "
SUBJECTS = {
    "adopt-policy": "?host policy ?succession",
    "enrol-site": "?attestation firmware hardware identity manufacturer model serial site token transport",
    "open-ceremony": "bindings ceremony people script", "suspend": "reason scope", "resume": "scope",
    "retire-site": "site token", "promote": "site token", "replicate": "?born ?class ?key ?label site token",
    "change-log-key": "log-key", "readopt-log": "heads",
}
PKCS11_SUBJECT = "?born ?class ?data ?function ?key ?label ?mechanism ?object ?templates token ?with"
SITE = "firmware hardware identity manufacturer model serial site token transport"


class Request:
    def __init__(self, document, entry):
        self.document, self.entry = document, entry
        self.subject = document["subject"]
        self.votes = []
        self.approved = {}  # the last approval's signature, by certificate
        self.state = "pending"


class Intent:
    def __init__(self, entry, request, verdict):
        self.entry, self.request, self.verdict = entry, request, verdict
        self.offers, self.receipts = {}, {}
        self.open, self.told = True, False
        self.born = self.until = None
        self.orphans = set()  # where something of it may be left
        self.retired = set()  # sites whose replicas are to be destroyed


class Estate:
    def __init__(self, folder, tree, trust, report):
        self.folder, self.tree, self.trust, self.report = folder, tree, trust, report
        self.policy, self.policies = None, []
        self.requests, self.intents, self.keys = {}, {}, []
        self.provisional = []  # keys that `provisional` named, whatever became of them
        self.sites, self.enrolled, self.serving, self.suspensions = {}, {}, {}, set()
        self.since = {}  # place: seq of the enrolment in force
        self.left = {}  # seq of a destroyed key: places that may hold it
        self.attested = {}  # sites with an HSM of which its vendor's certificates hold: their root
        self.moves = []  # (origin before, size of the first checkpoint that has another one)
        self.promotions = {}  # token: its primary by the last promotion
        self.place = lambda: (None, None, None)  # (script id, step, operation): set by the ceremonies
        self.estate, self.last_time = None, 0
        self.answered = set()  # challenges and nonces of what HSMs answered
        self.cosigned = cosign.Cosigned(tree, self)
        self.votes = self.verdicts = 0
        self.arrivals = []

    # ---- the start

    def genesis(self, entry):
        need(entry.seq == 0, "%s: a genesis must be the first entry", entry.what)
        body = members(entry.body, "environment log-key name origin policy", entry.what)
        need(body["log-key"] == self.trust["log-key"], "genesis: the log key is not the one that is trusted")
        need(body["origin"] == body["log-key"].split("+")[0], "genesis: the origin is not the log key's name")
        need(body["policy"] == self.trust["policy"], "genesis: the first policy is not the one that is trusted")
        self.estate, self.environment, self.origin = entry.digest, text(body["environment"], "environment"), body["origin"]
        self.name = text(body["name"], "name")

    # ---- requests and votes

    def request(self, entry):
        body = members(entry.body, "expires ?label operation request rule subject ?token", entry.what)
        name = digest(body["request"], entry.what)
        need(name not in self.requests, "%s: the request is there already", entry.what)
        document = self._document(name, entry)
        subject = document["subject"]
        need(body["subject"] == sha256_hex(canonical_bytes(subject)), "%s: not the digest of the subject", entry.what)
        for member in ("expires", "rule"):
            need(body[member] == document[member], "%s: %s is not the request's", entry.what, member)
        for member in ("operation", "label", "token"):
            need(body.get(member) == subject.get(member), "%s: %s is not the subject's", entry.what, member)
        self._framed(document, entry)
        need(document.get("ceremony") == entry.ceremony, "%s: the request is of another ceremony", entry.what)
        self.requests[name] = Request(document, entry)

    def _framed(self, document, entry):
        """By the policy in force (the first: by itself), and no longer than its rule lets it wait."""
        judge = self.policy or self._policy_of(Request(document, entry))
        need(document["policy"] == {"digest": judge.digest, "version": judge.version}, "%s: made under another policy", entry.what)
        rule = judge.rules.get(document["rule"])
        lasts = rule.expires if rule else policy.DEFAULT_EXPIRY
        need(moment(document["expires"]) <= add(moment(document["made"]), lasts), "%s: it lasts longer than its rule lets it", entry.what)

    def once(self, body, answered, what):
        """What an HSM answered, by its challenge or nonce, is not answered again."""
        asked = body["token"], body["site"], answered
        need(asked not in self.answered, "%s: that was answered before", what)
        self.answered.add(asked)

    def _document(self, name, entry):
        document = parse_canonical(self.folder.by_digest("requests/%s/request.json" % name, name))
        members(document, FRAME, "request " + name[:12])
        need(document["type"] == "quorate/request/v1" and document["version"] == 1, "request %s: type", name[:12])
        subject = document["subject"]
        operation = subject.get("operation") if type(subject) is dict else None
        need(operation in SUBJECTS or operation in PKCS11, "request %s: its operation is unknown here", name[:12])
        members(subject, SUBJECT + SUBJECTS.get(operation, PKCS11_SUBJECT), "the subject of request " + name[:12])
        need((subject["estate"], subject["environment"], subject["origin"])
             == (self.estate, self.environment, self.origin), "request %s: it is for another estate", name[:12])
        logged = members(document["log"], "root size", "log")
        size = integer(logged["size"], "log size")
        need(size <= entry.seq and self.tree.roots[size] == logged["root"], "request %s: the log never was so", name[:12])
        made, expires = moment(document["made"]), moment(document["expires"])
        need(made <= entry.time and made < expires, "request %s: made, expires", name[:12])
        members(document["policy"], "digest version", "policy")
        need(len(unhex(document["nonce"], "nonce")) == 16, "request %s: nonce", name[:12])
        return dict(document, **{"expires-at": expires})

    def vote(self, entry, rejection):
        body = members(entry.body, VOTE + (" document reason" if rejection else " ?renews"), entry.what)
        request = self.requests.get(body["request"])
        need(request is not None, "%s: for a request that the log does not have", entry.what)
        need(request.state in ("pending", "intent"), "%s: the request is %s", entry.what, request.state)
        certificate = self.folder.by_digest("people/%s.der" % digest(body["certificate"], entry.what), body["certificate"])
        need(sha256_hex(crypto.certificate_key(certificate)) == body["public-key"], "%s: not the certificate's key", entry.what)
        person = self._voter(request).by_fingerprint.get(body["certificate"])
        need(person is not None and person.id == body["person"], "%s: not the certificate of %s", entry.what, body["person"])
        stem = "requests/%s/%s" % (body["request"], person.id)
        if rejection:
            document = self.folder.by_digest(stem + ".reject.json", body["document"])
            said = members(parse_canonical(document), "reason request type", stem)
            need(said == {"reason": body["reason"], "request": body["request"], "type": "quorate/rejection/v1"},
                 "%s: the rejection says something else", entry.what)
        elif "renews" in body:
            document = canonical_bytes({"renews": body["renews"], "request": body["request"], "type": "quorate/renewal/v1"})
            stem += "." + digest(body["renews"], entry.what)
        else:
            document = self.folder.take("requests/%s/request.json" % body["request"])
        signature = self.folder.by_digest(stem + (".reject.p7s" if rejection else ".p7s"), body["signature"])
        if not rejection:
            need(body.get("renews") == request.approved.get(body["certificate"]),
                 "%s: it does not renew what %s approved before", entry.what, person.id)
            request.approved[body["certificate"]] = body["signature"]
        try:
            crypto.cms(signature, document, certificate)
        except Refused as why:
            raise Refused("%s: %s" % (entry.what, why)) from None
        request.votes.append(evaluate.Vote(rejection, body["certificate"], body["public-key"], entry.time, entry.seq))
        self.votes += 1

    def _voter(self, request):
        """The policy whose roster pins the signers: the first one judges itself."""
        if self.policy is None:
            return self._policy_of(request)
        return self.policy

    def _policy_of(self, request):
        wanted = request.subject.get("policy", {})
        members(wanted, "canonical digest version", "the subject's policy")
        return policy.parse(self.folder.document("policies", wanted), wanted["digest"])

    # ---- decisions

    def intent(self, entry):
        body = entry.body
        need({"evidence", "operation", "request", "verdict"} <= set(body), "%s lacks a member", entry.what)
        request = self.requests.get(body["request"])
        need(request is not None and request.state == "pending", "%s: the request is not pending", entry.what)
        brought = body["operation"] == "replicate"
        more = {"replicate": {"born", "later"}, "generate": {"later"}, "retire-site": {"until"}}.get(body["operation"], set())
        for member in set(body) - {"evidence", "request", "verdict", "sites", "type", "id", "caller-id", "public-id", "plain"} - more:
            need(member in request.subject and body[member] == request.subject[member],
                 "%s: %s is not the subject's", entry.what, member)
        verdict = members(body["verdict"], "counted decision rule", entry.what)
        need(verdict["decision"] == "allow", "%s: its verdict is not allow", entry.what)
        held = None
        if "sites" in body and body["operation"] == "generate":
            held = texts(body["sites"], entry.what)
        if body["operation"] == "retire-site" and "until" in body:
            need(entry.time < moment(body["until"], entry.what) <= entry.time + 14 * 86400,
                 "%s: until is too early or too late", entry.what)
        if "later" in body:
            later = texts(body["later"], entry.what)
            need(later and len(set(later)) == len(later) and set(later) <= set(texts(body["sites"], entry.what)[1:]),
                 "%s: no replicas of it are to answer later", entry.what)
        if "type" in body:
            need(body["type"] == evaluate.key_type(request.subject), "%s: not the type that was asked", entry.what)
        evidence = self._evidence(entry, request)
        judge = self.policy or self._policy_of(request)
        try:
            rule, counted = evaluate.evaluate(judge, request.document, evidence, held)
        except Refused as why:
            raise Refused("%s: evaluated again, it is not allowed: %s" % (entry.what, why)) from None
        need(verdict == {"counted": counted, "decision": "allow", "rule": rule},
             "%s: evaluated again, the verdict is rule \"%s\" with %s", entry.what, rule, ", ".join(counted) or "nobody")
        request.state = "intent"
        self.intents[entry.seq] = Intent(entry, request, verdict)
        token = self.policy and self.policy.tokens.get(body.get("token"))
        self.intents[entry.seq].primary = token.primary if token else None
        if "plain" in body:
            need(body["plain"] == "true" and body["operation"] in ("generate", "import", "derive", "copy")
                 and judge.rules[rule].effect == "allow" and "type" not in body and body["sites"] == [token.primary],
                 "%s: no rule plainly allows this birth at the primary alone", entry.what)
        need(held is None or held[0] == token.primary, "%s: its first site is not the primary", entry.what)
        need(not brought or (token and body["sites"] == [token.primary, request.subject["site"]]),
             "%s: its sites are not the primary and the one that was asked", entry.what)
        self.verdicts += 1

    def _evidence(self, entry, request):
        said = members(entry.body["evidence"], "approvals at ?ceremony rejections ?step", entry.what)
        for member, rejection in (("approvals", False), ("rejections", True)):
            there = [vote.seq for vote in request.votes if vote.rejection is rejection]
            need(said[member] == there, "%s: its %s are not those that the log has", entry.what, member)
        at = moment(said["at"], entry.what)
        need(self.last_time <= at <= entry.time, "%s: it judges for another time than its own", entry.what)
        need(said.get("ceremony") == entry.ceremony, "%s: it is of another ceremony", entry.what)
        evidence = evaluate.Evidence(at, request.votes, self.sites)
        if "ceremony" in said:
            need((request.document.get("ceremony"), request.document.get("step")) == (said["ceremony"], said.get("step")),
                 "%s: the request is for another step", entry.what)
            evidence.script, step, evidence.step_operation = self.place()
            need(said.get("step") == step, "%s: the ceremony was at step %s", entry.what, step)
        evidence.suspended = self.is_suspended(request.subject)
        if request.subject["operation"] == "use":
            awaited = self.awaited(request.subject)
            if awaited is not None:
                evidence.key, evidence.key_seq = (moment(awaited["time"]), awaited["sites"]), awaited["seq"]
                evidence.provisional = awaited["ceremony"], entry.ceremony, moment(awaited["until"])
            else:
                evidence.key, evidence.key_seq = self._key_of(request.subject, entry)
        evidence.cosigned = self.cosigned.size(self.policy.cosigners) if self.policy else 0
        return evidence

    def awaited(self, subject):
        """The provisional key that the request names, while its receipts are awaited; None: it is another."""
        for key in self.provisional:
            if key["fingerprint"] == subject.get("key") and self.intents[key["intent"]].open:
                return key
        return None

    def _key_of(self, subject, entry):
        for key in reversed(self.keys):
            if (key["token"], key["label"]) == (subject["token"], subject.get("label")):
                need(key.get("fingerprint") == subject.get("key"), "%s: it is for another key", entry.what)
                return (moment(key["time"]), key["sites"]), key["seq"]
        raise Refused("%s: the log knows no such key" % entry.what)

    def closing(self, entry, operation, seq=None):
        """The open intent that this entry carries out."""
        body = entry.body
        if seq is None:
            found = [i for i in self.intents.values() if i.open and i.entry.body["request"] == body.get("request")]
            intent = found[0] if found else None
        else:
            intent = self.intents.get(integer(seq, entry.what))
        need(intent is not None and intent.open, "%s: without an open intent", entry.what)
        need(intent.entry.body["operation"] == operation, "%s: its intent is of another operation", entry.what)
        if "verdict" in body:
            need(body["verdict"] == intent.verdict, "%s: its verdict is not the intent's", entry.what)
        return intent

    def spent(self, intent):
        intent.open, intent.request.state = False, "spent"

    def adopted(self, entry):
        body = members(entry.body, "canonical digest request ?succession verdict version", entry.what)
        intent = self.closing(entry, "adopt-policy")
        asked = intent.request.subject
        need({name: body[name] for name in ("canonical", "digest", "version")} == asked["policy"]
             and body.get("succession") == asked.get("succession"), "%s: not the policy that was approved", entry.what)
        if self.policy is None:
            need(body["digest"] == self.trust["policy"], "%s: the first policy is not the one that is trusted", entry.what)
        else:
            need(body["version"] > self.policy.version, "%s: its version does not increase", entry.what)
        new = policy.parse(self.folder.document("policies", body), body["digest"])
        need(new.version == body["version"], "%s: the file has another version", entry.what)
        self._roster(new)
        for token in new.tokens.values():  # what is parsed is shared: as declared, where nothing was promoted in this log
            token.promote(self.promotions.get(token.id))
        self.policy = new
        self.policies.append((entry.seq, new))
        self.spent(intent)
        for request in self.requests.values():
            if request.state == "pending":
                request.state = "void"

    def _roster(self, new):
        keys = {}
        for person in new.people.values():
            certificate = self.folder.by_digest("people/%s.der" % person.fingerprint, person.fingerprint)
            other = keys.setdefault(crypto.certificate_key(certificate), person.id)
            need(other == person.id, "%s and %s of the roster have one key", other, person.id)

    # ---- sites

    def site_enrolled(self, entry):
        body = members(entry.body, SITE + " answer ?attestation challenge identity-id request transport-id verdict", entry.what)
        intent = self.closing(entry, "enrol-site")
        for member in SITE.split() + ["attestation"]:
            need(body.get(member) == intent.request.subject.get(member), "%s: %s is not what was approved", entry.what, member)
        place = (body["token"], body["site"])
        token = self.policy.tokens.get(body["token"])
        need(token is not None and body["site"] in [token.primary] + token.replicas, "%s: no site of the policy", entry.what)
        need(all(other["serial"] != body["serial"] for at, other in self.enrolled.items() if at != place),
             "%s: the serial number is another site's", entry.what)
        keys = [body["identity"], body["transport"]]
        need(keys[0] != keys[1] and all(other[name] not in keys for at, other in self.enrolled.items() if at != place
                                        for name in ("identity", "transport")), "%s: a key that a site has already", entry.what)
        identity = crypto.key_type(unhex(body["identity"], "identity"))[0]
        need(identity.startswith("EC:") or crypto.transports(unhex(body["identity"], "identity")),
             "%s: an identity key that is too weak", entry.what)
        need(crypto.transports(unhex(body["transport"], "transport")), "%s: the transport key is too weak", entry.what)
        asked = sha256(b"quorate challenge v1\n" + bytes.fromhex(self.estate) + sha256("/".join(place).encode())
                       + unhex(digest(body["challenge"], entry.what), "challenge"))
        need(crypto.digest_signature(unhex(body["identity"], "identity"), asked, unhex(body["answer"], "answer")),
             "%s: the HSM's answer to the challenge does not hold", entry.what)
        self.answered.add((body["token"], body["site"], body["challenge"]))  # an introduction may be taken up twice
        root = attestation.judge(body, self.policy, entry.time, entry.what)
        if root is not None:
            self.attested[place] = root
        self.enrolled[place] = body
        self.since[place] = entry.seq
        self.sites[place] = evaluate.Standing(body["site"], body["hardware"])
        self.spent(intent)

    def transport_renewed(self, entry):
        body = members(entry.body, "signature site token transport transport-id", entry.what)
        place, next_ = (body["token"], body["site"]), unhex(body["transport"], entry.what)
        need(place in self.enrolled, "%s: that site is not enrolled", entry.what)
        pinned = self.enrolled[place]
        need(next_ and unhex(body["transport-id"], entry.what) and all(
            body["transport"] not in (other["transport"], other["identity"]) for other in self.enrolled.values()),
             "%s: a key that a site has already", entry.what)
        need(crypto.transports(next_), "%s: the transport key is too weak", entry.what)
        asked = sha256(b"quorate transport v1\n" + bytes.fromhex(self.estate) + sha256("/".join(place).encode())
                       + sha256(unhex(pinned["transport"], "transport")) + sha256(next_))
        need(crypto.digest_signature(unhex(pinned["identity"], "identity"), asked, unhex(body["signature"], "signature")),
             "%s: the next transport key is not signed by the HSM that was enrolled", entry.what)
        self.enrolled[place] = dict(pinned, transport=body["transport"])

    def _retiring(self, intent, place):
        """The challenge that a site answers where another one is to retire: for the keys that it holds now."""
        keys = sorted(key["seq"] for key in self.keys if key["token"] == place[0] and place[1] in key["sites"])
        return sha256_hex(b"quorate retirement v1\n" + bytes.fromhex(self.estate) + sha256("/".join(place).encode())
                          + bytes.fromhex(intent.entry.digest) + sha256(canonical_bytes(keys)))

    def site_retired(self, entry):
        body = members(entry.body, "request site token verdict", entry.what)
        intent = self.closing(entry, "retire-site")
        place = (body["token"], body["site"])
        need(place in self.enrolled, "%s: that site is not enrolled", entry.what)
        need(place == (intent.request.subject["token"], intent.request.subject["site"]), "%s: not what was approved", entry.what)
        until = intent.entry.body.get("until")
        need(until is None or entry.time <= moment(until, entry.what), "%s: its time was over", entry.what)
        for other in self.enrolled:
            if other == place or other[0] != place[0]:
                continue
            standing = self.sites[other]
            need(standing.drill > intent.entry.seq and (until is None or self._retiring(intent, other) in standing.proofs),
                 "%s: %s was not drilled since that was decided, for all that it holds", entry.what, other[1])
        held = [key for key in self.keys if key["token"] == place[0] and place[1] in key["sites"]]
        for key in held:
            need(any((place[0], site) in self.enrolled for site in key["sites"] if site != place[1]),
                 "%s: no other site holds %s", entry.what, key["label"])
            key["sites"] = [site for site in key["sites"] if site != place[1]]
        del self.enrolled[place], self.sites[place], self.since[place]
        left = any(place in places for places in self.left.values())
        intent.retired = {place[1]} if held or left else set()
        self.spent(intent)

    def stays(self, entry, intent, site):
        """The HSM that was enrolled there when that intent was written is so still."""
        place = (intent.entry.body["token"], site)
        need(self.since.get(place, intent.entry.seq) < intent.entry.seq, "%s: %s retired since its intent", entry.what, site)

    def departed(self, entry):
        body = members(entry.body, "bag ?carrier site token", entry.what)
        standing = self.sites.get((body["token"], body["site"]))
        need(standing is not None and standing.away is None, "%s: that site is not enrolled, or on its way already", entry.what)
        standing.away, standing.place, standing.home = text(body["bag"], "bag"), None, False

    def _journey(self, entry, body, standing):
        """From where it was it left before, in the bag in which it arrives; there it answers as the HSM that was enrolled."""
        need(standing.place is None, "%s: it has not left where it is", entry.what)
        need(("answer" in body) == ("challenge" in body), "%s: an answer without its challenge", entry.what)
        need(standing.away is None or "answer" in body, "%s: it answered no challenge", entry.what)
        need(standing.away is None or body.get("bag") == standing.away, "%s: it left in another bag", entry.what)
        if "answer" in body:
            place = (body["token"], body["site"])
            asked = sha256(b"quorate challenge v1\n" + bytes.fromhex(self.estate) + sha256("/".join(place).encode())
                           + unhex(digest(body["challenge"], entry.what), "challenge"))
            need(crypto.digest_signature(unhex(self.enrolled[place]["identity"], "identity"), asked,
                                         unhex(body["answer"], "answer")), "%s: its answer does not hold", entry.what)
            self.once(body, body["challenge"], entry.what)
        standing.away = None

    def arrived(self, entry):
        body = members(entry.body, "?answer ?bag ?challenge country latitude longitude place ?received-by ?safe site tags token",
                       entry.what)
        standing = self.sites.get((body["token"], body["site"]))
        need(standing is not None, "%s: that site is not enrolled", entry.what)
        self._journey(entry, body, standing)
        self.arrivals.append((entry.seq, body))
        standing.home = body["place"] == body["site"]
        declared = self.policy.sites.get(body["site"])
        if standing.home:
            need(declared is not None and (body["latitude"], body["longitude"], body["country"], body["tags"]) == (
                declared.latitude_text, declared.longitude_text, declared.country, declared.tags),
                 "%s: home is somewhere else by the policy", entry.what)
        standing.place = (policy.number(body["latitude"], -90, 90, entry.what),
                          policy.number(body["longitude"], -180, 180, entry.what),
                          body["country"], texts(body["tags"], entry.what, empty=True))

    def promoted(self, entry):
        body = members(entry.body, "request site token verdict", entry.what)
        intent = self.closing(entry, "promote")
        asked = intent.request.subject
        need((body["token"], body["site"]) == (asked["token"], asked["site"]), "%s: not what was approved", entry.what)
        token = self.policy.tokens.get(body["token"])
        need(token is not None and body["site"] in token.replicas, "%s: no replica site of the token", entry.what)
        need((body["token"], body["site"]) in self.enrolled, "%s: that site is not enrolled", entry.what)
        self.promotions[token.id] = body["site"]
        token.promote(body["site"])
        self.serving.pop(token.id, None)
        self.spent(intent)

    def failover(self, entry):
        body = members(entry.body, "reason site token", entry.what)
        token = self.policy.tokens.get(body["token"])
        need(token is not None and token.failover == "use", "%s: its policy says nothing of failover", entry.what)
        need(body["site"] in [token.primary] + token.replicas, "%s: no site of the token", entry.what)
        need((body["token"], body["site"]) in self.sites, "%s: that site is not enrolled", entry.what)
        need(self.serving.get(token.id, token.primary) != body["site"], "%s: that site served already", entry.what)
        self.serving[token.id] = body["site"]
        text(body["reason"], entry.what)

    # ---- suspension

    def suspended(self, entry):
        body = members(entry.body, "reason request scope verdict", entry.what)
        intent = self.closing(entry, "suspend")
        for member in ("reason", "scope"):
            need(body[member] == intent.request.subject[member], "%s: %s is not what was approved", entry.what, member)
        self.suspensions.add(body["scope"])
        self.spent(intent)

    def resumed(self, entry):
        body = members(entry.body, "request scope verdict", entry.what)
        intent = self.closing(entry, "resume")
        need(body["scope"] == intent.request.subject["scope"] and body["scope"] in self.suspensions,
             "%s: that is not suspended, or not what was approved", entry.what)
        self.suspensions.discard(body["scope"])
        self.spent(intent)

    def log_key(self, entry):
        body = members(entry.body, "log-key request verdict", entry.what)
        intent = self.closing(entry, "change-log-key")
        need(body["log-key"] == intent.request.subject["log-key"], "%s: not the key that was approved", entry.what)
        need(log.VerifierKey(body["log-key"]).name == self.origin, "%s: a key of another log", entry.what)
        self.spent(intent)

    def head(self, entry):
        body = members(entry.body, "site token", entry.what)
        need((body["token"], body["site"]) in self.sites, "%s: that site is not enrolled", entry.what)

    def readopted(self, entry):
        body = members(entry.body, "heads request verdict", entry.what)
        need(type(body["heads"]) is list and body["heads"], "%s: about no head", entry.what)
        for one in body["heads"]:
            members(one, "found ?note ?root site ?size token", entry.what)
            need((one["token"], one["site"]) in self.sites, "%s: a site that is not enrolled", entry.what)
            need(one["found"] in ("missing", "newer", "differs") and (one["found"] == "missing") == ("note" not in one)
                 and ("size" in one) == ("root" in one) and (one["found"] != "missing" or "size" not in one),
                 "%s: a head that is said wrongly", entry.what)
        intent = self.closing(entry, "readopt-log")
        need(body["heads"] == intent.request.subject["heads"], "%s: not what was approved", entry.what)
        self.spent(intent)

    def moved(self, entry):
        body = members(entry.body, "log-key request verdict", entry.what)
        intent = self.closing(entry, "change-log-key")
        need(body["log-key"] == intent.request.subject["log-key"], "%s: not the key that was approved", entry.what)
        origin = log.VerifierKey(body["log-key"]).name
        need(origin not in [self.origin] + [before for before, _ in self.moves], "%s: the origin is an old one", entry.what)
        self.moves.append((self.origin, entry.seq + 2))
        self.origin = origin
        self.spent(intent)
        for request in self.requests.values():
            if request.state == "pending":
                request.state = "void"

    def origin_at(self, size):
        """The origin that a checkpoint of that size has."""
        return next((before for before, until in self.moves if size < until), self.origin)

    def is_suspended(self, subject):
        token = subject.get("token")
        scopes = {"estate", "token:%s" % token, "key:%s@%s" % (subject.get("label"), token)}
        return bool(self.suspensions & scopes)

    def refused(self, entry):
        members(entry.body, "?closed findings ?label operation ?request requester subject ?token", entry.what)
        if "closed" in entry.body:
            request = self.requests.get(entry.body.get("request"))
            need(request is not None and entry.body["closed"] in ("rejected", "expired"), "%s: closed", entry.what)
            if request.state == "pending":
                request.state = entry.body["closed"]

