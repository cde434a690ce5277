"""From the cells of a block to checked rows: zone, minute, signal, scope, quality and numbers, column by column.

A bad cell makes its row a fault, never another row.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.errors import UnknownLocation
from gridgram.interval import (
    EARLIEST,
    HORIZON,
    MICROSECONDS_PER_MINUTE,
    check_range,
    format_time,
    from_microseconds,
    parse_time,
    to_microseconds,
)
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from service.importing.arrow import distinct, floats, instants, is_empty, text_of
from service.importing.faults import refused, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from numpy.typing import NDArray

    from service.importing.csv_file import Block
    from service.importing.faults import Faults
    from service.importing.layout import Layout

MAX_G_PER_KWH: Final = 5_000.0
"""More than twice the worst plant; past it the unit is wrong."""
MAX_UNKNOWN_ZONES: Final = 200
STEP_MICROSECONDS: Final = 300_000_000
"""Stamps lie on whole five minutes; longer steps are multiples of it."""

SIGNALS: Final = tuple(Signal)
SCOPES: Final = tuple(Scope)
UNSTATED_SCOPE: Final = SCOPES.index(Scope.UNSTATED)
IMPORTED_QUALITIES: Final = (Quality.MEASURED, Quality.PRELIMINARY, Quality.ESTIMATED, Quality.FORECAST)
"""What a file may claim. Given numbers belong to a request; typical and annual hours are what Gridgram falls back to by itself."""

_ESTIMATED: Final = {"true": Quality.ESTIMATED, "false": Quality.MEASURED}


@dataclass(frozen=True, slots=True)
class Rows:
    """Checked rows as columns. `zone` numbers the keys of `CellReader.zones`; `signal`, `scope` and `quality` are codes."""

    line: NDArray[np.int32]
    zone: NDArray[np.int32]
    minute: NDArray[np.int32]
    signal: NDArray[np.uint8]
    scope: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    g_per_kwh: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def picked(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Rows:
        """The rows at these places, or where this is true."""
        return Rows(*(getattr(self, field.name)[which] for field in fields(Rows)))


class CellReader:
    """Turns blocks into rows, remembering the zones it has met."""

    def __init__(self, layout: Layout, faults: Faults, *, resolve: Callable[[str], str], now: datetime, assume_utc: bool) -> None:
        self.zones: list[str] = []
        self.rows_read = 0
        self._layout = layout
        self._faults = faults
        self._resolve = resolve
        self._now = now
        self._assume_utc = assume_utc or layout.is_portal
        self._zone_places: dict[str, int] = {}
        self._unknown: dict[str, str] = {}
        self._key_places: dict[str, int] = {}

    def read(self, block: Block) -> Iterator[Rows]:
        """The sound rows of a block, once for each column of numbers."""
        self.rows_read += len(block.lines)
        good = np.ones(len(block.lines), np.bool_)
        zone = self._zone(block, good)
        microseconds = self._start(block, good)
        quality = self._quality(block, good)
        self._check_future(block, microseconds, quality, good)
        scope = self._codes(block, "scope", {str(scope): code for code, scope in enumerate(SCOPES)}, UNSTATED_SCOPE, good)
        if self._layout.scope is not None:
            scope = np.where(scope == UNSTATED_SCOPE, SCOPES.index(self._layout.scope), scope).astype(np.uint8)
        named = {str(signal): code for code, signal in enumerate(SIGNALS)}
        signals = self._codes(block, "signal", named, named[Signal.LIFECYCLE], good)
        minute = (np.where(good, microseconds, 0) // MICROSECONDS_PER_MINUTE).astype(np.int32)
        for signal, column in self._layout.numbers:
            whole = good.copy()
            numbers = self._numbers(block, column, whole)
            low, high = self._band(block, column, numbers, whole)
            code = signals if signal is None else np.full(len(good), SIGNALS.index(signal), np.uint8)
            line = block.lines.astype(np.int32)
            yield Rows(line, zone, minute, code, scope, quality, numbers, low, high).picked(whole)

    def _zone(self, block: Block, good: NDArray[np.bool_]) -> NDArray[np.int32]:
        column = self._layout.columns["zone"]
        names, place = distinct(block.cells[column], column)
        codes = np.array([self._place_of(name) for name in names] or [-1], np.int32)[place]
        self._faults.add_where(
            good & (codes < 0),
            block.lines,
            column,
            lambda row: self._unknown.get(text_of(names[place[row]]), "the zone is missing"),
        )
        good &= codes >= 0
        return codes

    def _place_of(self, name: str | None) -> int:
        """The number of the zone that this text names, -1 for none; each text is resolved once."""
        text = text_of(name)
        if text in self._zone_places:
            return self._zone_places[text]
        if not text or text in self._unknown:
            return -1
        try:
            key = self._resolve(text)
        except UnknownLocation as error:
            self._unknown[text] = str(error)[:300]
            if len(self._unknown) > MAX_UNKNOWN_ZONES:
                column = self._layout.columns["zone"]
                reason = f"more than {MAX_UNKNOWN_ZONES} different unknown locations; is {shown(column)} the column of zones?"
                raise refused(f"column {column}", reason) from error
            return -1
        place = self._key_places.setdefault(key, len(self.zones))
        if place == len(self.zones):
            self.zones.append(key)
        self._zone_places[text] = place
        return place

    def _start(self, block: Block, good: NDArray[np.bool_]) -> NDArray[np.int64]:
        column = self._layout.columns["start"]
        cells = block.cells[column]
        microseconds, known = instants(cells, column, assume_utc=self._assume_utc)
        self._faults.add_where(good & ~known, block.lines, column, lambda row: self._time_fault(cells[row].as_py()))
        good &= known
        inside = (microseconds >= to_microseconds(EARLIEST)) & (microseconds <= to_microseconds(self._now + HORIZON))
        self._faults.add_where(good & ~inside, block.lines, column, lambda row: self._range_fault(int(microseconds[row])))
        good &= inside
        whole = microseconds % STEP_MICROSECONDS == 0
        self._faults.add_where(
            good & ~whole,
            block.lines,
            column,
            lambda row: f"{shown(cells[row].as_py())} does not start a whole step of an hour or of 5, 10, 15, 20 or 30 minutes",
        )
        good &= whole
        return microseconds

    def _time_fault(self, cell: object) -> str:
        if cell is None or cell == "":
            return "the time is missing"
        if not isinstance(cell, str):
            return f"the time {shown(cell)} has no offset; if the file is in UTC, say so with assume_utc (--assume-utc)"
        try:
            parse_time(cell.strip().replace(" ", "T", 1))
        except ValueError as error:
            hint = ", or say that the file is in UTC with assume_utc (--assume-utc)" if "no offset" in str(error) else ""
            return f"{shown(cell)} is not accepted: {error}{hint}"
        return f"{shown(cell)} is not a time"

    def _range_fault(self, microseconds: int) -> str:
        try:
            check_range(from_microseconds(microseconds), self._now)
        except ValueError as error:
            return str(error)
        except OverflowError:
            return "the time lies outside the years that Gridgram knows"
        return "the time is not accepted"

    def _check_future(
        self,
        block: Block,
        microseconds: NDArray[np.int64],
        quality: NDArray[np.uint8],
        good: NDArray[np.bool_],
    ) -> None:
        claims = (microseconds > to_microseconds(self._now)) & (quality != QUALITY_CODES[Quality.FORECAST])
        self._faults.add_where(
            good & claims,
            block.lines,
            self._layout.columns["start"],
            lambda row: f"{format_time(from_microseconds(int(microseconds[row])))} is still to come; only forecast may be its quality",
        )
        good &= ~claims

    def _quality(self, block: Block, good: NDArray[np.bool_]) -> NDArray[np.uint8]:
        if self._layout.is_portal:
            # Without the flag nothing says that an hour was measured.
            words = {word: QUALITY_CODES[quality] for word, quality in _ESTIMATED.items()}
            return self._codes(block, "estimated", words, QUALITY_CODES[Quality.ESTIMATED], good)
        words = {str(quality): QUALITY_CODES[quality] for quality in IMPORTED_QUALITIES}
        return self._codes(block, "quality", words, QUALITY_CODES[Quality.MEASURED], good)

    def _codes(self, block: Block, ours: str, words: dict[str, int], default: int, good: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The codes of a column of words; an absent column and an empty cell have the default, an unknown word is a fault."""
        column = self._layout.columns.get(ours)
        if column is None:
            return np.full(len(good), default, np.uint8)
        names, place = distinct(block.cells[column], column)
        found = [words.get(text.lower(), -1) if (text := text_of(name)) else default for name in names]
        codes = np.array(found or [default], np.int16)[place]
        self._faults.add_where(
            good & (codes < 0),
            block.lines,
            column,
            lambda row: f"{shown(names[place[row]])} is not one of {', '.join(words)}",
        )
        good &= codes >= 0
        return np.where(codes < 0, 0, codes).astype(np.uint8)

    def _numbers(self, block: Block, column: str, good: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The intensities of a column; a cell that is none is a fault, an empty one in the portal's file only a hole."""
        cells = block.cells[column]
        numbers, known = floats(cells, column)
        if self._layout.is_portal:
            good &= known | ~is_empty(cells)
        sound = known & np.isfinite(numbers) & (numbers >= 0) & (numbers <= MAX_G_PER_KWH)
        self._faults.add_where(good & ~sound, block.lines, column, lambda row: _number_fault(cells[row].as_py(), numbers[row]))
        good &= sound
        return numbers

    def _band(
        self,
        block: Block,
        column: str,
        numbers: NDArray[np.float64],
        good: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The low and high ends; where the file has none, or an empty cell, the number itself."""
        ends = {"low": numbers, "high": numbers}
        for ours in ends:
            name = self._layout.columns.get(ours)
            if name is not None:
                empty = is_empty(block.cells[name])
                stated = good & ~empty
                read = self._numbers(block, name, stated)
                good &= stated | empty
                ends[ours] = np.where(empty, numbers, read)
        crossed = (ends["low"] > numbers) | (ends["high"] < numbers)
        self._faults.add_where(good & crossed, block.lines, column, lambda row: f"{numbers[row]:g} is not between its low and its high")
        good &= ~crossed
        return ends["low"], ends["high"]


def _number_fault(cell: object, number: float) -> str:
    if cell is None or cell == "":
        return "the number is missing; leave the row out if the hour is unknown"
    if np.isfinite(number) and number < 0:
        return f"{shown(cell)} is negative"
    if np.isfinite(number) and number > MAX_G_PER_KWH:
        return f"{shown(cell)} is more than {MAX_G_PER_KWH:g} g/kWh; is its unit another one?"
    return f"{shown(cell)} is not a finite decimal number in g/kWh"
