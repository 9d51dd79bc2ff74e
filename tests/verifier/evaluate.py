"""Policy evaluation, semantics 1: policy, request, evidence -> who counted under which rule, or a refusal."""

import math

from . import expression
from .strict import NEVER, add, need

EARTH_KM = 6371.0088
ALWAYS = ("suspend", "resume")  # go on under suspension
USAGES = {"sign": ("SIGN", "SIGN_RECOVER", "VERIFY", "VERIFY_RECOVER"), "decrypt": ("DECRYPT", "ENCRYPT"),
          "derive": ("DERIVE",), "wrap": ("WRAP", "UNWRAP")}
CURVES = {"06082a8648ce3d030107": "EC:P-256", "06052b81040022": "EC:P-384", "06052b81040023": "EC:P-521",
          "06032b6570": "EC:Ed25519", "130c656477617264733235353139": "EC:Ed25519"}


class Vote:
    def __init__(self, rejection, certificate, public_key, at, seq):
        self.rejection, self.certificate, self.public_key = rejection, certificate, public_key
        self.at, self.seq = at, seq


class Standing:
    """One (token, site) as the log knows it."""

    def __init__(self, site, hardware):
        self.site, self.hardware = site, hardware
        self.place = None  # (latitude, longitude, country, tags)
        self.home, self.drilled, self.away = False, None, None  # away: the bag in which it left
        self.drill, self.proofs = -1, set()  # seq of the drill; challenges for which all was proven since a key failed


class Evidence:
    def __init__(self, at, votes, sites):
        self.at, self.votes, self.sites = at, votes, sites  # sites: {(token, site): Standing}
        self.script = self.step_operation = None
        self.key = None  # (born, sites)
        self.key_seq, self.cosigned = None, 0
        self.provisional = None  # of a key that is not born: (ceremony of its birth, that in which it is used, until when)
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


class Ballot:
    """One vote of somebody on the roster, and whose place it takes."""

    def __init__(self, vote, person, seat, weighs):
        self.vote, self.person, self.seat, self.weighs = vote, person, seat, weighs

    def same_voice(self, other):
        return self.seat is other.seat or self.vote.public_key == other.vote.public_key


class QuorumCount:
    def __init__(self, policy, quorum, requester, evidence):
        self.policy, self.quorum, self.requester, self.evidence = policy, quorum, requester, evidence

    def seat(self, person, at):
        """The one replaced, while they are on the roster and the alternate may stand in; else the person."""
        principal = self.policy.people.get(person.principal)
        if principal is None or not person.stands_since <= at < person.stands_until or not principal.present(at):
            return person
        return principal

    def counts(self, person, at):
        seat = self.seat(person, at)
        roles = person.roles | seat.roles
        return (person.present(at) and bool(roles & self.quorum.of) and not roles & self.quorum.excluded
                and self.requester not in (person.id, seat.id))

    def judge(self):
        """The sorted ids of those who count. Refuses where they are too few, or rejected for good."""
        ballots = []
        for vote in sorted(self.evidence.votes, key=lambda vote: (vote.at, vote.seq)):
            person = self.policy.by_fingerprint.get(vote.certificate)
            if person is not None:
                weighs = vote.at <= self.evidence.at and self.counts(person, vote.at)
                ballots.append(Ballot(vote, person, self.seat(person, vote.at), weighs))
        against = [ballot for ballot in ballots if ballot.vote.rejection and ballot.weighs]
        approvals = [ballot for ballot in ballots if not ballot.vote.rejection and ballot.weighs
                     and not any(ballot.same_voice(other) for other in against)]
        chosen = self.choose(approvals)
        self.not_rejected(against, chosen)
        need(chosen is not None, "the quorum of %d by %s was not reached", self.quorum.at_least,
             " or ".join(sorted(self.quorum.of)))
        return sorted(ballot.person.id for ballot in chosen)

    def choose(self, approvals):
        """Those who count in the first span that suffices; None: there is none."""
        for first, ballot in enumerate(approvals):
            end = add(ballot.vote.at, self.quorum.within) if self.quorum.within else NEVER
            span = [other for other in approvals[first:] if other.vote.at <= end]
            chosen = []
            for other in [o for o in span if o.seat is o.person] + [o for o in span if o.seat is not o.person]:
                if not any(other.same_voice(one) for one in chosen):
                    chosen.append(other)
            if (len(chosen) >= self.quorum.at_least
                    and len({one.person.organisation for one in chosen}) >= self.quorum.organisations):
                return chosen
            if not self.quorum.within:
                break  # without a span all of them count together, once
        return None

    def not_rejected(self, against, chosen):
        voices = [ballot for place, ballot in enumerate(against)
                  if not any(ballot.same_voice(other) for other in against[:place])]
        if self.quorum.reject_at is not None:
            need(len(voices) < self.quorum.reject_at, "rejected for good")
        elif voices and chosen is None:
            need(self.can_form(against), "rejected for good: the quorum can no longer form")

    def can_form(self, against):
        at, seats = self.evidence.at, {}
        for person in self.policy.people.values():
            seat = self.seat(person, at)
            if self.counts(person, at) and not any(ballot.seat is seat or ballot.person is person for ballot in against):
                seats.setdefault(seat.id, set()).add(person.organisation)
        return len(seats) >= self.quorum.at_least and matched(list(seats.values())) >= self.quorum.organisations


def place_matters(wanted):
    return bool(wanted.apart_km or wanted.tagged or wanted.countries)


def place_fits(wanted, place):
    return set(wanted.tagged) <= set(place[3]) and (not wanted.countries or place[2] in wanted.countries)


