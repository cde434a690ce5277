"""A batch of jobs to its columns of output: the file's own columns, then what the job emitted, or why that is not told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridgram.bulk import Emitted, Kernel
from gridgram.interval import MICROSECONDS_PER_HOUR
from gridgram.quality import QUALITIES, QUALITY_CODES, Quality
from gridgram.units import kwh_from_w_hours
from service.backfill.checks import Checks, true_ends
from service.backfill.jobs import BATCH_ROWS
from service.backfill.totals import Totals
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from gridgram.hour_tables import HourTables
    from service.backfill.jobs import JobColumns, Schema
    from service.backfill.pieces import Pieces
    from service.backfill.places import Places

COVERED: Final = tuple(quality for quality in QUALITIES if quality is not Quality.GIVEN)
"""The qualities that the hours of a job may have; each has a column `coverage_<quality>`."""
_PREFIX: Final = "gridgram_"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One row or line that has no numbers: its number, the reason, and the row's cells or the torn line's text."""

    line: int
    reason: str
    row: dict[str, Any] | None = None
    text: str | None = None


@dataclass(slots=True)
class Converted:
    """A converted batch: its record batch of output, what it adds to the totals, and its rows that have no numbers."""

    batch: Any
    totals: Totals
    quarantined: list[Quarantined] = field(default_factory=list)


