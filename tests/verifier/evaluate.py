"""Policy evaluation, semantics 1: policy, request, evidence -> who counted under which rule, or a refusal."""

import math

from . import expression
from .strict import NEVER, Refused, add, need

EARTH_KM = 6371.0088
ALWAYS = ("suspend", "resume")  # go on under suspension
USAGES = {"sign": ("SIGN", "SIGN_RECOVER", "VERIFY", "VERIFY_RECOVER"), "decrypt": ("DECRYPT", "ENCRYPT"),
          "derive": ("DERIVE",), "wrap": ("WRAP", "UNWRAP")}
CURVES = {"06082a8648ce3d030107": "EC:P-256", "06052b81040022": "EC:P-384", "06052b81040023": "EC:P-521"}


class Vote:
    def __init__(self, rejection, certificate, public_key, at, seq):
        self.rejection, self.certificate, self.public_key = rejection, certificate, public_key
        self.at, self.seq = at, seq


class Standing:
    """One (token, site) as the log knows it."""

    def __init__(self, site, hardware):
        self.site, self.hardware = site, hardware
        self.place = None  # (latitude, longitude, country, tags)
        self.home, self.drilled = False, None


class Evidence:
    def __init__(self, at, votes, sites):
        self.at, self.votes, self.sites = at, votes, sites  # sites: {(token, site): Standing}
        self.script = self.step_operation = None
        self.key = None  # (born, sites, class, label)
        self.suspended = False


def match(policy, operation, token, label, class_name, kept):
    """The first rule whose `when` matches; None: otherwise."""
    for rule in policy.rules.values():
        if (operation in rule.operations and (not rule.tokens or token in rule.tokens)
                and (rule.label is None or expression.matches(rule.label, label or ""))
                and (not rule.classes or class_name in rule.classes)
                and (rule.object is None or kept == rule.object)):
            return rule
    return None


def distance_km(a, b):
    lat1, lon1, lat2, lon2 = (math.radians(value) for value in (a[0], a[1], b[0], b[1]))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def matched(seats):
    """The largest number of seats that can each have an organisation of its own. seats: a list of sets."""
    holder = {}

    def place(seat, tried):
        for organisation in seats[seat]:
            if organisation not in tried:
                tried.add(organisation)
                if organisation not in holder or place(holder[organisation], tried):
                    holder[organisation] = seat
                    return True
        return False

    return sum(place(seat, set()) for seat in range(len(seats)))


class QuorumCount:
    def __init__(self, policy, quorum, requester, evidence):
        self.policy, self.quorum, self.requester, self.evidence = policy, quorum, requester, evidence

    def seat(self, person, at):
        return person.principal if person.stands_in(at) else person.id

    def counts(self, person, at):
        roles = set(person.roles)
        if person.stands_in(at):
            roles |= self.policy.people[person.principal].roles
        asking = self.policy.people.get(self.requester)
        return (person.present(at) and bool(roles & self.quorum.of) and not roles & self.quorum.excluded
                and (asking is None or self.seat(person, at) != self.seat(asking, at)))

    def reached(self, people):
        """people: [(person, at)]; an alternate and the one replaced are one."""
        seats = {}
        for person, at in people:
            seats.setdefault(self.seat(person, at), set()).add(person.organisation)
        return len(seats) >= self.quorum.at_least and matched(list(seats.values())) >= self.quorum.organisations

    def judge(self):
        """The sorted ids of those who count. Refuses where they are too few, or rejected for good."""
        approvals, seats, keys, against = [], set(), set(), set()
        for vote in self.evidence.votes:
            person = self.policy.by_fingerprint.get(vote.certificate)
            if person is None:
                continue
            if vote.rejection:
                seats.add(self.seat(person, vote.at))
                keys.add(vote.public_key)
                if self.counts(person, vote.at):
                    against.add(person.id)
            elif self.counts(person, vote.at):
                approvals.append((vote, person))
        self._not_rejected(seats, against)
        approvals = [(vote, person) for vote, person in approvals
                     if self.seat(person, vote.at) not in seats and vote.public_key not in keys]
        approvals.sort(key=lambda item: (item[0].at, item[0].seq))
        for first, (vote, _) in enumerate(approvals):
            end = add(vote.at, self.quorum.within) if self.quorum.within else NEVER
            span, used = {}, set()
            for other, person in approvals[first:]:
                if other.at <= end and person.id not in span and other.public_key not in used:
                    span[person.id] = (person, other.at)
                    used.add(other.public_key)
            if self.reached(span.values()):
                return sorted(span)
        raise Refused("the quorum of %d by %s was not reached" % (self.quorum.at_least,
                                                                  " or ".join(sorted(self.quorum.of))))

    def _not_rejected(self, seats, against):
        if self.quorum.reject_at is not None:
            need(len(against) < self.quorum.reject_at, "rejected for good by %s", ", ".join(sorted(against)))
            return
        at = self.evidence.at
        left = [(person, at) for person in self.policy.people.values()
                if self.seat(person, at) not in seats and self.counts(person, at)]
        need(not against or self.reached(left), "rejected for good: the quorum can no longer form")


