"""Policies, from their canonical JSON forms: people, sites, tokens, rules."""

import functools
import re

from . import confidential, cosign
from .strict import (NEVER, Refused, count, digest, duration, loose_moment, members, name, need, parse_canonical, text,
                     texts, unhex)

OPERATIONS = ("generate import derive copy modify wrap use destroy initialise set-pin adopt-policy enrol-site "
              "retire-site open-ceremony replicate promote suspend resume change-log-key readopt-log").split()
CLASSES = "private-key public-key secret-key certificate data".split()
DEFAULT_EXPIRY = (86400, 0)


def listed(value, what):
    """A single scalar counts as a list of one."""
    return texts([value] if type(value) is str else value, what)


def number(value, low, high, what):
    need(type(value) is str and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value), "%s is not a number", what)
    need(low <= float(value) <= high, "%s is out of range", what)
    return float(value)


class Person:
    def __init__(self, value):
        members(value, "id name organisation roles fingerprint ?certificate ?from ?until ?alternate-for",
                "a person")
        self.id = name(value["id"], "a person's id")
        self.name, self.organisation = text(value["name"], self.id), text(value["organisation"], self.id)
        self.roles = set(listed(value["roles"], self.id))
        mark = value["fingerprint"]
        need(type(mark) is str and mark.startswith("sha256:"), "%s: fingerprint", self.id)
        self.fingerprint = digest(mark[7:], self.id)
        self.since = loose_moment(value["from"], self.id) if "from" in value else 0
        self.until = loose_moment(value["until"], self.id) if "until" in value else NEVER
        stands = value.get("alternate-for")
        stands = {"person": stands} if stands is None or type(stands) is str else members(stands, "person ?from ?until", self.id)
        self.principal = stands.get("person")
        self.stands_since = loose_moment(stands["from"], self.id) if "from" in stands else 0
        self.stands_until = loose_moment(stands["until"], self.id) if "until" in stands else NEVER

    def present(self, at):
        return self.since <= at < self.until