class Converter:
    """Converts batches with the hours of `tables`. `tells_energy` adds the energy and whether it was estimated."""

    def __init__(  # noqa: PLR0913 - what a run was asked for
        self, own: Schema, tables: HourTables, places: Places, min_quality: Quality, now: datetime, *, tells_energy: bool
    ) -> None:
        self._tables = tables
        self._places = places
        self._checks = Checks(now)
        self._kernel = Kernel(tables, QUALITY_CODES[min_quality])
        self._min_quality = min_quality
        self._tells_energy = tells_energy
        self.own = own
        self.schema = output_schema(own, tells_energy=tells_energy)
        zones = list(dict.fromkeys(tables.zones))
        self._zone_names = zones
        self._zeros = np.zeros(BATCH_ROWS)
        self._zone_of_place = np.array([zones.index(zone) for zone in tables.zones], np.int32)

    def convert(self, jobs: JobColumns) -> Converted:
        """One batch; a row that has no numbers keeps its place, with the reason in `error`."""
        ends = true_ends(jobs)
        good, reasons = self._checks.faults(jobs, ends)
        place, why_not = self._places.of(jobs.location, jobs.signal)
        for row in np.flatnonzero(good & (place < 0)).tolist():
            reasons[row] = why_not(row)
        good &= place >= 0
        rows = None if good.all() else np.flatnonzero(good)
        try:
            emitted, kwh = self._emitted(jobs, place, ends, rows)
        except ValueError as error:
            reason = "is not what it was when it was looked through: it has changed, or its statistics are wrong"
            raise refused("file", f"{reason} ({error})") from error
        if emitted.is_short.any():
            short = np.flatnonzero(emitted.is_short)
            for row in (short if rows is None else rows[short]).tolist():
                reasons[row] = self._no_data(place[row])
                good[row] = False
            kept = ~emitted.is_short
            emitted, kwh = _picked(emitted, kept), kwh[kept]
            rows = np.flatnonzero(good)
        batch = self._batch(jobs, place, emitted, kwh, rows, reasons)
        totals = Totals.of(jobs, self._tables, place, emitted, kwh, rows, quarantined=len(reasons) + len(jobs.torn))
        return Converted(batch, totals, self._quarantined(jobs, reasons))

    def _emitted(
        self, jobs: JobColumns, place: NDArray[np.int64], ends: NDArray[np.int64], rows: NDArray[np.int64] | None
    ) -> tuple[Emitted, NDArray[np.float64]]:
        """What the good jobs emitted, and the energy that their facility drew. [kWh]"""
        if jobs.pieces is not None:
            return self._emitted_in_pieces(jobs, jobs.pieces, place, ends, rows)
        if jobs.profiles is None:
            kwh = jobs.energy_kwh * jobs.pue
            columns = (place, jobs.start_us, ends, kwh)
            if rows is not None:
                columns = (place[rows], jobs.start_us[rows], ends[rows], kwh[rows])
            return self._kernel.convert(*columns), columns[3]
        rows = np.arange(len(place)) if rows is None else rows
        lists = jobs.profiles.steps.take(rows)
        counts = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        step = jobs.profiles.step_us[rows]
        steps = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
        if jobs.profiles.is_power:
            steps = kwh_from_w_hours(steps, np.repeat(step / MICROSECONDS_PER_HOUR, counts))
        steps = steps * np.repeat(jobs.pue[rows], counts)
        emitted = self._kernel.convert_profiles(place[rows], jobs.start_us[rows], step, counts, steps)
        return emitted, np.add.reduceat(steps, np.cumsum(counts) - counts) if len(rows) else np.zeros(0)

    def _emitted_in_pieces(
        self, jobs: JobColumns, pieces: Pieces, place: NDArray[np.int64], ends: NDArray[np.int64], rows: NDArray[np.int64] | None
    ) -> tuple[Emitted, NDArray[np.float64]]:
        rows = np.arange(len(place)) if rows is None else rows
        is_good = np.zeros(len(place), np.bool_)
        is_good[rows] = True
        counts, start, end, kwh = pieces.laid_out(jobs.start_us, ends, jobs.energy_kwh)
        kwh *= np.repeat(jobs.pue, counts)
        kept = np.repeat(is_good, counts)
        emitted = self._kernel.convert_pieces(place[rows], counts[rows], start[kept], end[kept], kwh[kept])
        return emitted, jobs.energy_kwh[rows] * jobs.pue[rows]

    def _no_data(self, place: int) -> str:
        zone, signal = self._tables.zones[place], self._tables.signals[place].value
        asked = "" if self._min_quality is Quality.ANNUAL else f" at quality {self._min_quality.value} or better"
        return f"{zone} has no {signal} intensity{asked} for some hours of the job"

    def _batch(  # noqa: PLR0913, PLR0917 - columns
        self,
        jobs: JobColumns,
        place: NDArray[np.int64],
        emitted: Emitted,
        kwh: NDArray[np.float64],
        rows: NDArray[np.int64] | None,
        reasons: dict[int, str],
    ) -> Any:  # noqa: ANN401 - an Arrow record batch
        import pyarrow as pa  # noqa: PLC0415 - heavy

        count = len(jobs.line)
        spread = _Spread(count, rows)
        zone = np.take(self._zone_of_place, place if rows is None else place[rows])
        columns = [pa.DictionaryArray.from_arrays(spread.integers(zone), pa.array(self._zone_names, pa.string()))]
        columns += [spread.floats(column) for column in (emitted.emissions_g, emitted.low_g, emitted.high_g, emitted.g_per_kwh)]
        columns += [spread.floats(self._coverage(emitted, quality)) for quality in COVERED]
        columns.append(self._providers(spread, emitted))
        if self._tells_energy:
            columns.append(spread.floats(kwh))
            flags = np.zeros(count, np.bool_) if jobs.is_estimated is None else jobs.is_estimated
            columns.append(spread.flags(flags if rows is None else flags[rows]))
        told = reasons | dict(jobs.skipped)
        error = pa.nulls(count, pa.string()) if not told else pa.array([told.get(row) for row in range(count)], pa.string())
        columns.append(error)
        return pa.RecordBatch.from_arrays([*jobs.own.columns, *columns], names=self.schema.names)

    def _coverage(self, emitted: Emitted, quality: Quality) -> NDArray[np.float64]:
        code = QUALITY_CODES[quality]
        if code not in self._tables.codes:
            return self._zeros[: len(emitted.emissions_g)]
        share: NDArray[np.float64] = emitted.coverage[self._tables.codes.index(code)]
        return share

    def _providers(self, spread: _Spread, emitted: Emitted) -> Any:  # noqa: ANN401 - an Arrow array
        import pyarrow as pa  # noqa: PLC0415 - heavy

        sets = pa.array(emitted.providers)
        encoded = sets.dictionary_encode()
        names = pa.array([self._names(bits) for bits in encoded.dictionary.to_pylist()], pa.string())
        return pa.DictionaryArray.from_arrays(spread.integers(encoded.indices.to_numpy()), names)

    def _names(self, bits: int) -> str:
        return "+".join(name for place, name in enumerate(self._tables.providers) if bits >> place & 1)

    @staticmethod
    def _quarantined(jobs: JobColumns, reasons: dict[int, str]) -> list[Quarantined]:
        torn = [Quarantined(torn.line, torn.reason, text=torn.text) for torn in jobs.torn]
        if not reasons:
            return torn
        rows = sorted(reasons)
        cells = jobs.own.take(rows).to_pylist()
        bad = [Quarantined(int(jobs.line[row]), reasons[row], row=row_cells) for row, row_cells in zip(rows, cells, strict=True)]
        return sorted([*torn, *bad], key=lambda entry: entry.line)


