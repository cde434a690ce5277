"""CodeCarbon's emissions.csv of every layout since 1.0; its columns are read by name, since their order changed between versions.

`timestamp` is the machine's local time when the row was written, which is the end of what it tells; `duration` is in s and
`energy_consumed` in kWh with the `pue` column already in it. A tracker that flushes writes the run's energy so far under the same `run_id`
(`experiment_id` in 1.x); rows of tasks (`task_name`) are parts of a run, each its own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from service.backfill.cells import Columns, equals
from service.backfill.readers.plain import open_table
from service.backfill.told_runs import ToldRuns
from service.backfill.tracked import PlaceFinder, jobs_of, lengths, moments, names_of
from service.backfill.tracker_places import ToldPlace
from service.importing.arrow import distinct
from service.importing.faults import refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from service.backfill.jobs import Head, JobColumns, ReadOptions
    from service.backfill.table import Rows

NEEDED: Final = ("timestamp", "duration", "energy_consumed")
SURE: Final = {*NEEDED, "emissions", "project_name"}
PLACE: Final = ("country_iso_code", "region", "latitude", "longitude", "cloud_provider", "cloud_region")
KIN: Final = ("project_name", "experiment_id", *PLACE, "os", "python_version", "cpu_model", "gpu_model", "tracking_mode")
"""What rows of one tracker have in common when it wrote no run_id."""
NUMBERS: Final = (
    "emissions",
    "emissions_rate",
    "cpu_power",
    "gpu_power",
    "ram_power",
    "cpu_energy",
    "gpu_energy",
    "ram_energy",
    "water_consumed",
    "longitude",
    "latitude",
    "ram_total_size",
    "cpu_utilization_percent",
    "gpu_utilization_percent",
    "ram_utilization_percent",
    "ram_used_gb",
    "pue",
    "wue",
)
"""Columns that hold a number or nothing; text in one of them tells of a row whose cells have moved."""
WORDS: Final = {
    "on_cloud": re.compile(r"(?:Y|N|True|False)?", re.IGNORECASE),
    "tracking_mode": re.compile(r"(?:machine|process)?"),
    "country_iso_code": re.compile(r"(?:[A-Za-z]{2,3})?"),
    "country_name": re.compile(r"[^0-9]*"),
}
"""Columns with few possible words, for the same reason."""
GLUED: Final = re.compile(r"^(.*[a-z_])(\d{4}-\d\d-\d\d[T ].*)$")


class CodeCarbonReader:
    """The format `codecarbon`."""

    name = "codecarbon"
    rank = 10

    def recognises(self, head: Head) -> bool:
        """Whether the header has the columns that every layout has."""
        return set(head.header) >= SURE

    def open(self, path: Path, options: ReadOptions) -> CodeCarbonFile:
        """Open a file. Raises InvalidInput when a column that is needed is missing."""
        return CodeCarbonFile(path, options)


READER = CodeCarbonReader()


class CodeCarbonFile:
    """An open emissions.csv, or the same table as Parquet or NDJSON."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._table = open_table(path)
        names = [name.strip() for name in self._table.schema.names]
        if glued := next(filter(None, map(GLUED.match, names)), None):
            raise refused("header", f"{path.name} has its first row glued to its header, at {shown(glued[2])}; put a line break before it")
        if missing := [name for name in NEEDED if name not in names]:
            raise refused("header", f"{path.name} is no emissions.csv of CodeCarbon: it has no column {' and no column '.join(missing)}")
        self._run = "run_id" if "run_id" in names else "experiment_id"
        self._places = PlaceFinder(PLACE, _told_place, options)
        self._runs = ToldRuns(path.name, self._jobs, self._names)
        self.unit = self._table.unit
        self.own_schema = self._table.schema

    def read(self) -> Iterator[JobColumns]:
        """All rows; those that repeat a run's energy so far are skipped. The file is read twice."""
        return self._runs.read()

    def _names(self, columns: Columns) -> tuple[list[str], NDArray[np.bool_]]:
        """The run of each row; where none is told, what rows of one tracker have in common."""
        names = columns.texts(self._run)
        named = ~(equals(names, "") | equals(names, "None"))
        keys: list[str] = names.to_pylist()
        if not named.all():
            kin = [columns.texts(name).to_pylist() for name in KIN]
            for row in np.flatnonzero(~named).tolist():
                keys[row] = "\0".join(cells[row] for cells in kin)
        return keys, named

    def _jobs(self) -> Iterator[tuple[JobColumns, NDArray[np.int64]]]:
        """The batches, and which of their rows tell a run's energy."""
        other_header = ""
        for rows in self._table.rows():
            columns = Columns(rows.batch)
            jobs = self._columns(rows, columns)
            heads = np.flatnonzero(equals(columns.texts("timestamp"), "timestamp")).tolist()
            if other_header or heads:
                jobs, other_header = self._marked(jobs, heads, other_header)
            told = equals(columns.texts("task_name"), "")
            told[[*jobs.faults, *jobs.skipped]] = False
            yield jobs, np.flatnonzero(told)

    def _marked(self, jobs: JobColumns, heads: list[int], other_header: str) -> tuple[JobColumns, str]:
        """Skip a header that is written again; after one with another order no row is read."""
        faults, skipped = dict(jobs.faults), {}
        first = 0 if other_header else len(jobs.line)
        names = [name.strip() for name in self.own_schema.names]
        for row in heads:
            cells = [str(cell).strip() for cell in jobs.own.slice(row, 1).to_pylist()[0].values()]
            if cells == names:
                faults.pop(row, None)
                skipped[row] = "the header again"
            elif not other_header:
                other_header, first = f"{self.unit} {jobs.line[row]}", row
        for row in range(first, len(jobs.line)):
            faults[row] = f"the columns have another order from {other_header} on; put those rows in a file of their own"
            skipped.pop(row, None)
        return replace(jobs, faults=faults, skipped=skipped), other_header

    def _columns(self, rows: Rows, columns: Columns) -> JobColumns:
        for name in NUMBERS:
            columns.numbers(name)
        for name, pattern in WORDS.items():
            _check_words(columns, name, pattern)
        places = self._places.of(columns)
        end = moments(columns, "timestamp", places)
        length = lengths(columns, "duration")
        energy = columns.numbers("energy_consumed", missing="the energy is missing")
        return jobs_of(
            rows,
            columns,
            places,
            start_us=end - length,
            end_us=end,
            energy_kwh=energy,
            project=names_of(columns, "project_name"),
        )


def _check_words(columns: Columns, name: str, pattern: re.Pattern[str]) -> None:
    """Give a fault to each row whose cell holds another word than belongs there; every word is looked at once."""
    if name not in columns:
        return
    words, place = distinct(columns.texts(name), name)
    wrong = np.array([pattern.fullmatch(word or "") is None for word in words], np.bool_)
    if wrong.any():
        reason = "column {}: {} does not belong there; have cells moved?"
        columns.fault(wrong[place], lambda row: reason.format(name, shown(words[int(place[row])])))


def _told_place(cells: tuple[str, ...]) -> ToldPlace:
    country, region, latitude, longitude, cloud_provider, cloud_region = cells
    return ToldPlace(country, region, latitude, longitude, cloud_provider, cloud_region)
