"""Eco2AI's emission.csv: one row a run, or one an epoch of a training, each with its own energy.

`start_time` is the machine's local time, `power_consumption(kWh)` an energy that holds the tracker's PUE already.
`region/country` is written country first: FR, FR/Paris or (FR/Paris); WORLD is no place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from service.backfill.cells import Columns
from service.backfill.readers.plain import open_table
from service.backfill.told_runs import ToldRuns
from service.backfill.tracked import PlaceFinder, jobs_of, lengths, moments, names_of
from service.backfill.tracker_places import ToldPlace
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from service.backfill.jobs import Head, JobColumns, ReadOptions

START, LENGTH, ENERGY = "start_time", "duration(s)", "power_consumption(kWh)"
NEEDED: Final = (START, LENGTH, ENERGY)
PLACE: Final = "region/country"
NOWHERE: Final = {"", "WORLD", "NONE", "N/A"}


class Eco2AiReader:
    """The format `eco2ai`."""

    name = "eco2ai"
    rank = 10

    def recognises(self, head: Head) -> bool:
        """Whether the header has the columns that are read."""
        return set(head.header) >= set(NEEDED)

    def open(self, path: Path, options: ReadOptions) -> Eco2AiFile:
        """Open a file. Raises InvalidInput when a column that is needed is missing."""
        return Eco2AiFile(path, options)


READER = Eco2AiReader()


class Eco2AiFile:
    """An open emission.csv."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._table = open_table(path)
        if missing := [name for name in NEEDED if name not in self._table.schema.names]:
            raise refused("header", f"{path.name} is no emission.csv of Eco2AI: it has no column {' and no column '.join(missing)}")
        self._places = PlaceFinder((PLACE,), told_place, options)
        self._runs = ToldRuns(path.name, self._jobs, _names)
        self.unit = self._table.unit
        self.own_schema = self._table.schema

    def read(self) -> Iterator[JobColumns]:
        """All rows; one that is told again, further on, is skipped."""
        return self._runs.read()

    def _jobs(self) -> Iterator[tuple[JobColumns, NDArray[np.int64]]]:
        for rows in self._table.rows():
            columns = Columns(rows.batch)
            places = self._places.of(columns)
            start = moments(columns, START, places)
            length = lengths(columns, LENGTH)
            energy = columns.numbers(ENERGY, missing="the energy is missing")
            project = names_of(columns, "project_name")
            jobs = jobs_of(rows, columns, places, start_us=start, end_us=start + length, energy_kwh=energy, project=project)
            yield jobs, np.flatnonzero(columns.sound())


def _names(columns: Columns) -> tuple[list[str], NDArray[np.bool_]]:
    """The run of each row, an epoch being one; a row without an id is its own."""
    ids, epochs = columns.texts("id").to_pylist(), columns.texts("epoch").to_pylist()
    named = np.array([bool(name) and name != "N/A" for name in ids], np.bool_)
    return [f"{name}\0{epoch}" for name, epoch in zip(ids, epochs, strict=True)], named


def told_place(cells: tuple[str, ...]) -> ToldPlace:
    """The country and region of a text like (FR/Paris)."""
    country, _, region = cells[0].removeprefix("(").removesuffix(")").partition("/")
    country = country.strip()
    return ToldPlace("" if country.upper() in NOWHERE else country, region.strip())
