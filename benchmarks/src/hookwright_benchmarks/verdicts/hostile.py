"""JSON that is hard to judge: what parsers, databases and languages disagree about."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

# Texts of JSON values; some are none.
NUMBERS = (
    *("0", "-0", "-0.0", "1", "-1", "1.0", "1.5", "3.0", "1E5", "0.1e1", "1e0", "1e-7"),
    *("1e308", "1e309", "1e400", "-1e400", "1e-400", "1e200000"),
    *("9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "2147483648"),
    *("9" * 400, "9" * 4300, "9" * 4301, "0." + "1" * 400, "1" + "0" * 308),
    *("NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "0x10", "1_000", "--1", "1e"),
)
STRINGS = (
    *('""', '" "', '"\\t"', '"\\n"', '"a\\u0000b"', '"\\u0000"', '"a\x00b"', '"a\nb"'),
    *('"\\ud800"', '"\\udc00"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\uD83D"', '"\\uffff"'),
    *('"\\ufffe"', '"\\u2028"', '"\\u202e"', '"\\u200b"', '"\\x41"', '"\\u12"', '"\\"', '"\\\\"'),
    *(
        '"é"',
        '"e\u0301"',
        '"İ"',
        '"ß"',
        '"ﬀ"',
        '"Å"',
        '"Å"',
        '"漢字"',
        '"🎉"',
        '"👩‍👩‍👧"',
        '"\U0010ffff"',
    ),
    *('"\'"', '"%"', '"_"', '"%s"', '"$1"', '":x"', '"\'; DROP TABLE apps; --"', '"{}"', '"1"'),
    *('"true"', '"null"', '"\\u0001"', '"\\u007f"', '"\u0080"', '"\\/"', '"-"', '"a b"', '"A"'),
)
LENGTHS = (1, 63, 64, 65, 127, 128, 129, 254, 255, 256, 257, 499, 500, 501, 2047, 2048, 2049, 9000)
INSTANTS = (
    '"2026-02-30T00:00:00Z"',
    '"2026-12-31T23:59:60Z"',
    '"0000-01-01T00:00:00Z"',
    '"0001-01-01T00:00:00+23:59"',
    '"9999-12-31T23:59:59.999999999Z"',
    '"2099-01-01T00:00:00Z"',
    '"2099-01-01t00:00:00.5z"',
    '"2099-01-01T00:00:00+05:30"',
    '"2099-01-01 00:00:00Z"',
    '"2099-01-01T00:00:00"',
    '"1969-12-31T23:59:59Z"',
    '"292277026596-12-04T15:30:08Z"',
)
_LETTERS = ("a", "ä", "🎉", "\\u00e4")
_DEPTHS = (2, 30, 61, 62, 63, 64, 65, 200, 3000)


def value(random: Random) -> str:
    """The text of a hostile value."""
    make: Callable[[], str] = random.choice(
        (
            lambda: random.choice(NUMBERS),
            lambda: random.choice(STRINGS),
            lambda: random.choice(STRINGS),
            lambda: '"' + random.choice(_LETTERS) * random.choice(LENGTHS) + '"',
            lambda: random.choice(INSTANTS),
            lambda: random.choice(("null", "true", "false", "[]", "{}", "", "nul", "[null]")),
            lambda: _nested(random),
            lambda: _object(random),
            lambda: f"[{','.join(value(random) for _ in range(random.randrange(4)))}]",
        )
    )
    return make()


def name(random: Random) -> str:
    """The text of a member's name."""
    return random.choice((*STRINGS, '"name"', '"n\\u0061me"', '"__proto__"', '"constructor"'))


def spoilt(random: Random, body: bytes) -> bytes:
    """A body whose bytes are not what they should be."""
    place = random.randrange(len(body) + 1)
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: body[:place],
        lambda: body[:place] + random.randbytes(random.randrange(1, 4)) + body[place:],
        lambda: body[:place] + body[place + 1 :],
        lambda: b"\xef\xbb\xbf" + body,
        lambda: body + random.choice((b" ", b"{}", b"\x00", b",", b"\n\n", b"//")),
        lambda: body.replace(b"}", b",}", 1),
        lambda: body.replace(b'"', b"'", 2),
        lambda: body.decode("utf-8", "replace").encode(random.choice(("utf-16", "utf-32"))),
        lambda: body.replace(b"a", random.choice((b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\x00"))),
        lambda: b"",
        lambda: random.randbytes(place % 40),
    )
    return random.choice(ways)()


def _nested(random: Random) -> str:
    depth = random.choice(_DEPTHS)
    if random.random() < 0.5:
        return "[" * depth + random.choice(("", "1")) + "]" * depth
    return '{"a":' * depth + "1" + "}" * depth


def _object(random: Random) -> str:
    members = [f"{name(random)}:{value(random)}" for _ in range(random.randrange(4))]
    if members and random.random() < 0.3:
        members.append(members[0])
    return "{" + ",".join(members) + "}"
