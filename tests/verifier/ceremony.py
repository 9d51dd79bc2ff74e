"""Ceremonies: the script's steps, in order, by the people that it asks, with the results that the log bears out."""

import base64
import copy

from . import certificate, cosign, crypto, expression, log, script, timestamp
from .strict import Refused, digest, integer, members, moment, need, parse_canonical, sha256_hex, text
from .confidential import shown
from .words import WORDS

ROOM_CLOCK = 60  # seconds
STATEMENT = "ceremony checkpoint deviations person statement type"


class Ceremony:
    def __init__(self, id_, script_, people, entry):
        self.id, self.script, self.people = id_, script_, people
        self.opened = entry
        self.next = 0
        self.present, self.left = set(), set()
        self.deviations, self.answers, self.artifacts, self.exhibits = [], {}, [], []
        self.withheld = {}  # (step, type of entry) -> how results name what is withheld
        self.begun = {}  # step -> seq
        self.first = {}  # step -> seq of the first entry after the step before it
        self.last_done, self.done_time = entry.seq, entry.time
        self.to_cosign = entry.seq + 1
        self.closed = False
        self.attested = set()

    @property
    def step(self):
        return self.script.steps[self.next] if self.next < len(self.script.steps) else None


class Ceremonies:
    def __init__(self, folder, tree, estate, births):
        self.folder, self.tree, self.estate, self.births = folder, tree, estate, births
        self.all, self.open = {}, None
        self.custody = {}  # item -> [bag, sealed]
        self.environment = None
        self.unseen, self.certificates = [], []
        self.steps = 0
        estate.place = self.place
        births.signs_itself = self.signs_itself

    def place(self):
        step = self.open.step if self.open else None
        return (self.open.script.id, step.id, step.operation) if step else (None, None, None)

    def signs_itself(self, entry, body, intent, key):
        """A provisional key signs its own certificate, in a step that issues it."""
        one, step = self.open, self.step_at_hand(entry)
        need(step is not None and step.action == "issue-certificate" and step.id == intent.entry.body["evidence"].get("step"),
             "%s: a provisional key is used outside of a step that issues its certificate", entry.what)
        fixed = [data for other, data in one.artifacts if (other.body["kind"], other.body.get("step")) == ("tbs", step.id)]
        if any(certificate.is_own(data, bytes.fromhex(key["public-key"]), body.get("data")) for data in fixed):
            return
        need(any(kind == "artifact" for _, kind in one.withheld), "%s: what a provisional key signed is not its certificate",
             entry.what)
        self.estate.report.unseen("that the provisional key of %s signed its own certificate", entry.what)

    # ---- opening and closing

    def environment_(self, entry):
        body = members(entry.body, "boot-command-line clock-source kernel machine software", entry.what)
        for member in ("boot-command-line", "machine"):
            digest(body[member], entry.what)
        for member, value in body["software"].items():
            digest(value, entry.what)
        wanted = self.estate.trust.get("software", {})
        for member, value in wanted.items():
            need(body["software"].get(member) == value, "%s: %s is not the software that is trusted", entry.what, member)
        self.environment = entry

    def opened(self, entry):
        body = members(entry.body, "bindings ceremony people request script verdict", entry.what)
        need(self.open is None, "%s: another ceremony is open", entry.what)
        need(body["ceremony"] == entry.ceremony and entry.ceremony not in self.all, "%s: its id", entry.what)
        need(self.environment is not None and self.environment.seq > self._last_close(),
             "%s: no environment was recorded before it", entry.what)
        intent = self.estate.closing(entry, "open-ceremony")
        asked = intent.request.subject
        for member in ("bindings", "ceremony", "people", "script"):
            need(body[member] == asked[member], "%s: %s are not what was approved", entry.what, member)
        members(body["script"], "canonical digest id", entry.what)
        members(body["bindings"], "canonical digest", entry.what)
        parse_canonical(self.folder.document("bindings", body["bindings"]))
        found = script.parse(self.folder.document("scripts", body["script"]), body["script"]["digest"])
        need(found.id == body["script"]["id"], "%s: the script has another id", entry.what)
        people = script.cast(body["people"], found, self.estate.policy, entry.time, entry.what)
        self.estate.spent(intent)
        self.open = self.all[entry.ceremony] = Ceremony(entry.ceremony, found, people, entry)

    def _last_close(self):
        return max([one.closed.seq for one in self.all.values() if one.closed] or [-1])

    def closed(self, entry):
        body = members(entry.body, "ceremony deviations steps", entry.what)
        one = self.open
        need(one is not None and body["ceremony"] == one.id, "%s: that ceremony is not open", entry.what)
        need(one.step is None, "%s: step %s was not done", entry.what, one.step and one.step.id)
        need((body["deviations"], body["steps"]) == (len(one.deviations), len(one.script.steps)),
             "%s: its counts are not those of the log", entry.what)
        judge = self.estate.policy.cosigners
        need(judge is None or not judge.before_close or self.estate.cosigned.size(judge) >= one.to_cosign,
             "%s: the first %d entries had to be cosigned before", entry.what, one.to_cosign)
        attesting = [step for step in one.script.steps if step.action == "attest"]
        need(not attesting or one.attested, "%s: nobody attested", entry.what)
        one.closed, self.open = entry, None

    def belongs(self, entry):
        """Every entry of a ceremony comes while it is open."""
        if entry.type == "ceremony-opened" or entry.ceremony is None:
            return
        need(self.open is not None and self.open.id == entry.ceremony, "%s: ceremony %s is not open", entry.what,
             entry.ceremony)
        if not cosign.may_follow(entry) and entry.type != "ceremony-closed":
            self.open.to_cosign = entry.seq + 1

    def step_at_hand(self, entry):
        return self.open.step if self.open is not None and entry.ceremony == self.open.id else None

    def withheld(self, entry):
        """Its body is not here: that there is one of this type, while this step was at hand."""
        one = self.open
        step = self.step_at_hand(entry)
        need(step is not None, "%s: outside of a ceremony's steps", entry.what)
        if entry.type == "deviation":
            entry = copy.copy(entry)
            entry.body = {"accepted-by": None, "step": step.id}
            one.deviations.append(entry)
        one.withheld.setdefault((step.id, entry.type), {})["commit:" + entry.commit] = entry.class_
        self.estate.report.unseen("%s of step %s", entry.what, step.id)

    def _hidden(self, one, step, kind, value, what):
        """Whether a result's value stands for something of the step that is withheld."""
        places = [step.id] if kind != "artifact" else [other.id for other in one.script.steps]
        hidden = any(value in one.withheld.get((place, kind), ()) for place in places)
        if hidden:
            self.estate.report.unseen("%s of step %s", what, step.id)
        return hidden

    def _at(self, entry, step):
        need(self.open is not None and entry.ceremony == self.open.id, "%s: outside of a ceremony", entry.what)
        need(self.open.step is not None and step == self.open.step.id, "%s: step %s is out of turn", entry.what, step)
        return self.open

    # ---- what happens within a step

    def entered(self, entry):
        body = members(entry.body, "person role step", entry.what)
        one = self._at(entry, body["step"])
        role = one.people.get(body["person"])
        need(one.step.action == "enter" and role is not None and role.id == body["role"] and role is one.step.role,
             "%s: %s may not enter here as %s", entry.what, body["person"], body["role"])
        need(body["person"] not in one.present, "%s: %s has entered already", entry.what, body["person"])
        one.present.add(body["person"])

    def leaves(self, entry):
        body = members(entry.body, "person step", entry.what)
        one = self._at(entry, body["step"])
        need(one.step.action == "leave" and body["person"] in one.present
             and one.people[body["person"]] is one.step.role, "%s: %s does not leave here", entry.what, body["person"])
        one.present.discard(body["person"])
        one.left.add(body["person"])

    def answer(self, entry):
        body = members(entry.body, "name person step value", entry.what)
        one = self._at(entry, body["step"])
        need(body["person"] in one.present, "%s: %s is not in the room", entry.what, body["person"])
        one.answers.setdefault(body["step"], {})[text(body["name"], entry.what)] = (body["value"], entry)

    def deviation(self, entry):
        body = members(entry.body, "accepted-by cause step", entry.what)
        one = self._at(entry, body["step"])
        text(body["cause"], entry.what)
        need(body["accepted-by"] in one.present, "%s: accepted by somebody who is not in the room", entry.what)
        one.deviations.append(entry)

    def exhibit(self, entry):
        body = members(entry.body, "?device digest ?end ?gaps kind person ?start step", entry.what)
        one = self._at(entry, body["step"])
        digest(body["digest"], entry.what)
        need(one.step.action == "exhibit" and body["kind"] == one.step.with_["kind"] and body["person"] in one.present,
             "%s: not what the step asks for", entry.what)
        one.exhibits.append(entry)

    def artifact(self, entry):
        body = members(entry.body, "?awaits ?canonical digest kind name ?person ?signature ?step", entry.what)
        if body["kind"] == "profile":
            data = self.folder.document("profiles", body)
        else:
            need("canonical" not in body, "%s: it has no canonical form", entry.what)
            data = self.folder.by_digest("artifacts/" + digest(body["digest"], entry.what), body["digest"])
        if "signature" in body:
            need("person" in body, "%s: signed by nobody", entry.what)
            signature = self.folder.by_digest("artifacts/%s.p7s" % body["digest"], body["signature"])
            person = self.estate.policy.people.get(body["person"])
            need(person is not None, "%s: signed by somebody who is not on the roster", entry.what)
            try:
                crypto.cms(signature, data, self.folder.take("people/%s.der" % person.fingerprint))
            except Refused as why:
                raise Refused("%s: %s" % (entry.what, why)) from None
        need(body.get("awaits") == self._awaits(entry, body), "%s: hides, or makes up, that its key is not born", entry.what)
        if self.open is not None and entry.ceremony == self.open.id:
            self.open.artifacts.append((entry, data))

    def _awaits(self, entry, body):
        """The intent of the provisional key that signed a certificate; None: it is of a born one, or no certificate."""
        used = [intent for other, _, intent in self.births.used if body["kind"] == "certificate" and "step" in body
                and other.ceremony == entry.ceremony and intent.entry.body["evidence"].get("step") == body["step"]]
        return used[-1].awaited["intent"] if used and used[-1].awaited else None

    # ---- steps

    def step(self, entry):
        body = members(entry.body, "action actors ?begun ?result step", entry.what)
        one = self._at(entry, body["step"])
        step = one.step
        need(body["action"] == step.action, "%s: the script's step is %s", entry.what, step.action)
        self._actors(entry, one, step, body["actors"])
        if "begun" in body:
            need(body["begun"] == "true" and "result" not in body, "%s: begun and done at once", entry.what)
            one.begun[step.id] = entry.seq
            return
        result = body.get("result")
        need(type(result) is dict and all(type(value) is str for value in result.values()), "%s: its result", entry.what)
        accepted = [other.body["accepted-by"] for other in one.deviations if other.body["step"] == step.id]
        deviated = bool(accepted)
        need(body["actors"] not in [[person] for person in accepted], "%s: its actor accepted the deviation alone", entry.what)
        if not (result == {} and deviated and step.action in script.SKIPPABLE):
            RESULTS[step.action](self, entry, one, step, result, deviated)
        one.next += 1
        one.last_done, one.done_time = entry.seq, entry.time
        self.steps += 1

    def _actors(self, entry, one, step, actors):
        holders = [person for person, role in one.people.items() if role is step.role]
        need(type(actors) is list and len(set(actors)) == len(actors) and actors, "%s: its actors", entry.what)
        for person in actors:
            need(person in holders, "%s: %s does not hold the role %s", entry.what, person, step.role.id)
            there = person in one.present or (step.action == "leave" and person in one.left)
            need(there, "%s: %s is not in the room", entry.what, person)
        need(len(actors) == step.wanted(len(holders)), "%s: %d people did it, the script asks for %d", entry.what,
             len(actors), step.wanted(len(holders)))
        need(step.how is not None or len(holders) == 1, "%s: the role %s has several holders", entry.what, step.role.id)

    def _answered(self, entry, one, step, names, result):
        """The last answer of each name stands in the result; those that are here, {name: (value, entry)}."""
        given, here = one.answers.get(step.id, {}), {}
        for member in names:
            if self._hidden(one, step, "answer", result.get(member), member):
                given_class = step.confidential if type(step.confidential) is str else step.confidential.get(
                    member, self.estate.policy.confidential.get("answer"))
                need(one.withheld[(step.id, "answer")][result[member]] == given_class,
                     "%s: the confidential class of %s is another", entry.what, member)
            else:
                need(member in given and shown(given[member][1], given[member][0]) == result.get(member),
                     "%s: %s is not what was answered", entry.what, member)
                here[member] = given[member]
        return here

    def _exact(self, entry, result, names):
        members(result, names, entry.what)

    def r_nothing(self, entry, one, step, result, deviated):
        need(result == {}, "%s: a result that no such step has", entry.what)

    def r_enter(self, entry, one, step, result, deviated):
        self.r_nothing(entry, one, step, result, deviated)

    def r_leave(self, entry, one, step, result, deviated):
        self.r_nothing(entry, one, step, result, deviated)
        for person in entry.body["actors"]:
            need(person in one.left, "%s: %s is still in the room", entry.what, person)

    def r_check_clock(self, entry, one, step, result, deviated):
        self._exact(entry, result, "clock-1 clock-2")
        for member, (value, said) in self._answered(entry, one, step, result, result).items():
            need(deviated or abs(moment(value, entry.what) - said.time) <= ROOM_CLOCK, "%s: %s is too far off", entry.what, member)

    def r_record(self, entry, one, step, result, deviated):
        self._exact(entry, result, " ".join(step.with_))
        for member, (value, _) in self._answered(entry, one, step, result, result).items():
            need(deviated or expression.matches(step.with_[member], value), "%s: %s does not fit its pattern", entry.what, member)

    def r_open_bag(self, entry, one, step, result, deviated):
        bag = self._bag(entry, one, step, result)
        last = self.custody.get(result["item"])
        if last is None:
            self.unseen.append("%s from bag %s" % (result["item"], bag or "(withheld)"))
        elif last[0] is None or bag is None:
            need(deviated or last[1], "%s: not the bag that was last sealed", entry.what)
            self.estate.report.unseen("whether %s came from the bag that was last sealed", result["item"])
        else:
            need(deviated or last == [bag, True], "%s: not the bag that was last sealed", entry.what)
        self.custody[result["item"]] = [bag, False]

    def r_seal_bag(self, entry, one, step, result, deviated):
        self.custody[result["item"]] = [self._bag(entry, one, step, result), True]

    def _bag(self, entry, one, step, result):
        self._exact(entry, result, "bag item")
        need(result["item"] == step.with_["item"], "%s: another item", entry.what)
        here = self._answered(entry, one, step, ["bag"], result)
        return here["bag"][0] if here else None

    def r_approve(self, entry, one, step, result, deviated):
        self._exact(entry, result, "for ?request")
        target = one.script.target(step)
        need(result["for"] == target.id, "%s: for another step", entry.what)
        if "request" not in result:
            need(target.action == "replicate" and self._held(one, target), "%s: nothing says who approved it", entry.what)
            return
        request = self.estate.requests.get(result["request"])
        need(request is not None and request.document.get("step") == target.id and request.document.get("ceremony") == one.id,
             "%s: its request is not for step %s", entry.what, target.id)
        voted = {self.estate.policy.by_fingerprint[vote.certificate].id for vote in request.votes}
        for person in entry.body["actors"]:
            need(person in voted, "%s: %s did not vote on it", entry.what, person)

    def r_generate(self, entry, one, step, result, deviated):
        self._exact(entry, result, "fingerprint intent label token")
        found = [key for key in self.estate.keys + self.estate.provisional if str(key.get("intent")) == result["intent"]][:1]
        need(len(found) == 1 and found[0]["seq"] < entry.seq, "%s: no such key was born", entry.what)
        key = found[0]
        intent = self.estate.intents[key["intent"]].entry
        need(intent.ceremony == one.id and intent.body["evidence"].get("step") == step.id, "%s: born elsewhere", entry.what)
        need(intent.seq > one.begun.get(step.id, intent.seq), "%s: the step was never begun", entry.what)
        for member in ("fingerprint", "label", "token"):
            need(result[member] == key[member], "%s: %s is not the born key's", entry.what, member)
        need((key["label"], key["token"], key["type"]) == tuple(step.with_[name] for name in ("label", "token", "type")),
             "%s: not the key that the script asks for", entry.what)

    def _held(self, one, step):
        """The one living key of that name, where its site holds it and no intent of this step brought it there."""
        if any(intent.entry.body["evidence"].get("ceremony") == one.id and intent.entry.body["evidence"].get("step") == step.id
               for intent in self.estate.intents.values()):
            return None
        named = [key for key in self.estate.keys if (key["token"], key["label"]) == (step.with_["token"], step.with_["label"])]
        return named[0] if len(named) == 1 and step.with_["site"] in named[0]["sites"] else None

    def r_replicate(self, entry, one, step, result, deviated):
        self._exact(entry, result, "born ?intent label site token")
        for member in ("label", "site", "token"):
            need(result[member] == step.with_[member], "%s: %s is not what the script asks for", entry.what, member)
        if "intent" not in result:
            key = self._held(one, step)
            need(step.id not in one.begun and key is not None and result["born"] == str(key["seq"]),
                 "%s: the site did not hold it already", entry.what)
            return
        seq = int(result["intent"]) if result["intent"].isdigit() else None
        need(str(seq) == result["intent"] and seq in self.births.brought, "%s: no such key was brought", entry.what)
        intent, brought = self.estate.intents[seq].entry, self.births.brought[seq]
        need(intent.ceremony == one.id and intent.body["evidence"].get("step") == step.id, "%s: brought elsewhere", entry.what)
        need(step.id in one.begun and intent.seq > one.begun[step.id], "%s: the step was never begun", entry.what)
        for member in ("born", "label", "site", "token"):
            need(result[member] == str(brought[member]), "%s: %s is not the brought key's", entry.what, member)

    def r_certificate(self, entry, one, step, result, deviated):
        issued = step.action == "issue-certificate"
        self._exact(entry, result, "artifact label profile tbs")
        need(result["label"] == step.with_["label"], "%s: another key's", entry.what)
        made = {}
        for other, data in one.artifacts:
            if other.body.get("step") == step.id:
                made[(other.body["kind"], shown(other, other.body["digest"]))] = data
        tbs = made.get(("tbs", result["tbs"]))
        whole = made.get(("certificate" if issued else "csr", result["artifact"]))
        made_by = made.get(("profile", result["profile"]))
        hidden = [member for member in ("artifact", "profile", "tbs")
                  if self._hidden(one, step, "artifact", result[member], member)]
        need(all(data is not None for member, data in (("tbs", tbs), ("artifact", whole), ("profile", made_by))
                 if member not in hidden), "%s: its artifacts are not there", entry.what)
        used = [(body, intent) for other, body, intent in self.births.used
                if other.ceremony == one.id and other.seq > one.begun.get(step.id, other.seq) and intent.entry.body["evidence"].get("step") == step.id]
        need(len(used) == 1, "%s: the key was used %d times", entry.what, len(used))
        body, intent = used[0]
        key = [key for key in self.estate.keys + self.estate.provisional
               if key.get("fingerprint") == intent.request.subject.get("key")]
        need(key and key[-1]["label"] == result["label"] and key[-1]["token"] == step.with_["token"], "%s: another key signed",
             entry.what)
        if hidden:
            return
        try:
            profile = certificate.profile(made_by)
            need(profile.id == step.with_["profile"], "the profile is not the one that the script names")
            certificate.check(whole, tbs, profile, bytes.fromhex(key[-1]["public-key"]), issued, body)
        except Refused as why:
            raise Refused("%s: %s" % (entry.what, why)) from None
        self.certificates.append((result["label"], profile.id, result["artifact"]))

    def r_exhibit(self, entry, one, step, result, deviated):
        self._exact(entry, result, "digest")
        need(self._hidden(one, step, "exhibit", result["digest"], "the exhibit")
             or any(other.body["step"] == step.id and shown(other, other.body["digest"]) == result["digest"]
                    for other in one.exhibits), "%s: no such exhibit", entry.what)

    def r_read_aloud(self, entry, one, step, result, deviated):
        self._exact(entry, result, "root size words")
        size = result["size"]
        need(size.isdigit() and str(int(size)) == size and one.last_done < int(size) <= entry.seq, "%s: its size", entry.what)
        need(self.tree.roots[int(size)] == digest(result["root"], entry.what), "%s: not the root at that size", entry.what)
        need(result["words"] == " ".join(WORDS[byte] for byte in bytes.fromhex(result["root"])), "%s: not the root's words",
             entry.what)

    def r_timestamp(self, entry, one, step, result, deviated):
        self._exact(entry, result, "root size ?stamp")
        size = result["size"]
        need(size.isdigit() and str(int(size)) == size and one.last_done < int(size) <= entry.seq, "%s: its size", entry.what)
        root = digest(result["root"], entry.what)
        need(self.tree.roots[int(size)] == root, "%s: not the root at that size", entry.what)
        if "stamp" not in result or self._hidden(one, step, "artifact", result["stamp"], "the time stamp"):
            return
        found = [data for other, data in one.artifacts
                 if other.body["kind"] == "timestamp" and other.body.get("step") == step.id
                 and shown(other, other.body["digest"]) == result["stamp"]]
        need(found, "%s: the time stamp is not there", entry.what)
        lines = "%s\n%s\n%s\n" % (log.VerifierKey(self.estate.trust["log-key"]).name, size, base64.b64encode(bytes.fromhex(root)).decode())
        at = timestamp.judge(found[-1], sha256_hex(lines.encode()), self.estate.trust.get("authorities"), entry.what)
        need(at is None or one.done_time - timestamp.CLOCKS_APART <= at <= entry.time + timestamp.CLOCKS_APART,
             "%s: the authority's clock says something else", entry.what)

    def r_attest(self, entry, one, step, result, deviated):
        need(sorted(result) == sorted(entry.body["actors"]), "%s: not one attestation for each", entry.what)
        for person, mark in result.items():
            if self._hidden(one, step, "artifact", mark, "the attestation of " + person):
                one.attested.add(person)
                continue
            found = [(other, data) for other, data in one.artifacts
                     if other.body["kind"] == "attestation" and other.body.get("person") == person
                     and other.body.get("step") == step.id and shown(other, other.body["digest"]) == mark]
            need(found, "%s: the attestation of %s is not there", entry.what, person)
            other, data = found[-1]
            need("signature" in other.body or one.people[person].card_optional, "%s: %s did not sign", entry.what, person)
            said = members(parse_canonical(data), STATEMENT, "the attestation of " + person)
            checkpoint = members(said["checkpoint"], "root size", "the attestation of " + person)
            size = integer(checkpoint["size"], entry.what)
            need(one.last_done < size <= other.seq and self.tree.roots[size] == checkpoint["root"],
                 "%s: %s attested another log", entry.what, person)
            before = [deviation.seq for deviation in one.deviations if deviation.seq < size]
            need(said["deviations"] == before, "%s: %s attested other deviations", entry.what, person)
            need((said["ceremony"], said["person"], said["statement"], said["type"]) == (
                one.id, person, step.with_["statement"], "quorate/attestation/v1"), "%s: %s attested something else",
                 entry.what, person)
            one.attested.add(person)

    def r_arrive(self, entry, one, step, result, deviated):
        self._exact(entry, result, "bag safe site token")
        self._answered(entry, one, step, ["bag", "safe"], result)
        found = [body for seq, body in self.estate.arrivals if seq > one.last_done]
        need(any(all(body.get(member) == result[member] for member in result) for body in found), "%s: no such arrival", entry.what)
        need((result["site"], result["token"]) == (step.with_["site"], step.with_["token"]), "%s: another site", entry.what)

    def r_drill(self, entry, one, step, result, deviated):
        self._exact(entry, result, "failed proven receipt site token")
        found = [other for other, _, _ in self.births.drills
                 if other.ceremony == one.id and other.seq > one.last_done and other.body["receipt"] == result["receipt"]]
        need(found, "%s: no such drill", entry.what)
        drill = found[-1].body
        need((result["site"], result["token"]) == (drill["site"], drill["token"]) == (step.with_["site"], step.with_["token"]),
             "%s: a drill of another site", entry.what)
        need((result["failed"], result["proven"]) == (str(len(drill["failed"])), str(len(drill["proven"]))), "%s: its counts",
             entry.what)
        need(deviated or not drill["failed"], "%s: a key failed, and no deviation says so", entry.what)

    def r_cosign(self, entry, one, step, result, deviated):
        self._exact(entry, result, "root size")
        need(any(str(size) == result["size"] and self.tree.roots[size] == result["root"]
                 for size, _ in self.estate.cosigned.records), "%s: no such checkpoint was cosigned", entry.what)


RESULTS = {
    "enter": Ceremonies.r_enter, "leave": Ceremonies.r_leave, "check-clock": Ceremonies.r_check_clock,
    "confirm": Ceremonies.r_nothing, "say": Ceremonies.r_nothing, "close": Ceremonies.r_nothing,
    "record": Ceremonies.r_record, "open-bag": Ceremonies.r_open_bag, "seal-bag": Ceremonies.r_seal_bag,
    "approve": Ceremonies.r_approve, "generate-key-pair": Ceremonies.r_generate, "make-csr": Ceremonies.r_certificate,
    "replicate": Ceremonies.r_replicate,
    "issue-certificate": Ceremonies.r_certificate, "exhibit": Ceremonies.r_exhibit,
    "read-aloud": Ceremonies.r_read_aloud, "attest": Ceremonies.r_attest, "cosign": Ceremonies.r_cosign,
    "drill": Ceremonies.r_drill, "timestamp": Ceremonies.r_timestamp, "arrive": Ceremonies.r_arrive,
}
