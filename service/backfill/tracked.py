"""A tracker's log as jobs: what CodeCarbon's and Eco2AI's files have in common.

A row tells when it began or ended on a local clock, how long it lasted, its energy with the PUE in it, and its place. Each place is looked
up once; each row's clock is the one that the user names, else that of its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np

from service.backfill.cells import Columns, equals
from service.backfill.clocks import doubt, times
from service.backfill.jobs import JobColumns
from service.backfill.stamps import time_zone
from service.backfill.tracker_places import FoundPlace, ToldPlace, clock_of, find_place
from service.importing.arrow import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from service.backfill.jobs import Cells, ReadOptions
    from service.backfill.table import Rows

US_PER_SECOND = 1_000_000
MAX_SECONDS = 20 * 8_784 * 3_600
"""Twenty years; a longer row is a slip."""
WITHOUT_CLOCK = "the times have no offset"
NO_CLOCK = WITHOUT_CLOCK + " and {} has several clocks; say which with --tz, for example --tz America/New_York"
NO_PLACE = WITHOUT_CLOCK + " and no place says whose clock it was; say with --tz, for example --tz Europe/Paris"

Tell: TypeAlias = Callable[[tuple[str, ...]], ToldPlace]
"""The place that the cells of a row tell."""


@dataclass(frozen=True, slots=True)
class TrackedPlaces:
    """The place of each row: its location, and a number for its clock, -1 for none."""

    locations: Cells
    clock: NDArray[np.int64]
    clocks: tuple[ZoneInfo, ...]


class PlaceFinder:
    """Finds the place of rows by their columns; equal cells are looked up once."""

    def __init__(self, names: tuple[str, ...], tell: Tell, options: ReadOptions) -> None:
        self._names = names
        self._found = lru_cache(maxsize=65_536)(lambda cells: find_place(tell(cells)))
        self._location = options.location or ""
        self._clock = time_zone(options.time_zone) if options.time_zone else None
        self._own = FoundPlace(self._location, clock_of(self._location))

    def of(self, columns: Columns) -> TrackedPlaces:
        """The places of a batch."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        kinds, kind_of = _combined([columns.texts(name) for name in self._names], columns.count)
        places = [self._found(kind) for kind in kinds]
        places = [place if place.location else self._own for place in places]
        names = [place.location for place in places]
        locations = pa.DictionaryArray.from_arrays(pa.array(kind_of.astype(np.int32)), pa.array(names, pa.string()))
        if self._clock is not None:
            return TrackedPlaces(locations, np.zeros(columns.count, np.int64), (self._clock,))
        keys = sorted({place.clock for place in places if place.clock})
        number = np.array([keys.index(place.clock) if place.clock else -1 for place in places], np.int64)
        return TrackedPlaces(locations, number[kind_of], tuple(map(ZoneInfo, keys)))


def _combined(columns: list[Cells], count: int) -> tuple[list[tuple[str, ...]], NDArray[np.int64]]:
    """The distinct combinations of some columns of text, and each row's place among them."""
    words_of, number = [], np.zeros(count, np.int64)
    for cells in columns:
        words, place = distinct(cells, "")
        words_of.append(words)
        number = number * len(words) + place
    numbers, kind_of = np.unique(number, return_inverse=True)
    kinds = []
    for combined in numbers.tolist():
        rest, cells_of = combined, []
        for words in reversed(words_of):
            rest, place = divmod(rest, len(words))
            cells_of.append(words[place] or "")
        kinds.append(tuple(reversed(cells_of)))
    return kinds, kind_of


def moments(columns: Columns, name: str, places: TrackedPlaces) -> NDArray[np.int64]:
    """The instants of a column, each by its row's clock [microseconds since 1970, UTC]; what is not sure becomes a fault."""
    if len(places.clocks) == 1 and (places.clock == 0).all():
        found, doubtful = times(columns, name, places.clocks[0])
        doubt(columns, name, doubtful, places.clocks[0])
        return found
    found = np.zeros(columns.count, np.int64)
    for number in np.unique(places.clock).tolist():
        rows = np.flatnonzero(places.clock == number)
        clock = places.clocks[number] if number >= 0 else None
        part = Columns(columns.batch.take(rows))
        found[rows], doubtful = times(part, name, clock)
        doubt(part, name, doubtful, clock)
        for row, reason in part.faults.items():
            columns.faults.setdefault(int(rows[row]), _said(reason, str(places.locations[int(rows[row])].as_py() or "")))
    return found


def _said(reason: str, location: str) -> str:
    """A fault of a time; one without a clock says why the place gives none."""
    if "has no offset" not in reason:
        return reason
    return NO_CLOCK.format(location) if location else NO_PLACE


def lengths(columns: Columns, name: str) -> NDArray[np.int64]:
    """A column of seconds as microseconds; what is not above 0 becomes a fault."""
    seconds = columns.numbers(name, missing="the duration is missing")
    columns.fault(
        ~np.isnan(seconds) & ~((seconds > 0) & (seconds <= MAX_SECONDS)), lambda row: f"column {name}: {seconds[row]:g} s is no duration"
    )
    good = np.where((seconds > 0) & (seconds <= MAX_SECONDS), seconds, 0.0)
    found: NDArray[np.int64] = np.maximum(np.rint(good * US_PER_SECOND), good > 0).astype(np.int64)
    return found


def jobs_of(rows: Rows, columns: Columns, places: TrackedPlaces, **told: Any) -> JobColumns:  # noqa: ANN401 - fields of JobColumns
    """The jobs of a batch, whose energy holds the PUE already."""
    return JobColumns(
        line=rows.lines,
        location=places.locations,
        pue=np.ones(columns.count),
        own=rows.batch,
        faults=columns.faults,
        torn=rows.torn,
        **told,
    )


def names_of(columns: Columns, name: str) -> Cells:
    """A column of names, null where a cell is empty."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    texts = columns.texts(name)
    return compute.if_else(pa.array(equals(texts, "")), None, texts)
