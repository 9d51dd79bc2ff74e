"""What anybody can do who holds the folder, and neither the log's key nor anybody else's."""

import json
import random

from .change import FOLDER, LINK, Change


def lines(files, other):
    """Every line of the entries removed, doubled, swapped with the next, and replaced by one of another log."""
    whole = files["entries"].split(b"\n")[:-1]
    foreign = other["entries"].split(b"\n")[:-1]

    def entries(name, changed):
        return Change(name, {"entries": b"".join(line + b"\n" for line in changed)})

    for place, line in enumerate(whole):
        yield entries("line %d removed" % place, whole[:place] + whole[place + 1:])
        yield entries("line %d doubled" % place, whole[:place] + [line] + whole[place:])
        if place + 1 < len(whole):
            yield entries("line %d swapped" % place, whole[:place] + [whole[place + 1], line] + whole[place + 2:])
        taken = foreign[place % len(foreign)]
        if taken == line:
            taken = foreign[(place + 1) % len(foreign)]
        yield entries("line %d replaced" % place, whole[:place] + [taken] + whole[place + 1:])
    yield entries("the last line cut off", whole[:-1] + [whole[-1][:-1]])
    yield Change("no newline at the end", {"entries": files["entries"][:-1]})
    yield Change("a newline more", {"entries": files["entries"] + b"\n"})
    yield Change("no entries", {"entries": b""})


def flips(files, count, seed):
    """One bit, or one whole byte, of any file: so many, or every byte once."""
    chance = random.Random(seed)
    names = sorted(files)
    sizes = [len(files[name]) for name in names]
    if count == "every":
        places = ((name, place) for name in names for place in range(len(files[name])))
    else:
        # Half of them spread over files, half over bytes: small files would hardly be met otherwise.
        drawn = (chance.choice(names) if number % 2 else chance.choices(names, sizes)[0] for number in range(count))
        places = ((name, chance.randrange(len(files[name]))) for name in drawn)
    for number, (name, place) in enumerate(places):
        data = bytearray(files[name])
        flipped = 1 << chance.randrange(8) if number % 3 else chance.randrange(1, 256)
        data[place] ^= flipped
        yield Change("%s, byte %d ^ %02x" % (name, place, flipped), {name: bytes(data)})


def withholdable(files):
    """The one body of its class may be withheld by anybody."""
    classes = {}
    for line in files["entries"].split(b"\n")[:-1]:
        entry = json.loads(line)
        if "class" in entry and "confidential/%s.json" % entry["commit"] in files:
            classes.setdefault(entry["class"], []).append("confidential/%s.json" % entry["commit"])
    return {names[0] for names in classes.values() if len(names) == 1}


def whole_files(files):
    alone = withholdable(files)
    for name, data in sorted(files.items()):
        if name not in alone:
            yield Change("%s removed" % name, {name: None})
        yield Change("%s empty" % name, {name: b""})
        yield Change("%s cut short" % name, {name: data[:-1]})
        yield Change("%s one byte longer" % name, {name: data + b"\n"})
        yield Change("%s is a symbolic link" % name, {name: LINK})
    for name in ("surplus", ".hidden", "artifacts/" + "0" * 64, "people/.der", "requests/notes.txt", "entries~"):
        yield Change("%s added" % name, {name: b"surplus\n"})
    yield Change("a folder added", {"more": FOLDER})
    yield Change("a folder added below", {"people/more": FOLDER})
    yield Change("a symbolic link added", {"link": LINK})


def exchanged(files):
    """Approvals, rejections and receipts exchanged between requests and births."""
    by_person = {}
    for name in sorted(files):
        if name.startswith("requests/") and name.endswith(".p7s"):
            by_person.setdefault(name.rsplit("/", 1)[1], []).append(name)
    for person, names in by_person.items():
        for one, two in zip(names, names[1:]):
            yield Change("approvals of %s exchanged" % person, {one: files[two], two: files[one]})
    for kind in ("receipts/", "artifacts/", "people/", "requests/"):
        names = [name for name in sorted(files) if name.startswith(kind)]
        for one, two in zip(names, names[1:]):
            yield Change("%s and the next exchanged" % one, {one: files[two], two: files[one]})


def trusts(trust, other_trust):
    """The trust files of other estates."""
    log_key, policy = trust["log-key"], trust["policy"]
    foreign = other_trust["log-key"]

    def file(key, digest, more=""):
        return ('log-key: "%s"\npolicy: "sha256:%s"\n%s' % (key, digest, more)).encode()

    yield Change("another estate's trust file", {}, file(foreign, other_trust["policy"]))
    yield Change("another estate's log key", {}, file(foreign, policy))
    yield Change("another first policy", {}, file(log_key, "0" * 64))
    yield Change("another program", {}, file(log_key, policy, 'software: {quorate: "sha256:%s"}\n' % ("0" * 64)))
    yield Change("a program that nobody saw", {}, file(log_key, policy, 'software: {other: "sha256:%s"}\n' % ("0" * 64)))
