"""POSIX extended regular expressions over bytes in the C locale, as expressions of Python's."""

import functools
import re

from .strict import Refused, need

CLASSES = {"alpha": "A-Za-z", "digit": "0-9", "alnum": "0-9A-Za-z", "upper": "A-Z", "lower": "a-z",
           "xdigit": "0-9A-Fa-f", "space": r"\t-\r ", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f", "print": " -~",
           "graph": "!-~", "punct": r"!-/:-@\[-`{-~"}


class _Translation:
    def __init__(self, source):
        self.source, self.at = source, 0

    def peek(self):
        return self.source[self.at:self.at + 1]

    def take(self):
        found = self.peek()
        need(found, "the expression \"%s\" is cut short", self.source)
        self.at += 1
        return found

    def alternatives(self, depth):
        result = self.branch(depth)
        while self.peek() == "|":
            self.take()
            result += "|" + self.branch(depth)
        return "(?:" + result + ")"

    def branch(self, depth):
        result = ""
        while self.peek() and self.peek() != "|" and not (self.peek() == ")" and depth):
            result += self.piece(depth)
        return result

    def piece(self, depth):
        atom = self.atom(depth)
        while self.peek() and self.peek() in "*+?{":
            if self.peek() == "{":
                found = re.compile(r"\{\d+(,\d*)?\}").match(self.source, self.at)
                need(found, "the expression \"%s\" has a wrong interval", self.source)
                self.at = found.end()
                atom = "(?:" + atom + found.group() + ")"
            else:
                atom = "(?:" + atom + self.take() + ")"
        return atom

    def atom(self, depth):
        found = self.take()
        if found == "(":
            inner = self.alternatives(depth + 1)
            need(self.take() == ")", "the expression \"%s\" lacks a parenthesis", self.source)
            return inner
        if found == "[":
            return self.bracket()
        if found == "\\":
            found = self.take()
            need(not found.isalnum(), "the expression \"%s\" escapes a letter or a digit", self.source)
            return re.escape(found)
        need(found not in "*+?{", "the expression \"%s\" repeats nothing", self.source)
        return {".": "[\\x00-\\xff]", "^": "\\A", "$": "\\Z"}.get(found) or re.escape(found)

    def bracket(self):
        result = "["
        if self.peek() == "^":
            result += self.take()
        first = True
        while first or self.peek() != "]":
            first = False
            found = self.take()
            if found == "[" and self.peek() == ":":
                end = self.source.find(":]", self.at)
                need(end > 0 and self.source[self.at + 1:end] in CLASSES, "\"%s\" has an unknown class", self.source)
                result += CLASSES[self.source[self.at + 1:end]]
                self.at = end + 2
                continue
            need(not (found == "[" and self.peek() in (".", "=")), "\"%s\" has a collating element", self.source)
            is_range = found == "-" and self.peek() != "]" and result not in ("[", "[^")
            result += found if is_range or found.isalnum() else "\\" + found
        self.take()
        return result + "]"


@functools.lru_cache(maxsize=None)
def compiled(source):
    translation = _Translation(source.encode("utf-8").decode("latin-1"))
    python = translation.alternatives(0)
    need(translation.at == len(translation.source), "the expression \"%s\" has a parenthesis too many", source)
    try:
        return re.compile(python.encode("latin-1"))
    except re.error as why:
        raise Refused("the expression \"%s\" does not compile (%s)" % (source, why)) from None


def matches(source, value):
    return compiled(source).search(value.encode("utf-8")) is not None
