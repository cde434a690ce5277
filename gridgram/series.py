"""Hourly intensity of one zone and one signal, with explicit holes and the source of every hour.

Packed as arrays: an hour whose quality byte is 0 is missing and its numbers are NaN, which never leave the house.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.interval import EPOCH, Month, months_between
from gridgram.quality import MISSING_CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from gridgram.quality import Scope, Signal

FILE_PROVIDER: Final = "file"
"""The provider of a user's own hours, which outranks all others."""
MAX_SOURCES: Final = 255
"""A packed month names no more sources than this; the oldest fetches of one source become one entry first."""

_NOT_FROM_FILE: Final = 16
_MISSING_RANK: Final = 255
_OTHERS: Final = " and others"


@dataclass(frozen=True, slots=True)
class Source:
    """Where hours come from: the provider, what its numbers count, the terms they are under, and when they were fetched.

    `detail` is one sentence on vintage and method; `fetched_at` is None for what ships with the package.
    """

    provider: str
    signal: Signal
    scope: Scope
    licence: str
    attribution: str
    fetched_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class IntensitySeries:
    """Consecutive hours of one zone and one signal. [gCO2e/kWh]

    All arrays have one entry an hour, the first for the hour numbered `first_hour`. `quality` holds the codes of
    `gridgram.quality` (0 = missing), `source` the place in `sources`. `low` and `high` span the p10-p90 band.
    """

    zone: str
    signal: Signal
    first_hour: int
    g_per_kwh: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    quality: NDArray[np.uint8]
    source: NDArray[np.uint8]
    sources: tuple[Source, ...]

    @property
    def end_hour(self) -> int:
        """The number of the first hour after the series."""
        return self.first_hour + len(self.g_per_kwh)

    @property
    def is_complete(self) -> bool:
        """Whether no hour is missing."""
        return bool((self.quality != MISSING_CODE).all())

    def window(self, first_hour: int, end_hour: int) -> IntensitySeries:
        """The hours [first_hour, end_hour) of this series, which must hold them all; the arrays are views."""
        if first_hour == self.first_hour and end_hour == self.end_hour:
            return self
        if first_hour < self.first_hour or end_hour > self.end_hour:
            msg = f"hours {first_hour} to {end_hour} are not all inside {self.first_hour} to {self.end_hour}"
            raise ValueError(msg)
        part = slice(first_hour - self.first_hour, end_hour - self.first_hour)
        return IntensitySeries(
            self.zone,
            self.signal,
            first_hour,
            self.g_per_kwh[part],
            self.low[part],
            self.high[part],
            self.quality[part],
            self.source[part],
            self.sources,
        )


def missing_series(zone: str, signal: Signal, first_hour: int, hours: int) -> IntensitySeries:
    """A series of so many hours, all of them missing."""
    return IntensitySeries(
        zone,
        signal,
        first_hour,
        np.full(hours, np.nan),
        np.full(hours, np.nan),
        np.full(hours, np.nan),
        np.zeros(hours, np.uint8),
        np.zeros(hours, np.uint8),
        (),
    )


