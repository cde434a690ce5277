"""The seam between the formats of job logs and the conversion: jobs as columns, and what a format must offer.

A reader never guesses. A row that it cannot read keeps its place and carries a fault; a line that is no row at all is torn off with
its number, reason and text; a row that only repeats energy of another is skipped. Faults and torn lines go to the quarantine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from service.backfill.pieces import Pieces

BATCH_ROWS: Final = 131_072
"""No batch of jobs holds more rows than this, so that memory does not grow with the file."""

Cells: TypeAlias = Any
"""An Arrow array; pyarrow ships no types."""
Batch: TypeAlias = Any
"""An Arrow record batch."""
Schema: TypeAlias = Any
"""An Arrow schema."""
Reasons: TypeAlias = Mapping[int, str]
"""For some rows of a batch, by their place in it from 0: one sentence each."""


@dataclass(frozen=True, slots=True)
class Torn:
    """A line that is no row: its number from 1, why, and its text (bytes that are no UTF-8 replaced)."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Energy over time inside the jobs of a batch: for each a list of equal steps from its start, one at least.

    `steps` is an Arrow list of float64, kWh of each step or, with `is_power`, its mean W; `step_us` the length of one. [microseconds]
    """

    steps: Cells
    step_us: NDArray[np.int64]
    is_power: bool


@dataclass(frozen=True, slots=True, eq=False)
class JobColumns:
    """Jobs of one batch as columns of equal length, in the order of the file.

    `line` counts lines or rows of the file from 1. `location` is Arrow text or a dictionary of text, as written in the file, empty or
    null where there is none. `start_us` and `end_us` are microseconds since 1970 UTC, half-open. `energy_kwh` is what the computers drew,
    NaN where unknown (that row then becomes a fault); times `pue` it is what the facility drew. `own` holds the file's own columns,
    carried to the output untouched. Numbers of a row with a fault, or that is skipped, are never looked at.

    `signal` and `project` are Arrow text, None when the file has no such column; `is_estimated` says whose energy was modelled.
    The energy is spread evenly from start to end, but where `profiles`, of all jobs, or `pieces`, of some, tell it over time.
    """

    line: NDArray[np.int64]
    location: Cells
    start_us: NDArray[np.int64]
    end_us: NDArray[np.int64]
    energy_kwh: NDArray[np.float64]
    pue: NDArray[np.float64]
    own: Batch
    faults: Reasons = field(default_factory=dict)
    skipped: Reasons = field(default_factory=dict)
    torn: Sequence[Torn] = ()
    project: Cells | None = None
    signal: Cells | None = None
    is_estimated: NDArray[np.bool_] | None = None
    profiles: Profiles | None = None
    pieces: Pieces | None = None

    def parts(self, rows: int) -> Iterator[JobColumns]:
        """The same jobs in batches of at most so many rows; torn lines go with the first."""
        if len(self.line) <= rows:
            yield self
            return
        for at in range(0, len(self.line), rows):
            yield self._part(at, at + rows)

    def _part(self, start: int, end: int) -> JobColumns:
        cut = slice(start, end)
        profiles = self.profiles and Profiles(self.profiles.steps[cut], self.profiles.step_us[cut], self.profiles.is_power)
        return JobColumns(
            self.line[cut],
            self.location[cut],
            self.start_us[cut],
            self.end_us[cut],
            self.energy_kwh[cut],
            self.pue[cut],
            self.own.slice(start, end - start),
            {row - start: reason for row, reason in self.faults.items() if start <= row < end},
            {row - start: reason for row, reason in self.skipped.items() if start <= row < end},
            self.torn if start == 0 else (),
            None if self.project is None else self.project[cut],
            None if self.signal is None else self.signal[cut],
            None if self.is_estimated is None else self.is_estimated[cut],
            profiles,
            self.pieces and self.pieces.part(start, min(end, len(self.line))),
        )


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a user says about a file that the file does not say itself.

    `time_zone` (IANA) is of naive stamps, `location` of rows without one, `pue` of rows without one whose energy does not hold it already.
    `columns` names the file's column for one of ours. `power_from_tdp` allows energy to be modelled where
    it was not metered: the W that one device draws, by its name (`cpu` is a core, `gpu` any accelerator that has no entry of its own).
    """

    now: datetime
    time_zone: str | None = None
    location: str | None = None
    pue: float = 1.0
    columns: Mapping[str, str] = field(default_factory=dict)
    power_from_tdp: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The start of a file, by which its format is recognised: its first bytes, inflated, and its names of columns.

    `header` are the cells of the first line, split at `separator`, without blanks around; or a Parquet file's columns; empty for JSON.
    """

    start: bytes
    header: tuple[str, ...] = ()
    separator: str = ""


class JobFile(Protocol):
    """An open file of jobs. `unit` is what its line numbers count: "line" or "row"; `own_schema` is that of each batch's `own`."""

    unit: str
    own_schema: Schema

    def read(self) -> Iterator[JobColumns]:
        """All jobs from the first, at most BATCH_ROWS a batch. Twice the same file gives twice the same batches. Raises InvalidInput."""
        ...


class Reader(Protocol):
    """One format of job logs. `name` is what `--format` calls it; `rank` orders those that recognise the same file, least first."""

    name: str
    rank: int

    def recognises(self, head: Head) -> bool:
        """Whether a file that starts like this is surely of this format."""
        ...

    def open(self, path: Path, options: ReadOptions) -> JobFile:
        """Open a file of this format. Raises InvalidInput that names what is missing (a column, a time zone) and how to give it."""
        ...


@cache
def readers() -> dict[str, Reader]:
    """All formats by name, the surest first: every module of `service.backfill.readers` with a `READER`."""
    package = import_module("service.backfill.readers")
    modules = (import_module(f"{package.__name__}.{module.name}") for module in iter_modules(package.__path__))
    found: list[Reader] = [module.READER for module in modules if hasattr(module, "READER")]
    return {reader.name: reader for reader in sorted(found, key=lambda reader: (reader.rank, reader.name))}


def find_reader(head: Head, name: str | None = None) -> Reader:
    """The reader of this name, or the first that recognises the file. Raises InvalidInput that lists the formats."""
    known = readers()
    if name is not None:
        if name not in known:
            raise refused("--format", f"{name[:40]!r} is no format; those are {', '.join(known)}")
        return known[name]
    for reader in known.values():
        if reader.recognises(head):
            return reader
    columns = ", ".join(repr(column[:40]) for column in head.header[:12]) or "no columns"
    raise refused(
        "header",
        f"the format is not recognised by its header ({columns}); name it with --format ({', '.join(known)}), "
        "or name the columns with --columns, for example location=site,start=begin,end=finish,energy_kwh=kwh",
    )
