"""The nearest names that exist, for a location that names nothing.

Work is bounded: strings longer than any name get no suggestion, and a typo is found by deleting one letter on both sides, so that
a question costs as many look-ups as it has letters.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gridgram.zones import Zone, Zones

T = TypeVar("T")

MOST = 5
LONGEST_ECHO = 60
LONGEST_QUESTION = 64
SHORTEST_WORD = 4

DIRECTIONS = {"NORTH", "SOUTH", "EAST", "WEST", "CENTRAL", "NORTHERN", "SOUTHERN", "EASTERN", "WESTERN"}

# Codes that are common and mean something, though ISO 3166 does not assign them so.
HABITS = {"UK": "GB", "EL": "GR", "ENGLAND": "GB", "GREAT BRITAIN": "GB", "AMERICA": "US", "USA": "US", "HOLLAND": "NL", "PRC": "CN"}


def printable(text: str) -> str:
    """The text made fit for an error message: at most 60 characters, none of them a control or a direction mark."""
    cut = text if len(text) <= LONGEST_ECHO else f"{text[: LONGEST_ECHO - 3]}..."
    return "".join(letter if letter.isprintable() else "?" for letter in cut)


class Suggestions:
    """Zone keys, names, cloud regions and upstream codes, indexed so that a near miss finds them."""

    def __init__(
        self,
        zones: Zones,
        iso_names: Mapping[str, str],
        regions: Sequence[tuple[str, str, str]],
        codes: Mapping[tuple[str, str], Sequence[Zone]],
    ) -> None:
        """`iso_names`: names by ISO code; `regions`: location, city and zone of each cloud region; `codes`: zones by system and code."""
        self._keys = [zone.key for zone in zones]
        self._key_typos = _Typos((key, key) for key in self._keys)
        self._regions = {location.upper(): location for location, _, _ in regions}
        self._region_typos = _Typos((location.upper(), location) for location, _, _ in regions)
        self._bare_regions = _gather((location.partition(":")[2].upper(), location) for location, _, _ in regions)
        self._codes = {f"{system}:{code}".upper(): f"{system}:{code}" for system, code in codes}
        self._code_typos = _Typos(self._codes.items())
        self._bare_codes = _gather((code, found[0].key) for (_, code), found in codes.items())
        countries = [(fold(name), code) for code, name in iso_names.items() if len(code) == len("FR")]
        parts = [(fold(name), code) for code, name in iso_names.items() if "-" in code]
        named = [(fold(zone.name), zone.key) for zone in zones]
        cities = [(word, zone) for _, name, zone in regions for word in _words(fold(name))]
        self._names = _gather([*countries, *named, *parts])
        self._name_typos = _Typos([*countries, *named])
        self._words = _gather([*cities, *((word, key) for name, key in named for word in _words(name))])
        self._compact = _gather((compact(key), key) for key in self._keys)

    def nearest(self, location: str) -> tuple[str, ...]:
        """At most five locations that resolve, best first."""
        if len(location) > LONGEST_QUESTION:
            return ()
        found: dict[str, None] = {}
        for suggestion in self._candidates(fold(location)):
            found.setdefault(suggestion)
            if len(found) == MOST:
                break
        return tuple(found)

    def _candidates(self, question: str) -> Iterator[str]:
        if not question:
            return
        if question in HABITS:
            yield HABITS[question]
        prefix, colon, rest = question.partition(":")
        if colon:
            yield from self._region_typos.nearest(question)
            yield from self._code_typos.nearest(question)
            yield from self._bare_regions.get(rest, ())
            yield from self._bare_codes.get(rest, ())
            yield from _longest_prefix(f"{prefix}:", rest, self._regions, self._codes)
            return
        yield from self._compact.get(compact(question), ())
        yield from self._names.get(question, ())
        if question in self._bare_regions:
            yield from self._bare_regions[question]
            return
        yield from self._key_typos.nearest(question)
        yield from self._bare_codes.get(question, ())
        yield from self._name_typos.nearest(question)
        yield from self._words.get(question, ())
        for word in _words(question):
            yield from self._words.get(word, ())
        country, dash, rest = question.partition("-")
        if dash and country in self._keys:
            yield from _longest_prefix(f"{country}-", rest, {key: key for key in self._keys})
            yield country


class _Typos:
    """Finds words that are one edit away: a letter too many, missing, other, or two neighbours swapped."""

    def __init__(self, words: Iterable[tuple[str, str]]) -> None:
        self._index = _gather((form, (word, target)) for word, target in words for form in _deletions(word))

    def nearest(self, question: str) -> list[str]:
        """The targets of near words, those with the longest common beginning first."""
        letters = sorted(question)  # a swap keeps them; it is the likeliest slip
        near = {pair for form in _deletions(question) for pair in self._index.get(form, ()) if _is_one_edit(question, pair[0])}
        return [target for _, target in sorted(near, key=lambda pair: (sorted(pair[0]) != letters, -_common(question, pair[0]), pair))]


def fold(text: str) -> str:
    """Capitals without accents, marks and outer blanks."""
    letters = unicodedata.normalize("NFKD", text).upper()
    kept = (letter for letter in letters[:LONGEST_QUESTION] if letter.isprintable() and not unicodedata.combining(letter))
    return " ".join("".join(kept).split())


def compact(text: str) -> str:
    """Only the letters and digits."""
    return "".join(letter for letter in text if letter.isalnum())


def _gather(pairs: Iterable[tuple[str, T]]) -> dict[str, tuple[T, ...]]:
    gathered: dict[str, tuple[T, ...]] = {}
    for key, target in pairs:
        if target not in gathered.get(key, ()):
            gathered[key] = (*gathered.get(key, ()), target)
    return gathered


def _words(name: str) -> list[str]:
    split = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return [word for word in split if len(word) >= SHORTEST_WORD and word not in DIRECTIONS]


def _deletions(word: str) -> Iterator[str]:
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def _common(one: str, other: str) -> int:
    """How many letters two words share at their beginning."""
    most, place = min(len(one), len(other)), 0
    while place < most and one[place] == other[place]:
        place += 1
    return place


def _is_one_edit(one: str, other: str) -> bool:
    """Is one word a single insertion, deletion, replacement or swap of neighbours away from the other?"""
    start = _common(one, other)
    left, right = one[start:], other[start:]
    shorter = left[1:] == right or left == right[1:] or left[1:] == right[1:]
    return shorter or (left[:2] == right[1::-1] and left[2:] == right[2:])


def _longest_prefix(start: str, rest: str, *tables: Mapping[str, str]) -> list[str]:
    """Of the names that begin with `start`, those that go on like `rest` the longest."""
    names = [(key[len(start) :], target) for table in tables for key, target in table.items() if key.startswith(start)]
    return [target for _, target in sorted(names, key=lambda name: (-_common(rest, name[0]), name))[:MOST]]
