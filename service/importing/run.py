"""A user's own hours from a file into the store, as provider `file`, which outranks all others for the hours it holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridgram.quality import Scope
from gridgram.series import FILE_PROVIDER, IntensitySeries, Source
from service.importing.cells import SCOPES, SIGNALS, CellReader, Rows
from service.importing.csv_file import MAX_INFLATED_BYTES, PARQUET_MAGIC, CsvFile, open_source
from service.importing.faults import Faults, refused
from service.importing.hours import MonthPieces, joined, to_hours
from service.importing.layout import find_layout
from service.importing.parquet_file import ParquetFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from cache.contract import SeriesStore
    from gridgram.errors import Fault
    from gridgram.quality import Signal

OWN_LICENCE: Final = "user supplied"
PORTAL_LICENCE: Final = "Electricity Maps: the terms of the user's own download"


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file holds: its rows (blank lines not counted), the sound hours as series, and what is wrong with the rest."""

    rows: int
    hours: int
    series: Sequence[IntensitySeries]
    zones: tuple[str, ...]
    faults: tuple[Fault, ...]
    fault_count: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `faults` lists a hundred at most, `fault_count` counts all; `is_written` is False when strict stopped it."""

    rows: int
    hours: int
    hours_changed: int
    zones: tuple[str, ...]
    faults: tuple[Fault, ...]
    fault_count: int
    is_written: bool


async def import_file(  # noqa: PLR0913 - each is one choice of the caller
    path: Path,
    store: SeriesStore,
    *,
    now: datetime,
    resolve: Callable[[str], str],
    columns: Mapping[str, str] | None = None,
    assume_utc: bool = False,
    scope: Scope | None = None,
    strict: bool = False,
) -> ImportReport:
    """Read a file and lay its sound hours over what the store holds; with `strict` and any fault nothing is written.

    The same import again changes no hour. Raises InvalidInput for a file that cannot be read at all, StoreError from the store.
    """
    imported = await asyncio.to_thread(
        read_series_file,
        path,
        now=now,
        resolve=resolve,
        columns=columns,
        assume_utc=assume_utc,
        scope=scope,
    )
    is_written = not (strict and imported.fault_count)
    changed = await store.merge(imported.series) if is_written and len(imported.series) else 0
    return ImportReport(
        imported.rows,
        imported.hours,
        changed,
        imported.zones,
        imported.faults,
        imported.fault_count,
        is_written,
    )


def read_series_file(  # noqa: PLR0913 - each is one choice of the caller
    path: Path,
    *,
    now: datetime,
    resolve: Callable[[str], str],
    columns: Mapping[str, str] | None = None,
    assume_utc: bool = False,
    scope: Scope | None = None,
    max_bytes: int = MAX_INFLATED_BYTES,
) -> Imported:
    """Read the hours of a CSV, gzipped CSV or Parquet file; its content decides which of them it is.

    `resolve` turns a location into a zone key or raises UnknownLocation. `columns` names the file's column for one of ours,
    `assume_utc` lets times without offset be UTC, `scope` holds for rows that state none. Raises InvalidInput.
    """
    start = open_source(path)
    table = ParquetFile(path) if start.startswith(PARQUET_MAGIC) else CsvFile(path, max_bytes)
    layout = find_layout(table.header, columns or {})
    faults = Faults(table.unit)
    reader = CellReader(layout, faults, resolve=resolve, now=now, assume_utc=assume_utc)
    parts: list[Rows] = []
    for block in table.blocks(layout.wanted, faults):
        parts.extend(reader.read(block))
    if not reader.rows_read and not faults.count:
        raise refused("file", f"{path.name} has a header and no rows")
    rows = joined(parts)
    del parts
    hours = to_hours(rows, reader.zones, faults, needs_neighbours=layout.is_portal)
    pieces = MonthPieces(hours, _sources(path, now, scope, is_portal=layout.is_portal))
    zones = sorted(reader.zones[zone] for zone in set(hours.rows.zone.tolist()))
    return Imported(reader.rows_read, len(hours.rows.minute), pieces, tuple(zones), faults.listed, faults.count)


def _sources(path: Path, now: datetime, scope: Scope | None, *, is_portal: bool) -> dict[tuple[Signal, int], Source]:
    """The source for each signal and scope code. `scope` holds where the row states none."""
    licence = PORTAL_LICENCE if is_portal else OWN_LICENCE
    attribution = f"Electricity Maps ({path.name})" if is_portal else path.name
    stated = "Hours imported from the user's own file."
    unstated = f"{stated} The file does not say whether they count production or consumption."
    sources = {}
    for signal in SIGNALS:
        for code, named in enumerate(SCOPES):
            filed = scope if named is Scope.UNSTATED and scope is not None else named
            detail = unstated if filed is Scope.UNSTATED else stated
            sources[signal, code] = Source(FILE_PROVIDER, signal, filed, licence, attribution, now, detail)
    return sources
