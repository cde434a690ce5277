"""Slurm's accounting: what `sacct --parsable2` and `sacct --json` print, and exports of it with job_id and energy_j.

Times are the cluster's local time, in JSON seconds since 1970. Energy is that of the whole allocation in J: ConsumedEnergyRaw, else
ConsumedEnergy, whose suffixes K, M, G ... are powers of 1,000. Steps (`123.batch`, `123.0`) repeat the energy of their job and are
skipped. An energy of 0, N/A, or one of Slurm's marks for "no value" is unknown. TRESUsageInAve and its like hold mean W under the name of
energy and are never read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridgram.units import kwh_from_joule
from service.backfill.cells import Columns, clock_seconds, is_one_of, matches, part_numbers, parts_of
from service.backfill.clocks import decide, doubt, times
from service.backfill.devices import modelled_kwh
from service.backfill.jobs import JobColumns
from service.backfill.readers.plain import open_table
from service.backfill.sacct_json import SacctJson
from service.backfill.stamps import time_zone
from service.backfill.table import head_of
from service.backfill.text_table import TextTable
from service.backfill.tracked import US_PER_SECOND, names_of
from service.importing.arrow import floats
from service.importing.faults import refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from service.backfill.jobs import Cells, Head, ReadOptions
    from service.backfill.table import Rows, Table

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

JOB: Final = ("JobID", "JobIDRaw", "job_id")
RAW_ENERGY: Final = ("ConsumedEnergyRaw", "energy_j")
TIMES: Final = ("Start", "End")
SIGNS: Final = {"elapsed", "elapsedraw", "start", "end", "consumedenergyraw", "consumedenergy", "energy_j"}
NO_VALUES: Final = (0.0, float(0xFFFF_FFFE), float(0xFFFF_FFFF), float(0xFF_FFFE))
"""No energy: never metered, and NO_VAL and INFINITE of 32 and 24 bits; those of 64 bits lie above MOST_J."""
MOST_J: Final = 2.0**62
UNKNOWN: Final = ("", "N/A", "NA", "None", "Unknown", "-")
_ENERGY: Final = r"^(?P<count>\d{1,20}(?:\.\d{1,9})?)(?P<suffix>[KMGTPE]?)$"
_PLAIN: Final = r"^\d{1,20}$"
_SUFFIXES: Final = " KMGTPE"
_JSON: Final = re.compile(rb'"(?:job_id|association|tres|slurm|Slurm)"')


class SlurmReader:
    """The format `slurm`."""

    name = "slurm"
    rank = 20

    def recognises(self, head: Head) -> bool:
        """Whether the header has a job's number and its times or energy as sacct names them, or the file is sacct's JSON."""
        if not head.header:
            return b'"jobs"' in head.start and _JSON.search(head.start) is not None
        names = {name.lower() for name in head.header}
        return bool(names & {"jobid", "jobidraw"} and names & SIGNS) or {"job_id", "energy_j"} <= names

    def open(self, path: Path, options: ReadOptions) -> SlurmFile:
        """Open a file. Raises InvalidInput when no place is named, since the accounting tells none."""
        return SlurmFile(path, options)


READER = SlurmReader()


class SlurmFile:
    """An open export of Slurm's accounting."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        if options.location is None:
            raise refused("--location", f"{path.name} does not say where the cluster is; say it with --location, for example --location FR")
        self._name = path.name
        self._table = _table(path)
        self._options = options
        self._clock = time_zone(options.time_zone) if options.time_zone else None
        self._job = next((name for name in JOB if name.lower() in map(str.lower, self._table.schema.names)), JOB[0])
        self.unit = self._table.unit
        self.own_schema = self._table.schema

    def read(self) -> Iterator[JobColumns]:
        """All rows; steps of a job are skipped."""
        job = ""
        for rows in self._table.rows():
            columns = Columns(rows.batch)
            texts = columns.texts(self._job)
            skipped, job = self._steps(columns, texts, job)
            yield self._jobs(rows, columns, skipped)

    def _steps(self, columns: Columns, texts: Cells, job: str) -> tuple[dict[int, str], str]:
        """Which rows are steps, and the job that the rows end in; a step that follows another job is a fault. `job` is the one before."""
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import compute  # noqa: PLC0415 - heavy

        if not columns.count:
            return {}, job
        is_step = matches(texts, r"\.")
        jobs = compute.replace_substring_regex(texts, r"\..*$", "")
        if not is_step.any():
            return {}, jobs[-1].as_py()
        codes = pa.concat_arrays([pa.array([job], pa.string()), jobs]).dictionary_encode().indices.to_numpy()
        last = np.maximum.accumulate(np.where(is_step, -1, np.arange(columns.count)))
        lost = is_step & (codes[1:] != codes[last + 1])
        columns.fault(lost, lambda row: f"a step of job {jobs[row].as_py()[:40]}, whose own row is not before it")
        reason = "a step: its job's row holds its energy"
        return dict.fromkeys(np.flatnonzero(is_step & ~lost).tolist(), reason), jobs[int(last[-1])].as_py() if last[-1] >= 0 else job

    def _jobs(self, rows: Rows, columns: Columns, skipped: dict[int, str]) -> JobColumns:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        elapsed = _elapsed(columns)
        start, end = self._spans(columns, elapsed, skipped)
        energy, is_estimated = self._energy(columns, np.where(np.isnan(elapsed), (end - start) / US_PER_SECOND, elapsed))
        for row in skipped:
            columns.faults.pop(row, None)
        return JobColumns(
            line=rows.lines,
            location=pa.DictionaryArray.from_arrays(np.zeros(columns.count, np.int32), [self._options.location]),
            start_us=start,
            end_us=end,
            energy_kwh=energy,
            pue=np.full(columns.count, self._options.pue),
            own=rows.batch,
            faults=columns.faults,
            skipped=skipped,
            torn=rows.torn,
            project=names_of(columns, "Account") if "Account" in columns else None,
            is_estimated=is_estimated,
        )

    def _spans(self, columns: Columns, elapsed: Floats, skipped: dict[int, str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The starts and ends; where the clock showed one of them twice the elapsed time decides, if it does."""
        if missing := [name for name in TIMES if name not in columns]:
            reason = f"the export has no column {' and no column '.join(missing)}; add it to sacct --format"
            columns.fault(np.ones(columns.count, np.bool_), lambda _: reason)
            return np.zeros(columns.count, np.int64), np.zeros(columns.count, np.int64)
        columns.fault(is_one_of(columns.texts("Start"), UNKNOWN), lambda _: "the job had not begun when it was exported")
        columns.fault(is_one_of(columns.texts("End"), UNKNOWN), lambda _: "the job had not ended when it was exported")
        (start, begins), (end, ends) = (times(columns, name, self._clock) for name in TIMES)
        if self._clock is None and any("has no offset" in reason for row, reason in columns.faults.items() if row not in skipped):
            raise refused(
                "--tz", f"the times of {self._name} are the cluster's local time; say which with --tz, for example --tz Europe/Paris"
            )
        if self._clock is not None and (begins.any() or ends.any()):
            in_doubt = decide(start, end, (begins, ends), elapsed * US_PER_SECOND, self._clock)
            doubt(columns, TIMES[0], in_doubt & begins, self._clock)
            doubt(columns, TIMES[1], in_doubt & ends, self._clock)
        too_long = columns.sound() & (elapsed * US_PER_SECOND > end - start + US_PER_SECOND)
        columns.fault(too_long, lambda row: f"the job lasted {elapsed[row]:g} s, longer than from its start to its end; is --tz right?")
        return start, end

    def _energy(self, columns: Columns, seconds: Floats) -> tuple[Floats, Mask]:
        """The energy [kWh], metered or, where it was not and that is asked for, modelled; and which of them are."""
        energy = kwh_from_joule(_joules(columns))
        return modelled_kwh(columns, energy, seconds, self._options.power_from_tdp, "it was not metered")


def _table(path: Path) -> Table:
    head = head_of(path)
    if head.separator == "|":
        return TextTable(path, head.separator, quoted=False)
    if not head.header and b'"jobs"' in head.start:
        return SacctJson(path)
    return open_table(path)


def _elapsed(columns: Columns) -> Floats:
    """How long each job ran, without what it was suspended; NaN where that is not told. [s]"""
    seconds = clock_seconds(columns.texts("Elapsed")) if "Elapsed" in columns else np.full(columns.count, np.nan)
    return np.where(np.isnan(raw := columns.numbers("ElapsedRaw")), seconds, raw)


def _joules(columns: Columns) -> Floats:
    """The metered energy of each row; NaN where it is unknown. [J]"""
    joules = np.full(columns.count, np.nan)
    for name in (*RAW_ENERGY, "ConsumedEnergy"):
        if name in columns:
            told = _told_joules(columns, name)
            joules = np.where(np.isnan(joules), told, joules)
    return joules


def _told_joules(columns: Columns, name: str) -> Floats:
    texts = columns.texts(name)
    joules, known = floats(texts, name)
    known &= matches(texts, _PLAIN)
    if not known.all():
        parts = parts_of(texts, _ENERGY)
        joules = part_numbers(parts, "count") * _scale(parts)
        wrong = np.isnan(joules) & ~is_one_of(texts, UNKNOWN)
        columns.fault(wrong, lambda row: f"column {name}: {shown(texts[row].as_py())} is no energy in J")
    joules[np.isin(joules, NO_VALUES) | (joules > MOST_J)] = np.nan
    return joules


def _scale(parts: Any) -> Floats:  # noqa: ANN401 - an Arrow struct array
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    suffixes = compute.fill_null(compute.struct_field(parts, "suffix"), "").dictionary_encode()
    scales = np.array([1_000.0 ** _SUFFIXES.index(suffix or " ") for suffix in suffixes.dictionary.to_pylist()])
    found: Floats = scales[suffixes.indices.cast(pa.int64()).to_numpy()] if len(scales) else np.zeros(0)
    return found
