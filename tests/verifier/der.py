"""DER, strictly: definite shortest lengths, low tag numbers, nothing left over."""

from .strict import need

INTEGER, BITS, OCTETS, NULL, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x05, 0x06, 0x30, 0x31
BOOLEAN, UTF8, PRINTABLE, IA5, UTC_TIME, GENERAL_TIME = 0x01, 0x0C, 0x13, 0x16, 0x17, 0x18


class Der:
    """One element: tag, content and the whole of its bytes."""

    def __init__(self, tag, content, whole):
        self.tag, self.content, self.whole = tag, content, whole

    def expect(self, tag, what):
        need(self.tag == tag, "%s is not of the type that it must be", what)
        return self

    def children(self, tag, what):
        self.expect(tag, what)
        return split(self.content, what)

    def sequence(self, what):
        return self.children(SEQUENCE, what)

    def oid(self, what):
        self.expect(OID, what)
        return oid_text(self.content, what)

    def integer(self, what):
        self.expect(INTEGER, what)
        need(self.content, "%s is an empty integer", what)
        short = len(self.content) == 1 or not (
            (self.content[0] == 0 and self.content[1] < 0x80) or (self.content[0] == 0xFF and self.content[1] >= 0x80))
        need(short, "%s is an integer with a byte too many", what)
        return int.from_bytes(self.content, "big", signed=True)

    def bits(self, what):
        self.expect(BITS, what)
        need(self.content and self.content[0] <= 7, "%s is not a bit string", what)
        unused = self.content[0]
        need(unused == 0 or (len(self.content) > 1 and not self.content[-1] & ((1 << unused) - 1)),
             "%s has unused bits that are set", what)
        return self.content[1:], unused

    def boolean(self, what):
        self.expect(BOOLEAN, what)
        need(self.content in (b"\x00", b"\xff"), "%s is not a DER boolean", what)
        return self.content == b"\xff"


def _one(data, at, what):
    need(len(data) - at >= 2, "%s is cut short", what)
    tag, length, body = data[at], data[at + 1], at + 2
    need(tag & 0x1F != 0x1F, "%s has a high tag number", what)
    if length >= 0x80:
        size = length & 0x7F
        need(0 < size <= 4 and len(data) - body >= size, "%s has a wrong length", what)
        length = int.from_bytes(data[body:body + size], "big")
        need(length >= 0x80 and data[body] != 0, "%s has a length that is not the shortest", what)
        body += size
    need(len(data) - body >= length, "%s is cut short", what)
    return Der(tag, data[body:body + length], data[at:body + length]), body + length


def split(data, what):
    result, at = [], 0
    while at < len(data):
        item, at = _one(data, at, what)
        result.append(item)
    return result


def parse(data, what):
    item, end = _one(data, 0, what)
    need(end == len(data), "%s has bytes after its end", what)
    return item


def oid_text(content, what):
    need(content and content[-1] < 0x80, "%s is not an object identifier", what)
    arcs, value, fresh = [], 0, True
    for byte in content:
        need(not (fresh and byte == 0x80), "%s has an object identifier that is not the shortest", what)
        value, fresh = value << 7 | (byte & 0x7F), byte < 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in [first, arcs[0] - 40 * first] + arcs[1:])


def encode(tag, content):
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(content).to_bytes(size, "big") + content


def encode_integer(value):
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def encode_oid(dotted):
    arcs = [int(arc) for arc in dotted.split(".")]
    content = b""
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        part = bytes([arc & 0x7F])
        while arc >= 0x80:
            arc >>= 7
            part = bytes([0x80 | arc & 0x7F]) + part
        content += part
    return encode(OID, content)
