"""Steps that had the record time stamped, changed and signed again with the log's key."""

import base64
import hashlib


def stamps(forger):
    """Of transcripts whose last such step has a stamp."""
    entries = forger.entries
    done = [place for place, entry in enumerate(entries)
            if entry["type"] == "step" and "stamp" in entry["body"].get("result", {}) and entry["body"]["action"] == "timestamp"]
    if not done:
        return
    place, kept = done[-1], forger.find("artifact", kind="timestamp")
    result, old = entries[place]["body"]["result"], entries[kept]["body"]["digest"]

    def said(**members):
        def edit(changed):
            changed[place]["body"]["result"].update(members)
        return edit

    def response(data):
        """Another response in its place."""
        named = hashlib.sha256(data).hexdigest()

        def edit(changed):
            changed[kept]["body"]["digest"] = changed[place]["body"]["result"]["stamp"] = named
        return edit, {"artifacts/" + old: None, "artifacts/" + named: data}

    def another_kind(changed):
        changed[kept]["body"]["kind"] = "paper"

    yield forger.change("a stamped size that was not", said(size=str(int(result["size"]) - 1)), "size")
    yield forger.change("a stamped size to come", said(size=str(len(entries))), "its size")
    yield forger.change("a stamped root that was not", said(root="0" * 64), "root at that size")
    yield forger.change("a stamp that is not there", said(stamp="1" * 64), "time stamp is not there")
    yield forger.change("a stamp that is something else", another_kind, "time stamp is not there")
    data = forger.files["artifacts/" + old]
    root = base64.b64encode(bytes.fromhex(result["root"])).decode()
    over = hashlib.sha256(("%s\n%s\n%s\n" % (forger.key.name, result["size"], root)).encode()).digest()
    edit, files = response(data.replace(over, hashlib.sha256(b"another").digest()))
    yield forger.change("a stamp over something else", edit, "over something else", files)
