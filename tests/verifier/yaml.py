"""YAML as far as the project's documents go: to compare a file with its canonical JSON form, every scalar a string."""

import re

from .strict import Refused, need

ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b", " ": " ",
           '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029"}
KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s\[\]{},#&*!|>'"%@`-][^#]*?|-[^\s#][^#]*?) *:(?= |$)""")


class Reader:
    def __init__(self, data):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("not UTF-8") from None
        need("\t" not in text and "\r" not in text, "tabs and carriage returns are not read here")
        self.lines, self.at = text.split("\n"), 0

    # ---- lines

    def skip(self):
        """To the next line with something on it; its indentation, -1 at the end."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and not line.lstrip().startswith("#"):
                return len(line) - len(line.lstrip(" "))
            self.at += 1
        return -1

    def rest(self, column):
        return strip_comment(self.lines[self.at][column:])

    # ---- blocks

    def block(self, indent):
        """The node whose first line is at hand, at exactly this column."""
        rest = self.rest(indent)
        if rest == "-" or rest.startswith("- "):
            return self.sequence(indent)
        if KEY.match(rest):
            return self.mapping(indent)
        return self.value(rest, indent, indent - 1)

    def sequence(self, indent):
        result = []
        while self.skip() == indent:
            rest = self.rest(indent)
            if rest != "-" and not rest.startswith("- "):
                break
            inner = rest[1:].lstrip(" ")
            if not inner:
                self.at += 1
                result.append(self.child(indent))
                continue
            column = indent + len(rest) - len(inner)
            if KEY.match(inner) or inner.startswith("- "):
                line = self.lines[self.at]
                self.lines[self.at] = " " * column + line[column:]
                result.append(self.block(column))
            else:
                result.append(self.value(inner, column, indent))
        return result

    def mapping(self, indent):
        result = {}
        while self.skip() == indent:
            found = KEY.match(self.rest(indent))
            need(found, "line %d: a key was expected", self.at + 1)
            key = scalar(found.group(1))
            need(key not in result, "line %d: %s stands twice", self.at + 1, key)
            rest = self.rest(indent)[found.end():].lstrip(" ")
            if rest:
                result[key] = self.value(rest, indent + len(self.rest(indent)) - len(rest), indent)
            else:
                self.at += 1
                result[key] = self.child(indent, lists=True)
        need(self.skip() <= indent, "line %d: indented too far", self.at + 1)
        return result

    def child(self, indent, lists=False):
        """What stands below a key or a dash."""
        column = self.skip()
        same = lists and column == indent and (self.rest(column) + " ").startswith("- ")
        if column > indent or same:
            return self.block(column)
        return ""

    def value(self, rest, column, parent):
        """A scalar or a flow collection that begins at hand and may go on in lines indented more than `parent`."""
        if rest[0] in "|>":
            return self.folded(rest, parent)
        need(rest[0] not in "&*!%@`", "line %d: not read here", self.at + 1)
        gathered = rest
        self.at += 1
        while not complete(gathered):
            need(self.skip() > parent, "line %d: something is not ended", self.at + 1)
            gathered += " " + self.rest(0).strip()
            self.at += 1
        while rest[0] not in "[{\"'" and self.skip() > parent:
            need(not KEY.match(self.rest(0).strip()), "line %d: a key is not expected here", self.at + 1)
            gathered += " " + self.rest(0).strip()
            self.at += 1
        node, left = flow(gathered.strip()) if rest[0] in "[{" else (scalar(gathered.strip()), "")
        need(not left.strip(), "line %d: something follows", self.at)
        return node

    def folded(self, header, parent):
        need(re.fullmatch(r"[|>][+-]?", header), "line %d: not read here", self.at + 1)
        self.at += 1
        taken, indent = [], None
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip():
                column = len(line) - len(line.lstrip(" "))
                if column <= parent or (indent is not None and column < indent):
                    break
                indent = column if indent is None else indent
                taken.append(line[indent:])
            else:
                taken.append("")
            self.at += 1
        ends = 0
        while taken and not taken[-1]:
            taken.pop()
            ends += 1
        body = "\n".join(taken) if header[0] == "|" else fold(taken)
        return body + {"": "\n" if taken else "", "-": "", "+": "\n" * (ends + 1)}[header[1:]]


def fold(lines):
    """Single newlines become blanks; empty and further indented lines keep theirs."""
    result, empty, before = "", 0, None
    for line in lines:
        if not line:
            empty += 1
            continue
        if before is not None:
            keep = line.startswith(" ") or before.startswith(" ")
            result += "\n" * (empty + 1 if keep else empty) if empty or keep else " "
        else:
            result += "\n" * empty
        result, empty, before = result + line, 0, line
    return result


def strip_comment(line):
    quote, at = None, 0
    while at < len(line):
        found = line[at]
        if quote == '"' and found == "\\":
            at += 1
        elif quote:
            quote = None if found == quote else quote
        elif found in "\"'" and (at == 0 or line[at - 1] in " [{,:-"):
            quote = found
        elif found == "#" and (at == 0 or line[at - 1] == " "):
            return line[:at].rstrip(" ")
        at += 1
    return line.rstrip(" ")


def complete(text):
    """Are all quotes and brackets of a flow value closed?"""
    if text[0] not in "[{\"'":
        return True
    depth, quote, at = 0, None, 0
    while at < len(text):
        found = text[at]
        if quote == '"' and found == "\\":
            at += 1
        elif quote:
            quote = None if found == quote else quote
        elif found in "\"'" and (at == 0 or text[at - 1] in " [{,:"):
            quote = found
        elif found in "[{":
            depth += 1
        elif found in "]}":
            depth -= 1
        at += 1
    return depth == 0 and quote is None


def scalar(text):
    if text.startswith('"'):
        need(len(text) > 1 and text.endswith('"'), "a quoted text is not ended")
        return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", unescape, text[1:-1])
    if text.startswith("'"):
        need(len(text) > 1 and text.endswith("'"), "a quoted text is not ended")
        return text[1:-1].replace("''", "'")
    return text


def unescape(found):
    name = found.group(1)
    if name[0] in "xuU" and len(name) > 1:
        return chr(int(name[1:], 16))
    need(name in ESCAPES, "an escape is unknown")
    return ESCAPES[name]


def flow(text):
    """A flow node at the beginning of text, and what is left."""
    if text[:1] == "[":
        return flow_list(text[1:].lstrip())
    if text[:1] == "{":
        return flow_map(text[1:].lstrip())
    found = re.match(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\[\]{},]*?)\s*(?=[,\]}]|:(?: |$)|$)""", text)
    need(found, "a flow value is not well formed")
    return scalar(found.group(1)), text[found.end():].lstrip()


def flow_list(text):
    result = []
    while not text.startswith("]"):
        node, text = flow(text)
        need(text[:1] in (",", "]"), "a list is not well formed")
        result.append(node)
        text = text[1:].lstrip() if text.startswith(",") else text
    return result, text[1:].lstrip()


def flow_map(text):
    result = {}
    while not text.startswith("}"):
        key, text = flow(text)
        need(type(key) is str and text.startswith(":") and key not in result, "a map is not well formed")
        result[key], text = flow(text[1:].lstrip())
        need(text[:1] in (",", "}"), "a map is not well formed")
        text = text[1:].lstrip() if text.startswith(",") else text
    return result, text[1:].lstrip()


def parse(data):
    reader = Reader(data)
    indent = reader.skip()
    need(indent >= 0, "empty")
    result = reader.block(indent)
    need(reader.skip() < 0, "line %d: something follows", reader.at + 1)
    return result