class _Spread:
    """Puts columns of the good rows back among all rows, null elsewhere."""

    def __init__(self, count: int, rows: NDArray[np.int64] | None) -> None:
        self._count = count
        self._rows = rows
        self._mask = np.ones(count, np.bool_)
        if rows is not None:
            self._mask[rows] = False

    def _of(self, column: NDArray[Any], kind: Any) -> Any:  # noqa: ANN401 - Arrow's type and array
        import pyarrow as pa  # noqa: PLC0415 - heavy

        if self._rows is None:
            return pa.array(column, kind)
        whole = np.zeros(self._count, column.dtype)
        whole[self._rows] = column
        return pa.array(whole, kind, mask=self._mask)

    def floats(self, column: NDArray[np.float64]) -> Any:  # noqa: ANN401 - an Arrow array
        import pyarrow as pa  # noqa: PLC0415 - heavy

        return self._of(column, pa.float64())

    def integers(self, column: NDArray[np.int32]) -> Any:  # noqa: ANN401 - an Arrow array
        import pyarrow as pa  # noqa: PLC0415 - heavy

        return self._of(column, pa.int32())

    def flags(self, column: NDArray[np.bool_]) -> Any:  # noqa: ANN401 - an Arrow array
        import pyarrow as pa  # noqa: PLC0415 - heavy

        return self._of(column, pa.bool_())


def output_columns(own: Sequence[str], *, tells_energy: bool) -> list[str]:
    """The names of our columns; one that the file has already gets a prefix."""
    ours = ["zone", "emissions_g", "emissions_low_g", "emissions_high_g", "intensity_g_per_kwh"]
    ours += [f"coverage_{quality.value}" for quality in COVERED]
    ours += ["provider", *(["facility_energy_kwh", "energy_is_estimated"] if tells_energy else []), "error"]
    taken = set(own)
    return [f"{_PREFIX}{name}" if name in taken else name for name in ours]


def output_schema(own: Schema, *, tells_energy: bool) -> Schema:
    """The columns of the output: the file's own, then ours."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    texts = {"zone", "provider", "error"}
    fields = list(own)
    for name in output_columns(own.names, tells_energy=tells_energy):
        bare = name.removeprefix(_PREFIX)
        kind = pa.string() if bare in texts else pa.bool_() if bare == "energy_is_estimated" else pa.float64()
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


def _picked(emitted: Emitted, kept: NDArray[np.bool_]) -> Emitted:
    return Emitted(
        emitted.emissions_g[kept],
        emitted.low_g[kept],
        emitted.high_g[kept],
        emitted.g_per_kwh[kept],
        emitted.coverage[:, kept],
        emitted.providers[kept],
        emitted.is_short[kept],
    )
