"""Hourly generation by fuel of one zone, with explicit holes and the source of every hour.

Packed as arrays: an hour whose quality byte is 0 is missing. A fuel that the source of an hour does not report is NaN there, never 0;
neither leaves the house. All fuels of one hour are of one source: hours are laid over each other whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.fuels import Fuel
from gridgram.interval import months_between
from gridgram.quality import MISSING_CODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gridgram.interval import Month

FUELS: Final = tuple(Fuel)
"""The columns of a mix, in this order."""
MAX_SOURCES: Final = 255
_MISSING_RANK: Final = 255


class MixUnit(StrEnum):
    """What the numbers of a source are: mean power, or percent of a whole that it does not tell, of which only the shares mean anything."""

    MEGAWATTS = "MW"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class MixSource:
    """Who tells the mix of hours, in which unit, and under which terms."""

    provider: str
    unit: MixUnit
    licence: str
    attribution: str


@dataclass(frozen=True, slots=True, eq=False)
class MixSeries:
    """Consecutive hours of one zone. [mean MW or percent, as the source of the hour says]

    `generation` has a row an hour, the first for the hour numbered `first_hour`, and a column for each of `FUELS`. `quality` holds the
    codes of `gridgram.quality` (0 = missing), `source` the place in `sources`, `fetched_at` when the hour came [microseconds since 1970].
    """

    zone: str
    first_hour: int
    generation: NDArray[np.float64]
    quality: NDArray[np.uint8]
    source: NDArray[np.uint8]
    fetched_at: NDArray[np.int64]
    sources: tuple[MixSource, ...]

    @property
    def end_hour(self) -> int:
        """The number of the first hour after the series."""
        return self.first_hour + len(self.quality)

    def window(self, first_hour: int, end_hour: int) -> MixSeries:
        """The hours [first_hour, end_hour) of this series, which must hold them all; the arrays are views."""
        if first_hour < self.first_hour or end_hour > self.end_hour:
            msg = f"hours {first_hour} to {end_hour} are not all inside {self.first_hour} to {self.end_hour}"
            raise ValueError(msg)
        part = slice(first_hour - self.first_hour, end_hour - self.first_hour)
        return replace(
            self,
            first_hour=first_hour,
            generation=self.generation[part],
            quality=self.quality[part],
            source=self.source[part],
            fetched_at=self.fetched_at[part],
        )


def missing_mix(zone: str, first_hour: int, hours: int) -> MixSeries:
    """A series of so many hours, all of them missing."""
    codes = np.zeros(hours, np.uint8)
    return MixSeries(zone, first_hour, np.full((hours, len(FUELS)), np.nan), codes, codes, np.zeros(hours, np.int64), ())


def spanned_mix(mix: MixSeries, first_hour: int, end_hour: int) -> MixSeries:
    """The hours [first_hour, end_hour) of a series; those that it lacks are missing."""
    kept = mix.window(max(first_hour, mix.first_hour), min(end_hour, mix.end_hour))
    pad = kept.first_hour - first_hour, end_hour - kept.end_hour
    return replace(
        kept,
        first_hour=first_hour,
        generation=np.pad(kept.generation, (pad, (0, 0)), constant_values=np.nan),
        quality=np.pad(kept.quality, pad),
        source=np.pad(kept.source, pad),
        fetched_at=np.pad(kept.fetched_at, pad),
    )


def month_mixes(mix: MixSeries) -> dict[Month, MixSeries]:
    """The series cut into whole UTC months, in order, with explicit holes; a month without any hour is left out."""
    months = ((month, spanned_mix(mix, month.first_hour, month.next.first_hour)) for month in months_between(mix.first_hour, mix.end_hour))
    return {month: part for month, part in months if part.quality.any()}


def joined_mix(parts: Sequence[MixSeries]) -> MixSeries:
    """Consecutive series of one zone as one, each source named once."""
    place: dict[MixSource, int] = {}
    moved = [np.array([place.setdefault(source, len(place)) for source in part.sources] or [0], np.uint8)[part.source] for part in parts]
    return replace(
        parts[0],
        generation=np.concatenate([part.generation for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
        source=np.concatenate(moved),
        fetched_at=np.concatenate([part.fetched_at for part in parts]),
        sources=tuple(place),
    )


def overlay_mix(base: MixSeries, new: MixSeries) -> tuple[MixSeries, int]:
    """Lay new hours over those of a base that spans them all; the hours then, and how many of them are new.

    A new hour wins whole when it is present and of the same quality as the old one or better. One that says the same (fuels, numbers,
    quality, source) leaves the old one, and when that came, as it was. Raises ValueError for two zones, or more sources than a series
    can name.
    """
    if base.zone != new.zone:
        msg = f"the mix of {new.zone} cannot be laid over that of {base.zone}"
        raise ValueError(msg)
    new = spanned_mix(new, base.first_hour, base.end_hour)
    sources, new_source = _joined_sources(base, new)
    is_same = (base.quality == new.quality) & (base.source == new_source) & _equal(base.generation, new.generation)
    wins = (new.quality != MISSING_CODE) & (new.quality <= _rank(base)) & ~is_same
    if not wins.any():
        return base, 0
    after = replace(
        base,
        generation=np.where(wins[:, None], new.generation, base.generation),
        quality=np.where(wins, new.quality, base.quality),
        source=np.where(wins, new_source, base.source),
        fetched_at=np.where(wins, new.fetched_at, base.fetched_at),
        sources=sources,
    )
    return after, int(wins.sum())


def _rank(mix: MixSeries) -> NDArray[np.uint8]:
    return np.where(mix.quality == MISSING_CODE, np.uint8(_MISSING_RANK), mix.quality)


def _equal(old: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows hold the same numbers of the same fuels."""
    same: NDArray[np.bool_] = ((old == new) | (np.isnan(old) & np.isnan(new))).all(axis=1)
    return same


def _joined_sources(base: MixSeries, new: MixSeries) -> tuple[tuple[MixSource, ...], NDArray[np.uint8]]:
    """The sources of both, each once, and the new series' source column in their numbering."""
    sources = tuple(dict.fromkeys((*base.sources, *new.sources)))
    if len(sources) > MAX_SOURCES:
        msg = f"more than {MAX_SOURCES} different sources in one series"
        raise ValueError(msg)
    moved = np.array([sources.index(source) for source in new.sources] or [0], np.uint8)
    return sources, np.where(new.quality == MISSING_CODE, np.uint8(0), moved[new.source])
