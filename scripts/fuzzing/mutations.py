"""Seeded damage to bytes: what disks, networks, editors and people do to files, and worse."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

Mutation = Callable[[bytes, Random], bytes]

LONGEST = 1 << 20  # repeated duplication must not grow without bounds
MOST = 6  # mutations of one case
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
WORD = re.compile(rb'"[^"\n]*"|[A-Za-z_][A-Za-z0-9_]*|-?\d+(?:\.\d+)?')
NUMBERS = (
    *(
        b"NaN",
        b".nan",
        b"Infinity",
        b"-Infinity",
        b".inf",
        b"1e308",
        b"-1e308",
        b"1e400",
        b"1e-320",
    ),
    *(b"0", b"-0.0", b"-1", b"1", b"2", b"0.5", b"255", b"256", b"65536", b"2147483648"),
    *(b"-9223372036854775809", b"18446744073709551616", b"9" * 400, b"9" * 5000),
    *(b"0x" + b"f" * 5000, b"1_000", b"1:30:00", b"2026-13-01", b"1e", b"--1"),
)
WORDS = (
    *(b"", b'""', b"null", b"~", b"true", b"False", b"[]", b"{}", b"[[]]", b"[null]", b'"a"'),
    *(b"person", b'"person"', b"\xff\xfe", b"\x00", b'"\\u0000"', b'"\\ud800"', b"\xed\xa0\x80"),
    *(b"\xef\xbb\xbf", "é".encode(), "\u202e".encode(), "\U0001f4a5".encode(), b"x" * 300),
)


def text_mutations(words: Sequence[bytes] = ()) -> list[Mutation]:
    """Mutations of texts; `words` are further ones to put in the place of others."""

    def replaced(data: bytes, chance: Random) -> bytes:
        return _replaced(data, chance, WORD, (*WORDS, *words))

    def numbered(data: bytes, chance: Random) -> bytes:
        return _replaced(data, chance, NUMBER, NUMBERS)

    by_bytes = [_flipped, _set, _deleted, _inserted, _duplicated]
    by_words = [replaced, replaced, numbered, numbered, _exchanged, _nested]
    by_lines = [_line_swapped, _line_dropped, _line_repeated, _truncated]
    return [*by_bytes, *by_words, *by_lines]


def byte_mutations() -> list[Mutation]:
    """Mutations of bytes that are no text."""
    return [
        _flipped,
        _flipped,
        _set,
        _deleted,
        _inserted,
        _duplicated,
        _moved,
        _blanked,
        _truncated,
    ]


def mutated(data: bytes, chance: Random, mutations: Sequence[Mutation]) -> bytes:
    """The data with one to a few mutations."""
    count = min(MOST, 1 + int(chance.expovariate(0.8)))
    for _ in range(count):
        if not data:
            break
        data = chance.choice(mutations)(data, chance)[:LONGEST]
    return data


def _span(data: bytes, chance: Random, longest: int = 64) -> tuple[int, int]:
    start = chance.randrange(len(data))
    return start, min(len(data), start + 1 + int(chance.random() ** 3 * longest))


def _flipped(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def _set(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def _deleted(data: bytes, chance: Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _inserted(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(1 + int(chance.random() ** 3 * 32)) + data[at:]


def _duplicated(data: bytes, chance: Random) -> bytes:
    start, end = _span(data, chance, 400)
    times = chance.choice((1, 1, 1, 3, 40))
    return data[:end] + data[start:end] * times + data[end:]


def _moved(data: bytes, chance: Random) -> bytes:
    start, end = _span(data, chance, 2000)
    rest = data[:start] + data[end:]
    at = chance.randrange(len(rest) + 1)
    return rest[:at] + data[start:end] + rest[at:]


def _blanked(data: bytes, chance: Random) -> bytes:
    start, end = _span(data, chance, 1000)
    return data[:start] + chance.choice((b"\x00", b"\xff")) * (end - start) + data[end:]


def _truncated(data: bytes, chance: Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _line_swapped(data: bytes, chance: Random) -> bytes:
    lines = data.split(b"\n")
    i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def _line_dropped(data: bytes, chance: Random) -> bytes:
    lines = data.split(b"\n")
    del lines[chance.randrange(len(lines))]
    return b"\n".join(lines)


def _line_repeated(data: bytes, chance: Random) -> bytes:
    lines = data.split(b"\n")
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
    return b"\n".join(lines)


def _found(data: bytes, chance: Random, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
    """One of the places that match, from a random one on."""
    at = chance.randrange(len(data))
    while at > 0 and data[at - 1 : at].isalnum():  # not from within a word
        at -= 1
    return pattern.search(data, at) or pattern.search(data)


def _replaced(
    data: bytes, chance: Random, pattern: re.Pattern[bytes], words: Sequence[bytes]
) -> bytes:
    match = _found(data, chance, pattern)
    if match is None:
        return data
    return data[: match.start()] + chance.choice(words) + data[match.end() :]


def _exchanged(data: bytes, chance: Random) -> bytes:
    """One word in the place of another."""
    one, other = _found(data, chance, WORD), _found(data, chance, WORD)
    if one is None or other is None:
        return data
    return data[: one.start()] + other[0] + data[one.end() :]


def _nested(data: bytes, chance: Random) -> bytes:
    match = _found(data, chance, WORD)
    if match is None:
        return data
    depth = chance.choice((1, 2, 3, 10, 60, 1200))
    left, right = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"{a: ", b"}")))
    return data[: match.start()] + left * depth + match[0] + right * depth + data[match.end() :]
