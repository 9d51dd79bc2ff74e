"""A transcript as a whole: who checks which entry, and what is known in the end."""

import os

from . import births, ceremony, confidential, crypto, estate, far, folder, log, timestamp, yaml
from .strict import DIGEST, Refused, members, need, parse_canonical

RECOVERED = "bytes digest"


def read_trust(data):
    """What the auditor brings; digests as `sha256:…`."""
    try:
        value = members(yaml.parse(data), "log-key policy ?software ?timestamp-authorities", "the trust file")
        log.VerifierKey(value["log-key"])
        software = value.get("software", {})
        need(type(software) is dict, "software is not a map")
        return {"log-key": value["log-key"], "policy": fingerprint(value["policy"]),
                "authorities": value.get("timestamp-authorities"),
                "software": {name: fingerprint(mark) for name, mark in software.items()}}
    except Refused as why:
        raise ValueError("the trust file: %s" % why) from None


def fingerprint(value):
    need(type(value) is str and value.startswith("sha256:") and DIGEST.fullmatch(value[7:]), "%s is not sha256:DIGEST", value)
    return value[7:]


class Report:
    def __init__(self):
        self.statements = []

    def proven(self, text, *values):
        self.statements.append(("proven", text % values if values else text))

    def attested(self, text, *values):
        self.statements.append(("attested", text % values if values else text))

    def unseen(self, text, *values):
        self.statements.append(("withheld", (text % values if values else text) + ": not verifiable here"))


def recovered(entry):
    members(entry.body, RECOVERED, entry.what)


def handlers(world, keys, ceremonies):
    site = far.Far(world)
    return {
        "introduced": site.introduced, "site-keys": site.site_keys, "seen": site.seen, "taken": site.take,
        "settled": site.settled,
        "genesis": world.genesis, "policy": world.adopted, "site-enrolled": world.site_enrolled, "arrived": world.arrived,
        "site-retired": world.site_retired, "transport-renewed": world.transport_renewed, "departed": world.departed, "failover": world.failover,
        "promoted": world.promoted, "moved": world.moved,
        "request": world.request, "approval": lambda entry: world.vote(entry, False),
        "rejection": lambda entry: world.vote(entry, True), "refused": world.refused, "intent": world.intent,
        "offer": keys.offer, "receipt": keys.receipt, "born": keys.born, "replicated": keys.replicated, "provisional": keys.provisional, "drill": keys.drill, "accepted": keys.accepted,
        "log-key": world.log_key, "head": world.head, "readopted": world.readopted, "suspended": world.suspended, "resumed": world.resumed, "rolled-back": keys.rolled_back,
        "orphan": keys.orphan, "used": keys.use, "modified": keys.modified, "destroyed": keys.destroyed, "cleared": keys.cleared,
        "cosigned": world.cosigned.entry, "timestamp": timestamp.entry,
        "environment": ceremonies.environment_, "recovered": recovered, "ceremony-opened": ceremonies.opened,
        "entered": ceremonies.entered, "left": ceremonies.leaves, "step": ceremonies.step, "answer": ceremonies.answer,
        "deviation": ceremonies.deviation, "exhibit": ceremonies.exhibit, "artifact": ceremonies.artifact,
        "ceremony-closed": ceremonies.closed,
    }


def same_documents(files):
    """Each YAML file says what its canonical form says."""
    for name, data in files.items():
        if name.endswith(".yaml"):
            try:
                same = yaml.parse(data) == parse_canonical(files[name[:-5] + ".json"])
            except Refused as why:
                raise Refused("%s: %s" % (name, why)) from None
            need(same, "%s: its canonical form says something else", name)


def verify(files, trust):
    """Statements about a transcript, {name: bytes}. Refuses, with a reason, what does not hold."""
    try:
        return _verify(files, trust)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError) as why:
        raise Refused("not of the form that docs/FORMAT.md gives (%s: %s)" % (type(why).__name__, why)) from None


def signing_key(entries, trust):
    """The trusted key, or the one that the last `log-key` entry before the last entry puts in its place."""
    key = log.VerifierKey(trust["log-key"])
    for entry in entries[:-1]:
        if entry.type in ("log-key", "moved"):
            changed = log.VerifierKey(entry.body.get("log-key"))
            need((changed.name == key.name) == (entry.type == "log-key"), "%s: its name is not the origin", entry.what)
            key = changed
    return key


def _verify(files, trust):
    report, inside = Report(), folder.Folder(files)
    entries, tree = log.read(inside.take("entries"))
    key = signing_key(entries, trust)
    size, root = log.checkpoint(inside.take("checkpoint"), key)
    need(size == len(entries), "checkpoint: it covers %d entries, the folder has %d", size, len(entries))
    need(root == tree.roots[size], "checkpoint: its root is not that of the entries")
    report.proven("%d entries, from genesis to close, under one checkpoint signed by %s", size, key.name)

    need(entries[0].type == "genesis", "the log does not begin with a genesis")
    world = estate.Estate(inside, tree, trust, report)
    keys = births.Births(world)
    ceremonies = ceremony.Ceremonies(inside, tree, world, keys)
    bodies = confidential.Bodies(inside, report)
    by_type = handlers(world, keys, ceremonies)
    for entry in entries:
        need(entry.type in by_type, "%s: docs/FORMAT.md has no such entry", entry.what)
        entry = bodies.open(entry, ceremonies.step_at_hand(entry), world.policy)
        ceremonies.belongs(entry)
        (by_type[entry.type] if entry.body is not None else ceremonies.withheld)(entry)
        world.last_time = entry.time
    need(entries[-1].type == "ceremony-closed", "the log does not end with the close of a ceremony")
    stamps = timestamp.stamps(inside, entries[-1], trust.get("authorities"))
    bodies.conclude()
    closing = world.cosigned.closing(inside, size)
    if closing:
        report.proven("the closing checkpoint was cosigned by %d programs elsewhere", closing)
    inside.nothing_else()
    same_documents(files)
    _conclude(report, world, keys, ceremonies)
    report.statements.extend(stamps)
    return report.statements


