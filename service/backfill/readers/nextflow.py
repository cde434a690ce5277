"""Nextflow's execution trace, raw (ms since 1970) or human (local times), with the energy that nf-co2footprint adds.

`energy_consumption` is written with its unit (17.85 mWh) and holds the PUE that the plugin was given. A task that came from the cache used
no energy in this run: it is skipped. nf-co2footprint's own trace tells no times; its rows go to the quarantine saying so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from service.backfill.cells import Columns, equals, matches, part_numbers, parts_of
from service.backfill.clocks import doubt, times
from service.backfill.devices import modelled_kwh
from service.backfill.jobs import JobColumns
from service.backfill.readers.plain import open_table
from service.backfill.stamps import time_zone
from service.backfill.tracked import names_of
from service.importing.faults import refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from service.backfill.jobs import Head, ReadOptions
    from service.backfill.table import Rows

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

TIMES: Final = ("start", "complete")
SIGNS: Final = {"realtime", "complete", "duration", "energy_consumption", "%cpu"}
ENERGY: Final = "energy_consumption"
KWH_OF: Final = {"nWh": 1e-12, "µWh": 1e-9, "uWh": 1e-9, "mWh": 1e-6, "Wh": 1e-3, "kWh": 1.0, "MWh": 1e3, "GWh": 1e6}
_ENERGY: Final = r"^(?P<count>\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,2})?) ?(?P<unit>[nµumkMG]?Wh)$"
_RAW_TIME: Final = r"^\d{12,13}$"
_NOTHING: Final = r"^-?$"
US_PER_MS: Final = 1_000


class NextflowReader:
    """The format `nextflow`."""

    name = "nextflow"
    rank = 20

    def recognises(self, head: Head) -> bool:
        """Whether the header has the names of a trace's fields."""
        names = set(head.header)
        return {"task_id", "name"} <= names and bool(names & SIGNS)

    def open(self, path: Path, options: ReadOptions) -> NextflowFile:
        """Open a trace. Raises InvalidInput when no place is named, since a trace tells none."""
        return NextflowFile(path, options)


READER = NextflowReader()


class NextflowFile:
    """An open trace."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        if options.location is None:
            raise refused("--location", f"{path.name} does not say where it ran; say it with --location, for example --location FR")
        self._name = path.name
        self._table = open_table(path)
        self._options = options
        self._clock = time_zone(options.time_zone) if options.time_zone else None
        self.unit = self._table.unit
        self.own_schema = self._table.schema

    def read(self) -> Iterator[JobColumns]:
        """All tasks; those from the cache are skipped."""
        return map(self._jobs, self._table.rows())

    def _jobs(self, rows: Rows) -> JobColumns:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        columns = Columns(rows.batch)
        cached = equals(columns.texts("status"), "CACHED")
        start, end = self._spans(columns, cached)
        energy, is_estimated = self._energy(columns, (end - start) / 1e6)
        for row in np.flatnonzero(cached).tolist():
            columns.faults.pop(row, None)
        return JobColumns(
            line=rows.lines,
            location=pa.DictionaryArray.from_arrays(np.zeros(columns.count, np.int32), [self._options.location]),
            start_us=start,
            end_us=end,
            energy_kwh=energy,
            pue=np.where(is_estimated, self._options.pue, 1.0),
            own=rows.batch,
            faults=columns.faults,
            skipped=dict.fromkeys(np.flatnonzero(cached).tolist(), "the task came from the cache: it used no energy in this run"),
            torn=rows.torn,
            project=names_of(columns, "process") if "process" in columns else None,
            is_estimated=is_estimated,
        )

    def _spans(self, columns: Columns, cached: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if missing := [name for name in TIMES if name not in columns]:
            reason = f"the trace has no field {' and no field '.join(missing)}, so that its hours are not known; add it to trace.fields"
            columns.fault(np.ones(columns.count, np.bool_), lambda _: reason)
            return np.zeros(columns.count, np.int64), np.zeros(columns.count, np.int64)
        start, end = (self._times(columns, name, cached) for name in TIMES)
        return start, end

    def _times(self, columns: Columns, name: str, cached: Mask) -> NDArray[np.int64]:
        """The instants of a field, in raw or human writing, cell by cell."""
        texts = columns.texts(name)
        is_raw = matches(texts, _RAW_TIME)
        columns.fault(matches(texts, _NOTHING), lambda _: f"field {name}: the time is missing; the task did not run to its end")
        if is_raw.all():
            found: NDArray[np.int64] = columns.numbers(name).astype(np.int64) * US_PER_MS
            return found
        rows = np.flatnonzero(~is_raw)
        part = Columns(columns.batch.take(rows))
        moments = np.zeros(columns.count, np.int64)
        moments[rows], doubtful = times(part, name, self._clock)
        doubt(part, name, doubtful, self._clock)
        for row, reason in part.faults.items():
            if "has no offset" in reason and not cached[rows[row]]:
                raise refused("--tz", f"the times of {self._name} are local; say whose with --tz, for example --tz Europe/Paris")
            columns.faults.setdefault(int(rows[row]), reason)
        raw = np.flatnonzero(is_raw)
        moments[raw] = Columns(columns.batch.take(raw)).numbers(name).astype(np.int64) * US_PER_MS
        return moments

    def _energy(self, columns: Columns, seconds: Floats) -> tuple[Floats, Mask]:
        """The energy [kWh], as the plugin tells it or, where it does not and that is asked for, modelled; and which are modelled."""
        energy = _told_kwh(columns)
        why = "the trace has none of nf-co2footprint's energy_consumption"
        return modelled_kwh(columns, energy, seconds, self._options.power_from_tdp, why)


def _told_kwh(columns: Columns) -> Floats:
    """The energy that nf-co2footprint tells; NaN where there is none. [kWh]"""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    texts = columns.texts(ENERGY)
    parts = parts_of(texts, _ENERGY)
    count = part_numbers(parts, "count")
    reason = "field energy_consumption: {} is no energy with its unit, such as 17.85 mWh"
    columns.fault(np.isnan(count) & ~matches(texts, _NOTHING), lambda row: reason.format(shown(texts[row].as_py())))
    units = compute.fill_null(compute.struct_field(parts, "unit"), "Wh").dictionary_encode()
    if not len(units):
        return count
    scales = np.array([KWH_OF[unit] for unit in units.dictionary.to_pylist()])
    found: Floats = count * scales[units.indices.cast(pa.int64()).to_numpy()]
    return found
