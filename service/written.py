"""Hours of jobs, written beforehand: what an answer says of a held hour is the same in every answer, but for the energy.

The JSON of a month's hours is kept in pieces, between which go the two numbers that the energy decides. A day is written when it is
first used, and forgotten with its month: hours that change are another month object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

import orjson

from gridgram.interval import HOURS_PER_DAY, format_hours
from service.answers import QUALITY_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.series import IntensitySeries
    from gridgram.sums import MonthChunk

KEPT_BYTES: Final = 16 * 1024 * 1024
"""Once what is written takes so much, all of it is forgotten, and written again as it is used."""
MONTH_BYTES, DAY_BYTES = 40_000, 7_000
"""What a month takes before anything of it is written, and what each day of it adds."""
PIECES: Final = 5
"""An hour is made of so many: opening, energy, middle, emissions, closing."""


class WrittenHours(NamedTuple):
    """Consecutive hours: their numbers [gCO2e/kWh], codes of quality, places in the series' sources, and the texts between the numbers."""

    g_per_kwh: list[float]
    low: list[float]
    high: list[float]
    quality: bytes
    source: bytes
    openings: list[bytes]
    middles: list[bytes]
    closings: list[bytes]

    def part(self, first: int, end: int) -> WrittenHours:
        """The hours at the places [first, end)."""
        part = slice(first, end)
        return WrittenHours(
            self.g_per_kwh[part],
            self.low[part],
            self.high[part],
            self.quality[part],
            self.source[part],
            self.openings[part],
            self.middles[part],
            self.closings[part],
        )

    def json(self, kwh: Sequence[float], emissions_g: Sequence[float]) -> bytes:
        """The hours as a JSON list, each with its energy and its emissions. [kWh, gCO2e]"""
        count = len(self.openings)
        numbers = orjson.dumps([*kwh, *emissions_g])[1:-1].split(b",")
        pieces = [b""] * (PIECES * count)
        pieces[0::PIECES] = self.openings
        pieces[1::PIECES] = numbers[:count]
        pieces[2::PIECES] = self.middles
        pieces[3::PIECES] = numbers[count:]
        pieces[4::PIECES] = self.closings
        return b"[%b]" % b"".join(pieces)[1:]


class WrittenMonths:
    """The months of which hours are written, in at most `most_bytes`. Belongs to one event loop."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes = most_bytes
        self.nbytes = 0
        self._months: WeakKeyDictionary[MonthChunk, WrittenHours] = WeakKeyDictionary()

    def hours(self, chunk: MonthChunk, first_hour: int, end_hour: int) -> WrittenHours:
        """The hours [first_hour, end_hour) of a month, which must hold them all. Of an hour that is missing the numbers are NaN."""
        series = chunk.series
        month = self._months.get(chunk)
        if month is None:
            month = self._months[chunk] = _unwritten(series)
            self.nbytes += MONTH_BYTES
        first, end = first_hour - series.first_hour, end_hour - series.first_hour
        for place in range(first - first % HOURS_PER_DAY, end, HOURS_PER_DAY):
            if not month.openings[place]:
                _write_day(month, series, place)
                self.nbytes += DAY_BYTES
        if self.nbytes > self._most_bytes:
            self._months.clear()
            self.nbytes = 0
        return month.part(first, end)


def _unwritten(series: IntensitySeries) -> WrittenHours:
    count = len(series.g_per_kwh)
    numbers, texts = [0.0] * count, [b""] * count
    codes = series.quality.tobytes(), series.source.tobytes()
    return WrittenHours(numbers, numbers.copy(), numbers.copy(), *codes, texts, texts.copy(), texts.copy())


def _write_day(month: WrittenHours, series: IntensitySeries, place: int) -> None:
    """Write the hours of one day, the first of which is at this place of the month."""
    day = slice(place, place + HOURS_PER_DAY)
    columns = [column[day].tolist() for column in (series.g_per_kwh, series.low, series.high)]
    month.g_per_kwh[day], month.low[day], month.high[day] = columns
    starts = format_hours(range(series.first_hour + place, series.first_hour + place + HOURS_PER_DAY))
    month.openings[day] = [b',{"start":"%b","kwh":' % start.encode() for start in starts]
    numbers = [orjson.dumps(column)[1:-1].split(b",") for column in columns]
    month.middles[day] = [b',"g_per_kwh":%b,"low":%b,"high":%b,"emissions_g":' % row for row in zip(*numbers, strict=True)]
    providers = [source.provider for source in series.sources]
    closings = {
        kind: b',"quality":%b,"provider":%b}' % (orjson.dumps(QUALITY_NAMES[kind[0]]), orjson.dumps(providers[kind[1]]))
        for kind in set(zip(month.quality[day], month.source[day], strict=True))
        if kind[0]
    }
    month.closings[day] = [closings.get(kind, b"") for kind in zip(month.quality[day], month.source[day], strict=True)]