def replica_sites(policy, rule, token_id, evidence, held):
    """Refuses where those of `held` that qualify, with the primary, are too few or too close."""
    token, wanted = policy.tokens[token_id], rule.replicas

    def spot(site):
        standing = evidence.sites.get((token_id, site))
        if standing is None:
            return None
        place = standing.place
        if wanted.placed_within is not None and not standing.home:
            declared = policy.sites[site]
            place = declared.latitude, declared.longitude, declared.country, declared.tags
        return place

    primary = spot(token.primary)
    need(primary is not None, "the primary of %s is not enrolled, or nowhere", token_id)
    spots = []
    for site in token.replicas:
        place = spot(site)
        if site not in held or place is None or (wanted.sites and site not in wanted.sites):
            continue
        standing = evidence.sites[(token_id, site)]
        if (set(wanted.tagged) <= set(place[3]) and (not wanted.countries or place[2] in wanted.countries)
                and (wanted.hardware is None or hardware_suffices(wanted.hardware, standing.hardware))
                and (wanted.fresh is None or fresh(wanted.fresh, standing, evidence.at))):
            spots.append(place)
    need(largest_apart(primary, spots, wanted.apart_km) >= wanted.at_least,
         "fewer than %d replica sites qualify", wanted.at_least)


def hardware_suffices(wanted, attested):
    return attested == wanted or attested == "attested-by-vendor"


def fresh(within, standing, at):
    return standing.drilled is not None and add(standing.drilled, within) >= at


def largest_apart(primary, spots, km):
    """The size of the largest set, all at least `km` from the primary and from each other."""
    spots = [spot for spot in spots if not km or distance_km(primary, spot) >= km]

    def best(chosen, rest):
        if not rest:
            return len(chosen)
        with_it = 0
        if not km or all(distance_km(rest[0], other) >= km for other in chosen):
            with_it = best(chosen + [rest[0]], rest[1:])
        return max(with_it, best(chosen, rest[1:]))

    return best([], spots)


def key_type(subject):
    """What a generation's templates ask for."""
    values = {}
    for template in subject.get("templates", {}).values():
        values.update(template)
    if "CKA_EC_PARAMS" in values:
        return CURVES.get(str(values["CKA_EC_PARAMS"]).removeprefix("hex:"))
    if "CKA_MODULUS_BITS" in values:
        return "RSA:%d" % values["CKA_MODULUS_BITS"]
    if "CKA_VALUE_LEN" in values:
        return "AES:%d" % (8 * values["CKA_VALUE_LEN"])
    return None


def asked_usages(subject):
    values = {name for template in subject.get("templates", {}).values()
              for name, value in template.items() if value == "true"}
    return {usage for usage, names in USAGES.items() if any("CKA_" + name in values for name in names)}


def check_key(rule, subject):
    if rule.types is not None:
        need(key_type(subject) in rule.types, "a key of type %s is not among those of the rule", key_type(subject))
    if rule.usage is not None:
        more = asked_usages(subject) - set(rule.usage)
        need(not more, "the usage %s is not among those of the rule", ", ".join(sorted(more)))
    templates = subject.get("templates", {})
    if rule.extractable:
        need(all(template.get("CKA_EXTRACTABLE") != "true" for template in templates.values()), "the key is extractable")
    if rule.replicas and rule.replicas.prove == "signature":
        need(templates.get("private", {}).get("CKA_SIGN") == "true", "the key cannot prove itself: it does not sign")


def check_use(policy, subject, evidence):
    """Within its lifetime, and its HSMs where the rule of its birth wants them by now."""
    if evidence.key is None:
        return
    born, held, class_name, label = evidence.key
    rule = match(policy, "generate", subject["token"], label, class_name, "token")
    if rule is None or rule.effect != "require":
        return
    if rule.lifetime is not None:
        need(evidence.at < add(born, rule.lifetime), "the key is past its lifetime")
    if rule.replicas and rule.replicas.placed_within is not None and evidence.at >= add(born, rule.replicas.placed_within):
        wanted = rule.replicas.placed_within
        try:
            rule.replicas.placed_within = None
            replica_sites(policy, rule, subject["token"], evidence, held)
        finally:
            rule.replicas.placed_within = wanted


def evaluate(policy, request, evidence, held=None):
    """(rule id, counted) of what is allowed. held: the sites that a birth's intent names."""
    subject = request["subject"]
    operation = subject["operation"]
    need(request["policy"]["digest"] == policy.digest, "the request was made under another policy")
    need(evidence.at < request["expires-at"], "the request had expired")
    if operation == "adopt-policy" and "succession" in subject:
        need(policy.succession is not None, "the policy has no succession")
        need(request["rule"] == "succession", "the request names another rule than succession")
        return "succession", QuorumCount(policy, policy.succession, subject["requester"], evidence).judge()
    rule = match(policy, operation, subject.get("token"), subject.get("label"), subject.get("class"),
                 subject.get("object"))
    need(rule is not None, "no rule allows it")
    need(rule.id == request["rule"], "rule \"%s\" decides, the request names \"%s\"", rule.id, request["rule"])
    need(not evidence.suspended or rule.while_suspended or operation in ALWAYS, "it was suspended")
    need(rule.effect != "deny", "rule \"%s\" denies it", rule.id)
    if operation == "use":
        check_use(policy, subject, evidence)
    if rule.effect == "allow":
        return rule.id, []
    if rule.ceremony:
        need(evidence.script in rule.ceremony, "no ceremony of rule \"%s\" was open", rule.id)
        need(evidence.step_operation == operation, "the ceremony was not at a step that does this")
    if operation == "generate":
        check_key(rule, subject)
    if rule.replicas:
        replica_sites(policy, rule, subject["token"], evidence, held or policy.tokens[subject["token"]].replicas)
    counted = []
    if rule.quorum:
        counted = QuorumCount(policy, rule.quorum, subject["requester"], evidence).judge()
    return rule.id, counted