class Site:
    def __init__(self, value):
        members(value, "id at ?answer-within ?attested-by ?attested-with ?country ?tags", "a site")
        self.id = name(value["id"], "a site's id")
        seconds, months = duration(value.get("answer-within", "1 second"), self.id)
        need(months == 0 and 1 <= seconds <= 86400, "%s: answer-within is out of range", self.id)
        self.roots = []
        for mark in listed(value["attested-by"], self.id) if "attested-by" in value else []:
            need(mark.startswith("sha256:"), "%s: attested-by", self.id)
            self.roots.append(digest(mark[7:], self.id))
        need(len(self.roots) <= 16, "%s: attested-by", self.id)
        self.extensions = value.get("attested-with", {})
        need(type(self.extensions) is dict and len(self.extensions) <= 16 and bool(self.extensions) == ("attested-with" in value)
             and (self.roots or not self.extensions), "%s: attested-with", self.id)
        for oid, said in self.extensions.items():
            need(re.fullmatch(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+", oid), "%s: attested-with names no extension", self.id)
            unhex(said, self.id)
        self.country = value.get("country", "")
        self.tags = listed(value["tags"], self.id) if "tags" in value else []
        at = value["at"]
        need(type(at) is list and len(at) == 2, "%s: at is not a latitude and a longitude", self.id)
        self.latitude_text, self.longitude_text = at
        self.latitude, self.longitude = number(at[0], -90, 90, self.id), number(at[1], -180, 180, self.id)


class Token:
    def __init__(self, value):
        members(value, "id primary ?replicas ?failover", "a token")
        self.id, self.primary = name(value["id"], "a token's id"), name(value["primary"], "a primary")
        self.replicas = listed(value["replicas"], self.id) if "replicas" in value else []
        self.failover = value.get("failover")
        self.declared = self.primary, list(self.replicas)
        need(self.failover is None or (self.failover == "use" and self.replicas), "%s: failover", self.id)

    def promote(self, site):
        """That site is the primary, the declared one a replica; any other site: as declared."""
        self.primary, self.replicas = self.declared[0], list(self.declared[1])
        if site in self.replicas:
            self.replicas[self.replicas.index(site)] = self.primary
            self.primary = site


class Quorum:
    def __init__(self, value):
        members(value, "of at-least ?organisations ?within ?except ?reject-at", "a quorum")
        self.of, self.excluded = set(listed(value["of"], "of")), set()
        if "except" in value:
            self.excluded = set(listed(value["except"], "except"))
        self.at_least = count(value["at-least"], 1, 10**6, "at-least")
        self.organisations = count(value["organisations"], 1, self.at_least, "organisations") if "organisations" in value else 0
        self.within = duration(value["within"], "within") if "within" in value else None
        self.reject_at = count(value["reject-at"], 1, 10**6, "reject-at") if "reject-at" in value else None


class Replicas:
    def __init__(self, value):
        members(value, "at-least prove ?apart-km ?tagged ?countries ?sites ?placed-within ?hardware ?fresh ?deferred ?spares ?provisional-use",
                "replicas")
        self.at_least = count(value["at-least"], 1, 16, "at-least")
        need(value["prove"] in ("signature", "attest"), "prove is neither signature nor attest")
        self.prove = value["prove"]
        self.apart_km = count(value["apart-km"], 1, 20016, "apart-km") if "apart-km" in value else 0
        self.tagged, self.countries, self.sites = (
            listed(value[key], key) if key in value else [] for key in ("tagged", "countries", "sites"))
        self.placed_within = duration(value["placed-within"], "placed-within") if "placed-within" in value else None
        self.hardware = value.get("hardware")
        need(self.hardware in (None, "attested", "attested-by-people", "attested-by-vendor"), "hardware is not attested so")
        self.deferred = duration(value["deferred"], "deferred") if "deferred" in value else None
        if "spares" in value:
            count(value["spares"], 0, 8, "spares")
            need(self.deferred is not None, "spares, and nothing is deferred")
        self.self_signs = "provisional-use" in value
        if self.self_signs:
            need(listed(value["provisional-use"], "provisional-use") == ["self-sign"] and self.deferred is not None,
                 "provisional-use is not self-sign, or nothing is deferred")
        self.fresh = duration(value["fresh"], "fresh") if "fresh" in value else None


class Rule:
    def __init__(self, value):
        members(value, "id when ?allow ?deny ?require ?expires ?while-suspended", "a rule")
        self.id = text(value["id"], "a rule's id")
        effects = [effect for effect in ("allow", "deny", "require") if effect in value]
        need(len(effects) == 1, "rule \"%s\" does not say one of allow, deny, require", self.id)
        self.effect = effects[0]
        need(self.effect == "require" or value[self.effect] == "true", "rule \"%s\": %s is not true", self.id, self.effect)
        self.expires = duration(value["expires"], self.id) if "expires" in value else DEFAULT_EXPIRY
        self.while_suspended = value.get("while-suspended", "false") == "true"
        self._when(value["when"])
        self.ceremony, self.transport, self.uses, self.cosigned = [], [], None, False
        self.quorum = self.replicas = self.types = self.usage = self.lifetime = self.extractable = None
        if self.effect == "require":
            self._require(value["require"])

    def _when(self, when):
        members(when, "operation ?token ?label ?class ?object", "when")
        self.operations = listed(when["operation"], "operation")
        need(set(self.operations) <= set(OPERATIONS), "rule \"%s\" names an unknown operation", self.id)
        self.tokens = listed(when["token"], "token") if "token" in when else []
        self.label = text(when["label"], "label") if "label" in when else None
        self.classes = listed(when["class"], "class") if "class" in when else []
        need(set(self.classes) <= set(CLASSES), "rule \"%s\" names an unknown class", self.id)
        self.object = when.get("object")
        need(self.object in (None, "token", "session"), "rule \"%s\" names an unknown object", self.id)

    def _require(self, value):
        members(value, "?ceremony ?quorum ?replicas ?key ?extractable ?transport ?uses ?cosigned", "require")
        need(value, "rule \"%s\" requires nothing", self.id)
        if "ceremony" in value:
            self.ceremony = listed(value["ceremony"], "ceremony")
        self.quorum = Quorum(value["quorum"]) if "quorum" in value else None
        self.replicas = Replicas(value["replicas"]) if "replicas" in value else None
        if "key" in value:
            key = members(value["key"], "?types ?usage ?lifetime", "key")
            need(key, "rule \"%s\" asks nothing of the key", self.id)
            self.types = listed(key["types"], "types") if "types" in key else None
            self.usage = listed(key["usage"], "usage") if "usage" in key else None
            self.lifetime = duration(key["lifetime"], "lifetime") if "lifetime" in key else None
        self.extractable = value.get("extractable")
        self.cosigned = "cosigned" in value
        need(value.get("cosigned", "true") == "true" and (not self.cosigned or self.operations == ["use"]),
             "rule \"%s\": cosigned", self.id)
        need(self.extractable in (None, "closed", "trusted-wrap-only"), "rule \"%s\": extractable", self.id)
        if "uses" in value:
            uses = members(value["uses"], "at-most within", "uses")
            need(self.operations == ["use"], "rule \"%s\": uses of another operation", self.id)
            self.uses = count(uses["at-most"], 1, 10**6, "at-most")
            duration(uses["within"], "within")
        if "transport" in value:
            self.transport = listed(members(value["transport"], "allow", "transport")["allow"], "transport")


class Policy:
    def __init__(self, data, digest_of_yaml):
        value = members(parse_canonical(data), "quorate semantics name version people ?sites ?tokens rules "
                                               "otherwise ?confidential ?cosigners ?succession", "the policy")
        need(value["quorate"] == "1" and value["semantics"] == "1", "the policy is not of version 1, semantics 1")
        need(value["otherwise"] == "deny", "the policy does not close with otherwise: deny")
        self.digest, self.name = digest_of_yaml, text(value["name"], "the policy's name")
        self.version = count(value["version"], 1, 10**9, "the policy's version")
        need(value["people"], "the policy names nobody")
        self.people = self._named(value["people"], Person)
        self.sites = self._named(value.get("sites"), Site)
        self.tokens = self._named(value.get("tokens"), Token)
        self.rules = self._named(value["rules"], Rule)
        self.cosigners = cosign.Cosigners(value["cosigners"]) if "cosigners" in value else None
        need(self.cosigners or not any(rule.cosigned for rule in self.rules.values()), "cosigned, and no cosigners")
        self.confidential = {}
        if "confidential" in value:
            self.confidential = confidential.classes(value["confidential"], confidential.TYPES)
            need(type(self.confidential) is dict, "confidential is not a map")
        self.succession = None
        if "succession" in value:
            self.succession = Quorum(members(value["succession"], "quorum", "succession")["quorum"])
        self.by_fingerprint = {person.fingerprint: person for person in self.people.values()}
        need(len(self.by_fingerprint) == len(self.people), "two people of the policy have one certificate")
        for person in self.people.values():
            need(person.principal is None or (person.principal in self.people
                                              and self.people[person.principal].principal is None),
                 "%s is the alternate of nobody, or of an alternate", person.id)
        for token in self.tokens.values():
            for site in [token.primary] + token.replicas:
                need(site in self.sites, "token %s names the unknown site %s", token.id, site)

    @staticmethod
    def _named(values, kind):
        values = [] if values is None else values
        need(type(values) is list, "what should be a list is none")
        result = {}
        for value in values:
            item = kind(value)
            need(item.id not in result, "the policy names %s twice", item.id)
            result[item.id] = item
        return result


@functools.lru_cache(maxsize=None)
def parse(data, digest_of_yaml):
    try:
        return Policy(data, digest_of_yaml)
    except Refused as why:
        raise Refused("policy %s…: %s" % (digest_of_yaml[:12], why)) from None