def enough_apart(primary, spots, wanted):
    return largest_apart(primary, spots, wanted.apart_km) >= wanted.at_least


def attested(wanted, hardware):
    """The vendor's word is as good as people's; `attested` is either."""
    return (wanted is None or hardware == "attested-by-vendor"
            or hardware == "attested-by-people" and wanted != "attested-by-vendor")


def replica_sites(policy, rule, token_id, evidence, held):
    """Refuses where those of `held` that qualify, with the primary, are too few or too close."""
    token, wanted = policy.tokens[token_id], rule.replicas

    def spot(site):
        standing = evidence.sites[(token_id, site)]
        if standing.home or wanted.placed_within is None or site not in policy.sites:
            return standing.place
        declared = policy.sites[site]
        return declared.latitude, declared.longitude, declared.country, declared.tags

    need((token_id, token.primary) in evidence.sites, "the primary of %s is not enrolled", token_id)
    need(evidence.sites[(token_id, token.primary)].away is None, "the primary of %s is on its way", token_id)
    spots = []
    for site in token.replicas:
        standing = evidence.sites.get((token_id, site))
        if (standing is None or standing.away is not None or site not in held or (wanted.sites and site not in wanted.sites)
                or not attested(wanted.hardware, standing.hardware)
                or wanted.fresh is not None and not fresh(wanted.fresh, standing, evidence.at)):
            continue
        if not place_matters(wanted) or (spot(site) is not None and place_fits(wanted, spot(site))):
            spots.append(spot(site))
    primary = spot(token.primary)
    need(not place_matters(wanted) or primary is not None, "where the primary of %s is is not known", token_id)
    need(enough_apart(primary, spots, wanted), "fewer than %d replica sites qualify", wanted.at_least)


def in_place(policy, wanted, token_id, evidence, held):
    """Are the HSMs that hold the key where they have to be by now?"""
    if not place_matters(wanted):
        return True
    token = policy.tokens[token_id]
    places = {site: evidence.sites[(token_id, site)].place for site in [token.primary] + token.replicas
              if (token_id, site) in evidence.sites}
    spots = [places[site] for site in token.replicas
             if site in held and places.get(site) is not None and place_fits(wanted, places[site])]
    return places.get(token.primary) is not None and enough_apart(places[token.primary], spots, wanted)


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
        name = {"CKK_AES": "AES", "CKK_GENERIC_SECRET": "GENERIC"}.get(values.get("CKA_KEY_TYPE"))
        return name and "%s:%d" % (name, 8 * values["CKA_VALUE_LEN"])
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
    if rule.extractable == "trusted-wrap-only":
        need(any(template.get("CKA_WRAP_WITH_TRUSTED") == "true" for template in templates.values()),
             "the key may leave under other keys than trusted ones")
    elif rule.extractable:
        need(all(template.get("CKA_EXTRACTABLE") != "true" for template in templates.values()), "the key is extractable")
    if rule.replicas and rule.replicas.prove == "signature" and subject.get("class") != "secret-key":
        need("sign" in asked_usages(subject), "the key cannot prove itself: it does not sign")


def check_use(policy, subject, evidence):
    """Within its lifetime, and its HSMs where the rule of its birth wants them by now."""
    if evidence.key is None:
        return
    born, held = evidence.key
    kind = "secret-key" if subject.get("class") == "secret-key" else "private-key"
    rule = match(policy, "generate", subject["token"], subject.get("label"), kind, "token")
    if rule is None or rule.effect != "require":
        return
    if rule.lifetime is not None:
        need(evidence.at < add(born, rule.lifetime), "the key is past its lifetime")
    wanted = rule.replicas
    if wanted and wanted.placed_within is not None and evidence.at > add(born, wanted.placed_within):
        need(in_place(policy, wanted, subject["token"], evidence, held), "the key's HSMs are not where they have to be by now")


def check_provisional(policy, request, rule, evidence):
    """A key that is not born signs its own certificate, in the ceremony that made it; each time people approve it."""
    subject, (birth, now, until) = request["subject"], evidence.provisional
    made = match(policy, "generate", subject["token"], subject.get("label"), subject.get("class"), "token")
    need(made is not None and made.effect == "require" and made.replicas and made.replicas.self_signs,
         "the key is provisional, and nothing lets it be used")
    need(evidence.at <= until, "the key is provisional, and its receipts were awaited until before")
    need(rule.effect == "require" and rule.uses is None, "the key is provisional, and this use was not approved by itself")
    need(birth is not None and birth == now == request.get("ceremony") and "step" in request
         and evidence.step_operation == "use", "the key is provisional, and of another ceremony")


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
        if evidence.provisional is not None:
            check_provisional(policy, request, rule, evidence)
    if rule.effect == "allow":
        return rule.id, []
    if rule.ceremony:
        need(evidence.script in rule.ceremony and "ceremony" in request, "no ceremony of rule \"%s\" was open", rule.id)
        need(evidence.step_operation == operation, "the ceremony was not at a step that does this")
    if operation == "generate":
        check_key(rule, subject)
    if rule.replicas:
        replica_sites(policy, rule, subject["token"], evidence, held or policy.tokens[subject["token"]].replicas)
    if rule.cosigned:
        need(evidence.provisional is None and evidence.key_seq is not None and evidence.cosigned > evidence.key_seq,
             "the record of the key's birth was not cosigned")
    counted = []
    if rule.quorum:
        counted = QuorumCount(policy, rule.quorum, subject["requester"], evidence).judge()
    return rule.id, counted
