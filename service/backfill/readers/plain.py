"""Jobs with columns of Gridgram's own names, as CSV, TSV, Parquet or NDJSON: location, start, end, energy_kwh.

In place of `energy_kwh` and `end` a job may have a list of equal steps, `kwh` or `power_w`, with the length `step` (default PT1H).
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridgram.interval import MICROSECONDS_PER_HOUR, parse_duration
from service.backfill.jobs import JobColumns, Profiles
from service.backfill.json_table import JsonTable
from service.backfill.parquet_table import ParquetTable, is_parquet
from service.backfill.stamps import stamps, time_zone
from service.backfill.table import head_of
from service.backfill.text_table import TextTable
from service.importing.arrow import distinct, floats, is_empty
from service.importing.faults import refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from service.backfill.jobs import Head, ReadOptions
    from service.backfill.parquet_table import Piece
    from service.backfill.table import Rows, Table

TIMES: Final = ("start", "end")
ENERGIES: Final = ("energy_kwh", "kwh", "power_w")
OPTIONAL: Final = ("step", "pue", "project", "signal")
OURS: Final = ("location", *TIMES, *ENERGIES, *OPTIONAL)


class PlainReader:
    """The format `plain`."""

    name = "plain"
    rank = 100

    def recognises(self, head: Head) -> bool:
        """Whether the header has start and one of the energies; JSON is looked at later."""
        if not head.header:
            return head.start.lstrip().startswith(b"{")
        names = {name.lower() for name in head.header}
        return "start" in names and bool(names & set(ENERGIES))

    def open(self, path: Path, options: ReadOptions) -> PlainFile:
        """Open a table and find its columns. Raises InvalidInput."""
        return PlainFile(path, open_table(path), options)


READER = PlainReader()


def open_table(path: Path) -> Table:
    """The table that a file holds, by its content."""
    head = head_of(path)
    if is_parquet(head.start):
        return ParquetTable(path)
    return TextTable(path, head.separator) if head.header else JsonTable(path)


class PlainFile:
    """An open file of jobs with our columns, or columns that `options.columns` names."""

    def __init__(self, path: Path, table: Table, options: ReadOptions) -> None:
        self._table = table
        self._options = options
        self._zone = time_zone(options.time_zone) if options.time_zone else None
        self._columns = find_columns(path.name, table.schema.names, options)
        self.unit = table.unit
        self.own_schema = table.schema

    def read(self) -> Iterator[JobColumns]:
        """All jobs."""
        return map(self._jobs, self._table.rows())

    @property
    def pieces(self) -> Sequence[Piece]:
        """The parts that can be read by themselves; none when the file is read from its start only."""
        return self._table.pieces() if isinstance(self._table, ParquetTable) else ()

    def read_piece(self, piece: Piece) -> Iterator[JobColumns]:
        """The jobs of one of the pieces."""
        assert isinstance(self._table, ParquetTable)  # noqa: S101 - only it has pieces
        return map(self._jobs, self._table.piece_rows(piece))

    @property
    def parquet(self) -> tuple[ParquetTable, Mapping[str, str]] | None:
        """The Parquet table and the names of its columns by ours, if it is one: its statistics tell the span of the jobs."""
        return (self._table, self._columns) if isinstance(self._table, ParquetTable) else None

    def _jobs(self, rows: Rows) -> JobColumns:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        count = len(rows.lines)
        faults: dict[int, str] = {}
        start = self._times(rows, "start", faults)
        profiles = self._profiles(rows, faults)
        end = self._times(rows, "end", faults) if "end" in self._columns else start
        if "location" in self._columns:
            location = self._location(rows)
        else:
            location = pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), [self._options.location])
        return JobColumns(
            line=rows.lines,
            location=location,
            start_us=start,
            end_us=end,
            energy_kwh=self._energy(rows, faults) if profiles is None else np.full(count, np.nan),
            pue=self._pue(rows, faults),
            own=rows.batch,
            faults=faults,
            torn=rows.torn,
            project=self._cells(rows, "project"),
            signal=self._cells(rows, "signal"),
            profiles=profiles,
        )

    def _cells(self, rows: Rows, ours: str) -> Any:  # noqa: ANN401 - an Arrow array
        return rows.batch.column(self._columns[ours]) if ours in self._columns else None

    def _location(self, rows: Rows) -> Any:  # noqa: ANN401 - an Arrow array
        """The locations; where a cell is empty the one that holds for such rows."""
        from pyarrow import compute  # noqa: PLC0415 - heavy

        cells = self._cells(rows, "location")
        if self._options.location is None or not (empty := is_empty(cells)).any():
            return cells
        words, place = distinct(cells, self._columns["location"])
        words.append(self._options.location)
        import pyarrow as pa  # noqa: PLC0415 - heavy

        return compute.take(pa.array(words, pa.string()), pa.array(np.where(empty, len(words) - 1, place)))

    def _times(self, rows: Rows, ours: str, faults: dict[int, str]) -> NDArray[np.int64]:
        column = self._columns[ours]
        moments, wrong = stamps(self._cells(rows, ours), column, self._zone)
        for place, reason in wrong.items():
            faults.setdefault(place, f"column {column}: {reason}")
        return moments

    def _energy(self, rows: Rows, faults: dict[int, str]) -> NDArray[np.float64]:
        return self._numbers(rows, "energy_kwh", "the energy is missing", faults)

    def _pue(self, rows: Rows, faults: dict[int, str]) -> NDArray[np.float64]:
        if "pue" not in self._columns:
            return np.full(len(rows.lines), self._options.pue)
        cells = self._cells(rows, "pue")
        numbers = self._numbers(rows, "pue", None, faults)
        return np.where(is_empty(cells), self._options.pue, numbers)

    def _numbers(self, rows: Rows, ours: str, missing: str | None, faults: dict[int, str]) -> NDArray[np.float64]:
        """A column of numbers; `missing` is the fault of an empty cell, None when a cell may be empty."""
        column, cells = self._columns[ours], self._cells(rows, ours)
        numbers, known = floats(cells, column)
        if not known.all():
            empty = is_empty(cells)
            for place in np.flatnonzero(~known).tolist():
                if not empty[place]:
                    faults.setdefault(place, f"column {column}: {shown(cells[place].as_py())} is not a number")
                elif missing is not None:
                    faults.setdefault(place, f"column {column}: {missing}")
        return numbers

    def _profiles(self, rows: Rows, faults: dict[int, str]) -> Profiles | None:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        ours = next((name for name in ("kwh", "power_w") if name in self._columns), None)
        if ours is None:
            return None
        cells, column = self._cells(rows, ours), self._columns[ours]
        if not (pa.types.is_list(cells.type) or pa.types.is_large_list(cells.type)):
            raise refused(f"column {column}", f"is of type {cells.type} and should be a list of numbers, one for each step")
        lists = cells.cast(pa.list_(pa.float64()))
        for place in np.flatnonzero(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False) == 0).tolist():
            faults.setdefault(place, f"column {column}: the list of steps is missing or empty")
        return Profiles(lists, self._steps(rows, faults), is_power=ours == "power_w")

    def _steps(self, rows: Rows, faults: dict[int, str]) -> NDArray[np.int64]:
        if "step" not in self._columns:
            return np.full(len(rows.lines), MICROSECONDS_PER_HOUR, np.int64)
        words, place = distinct(self._cells(rows, "step"), self._columns["step"])
        lengths = np.full(len(words), MICROSECONDS_PER_HOUR, np.int64)
        wrong: dict[int, str] = {}
        for number, word in enumerate(words):
            try:
                lengths[number] = parse_duration(word.strip()) if word and word.strip() else MICROSECONDS_PER_HOUR
            except ValueError as error:
                wrong[number] = str(error)
        for row in np.flatnonzero(np.isin(place, list(wrong))).tolist() if wrong else ():
            faults.setdefault(row, f"column {self._columns['step']}: {wrong[int(place[row])]}")
        return lengths[place]


def find_columns(name: str, header: Sequence[str], options: ReadOptions) -> dict[str, str]:
    """The file's column for each of our names. Raises InvalidInput that names what is missing, or what is nearly one of ours."""
    by_name = {column.strip().lower(): column for column in reversed(header)}
    for ours, theirs in options.columns.items():
        if ours not in OURS:
            raise refused("--columns", f"{shown(ours)} is not a column of ours; they are {', '.join(OURS)}")
        if theirs.strip().lower() not in by_name:
            raise refused("--columns", f"the file has no column {shown(theirs)}; it has {_listed(header)}")
    asked = {ours: by_name.get(options.columns.get(ours, ours).strip().lower()) for ours in OURS}
    columns = {ours: theirs for ours, theirs in asked.items() if theirs is not None}
    _check_columns(name, header, columns, options)
    for column in by_name.keys() - {theirs.strip().lower() for theirs in columns.values()}:
        if slip := get_close_matches(column, set(OPTIONAL) - columns.keys(), n=1, cutoff=0.85):
            raise refused("header", f"the column {shown(column)} is unknown; did you mean {slip[0]}? Rename it or leave it out")
    return columns


def _check_columns(name: str, header: Sequence[str], columns: Mapping[str, str], options: ReadOptions) -> None:
    energies = [ours for ours in ENERGIES if ours in columns]
    missing = [ours for ours in ("start",) if ours not in columns]
    if "location" not in columns and options.location is None:
        missing.insert(0, "location (or give one for the whole file with --location)")
    if not energies:
        missing.append("energy_kwh (or a list kwh or power_w)")
    elif energies[0] == "energy_kwh" and "end" not in columns:
        missing.append("end")
    if missing:
        mend = "; name them with --columns, for example location=site,start=begin,end=finish,energy_kwh=kwh"
        raise refused("header", f"{name} has no column {' and no column '.join(missing)}; it has {_listed(header)}{mend}")
    if len(energies) > 1:
        raise refused("header", f"the energy is told more than once, by {' and '.join(columns[ours] for ours in energies)}; keep one")


def _listed(header: Sequence[str]) -> str:
    return ", ".join(shown(name) for name in header[:12]) + (" ..." if len(header) > 12 else "")  # noqa: PLR2004 - a line of text