def spanned(series: IntensitySeries, first_hour: int, end_hour: int) -> IntensitySeries:
    """The series over [first_hour, end_hour), which must hold all of its span; hours that it lacks are missing."""
    if first_hour == series.first_hour and end_hour == series.end_hour:
        return series
    before, after = series.first_hour - first_hour, end_hour - series.end_hour
    if before < 0 or after < 0:
        msg = f"hours {series.first_hour} to {series.end_hour} are not all inside {first_hour} to {end_hour}"
        raise ValueError(msg)

    def numbers(column: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.pad(column, (before, after), constant_values=np.nan)

    return replace(
        series,
        first_hour=first_hour,
        g_per_kwh=numbers(series.g_per_kwh),
        low=numbers(series.low),
        high=numbers(series.high),
        quality=np.pad(series.quality, (before, after)),
        source=np.pad(series.source, (before, after)),
    )


def month_series(series: IntensitySeries) -> dict[Month, IntensitySeries]:
    """The series cut into whole UTC months, in order, with explicit holes; a month without any hour is left out."""
    months: dict[Month, IntensitySeries] = {}
    for month in months_between(series.first_hour, series.end_hour):
        first_hour, end_hour = month.first_hour, month.next.first_hour
        part = series.window(max(first_hour, series.first_hour), min(end_hour, series.end_hour))
        if part.quality.any():
            months[month] = _with_used_sources(spanned(part, first_hour, end_hour))
    return months


def overlay(base: IntensitySeries, new: IntensitySeries) -> IntensitySeries:
    """Lay new hours over old ones, hour by hour: the new hour wins when it is present and ranks as well as the old one or better.

    Rank: a user's own file first, then the better quality. An hour that says the same (numbers, quality, provider, scope, licence)
    stays as it was, `fetched_at` included. The answer spans both; hours that neither holds are missing. Sources are compared by value,
    those that no hour uses are dropped; past 255 of them, see `_bounded`. Raises ValueError for two zones or two signals.
    """
    if (base.zone, base.signal) != (new.zone, new.signal):
        msg = f"{new.zone} {new.signal} cannot be laid over {base.zone} {base.signal}"
        raise ValueError(msg)
    if not new.quality.any():
        return base
    first_hour, end_hour = min(base.first_hour, new.first_hour), max(base.end_hour, new.end_hour)
    base, new = spanned(base, first_hour, end_hour), spanned(new, first_hour, end_hour)
    sources, new_source = _joined_sources(base, new)
    wins = (new.quality != MISSING_CODE) & (_rank(new) <= _rank(base)) & ~_says_the_same(base, new)
    if wins.all():
        return _with_used_sources(new)
    source = np.where(wins, new_source, base.source)
    return _with_used_sources(
        IntensitySeries(
            base.zone,
            base.signal,
            first_hour,
            np.where(wins, new.g_per_kwh, base.g_per_kwh),
            np.where(wins, new.low, base.low),
            np.where(wins, new.high, base.high),
            np.where(wins, new.quality, base.quality),
            source,
            sources,
        ),
    )


def joined(parts: Sequence[IntensitySeries]) -> IntensitySeries:
    """Consecutive series of one zone and one signal as one, each source named once; past 255 sources, see `_bounded`.

    Of a single one the numbers are not copied.
    """
    if len(parts) == 1:
        return _with_used_sources(parts[0])
    place: dict[Source, int] = {}
    columns = []
    for series in parts:
        moved = [place.setdefault(source, len(place)) for source in series.sources] or [0]
        columns.append(np.array(moved, np.int64)[series.source])
    first = parts[0]
    whole = IntensitySeries(
        first.zone,
        first.signal,
        first.first_hour,
        np.concatenate([series.g_per_kwh for series in parts]),
        np.concatenate([series.low for series in parts]),
        np.concatenate([series.high for series in parts]),
        np.concatenate([series.quality for series in parts]),
        np.concatenate(columns),
        tuple(place),
    )
    return _with_used_sources(whole)


def hours_changed(before: IntensitySeries, after: IntensitySeries) -> int:
    """How many hours differ between two series of the same span: in presence, numbers, quality or source."""
    place = {source: index for index, source in enumerate(before.sources)}
    moved = np.array([place.get(source, -1) for source in after.sources] or [-1])
    present = after.quality != MISSING_CODE
    differs = (before.quality != after.quality) | (
        present
        & (
            (before.g_per_kwh != after.g_per_kwh)
            | (before.low != after.low)
            | (before.high != after.high)
            | (before.source != moved[np.where(present, after.source, 0)])
        )
    )
    return int(differs.sum())


def _rank(series: IntensitySeries) -> NDArray[np.int16]:
    outside = np.array([0 if source.provider == FILE_PROVIDER else _NOT_FROM_FILE for source in series.sources] or [0], np.int16)
    present = series.quality != MISSING_CODE
    ranks = outside[np.where(present, series.source, 0)] + series.quality
    return np.where(present, ranks, _MISSING_RANK).astype(np.int16)


def _says_the_same(base: IntensitySeries, new: IntensitySeries) -> NDArray[np.bool_]:
    """Which hours are present in both with the same numbers and quality, from sources that differ at most in vintage."""
    same: NDArray[np.bool_] = (
        (base.quality != MISSING_CODE)
        & (base.quality == new.quality)
        & (base.g_per_kwh == new.g_per_kwh)
        & (base.low == new.low)
        & (base.high == new.high)
    )
    if not same.any():
        return same
    numbers: dict[tuple[str, ...], int] = {}
    old_kind = np.array([numbers.setdefault(_kind(source), len(numbers)) for source in base.sources])
    new_kind = np.array([numbers.setdefault(_kind(source), len(numbers)) for source in new.sources])
    same[same] = old_kind[base.source[same]] == new_kind[new.source[same]]
    return same


def _kind(source: Source) -> tuple[str, ...]:
    return source.provider, source.signal, source.scope, source.licence


def _joined_sources(base: IntensitySeries, new: IntensitySeries) -> tuple[tuple[Source, ...], NDArray[np.int16]]:
    """The sources of both, each once, and the new series' source column in their numbering."""
    place = {source: index for index, source in enumerate(base.sources)}
    joined = list(base.sources)
    moved = []
    for source in new.sources:
        if source not in place:
            place[source] = len(joined)
            joined.append(source)
        moved.append(place[source])
    present = new.quality != MISSING_CODE
    return tuple(joined), np.array(moved or [0], np.int16)[np.where(present, new.source, 0)]


def _with_used_sources(series: IntensitySeries) -> IntensitySeries:
    """The same hours with a table of the sources that they use and no others; missing hours point at the first."""
    present = series.quality != MISSING_CODE
    used = np.flatnonzero(np.bincount(series.source[present]))
    kept, place_of_kept = _bounded([series.sources[index] for index in used])
    moved = np.zeros(len(series.sources) or 1, np.uint8)
    moved[used] = place_of_kept
    return replace(series, source=np.where(present, moved[np.where(present, series.source, 0)], np.uint8(0)), sources=kept)


def _bounded(sources: list[Source]) -> tuple[tuple[Source, ...], list[int]]:
    """At most 255 of the sources, and for each the place of the entry that now stands for it.

    Too many: the two oldest fetches of one source become one entry that keeps the earlier `fetched_at`, so an hour never looks
    fresher than it is. When all differ in more than the fetch, the oldest two of one provider, scope and licence become
    "<attribution> and others". Raises ValueError when there are more than 255 providers, scopes and licences.
    """
    entries = list(sources)
    for describe in (_without_fetch, _kind):
        while len(set(entries)) > MAX_SOURCES and (pair := _oldest_pair(set(entries), describe)):
            entries = [_joined(*pair) if entry in pair else entry for entry in entries]
    kept = tuple(dict.fromkeys(entries))
    if len(kept) > MAX_SOURCES:
        msg = f"more than {MAX_SOURCES} different sources in one series"
        raise ValueError(msg)
    place = {source: index for index, source in enumerate(kept)}
    return kept, [place[entry] for entry in entries]


def _without_fetch(source: Source) -> Hashable:
    return replace(source, fetched_at=None)


def _oldest_pair(sources: set[Source], describe: Callable[[Source], Hashable]) -> tuple[Source, Source] | None:
    """The earliest fetched sources, earlier one first, that have the same description; None when no two have."""
    seen: dict[Hashable, Source] = {}
    for source in sorted(sources, key=lambda source: (source.fetched_at or EPOCH, source.attribution, source.detail)):
        if earlier := seen.get(describe(source)):
            return earlier, source
        seen[describe(source)] = source
    return None


def _joined(earlier: Source, later: Source) -> Source:
    if earlier.attribution == later.attribution:
        return replace(earlier, detail=earlier.detail if earlier.detail == later.detail else "")
    return replace(earlier, attribution=f"{earlier.attribution.removesuffix(_OTHERS)}{_OTHERS}", detail="")
