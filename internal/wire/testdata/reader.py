"""Reads one base64 JSON text per line and answers with its canonical dump.

The dump is what wire's differential test builds: s<bytes>:<text> for strings,
n<literal>; for numbers, t f z for the literals, [..] and {..} with the members
sorted by the bytes of their names.
"""
import base64
import json
import sys


class Number(str):
    """A number by its source text."""


def constant(text):
    raise ValueError("not JSON: " + text)


def string(text, out):
    raw = text.encode("utf-8")
    out.append(b"s%d:%s" % (len(raw), raw))


class Pairs:
    """An object's members as they stood, duplicates included."""

    def __init__(self, pairs):
        self.pairs = pairs


def dump(value, out):
    if isinstance(value, Number):
        out.append(b"n" + value.encode() + b";")
    elif isinstance(value, str):
        string(value, out)
    elif value is True:
        out.append(b"t")
    elif value is False:
        out.append(b"f")
    elif value is None:
        out.append(b"z")
    elif isinstance(value, list):
        out.append(b"[")
        for element in value:
            dump(element, out)
        out.append(b"]")
    else:
        out.append(b"{")
        for key, member in sorted(value.pairs, key=lambda pair: pair[0].encode("utf-8")):
            string(key, out)
            dump(member, out)
        out.append(b"}")


def main():
    sys.stdout.write("text\n")
    sys.stdout.flush()
    for line in sys.stdin.buffer:
        try:
            value = json.loads(base64.b64decode(line).decode("utf-8"), parse_int=Number, parse_float=Number,
                               parse_constant=constant, object_pairs_hook=Pairs)
            out = []
            dump(value, out)
            answer = base64.b64encode(b"".join(out)).decode()
        except (ValueError, RecursionError) as error:
            answer = "!" + type(error).__name__
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


main()
