"""Entries that only commit to their bodies: opened where the folder has them, and of the class that they should have."""

import copy

from .strict import Refused, canonical_bytes, digest, members, name, need, parse_canonical, sha256_hex, unhex

TYPES = ("answer", "artifact", "deviation", "exhibit")


def classes(value, names=None):
    """{name: class}, or one class for everything."""
    if type(value) is str:
        return name(value, "a class")
    need(type(value) is dict and value, "confidential is neither a class nor a map")
    for key, item in value.items():
        need(names is None or key in names, "%s is never confidential", key)
        name(item, "a class")
    return value


def shown(entry, plain):
    """How a step's result repeats something that this entry says."""
    return plain if entry.class_ is None else "commit:" + entry.commit


class Bodies:
    def __init__(self, folder, report):
        self.folder, self.report, self.counts = folder, report, {}

    def open(self, entry, step, policy):
        """The entry with its body, where that is here."""
        if entry.type not in TYPES:
            return entry
        if entry.class_ is not None:
            path = "confidential/%s.json" % entry.commit
            here = self.folder.has(path)
            self.counts.setdefault(entry.class_, [0, 0])[0 if here else 1] += 1
            if here:
                entry = self._opened(entry, self.folder.take(path))
        self._class(entry, step, policy)
        return entry

    @staticmethod
    def _opened(entry, data):
        try:
            document = members(parse_canonical(data), "body salt", "a confidential body")
            salt = unhex(document["salt"], "its salt")
            need(len(salt) == 32 and type(document["body"]) is dict, "salt or body")
            need(sha256_hex(salt + canonical_bytes(document["body"])) == entry.commit, "not what the entry commits to")
        except Refused as why:
            raise Refused("%s, its confidential body: %s" % (entry.what, why)) from None
        opened = copy.copy(entry)
        opened.body = document["body"]
        return opened

    @staticmethod
    def _class(entry, step, policy):
        given = step.confidential if step is not None else {}
        otherwise = policy.confidential.get(entry.type) if policy is not None else None
        if step is not None and step.action == "arrive" and entry.type == "answer":
            given, otherwise = {}, None  # `arrived` says it too
        if type(given) is str:
            wanted = {given}
        elif entry.type != "answer":
            wanted = {otherwise}
        elif entry.body is None:
            wanted = set(given.values()) | {otherwise}
        else:
            wanted = {given.get(entry.body.get("name"), otherwise)}
        need(entry.class_ in wanted, "%s: its confidential class is %s, step and policy say otherwise", entry.what, entry.class_)

    def conclude(self):
        for class_, (here, withheld) in sorted(self.counts.items()):
            need(not here or not withheld, "of the confidential class %s %d bodies are here and %d are missing", class_, here,
                 withheld)
            if here:
                self.report.proven("%d confidential bodies of class %s are what their entries commit to", here, class_)
            else:
                self.report.unseen("%d confidential bodies of class %s", withheld, class_)


def commitment(entry, value):
    entry.class_ = name(value["class"], "an entry's class")
    entry.commit = digest(value["commit"], "what an entry commits to")
    need(value["type"] in TYPES, "an entry of type %s is never confidential", value["type"])
