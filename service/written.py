"""Answers written beforehand: what stands in the answers to many jobs is written once, with gaps for what each job decides.

Of a held hour all but energy and emissions is the same in every answer; of the answer itself all but span and sums, while its hours are
of one quality and source. Hours are written a day at a time, when they are first used, and forgotten with their month: hours that change
are another month object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import orjson

from gridgram.emissions import HourColumns
from gridgram.interval import HOURS_PER_DAY, format_microseconds
from gridgram.quality import Scope, Signal
from gridgram.series import Source
from service.answers import emissions_answer, job_hours_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.emissions import Emissions
    from gridgram.locations import Place
    from gridgram.sums import MonthChunk
    from service.jobs import Job

KEPT_BYTES: Final = 16 * 1024 * 1024
"""Once what is written takes so much, all of it is forgotten, and written again as it is used."""
MONTH_BYTES, DAY_BYTES = 80_000, 7_000
"""What a month takes at most besides its days, and what each day of it adds."""
KEPT_ANSWERS: Final = 32
"""Of a month: one a location and kind of hour."""
_GAP: Final = orjson.Fragment(b"\0")
"""In JSON there is no such byte."""
_DECIDED: Final = (
    "start",
    "end",
    "energy_kwh",
    "pue",
    "facility_energy_kwh",
    "emissions_g",
    "emissions_low_g",
    "emissions_high_g",
    "intensity_g_per_kwh",
)
"""What each job decides of its answer, in its order."""
_NOBODY: Final = Source("", Signal.LIFECYCLE, Scope.UNSTATED, "", "")
"""In a month without any hour; such an hour is never part of an answer."""


class WrittenMonth:
    """The hours of a month as lists, and their texts with gaps; what is not written yet is empty."""

    def __init__(self, chunk: MonthChunk) -> None:
        series = self._series = chunk.series
        count = len(series.g_per_kwh)
        self._g_per_kwh, self._low, self._high = [0.0] * count, [0.0] * count, [0.0] * count
        self._quality, self._source = series.quality.tobytes(), series.source.tobytes()
        self._texts = [b""] * count
        self._answers: dict[tuple[str, int, int], bytes] = {}
        self.days = 0

    def columns(self, hours: range, kwh: Sequence[float]) -> HourColumns:
        """As `gridgram.emissions.hour_columns`, for hours that the month holds all; one that is missing has quality 0 and NaN."""
        series = self._series
        part = slice(hours.start - series.first_hour, hours.stop - series.first_hour)
        for place in range(part.start - part.start % HOURS_PER_DAY, part.stop, HOURS_PER_DAY):
            if not self._texts[place]:
                self._write_day(place)
        numbers = self._g_per_kwh[part], self._low[part], self._high[part]
        return HourColumns(hours, kwh, *numbers, self._quality[part], self._source[part], series.sources)

    def hours_json(self, hours: range, kwh: Sequence[float], emissions_g: Sequence[float]) -> bytes:
        """The JSON list of hours of which the columns were asked for, with the energy and the emissions of each. [kWh, gCO2e]"""
        first_hour = self._series.first_hour
        numbers = [0.0] * (2 * len(hours))
        numbers[0::2] = kwh
        numbers[1::2] = emissions_g
        text = b",".join(self._texts[hours.start - first_hour : hours.stop - first_hour])
        return b"[%b]" % (text % _written(numbers))

    def answer_json(self, place: Place, job: Job, emissions: Emissions, columns: HourColumns) -> bytes:
        """The JSON of `service.answers.emissions_answer`."""
        if len(emissions.shares) > 1:
            return orjson.dumps(emissions_answer(place, job, emissions))
        key = place.location, columns.quality[0], columns.source[0]
        text = self._answers.get(key)
        if text is None:
            if len(self._answers) >= KEPT_ANSWERS:
                self._answers.clear()
            gaps = dict.fromkeys(_DECIDED, _GAP)
            text = self._answers[key] = _with_gaps({**emissions_answer(place, job, emissions), **gaps})
        profile = job.profile
        decided = (format_microseconds(profile.start), format_microseconds(profile.end), emissions.energy_kwh, job.pue, *emissions[1:6])
        return text % _written(decided)

    def _write_day(self, place: int) -> None:
        """Write the hours of one day, the first of which is at this place of the month."""
        series, day, first_hour = self._series, slice(place, place + HOURS_PER_DAY), self._series.first_hour + place
        g_per_kwh, low, high = series.g_per_kwh[day].tolist(), series.low[day].tolist(), series.high[day].tolist()
        self._g_per_kwh[day], self._low[day], self._high[day] = g_per_kwh, low, high
        hours, kwh, sources = range(first_hour, first_hour + HOURS_PER_DAY), [0.0] * HOURS_PER_DAY, series.sources or (_NOBODY,)
        columns = HourColumns(hours, kwh, g_per_kwh, low, high, self._quality[day], self._source[day], sources)
        self._texts[day] = [_with_gaps({**hour, "kwh": _GAP, "emissions_g": _GAP}) for hour in job_hours_answer(columns)]
        self.days += 1


class WrittenMonths:
    """The months of which something is written, in at most `most_bytes`. Belongs to one event loop."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes = most_bytes
        self._months: WeakKeyDictionary[MonthChunk, WrittenMonth] = WeakKeyDictionary()

    @property
    def nbytes(self) -> int:
        """What is written takes so much at most. [bytes]"""
        return sum(MONTH_BYTES + DAY_BYTES * month.days for month in self._months.values())

    def of(self, chunk: MonthChunk) -> WrittenMonth:
        """What is written of a month."""
        month = self._months.get(chunk)
        if month is None:
            if self.nbytes > self._most_bytes - MONTH_BYTES:
                self._months.clear()
            month = self._months[chunk] = WrittenMonth(chunk)
        return month


def _with_gaps(members: dict[str, Any]) -> bytes:
    """The JSON of these members, to be filled in by % where they are gaps."""
    return orjson.dumps(members).replace(b"%", b"%%").replace(b"\0", b"%b")


def _written(members: Sequence[float | str]) -> tuple[bytes, ...]:
    """The JSON of each of some numbers and of texts without commas."""
    return tuple(orjson.dumps(members)[1:-1].split(b","))
