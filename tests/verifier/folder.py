"""The folder: regular files with names that the log gives, no file missing, none too many."""

import os
import stat

from .strict import Refused, need, sha256_hex

LIMIT = 1 << 30


def load(path):
    """{name: bytes} of a folder on disk. A name that is no regular file is kept with None."""
    files = {}
    for root, folders, names in os.walk(path):
        inside = os.path.relpath(root, path)
        prefix = "" if inside == "." else inside + "/"
        for name in folders + names:
            whole = os.path.join(root, name)
            mode = os.lstat(whole).st_mode
            if stat.S_ISDIR(mode):
                if not os.listdir(whole):
                    files[prefix + name + "/"] = None
            elif stat.S_ISREG(mode) and os.lstat(whole).st_size <= LIMIT:
                with open(whole, "rb") as stream:
                    files[prefix + name] = stream.read()
            else:
                files[prefix + name] = None
    return files


class Folder:
    """Files as they are asked for; what nobody asked for is too many."""

    def __init__(self, files):
        self.files, self.asked = files, set()

    def take(self, name):
        self.asked.add(name)
        need(name in self.files, "%s is missing", name)
        need(self.files[name] is not None, "%s is no regular file", name)
        return self.files[name]

    def has(self, name):
        return name in self.files

    def by_digest(self, name, digest):
        data = self.take(name)
        need(sha256_hex(data) == digest, "%s is not the file that the log names: its digest differs", name)
        return data

    def document(self, kind, body):
        """YAML and canonical JSON form, each by its digest; the JSON."""
        self.by_digest("%s/%s.yaml" % (kind, body["digest"]), body["digest"])
        return self.by_digest("%s/%s.json" % (kind, body["digest"]), body["canonical"])

    def nothing_else(self):
        more = sorted(set(self.files) - self.asked)
        if more:
            raise Refused("%s is in the folder and nothing names it%s" % (
                more[0], "" if len(more) == 1 else " (and %d more)" % (len(more) - 1)))
