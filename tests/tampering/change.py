"""A change of a transcript, applied to a folder on disk and to the same files in memory."""

import os
import shutil

FOLDER, LINK = "a folder", "a link"  # instead of a file's bytes: a folder, a symbolic link to a file beside it


class Change:
    """files: {name: bytes, None (removed), FOLDER or LINK}. trust: another trust file's bytes. expected: a word of the
    second verifier's reason, claim: the first one's statement, where one particular statement has to be the one that fails.
    wanted: what both have to say."""

    def __init__(self, name, files, trust=None, expected=None):
        self.name, self.files, self.trust, self.expected = name, files, trust, expected
        self.wanted, self.claim = "refused", None


def named(kinds, *places):
    """For each name the function that the first of these modules has under it."""
    return [next(getattr(place, kind) for place in places if callable(getattr(place, kind, None))) for kind in kinds]


def in_memory(files, change):
    result = dict(files)
    for name, data in change.files.items():
        if data is None:
            del result[name]
        elif data == FOLDER:
            result[name + "/"] = None
        else:
            result[name] = None if data == LINK else data
    return result


class Copy:
    """A folder that is changed and put back."""

    def __init__(self, source, path):
        shutil.copytree(source, path)
        self.source, self.path = source, path

    def apply(self, change):
        for name, data in change.files.items():
            where = os.path.join(self.path, name)
            if os.path.lexists(where):
                os.remove(where)
            if data == FOLDER:
                os.mkdir(where)
            elif data == LINK:
                os.symlink("entries", where)
            elif data is not None:
                os.makedirs(os.path.dirname(where), exist_ok=True)
                with open(where, "wb") as stream:
                    stream.write(data)
            self.leave(os.path.dirname(where))

    def leave(self, folder):
        """An empty folder would be a change of its own."""
        while folder != self.path and os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)
            folder = os.path.dirname(folder)

    def undo(self, change):
        for name, data in change.files.items():
            where, original = os.path.join(self.path, name), os.path.join(self.source, name)
            if data == FOLDER:
                os.rmdir(where)
            elif os.path.lexists(where):
                os.remove(where)
            if os.path.exists(original):
                os.makedirs(os.path.dirname(where), exist_ok=True)
                shutil.copyfile(original, where)
            self.leave(os.path.dirname(where))