def _conclude(report, world, keys, ceremonies):
    report.proven("estate %s…, environment %s, its first policy the one that is trusted", world.estate[:16], world.environment)
    report.proven("%d policies, each judged by the one before it; files and canonical forms say the same",
                  len(world.policies))
    report.proven("%d approvals and rejections, each signed by the certificate that the roster of its time pins", world.votes)
    report.proven("%d verdicts, evaluated again and equal", world.verdicts)
    for size, lines in world.cosigned.records[-1:]:
        report.proven("the first %d entries were cosigned by %d programs elsewhere, as the policy asks", size, len(lines))
    for (token, site), body in sorted(world.enrolled.items()):
        report.proven("the HSM of %s/%s answered a challenge with the key that was approved", token, site)
        if (token, site) in world.attested and "attestation" in body:
            report.proven("its vendor certified the identity key of the HSM of %s/%s, under the policy's root %s…", token, site,
                          world.attested[(token, site)][:16])
        report.attested("the HSM of %s/%s is %s %s, serial %s, firmware %s (%s)", token, site, body["manufacturer"],
                        body["model"], body["serial"], body["firmware"], body["hardware"])
    for intent in world.intents.values():
        brought = keys.brought.get(intent.entry.seq)
        if intent.open and intent.until is not None and brought is not None:
            report.proven("key %s goes to %s, whose receipt is awaited until %s: it does not count there yet", brought["label"],
                          brought["site"], intent.until)
        elif intent.open and intent.entry.body["operation"] == "retire-site" and "until" in intent.entry.body:
            report.proven("the retirement of %s at %s (entry %d) waits until %s for what other sites are to prove",
                          intent.entry.body["token"], intent.entry.body["site"], intent.entry.seq, intent.entry.body["until"])
        elif intent.open and intent.until is not None:
            report.proven("key %s is provisional until %s: not born yet", intent.entry.body.get("label", ""), intent.until)
    for key in world.keys:
        if "intent" in key:
            how = {said["proof"] for said in world.intents[key["intent"]].receipts.values()}
            report.statements.append(("proven" if how == {"signature"} else "attested", "key %s is held by %s" % (
                key["label"], ", ".join(key["sites"]))))
    for intent in world.intents.values():
        for site, said in sorted(intent.receipts.items()):
            how = intent.offers[said["offer"]]["mechanism"]
            if intent.born is not None and how.startswith("cloned:"):
                report.attested("key %s came to %s by the tools of %s", intent.entry.body.get("label", ""), site, how[7:])
    for entry, proven, failed in keys.drills:
        report.proven("the drill of %s/%s (entry %d): %d keys proved or attested, %d not", entry.body["token"],
                      entry.body["site"], entry.seq, proven, failed)
    for one in ceremonies.all.values():
        report.proven("ceremony %s: %d steps in the script's order, by the people whom it asks for", one.id, one.next)
        for deviation in one.deviations:
            if "cause" in deviation.body:
                report.attested("step %s deviated: %s (accepted by %s)", deviation.body["step"], deviation.body["cause"],
                                deviation.body["accepted-by"])
    for label, name, artifact in ceremonies.certificates:
        report.proven("%s… of key %s fits profile %s in every field, and its TBS was approved", artifact[:16], label, name)
    for one in ceremonies.all.values():
        for entry, _ in one.artifacts:
            if "awaits" in entry.body:
                released(report, entry, world.intents[entry.body["awaits"]])
    for what in ceremonies.unseen:
        report.attested("%s: the log never saw it sealed", what)


def released(report, entry, birth):
    """A certificate that a provisional key signed counts from the key's birth on."""
    what, label = "certificate %s…" % confidential.shown(entry, entry.body["digest"])[:16], birth.entry.body.get("label", "")
    if birth.born is not None:
        report.proven("%s is released: its key %s was born", what, label)
    elif birth.open:
        report.proven("%s is unreleased: its key %s is provisional until %s", what, label, birth.until)
    else:
        report.proven("%s is void: its key %s was undone unborn", what, label)


def verify_folder(path, trust_path):
    with open(trust_path, "rb") as stream:
        trust = read_trust(stream.read())
    if trust["authorities"] is not None:
        with open(os.path.join(os.path.dirname(trust_path), trust["authorities"]), "rb") as stream:
            trust["authorities"] = stream.read()
    try:
        return verify(folder.load(path), trust)
    finally:
        crypto.clean()
