"""Scripts, from their canonical JSON forms: roles, and steps expanded and numbered."""

import functools
import re

from . import confidential
from .strict import Refused, count, members, name, need, parse_canonical, text

OPERATIONS = {"generate-key-pair": "generate", "replicate": "replicate", "make-csr": "use", "issue-certificate": "use"}
ACTIONS = ("enter leave check-clock confirm record say open-bag seal-bag exhibit read-aloud generate-key-pair make-csr "
           "issue-certificate replicate approve attest cosign close drill arrive timestamp").split()
SKIPPABLE = set("check-clock confirm record say open-bag seal-bag exhibit read-aloud drill arrive timestamp".split())
BY = re.compile(r"(?:(any|each|[1-9][0-9]?) )?([a-z0-9][a-z0-9._-]*)")
EACH = re.compile(r"([a-z0-9][a-z0-9._-]*) in \[([^\[\]]*)\]")


class Role:
    def __init__(self, id_, value):
        members(value, "of ?at-least ?organisation-not-of ?card", "role " + id_)
        self.id, self.of = id_, text(value["of"], "of")
        self.at_least = count(value.get("at-least", "1"), 1, 1000, "at-least")
        self.not_of = value.get("organisation-not-of")
        need(value.get("card", "optional") == "optional", "role %s: card", id_)
        self.card_optional = "card" in value


class Step:
    def __init__(self, id_, value, roles, fill):
        self.id, self.action = id_, value["do"]
        need(self.action in ACTIONS, "step %s does \"%s\", which is unknown here", id_, self.action)
        found = BY.fullmatch(fill(value["by"]))
        need(found and found.group(2) in roles, "step %s is done by nobody of the script", id_)
        self.how, self.role = found.group(1), roles[found.group(2)]
        self.with_ = {key: fill(text(item, key)) for key, item in value.get("with", {}).items()}
        self.target = fill(value["for"]) if "for" in value else None
        self.saves = fill(value["saves"]) if "saves" in value else None
        self.operation = OPERATIONS.get(self.action)
        self.confidential = confidential.classes(value["confidential"]) if "confidential" in value else {}

    def wanted(self, holders):
        """How many of the role's holders do it."""
        return {None: 1, "any": 1, "each": holders}.get(self.how) or int(self.how)


class Script:
    def __init__(self, data, digest):
        value = members(parse_canonical(data), "ceremony id ?classification ?parameters roles acts", "the script")
        self.digest, self.id = digest, name(value["id"], "the script's id")
        self.roles = {id_: Role(id_, role) for id_, role in value["roles"].items()}
        parameters = value.get("parameters", {})
        need(all(type(item) is str for item in parameters.values()), "a parameter is not a text")
        self.steps = []
        need(type(value["acts"]) is list and value["acts"], "the script has no acts")
        for number, act in enumerate(value["acts"], 1):
            members(act, "act steps", "an act")
            for place, step in enumerate(act["steps"], 1):
                self._step("%d.%d" % (number, place), step, parameters)
        self.by_id = {step.id: step for step in self.steps}
        self.saved = {step.saves: step for step in self.steps if step.saves}
        for step in self.steps:
            need((step.action == "approve") == (step.target is not None), "step %s: for", step.id)
            if step.target is not None and not step.confidential:
                of = self.target(step).confidential
                step.confidential = of if type(of) is str else {}

    def _step(self, id_, value, parameters):
        members(value, "step ?for-each by do ?confidential ?with ?for ?expect ?say ?minutes ?saves", "step " + id_)

        def fill_with(values):
            return lambda source: re.sub(r"\{([a-z0-9][a-z0-9._-]*)\}",
                                         lambda found: values.get(found.group(1), found.group()), source)

        if "for-each" not in value:
            self.steps.append(Step(id_, value, self.roles, fill_with(parameters)))
            return
        found = EACH.fullmatch(value["for-each"])
        need(found, "step %s: for-each is not of the form X in [a, b]", id_)
        for number, item in enumerate(found.group(2).split(","), 1):
            values = dict(parameters, **{found.group(1): item.strip()})
            self.steps.append(Step("%s.%d" % (id_, number), value, self.roles, fill_with(values)))

    def target(self, step):
        """The step that an `approve` is for: the one that saves that name, or has that id."""
        found = self.saved.get(step.target) or self.by_id.get(step.target)
        need(found is not None and found.operation, "step %s is for a step that asks for nothing", step.id)
        return found


@functools.lru_cache(maxsize=None)
def parse(data, digest):
    try:
        return Script(data, digest)
    except (Refused, AttributeError, TypeError, KeyError) as why:
        raise Refused("script %s…: %s" % (digest[:12], why)) from None


def cast(people, script, policy, at, what):
    """{person: role}: everybody fit for their role, one role each, enough of each."""
    held = {}
    need(type(people) is list, "%s: people", what)
    for item in people:
        members(item, "person role", what)
        person = policy.people.get(item["person"])
        need(person is not None, "%s: %s is not on the roster", what, item["person"])
        need(person.id not in held, "%s: %s holds two roles", what, person.id)
        role = script.roles.get(item["role"])
        need(role is not None, "%s: the script has no role %s", what, item["role"])
        need(role.of in person.roles and person.present(at), "%s: %s may not be %s", what, person.id, role.id)
        held[person.id] = role
    need([item["person"] for item in people] == sorted(held), "%s: people are not sorted", what)
    for role in script.roles.values():
        holders = [person for person, other in held.items() if other is role]
        need(len(holders) >= role.at_least, "%s: too few hold the role %s", what, role.id)
        if role.not_of is not None:
            others = {policy.people[person].organisation for person, other in held.items() if other.id == role.not_of}
            need(not others & {policy.people[person].organisation for person in holders},
                 "%s: a %s is of the organisation of a %s", what, role.id, role.not_of)
    for step in script.steps:
        need(step.action != "approve" or step.role.of != "ceremony-administrator", "%s: an administrator approves", what)
    return held
