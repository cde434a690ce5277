"""A user's own hours: every way a file can be right, and every way it can be wrong."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from cache.sqlite import SqliteStore
from gridgram.errors import InvalidInput, StoreError, UnknownLocation
from gridgram.interval import Month, format_time, hour_of, months_between
from gridgram.quality import QUALITIES, Quality, Scope, Signal
from service.backfill.parquet_table import ParquetTable
from service.importing import csv_file, parquet_file
from service.importing.run import Imported, ImportReport, import_file, read_series_file
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gridgram.series import IntensitySeries

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ZONES = {"FR", "DE", "US-CAL-CISO", "AU-NSW"}
HEADER = "zone,start,g_per_kwh"
ROOT = Path(__file__).resolve().parents[1]


def resolve(location: str) -> str:
    known = {zone.lower(): zone for zone in ZONES} | {"aws:eu-west-3": "FR"}
    if location.lower() not in known:
        raise UnknownLocation(location, f"There is no location {location!r}.", ["FR"])
    return known[location.lower()]


@dataclass(frozen=True)
class Said:
    """An hour as an import left it."""

    g_per_kwh: float
    quality: Quality = Quality.MEASURED
    low: float | None = None
    high: float | None = None
    scope: Scope = Scope.UNSTATED
    provider: str = field(default="file")


def said(series: IntensitySeries) -> dict[tuple[str, str, str], Said]:
    return {
        (series.zone, str(series.signal), format_time(datetime.fromtimestamp((series.first_hour + place) * 3600, UTC))): Said(
            float(series.g_per_kwh[place]),
            QUALITIES[series.quality[place] - 1],
            None if series.low[place] == series.g_per_kwh[place] else float(series.low[place]),
            None if series.high[place] == series.g_per_kwh[place] else float(series.high[place]),
            series.sources[series.source[place]].scope,
        )
        for place in series.quality.nonzero()[0].tolist()
    }


def hours_of(imported: Imported) -> dict[tuple[str, str, str], Said]:
    return {key: hour for series in imported.series for key, hour in said(series).items()}


def fr(hour: int, number: float, **other: Any) -> dict[tuple[str, str, str], Said]:
    return {("FR", "lifecycle", f"2024-03-10T{hour:02d}:00:00Z"): Said(number, **other)}


def read(folder: Path, text: str | bytes, *, name: str = "own.csv", **options: Any) -> Imported:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_series_file(path, now=NOW, resolve=resolve, **options)


def rows(*lines: str, header: str = HEADER) -> str:
    return "\n".join([header, *lines]) + "\n"


def row(hour: int, number: float | str = 50, zone: str = "FR") -> str:
    return f"{zone},2024-03-10T{hour:02d}:00:00Z,{number}"


def gzipped(content: bytes) -> bytes:
    """`content` as gzip, without the moment of packing, so that a test named by its bytes is named the same by every process."""
    return gzip.compress(content, mtime=0)


def faults(imported: Imported) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.detail) for fault in imported.faults]


def refusal(folder: Path, text: str | bytes, **options: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(folder, text, **options)
    return str(caught.value)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(folder / "store" / "series.db")
    try:
        yield store
    finally:
        await store.close()


async def imported_into(store: SqliteStore, path: Path, **options: Any) -> ImportReport:
    return await import_file(path, store, now=options.pop("now", NOW), resolve=resolve, **options)


# What is understood.


def test_the_native_columns_are_read_with_their_defaults(tmp_path: Path) -> None:
    imported = read(tmp_path, rows(row(0, 50.25), row(1, 60)))

    assert hours_of(imported) == fr(0, 50.25) | fr(1, 60.0)
    assert (imported.rows, imported.hours, imported.zones, imported.fault_count) == (2, 2, ("FR",), 0)


def test_the_optional_columns_are_read(tmp_path: Path) -> None:
    header = "high,zone,low,start,signal,quality,scope,g_per_kwh"
    text = rows("60,DE,40,2024-03-10T00:00:00Z,direct,estimated,production,50", ",DE,,2024-03-10T01:00:00Z,,,,51", header=header)

    assert hours_of(read(tmp_path, text)) == {
        ("DE", "direct", "2024-03-10T00:00:00Z"): Said(50.0, Quality.ESTIMATED, 40.0, 60.0, Scope.PRODUCTION),
        ("DE", "lifecycle", "2024-03-10T01:00:00Z"): Said(51.0),
    }


def test_the_source_names_the_file_and_says_when_the_scope_was_not_stated(tmp_path: Path) -> None:
    text = rows(row(0))

    (unstated,) = read(tmp_path, text).series[0].sources
    (stated,) = read(tmp_path, text, scope=Scope.PRODUCTION).series[0].sources

    assert (unstated.provider, unstated.licence, unstated.attribution) == ("file", "user supplied", "own.csv")
    assert (unstated.fetched_at, unstated.scope) == (NOW, Scope.UNSTATED)
    assert "does not say whether" in unstated.detail
    assert stated.scope is Scope.PRODUCTION
    assert "does not state" not in stated.detail


def test_gzip_is_read_whatever_the_name_says(tmp_path: Path) -> None:
    packed = gzip.compress(rows(row(0)).encode())

    for name in ("own.csv.gz", "own.csv"):
        assert hours_of(read(tmp_path, packed, name=name)) == fr(0, 50.0)


def test_several_gzip_members_are_one_file(tmp_path: Path) -> None:
    packed = gzip.compress(f"{HEADER}\n{row(0)}\n".encode()) + gzip.compress(f"{row(1)}\n".encode())

    assert hours_of(read(tmp_path, packed)) == fr(0, 50.0) | fr(1, 50.0)


def test_columns_can_be_renamed_and_naive_times_declared_utc(tmp_path: Path) -> None:
    text = rows("FR,2024-03-10 00:00:00,50,direct", header="area,utc,g,kind")

    imported = read(tmp_path, text, columns={"zone": "area", "start": "utc", "g_per_kwh": "g", "signal": "kind"}, assume_utc=True)

    assert list(hours_of(imported)) == [("FR", "direct", "2024-03-10T00:00:00Z")]


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-03-10T01:00:00Z",
        "2024-03-10T01:00Z",
        "2024-03-10t01:00:00z",
        "2024-03-10 01:00:00+00:00",
        "2024-03-10T02:00:00+01:00",
        "2024-03-10T06:30:00+05:30",
        "2024-03-09T20:00:00.000000-05:00",
        "2024-03-10T15:00:00+14:00",
        " 2024-03-10T01:00:00Z ",
        '"2024-03-10T01:00:00Z"',
    ],
)
def test_a_time_is_read_in_every_written_form_alone_and_among_others(tmp_path: Path, stamp: str) -> None:
    assert hours_of(read(tmp_path, rows(f"FR,{stamp},50"))) == fr(1, 50.0)
    assert hours_of(read(tmp_path, rows(row(0), f"FR,{stamp},50", row(2)))) == fr(0, 50.0) | fr(1, 50.0) | fr(2, 50.0)


@pytest.mark.parametrize(("cell", "number"), [("50", 50.0), ("+5e1", 50.0), (" .5 ", 0.5), ("-0.0", 0.0), ("0.1", 0.1), ("5.", 5.0)])
def test_a_number_is_read_in_every_written_form(tmp_path: Path, cell: str, number: float) -> None:
    assert hours_of(read(tmp_path, rows(f"FR,2024-03-10T00:00:00Z,{cell}"))) == fr(0, number)


def test_locations_other_than_zone_keys_go_through_the_resolver(tmp_path: Path) -> None:
    assert hours_of(read(tmp_path, rows(row(0, zone="aws:eu-west-3"), row(1, zone="fr")))) == fr(0, 50.0) | fr(1, 50.0)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + rows(row(0), row(1)).encode(),
        rows(row(0), row(1)).replace("\n", "\r\n").encode(),
        rows(row(0), row(1)).replace("\n", "\r").encode(),
        f"{HEADER}\r\n{row(0)}\r{row(1)}\n".encode(),
        f"\n\n{HEADER}\n\n{row(0)}\n\n{row(1)}".encode(),
        f"{HEADER}\n{row(0)}\n{row(1)}\n,,\n,,\n".encode(),
        rows(*(f'"{cell[0]}","{cell[1]}","{cell[2]}"' for cell in (row(0).split(","), row(1).split(",")))).encode(),
        f"Zone, START ,G_per_kWh\n{row(0)}\n{row(1)}\n".encode(),
        f"{HEADER},remark\n{row(0)},x\n{row(1)},\n".encode(),
    ],
    ids=["mark", "crlf", "cr", "mixed ends", "blank lines", "empty rows", "quoted", "capitals", "another column"],
)
def test_harmless_differences_of_writing_do_not_matter(tmp_path: Path, text: bytes) -> None:
    imported = read(tmp_path, text)

    assert hours_of(imported) == fr(0, 50.0) | fr(1, 50.0)
    assert imported.fault_count == 0


def test_csv_keeps_every_bit_of_a_number(tmp_path: Path) -> None:
    numbers = (np.random.default_rng(5).random(24) * 900).tolist()

    hours = hours_of(read(tmp_path, rows(*(row(hour, repr(number)) for hour, number in enumerate(numbers)))))

    assert [hour.g_per_kwh for hour in hours.values()] == numbers


def test_months_are_cut_in_utc(tmp_path: Path) -> None:
    imported = read(tmp_path, rows("FR,2024-03-31T23:00:00Z,1", "FR,2024-04-01T00:00:00Z,2"))

    assert [Month.of_hour(series.first_hour) for series in imported.series] == [Month(2024, 3), Month(2024, 4)]


# Parts of an hour.


@pytest.mark.parametrize("minutes", [5, 10, 15, 20, 30])
def test_equal_steps_are_averaged_when_the_hour_is_whole(tmp_path: Path, minutes: int) -> None:
    parts = range(0, 60, minutes)
    text = rows(*(f"FR,2024-03-10T{hour:02d}:{minute:02d}:00Z,{hour * 100 + minute}" for hour in range(2) for minute in parts))

    imported = read(tmp_path, text)

    mean = sum(parts) / len(parts)
    assert [hour.g_per_kwh for hour in hours_of(imported).values()] == [pytest.approx(mean), pytest.approx(100 + mean)]
    assert imported.fault_count == 0


def test_an_hour_with_a_part_missing_is_a_fault_and_a_hole(tmp_path: Path) -> None:
    lines = [f"FR,2024-03-10T{hour:02d}:{minute:02d}:00Z,50" for hour in range(3) for minute in (0, 15, 30, 45)]
    del lines[5]

    imported = read(tmp_path, rows(*lines))

    assert hours_of(imported) == fr(0, 50.0) | fr(2, 50.0)
    assert faults(imported) == [
        (
            "line 6",
            "2024-03-10T01:00:00Z of FR lifecycle has 3 rows where 4 of 15 minutes are needed, all of one scope; the hour is left out",
        ),
    ]


def test_the_last_lone_stamp_of_a_quarter_hour_file_is_no_hour(tmp_path: Path) -> None:
    lines = [f"FR,2024-03-10T00:{minute:02d}:00Z,50" for minute in (0, 15, 30, 45)]

    imported = read(tmp_path, rows(*lines, row(1)))

    assert hours_of(imported) == fr(0, 50.0)
    assert imported.fault_count == 1


def test_a_stray_stamp_inside_an_hour_spoils_that_hour_alone(tmp_path: Path) -> None:
    imported = read(tmp_path, rows(*(row(hour) for hour in range(6)), "FR,2024-03-10T01:30:00Z,70"))

    assert hours_of(imported) == fr(0, 50.0) | fr(2, 50.0) | fr(3, 50.0) | fr(4, 50.0) | fr(5, 50.0)
    assert "2 rows where 1 of 60 minutes are needed" in faults(imported)[0][1]


@pytest.mark.parametrize("stamp", ["2024-03-10T00:07:00Z", "2024-03-10T00:00:01Z", "2024-03-10T00:00:00.5Z", "2024-03-10T00:00:00+05:17"])
def test_a_stamp_off_every_step_is_a_fault(tmp_path: Path, stamp: str) -> None:
    imported = read(tmp_path, rows(f"FR,{stamp},50", row(5)))

    assert hours_of(imported) == fr(5, 50.0)
    assert faults(imported)[0][0] == "line 2, column start"
    assert "does not start a whole step" in faults(imported)[0][1]


def test_a_lone_part_of_an_hour_is_no_hour(tmp_path: Path) -> None:
    assert hours_of(read(tmp_path, rows("FR,2024-03-10T00:30:00Z,50"))) == {}


def test_an_averaged_hour_is_as_good_as_its_worst_part(tmp_path: Path) -> None:
    text = rows("FR,2024-03-10T00:00:00Z,40,measured", "FR,2024-03-10T00:30:00Z,60,estimated", header=f"{HEADER},quality")

    assert hours_of(read(tmp_path, text)) == fr(0, 50.0, quality=Quality.ESTIMATED)


def test_parts_of_two_scopes_are_not_averaged(tmp_path: Path) -> None:
    text = rows("FR,2024-03-10T00:00:00Z,40,production", "FR,2024-03-10T00:30:00Z,60,consumption", header=f"{HEADER},scope")

    assert hours_of(read(tmp_path, text)) == {}


def test_zones_of_different_steps_share_a_file(tmp_path: Path) -> None:
    halves = [f"DE,2024-03-10T00:{minute:02d}:00Z,{number}" for minute, number in ((0, 10), (30, 20))]

    hours = hours_of(read(tmp_path, rows(halves[0], row(0), halves[1], row(1))))

    assert hours == fr(0, 50.0) | fr(1, 50.0) | {("DE", "lifecycle", "2024-03-10T00:00:00Z"): Said(15.0)}


# Rows that repeat.


def test_a_row_that_repeats_another_is_fine(tmp_path: Path) -> None:
    imported = read(tmp_path, rows(row(1), row(0), row(1, "5e1")))

    assert hours_of(imported) == fr(0, 50.0) | fr(1, 50.0)
    assert (imported.rows, imported.fault_count) == (3, 0)


def test_rows_that_contradict_each_other_name_both_lines_and_neither_is_kept(tmp_path: Path) -> None:
    imported = read(tmp_path, rows(row(0), row(1), row(0, 57), row(0)))

    assert hours_of(imported) == fr(1, 50.0)
    assert faults(imported) == [
        ("line 4", "contradicts line 2 on 2024-03-10T00:00:00Z of FR lifecycle: 50 and 57 g/kWh; neither is kept"),
    ]


def test_the_same_hour_under_another_name_of_the_zone_or_offset_is_the_same_hour(tmp_path: Path) -> None:
    imported = read(tmp_path, rows(row(0), "aws:eu-west-3,2024-03-10T01:00:00+01:00,57"))

    assert imported.hours == 0
    assert faults(imported)[0][0] == "line 3"


def test_the_hour_that_the_clocks_repeat_stays_two_hours(tmp_path: Path) -> None:
    imported = read(tmp_path, rows("FR,2024-10-27T02:00:00+02:00,1", "FR,2024-10-27T02:00:00+01:00,2"))

    assert [key[2] for key in hours_of(imported)] == ["2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z"]


# Cells that are wrong.


@pytest.mark.parametrize(
    ("line", "column", "detail"),
    [
        ("FR,2024-03-10T00:00:00Z,NaN", "g_per_kwh", "not a finite decimal number"),
        ("FR,2024-03-10T00:00:00Z,inf", "g_per_kwh", "not a finite decimal number"),
        ("FR,2024-03-10T00:00:00Z,1e400", "g_per_kwh", "not a finite decimal number"),
        ("FR,2024-03-10T00:00:00Z,1e99999", "g_per_kwh", "not a finite decimal number"),
        ("FR,2024-03-10T00:00:00Z,-1", "g_per_kwh", "'-1' is negative"),
        ("FR,2024-03-10T00:00:00Z,5000.1", "g_per_kwh", "more than 5000 g/kWh"),
        ("FR,2024-03-10T00:00:00Z,", "g_per_kwh", "the number is missing"),
        ("FR,2024-03-10T00:00:00Z,=1+1", "g_per_kwh", "'=1+1' is not a finite decimal number"),
        ("FR,2024-03-10T00:00:00Z,=cmd|' /C calc'!A0", "g_per_kwh", "not a finite decimal number"),
        ("FR,2024-03-10T00:00:00Z,0x10", "g_per_kwh", "not a finite decimal number"),
        ("FR,2024-03-10T00:00:00Z,1_000", "g_per_kwh", "not a finite decimal number"),
        ("FR,2024-03-10T00:00:00Z,\uff15\uff10", "g_per_kwh", "not a finite decimal number"),
        ("FR,2024-03-10T00:00:00Z,true", "g_per_kwh", "not a finite decimal number"),
        ('FR,2024-03-10T00:00:00Z,"50,5"', "g_per_kwh", "not a finite decimal number"),
        ("XX,2024-03-10T00:00:00Z,50", "zone", "There is no location 'XX'. Did you mean FR?"),
        (",2024-03-10T00:00:00Z,50", "zone", "the zone is missing"),
        ("=FR,2024-03-10T00:00:00Z,50", "zone", "There is no location"),
        ("../../etc/passwd,2024-03-10T00:00:00Z,50", "zone", "There is no location"),
        ("FR,2024-03-10T00:00:00,50", "start", "assume_utc (--assume-utc)"),
        ("FR,2024-03-10,50", "start", "has no offset"),
        ("FR,,50", "start", "the time is missing"),
        ("FR,2024-02-30T00:00:00Z,50", "start", "'2024-02-30T00:00:00Z' is not accepted"),
        ("FR,2024-03-10T24:00:00Z,50", "start", "is not accepted"),
        ("FR,2024-03-10T00:00:60Z,50", "start", "is not accepted"),
        ("FR,2024-03-10T00:00:00+25:00,50", "start", "is not accepted"),
        ("FR,1710028800,50", "start", "is not an RFC 3339 time"),
        ("FR,10.03.2024 00:00,50", "start", "is not an RFC 3339 time"),
        ("FR,1999-12-31T23:00:00Z,50", "start", "is before 2000-01-01T00:00:00Z"),
        ("FR,0001-01-01T00:00:00Z,50", "start", "is before 2000-01-01T00:00:00Z"),
        ("FR,0001-01-01T00:00:00+14:00,50", "start", "is not accepted"),
        ("FR,9999-12-31T23:00:00Z,50", "start", "more than 14 days ahead"),
        ("FR,2026-12-08T13:00:00Z,50", "start", "more than 14 days ahead"),
        ("FR,2026-11-24T13:00:00Z,50", "start", "is still to come; only forecast"),
    ],
)
def test_a_bad_cell_is_named_by_line_and_column_and_the_other_rows_are_kept(tmp_path: Path, line: str, column: str, detail: str) -> None:
    imported = read(tmp_path, rows(row(1), line, row(2)))

    assert hours_of(imported) == fr(1, 50.0) | fr(2, 50.0)
    assert imported.fault_count == 1
    assert imported.faults[0].pointer == f"line 3, column {column}"
    assert detail in imported.faults[0].detail


@pytest.mark.parametrize(
    ("cells", "column", "detail"),
    [
        ("average,,,,", "signal", "'average' is not one of lifecycle, direct, marginal"),
        (",given,,,", "quality", "'given' is not one of measured, preliminary, estimated, forecast"),
        (",typical,,,", "quality", "is not one of"),
        (",annual,,,", "quality", "is not one of"),
        (",,60,,", "g_per_kwh", "50 is not between its low and its high"),
        (",,,40,", "g_per_kwh", "50 is not between its low and its high"),
        (",,nan,,", "low", "is not a finite decimal number"),
        (",,,-1,", "high", "is negative"),
        (",,,,both", "scope", "'both' is not one of production, consumption, unstated"),
    ],
)
def test_a_bad_optional_cell_is_named_too(tmp_path: Path, cells: str, column: str, detail: str) -> None:
    imported = read(tmp_path, rows(f"{row(0)},{cells}", f"{row(1)},,,,,", header=f"{HEADER},signal,quality,low,high,scope"))

    assert hours_of(imported) == fr(1, 50.0)
    assert imported.faults[0].pointer == f"line 2, column {column}"
    assert detail in imported.faults[0].detail


def test_hours_ahead_may_be_forecast_up_to_fourteen_days(tmp_path: Path) -> None:
    text = rows("FR,2026-12-08T12:00:00Z,50,forecast", "FR,2026-11-24T12:00:00Z,50,measured", header=f"{HEADER},quality")

    assert read(tmp_path, text).hours == 2


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b"FR,2024-03-10T00:00:00Z", "the line has 2 columns and the header 3"),
        (b"FR,2024-03-10T00:00:00Z,50,50", "the line has 4 columns and the header 3"),
        (b"FR," * 1_000_000 + b"FR", "the line has 1000001 columns and the header 3"),
        (b'"FR,2024-03-10T00:00:00Z,50', "a quote is never closed"),
        (b'"FR"x,2024-03-10T00:00:00Z,"50', "a quote is never closed"),
        (b"FR,2024-03-10T00:00:00Z,\x0050", "NUL byte"),
        (b"FR,2024-03-10T00:00:00Z,\xff\xfe", "not UTF-8"),
        (b"torn li", "the line has 1 columns"),
    ],
)
def test_a_line_that_is_no_row_is_named_and_the_others_are_kept(tmp_path: Path, line: bytes, detail: str) -> None:
    imported = read(tmp_path, f"{HEADER}\n{row(1)}\n".encode() + line + f"\n\n{row(2)}\n".encode())

    assert hours_of(imported) == fr(1, 50.0) | fr(2, 50.0)
    assert imported.faults[0].pointer == "line 3"
    assert detail in imported.faults[0].detail


def test_a_quote_that_is_closed_on_a_later_line_swallows_no_row(tmp_path: Path) -> None:
    imported = read(tmp_path, rows(row(0), f'FR,"{row(1)}', row(2), f'{row(3)}"', row(4)))

    assert hours_of(imported) == fr(0, 50.0) | fr(2, 50.0) | fr(4, 50.0)
    assert [pointer for pointer, _ in faults(imported)] == ["line 3", "line 5, column g_per_kwh"]


def test_line_numbers_stay_exact_over_block_ends(tmp_path: Path) -> None:
    start = datetime(2000, 1, 1, tzinfo=UTC)
    lines = [f"FR,{format_time(start + timedelta(hours=hour))},50,{'x' * 100}" for hour in range(200_000)]
    wrong = {1: "FR,zz,50,", 70_000: "torn", 70_001: "FR,2024-01-01T00:00:00Z,-1,", 150_000: 'FR,"', 199_999: "XX,2024-01-01T00:00:00Z,1,"}
    for place, line in wrong.items():
        lines[place] = line

    imported = read(tmp_path, rows(*lines, header=f"{HEADER},remark"))

    assert [int(fault.pointer.split(",")[0].removeprefix("line ")) for fault in imported.faults] == [place + 2 for place in wrong]
    assert imported.hours == 200_000 - len(wrong)


def test_a_hundred_faults_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    imported = read(tmp_path, rows(*(row(0, "x") for _ in range(1000)), row(1)))

    assert (len(imported.faults), imported.fault_count, imported.hours) == (100, 1000, 1)
    assert imported.faults[99].pointer == "line 101, column g_per_kwh"


def test_a_long_or_strange_cell_is_cut_and_quoted_in_its_fault(tmp_path: Path) -> None:
    imported = read(tmp_path, rows(f"FR,2024-03-10T00:00:00Z,{'9' * 10_000}", "FR,2024-03-10T00:00:00Z,\x1b[31m\u202e5"))

    assert all(len(fault.detail) < 200 for fault in imported.faults)
    assert "\x1b" not in imported.faults[1].detail
    assert "\u202e" not in imported.faults[1].detail


# Files that cannot be read at all.


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "is empty"),
        (b"\n \n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (HEADER.encode(), "has a header and no rows"),
        (f"{HEADER}\n\n\n".encode(), "has a header and no rows"),
        (b"time,value\n1,2\n", "no column zone and start and g_per_kwh; the file has 'time', 'value'"),
        (b"zone;start;g_per_kwh\nFR;x;1\n", "split by semicolons"),
        (f"{HEADER},zone\n{row(0)},FR\n".encode(), "occurs more than once"),
        (f"{HEADER},qualty\n{row(0)},x\n".encode(), "did you mean quality?"),
        (b"a," * 1_000_000 + b"b\n", "the header has 1000001 columns"),
        (b'"zone,start\nFR,1\n', "the header cannot be split"),
        (rows(row(0)).encode("utf-16"), "is UTF-16"),
        (rows(row(0)).encode("utf-16-le"), "NUL bytes"),
        (b"\0" * 1000, "NUL bytes"),
        (b"PK\x03\x04" + b"x" * 99, "a zip archive or a spreadsheet"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 99, "zstd"),
        (b"x" * (12 << 20), "a line of more than 8 MiB"),
        (gzipped(rows(row(0)).encode())[:-12], "is damaged or cut"),
        (gzipped(rows(row(0)).encode())[:20] + b"garbage" * 9, "is damaged or cut"),
        (gzipped(gzipped(rows(row(0)).encode())), "another compressed file"),
        (gzipped(b"PAR1" + b"x" * 99), "another compressed file"),
        (b"PAR1", "is damaged or cut"),
        (b"PAR1" + b"x" * 99, "is damaged or cut"),
        (b"PAR1" + b"x" * 99 + b"PAR1", "is damaged or cut"),
        (b"PAR1" + b"x" * 99 + b"\x10\x00\x00\x00PAR1", "is not a sound Parquet file"),
    ],
)
def test_a_file_that_is_no_table_of_hours_is_refused_with_the_reason(tmp_path: Path, text: bytes, sentence: str) -> None:
    assert sentence in refusal(tmp_path, text)


@pytest.mark.parametrize(("name", "kind"), [("own.parquet", "Parquet"), ("own.csv.gz", "gzip")])
def test_a_name_that_promises_another_kind_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    assert f"does not start as a {kind} file" in refusal(tmp_path, rows(row(0)), name=name)


def test_a_folder_a_missing_file_and_a_device_are_refused(tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path, "is not a regular file"),
        (tmp_path / "none.csv", "does not exist"),
        (Path(os.devnull), "is not a regular"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            read_series_file(path, now=NOW, resolve=resolve)


@pytest.mark.parametrize(
    ("columns", "sentence"), [({"zone": "nowhere"}, "the file has no column 'nowhere'"), ({"place": "zone"}, "is not a column of ours")]
)
def test_a_wrong_renaming_is_refused(tmp_path: Path, columns: dict[str, str], sentence: str) -> None:
    assert sentence in refusal(tmp_path, rows(row(0)), columns=columns)


def test_a_column_of_names_that_are_no_places_is_refused_before_a_million_look_ups(tmp_path: Path) -> None:
    assert "is 'zone' the column of zones?" in refusal(tmp_path, rows(*(row(0, zone=f"x{number}") for number in range(300))))


def test_more_text_than_the_bound_is_refused(tmp_path: Path) -> None:
    text = rows(*(row(hour % 24) for hour in range(10_000)))

    assert "holds more than 100,000 bytes" in refusal(tmp_path, text, max_bytes=100_000)
    assert "holds more than 100,000 bytes" in refusal(tmp_path, gzip.compress(text.encode()), max_bytes=100_000)


def test_more_rows_than_the_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "MAX_ROWS", 10)

    assert "more than 10 lines" in refusal(tmp_path, rows(*(row(hour) for hour in range(11))))


READ_AND_MEASURE = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from gridgram.errors import InvalidInput
from service.importing.run import read_series_file
import pyarrow, pyarrow.csv, pyarrow.compute
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_series_file(Path(sys.argv[1]), now=datetime(2026, 11, 24, tzinfo=UTC), resolve=lambda zone: zone)
    reason = "read"
except InvalidInput as error:
    reason = str(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, reason)
"""


@pytest.mark.parametrize("content", [b"\0", b"\n", b"x"])
def test_a_gzip_bomb_is_left_early_and_takes_little_memory(tmp_path: Path, content: bytes) -> None:
    bomb = tmp_path / "bomb.csv.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as file:
        file.write(f"{HEADER}\n".encode() if content != b"\0" else b"")
        for _ in range(32):
            file.write(content * (8 << 20))

    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", READ_AND_MEASURE, str(bomb)], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True
    )

    grown_kib, _, reason = done.stdout.partition(" ")
    assert reason.strip() != "read"
    assert int(grown_kib) < 300 * 1024
    assert time.perf_counter() - began < 15


# Parquet.


def table(**columns: Any) -> pa.Table:
    start = pa.array([datetime(2024, 3, 10, hour, tzinfo=UTC) for hour in range(3)], pa.timestamp("us", "UTC"))
    return pa.table({"zone": ["FR"] * 3, "start": start, "g_per_kwh": [50.0, 60.0, 70.0]} | columns)


def read_table(folder: Path, content: pa.Table, **options: Any) -> Imported:
    path = folder / "own.parquet"
    parquet.write_table(content, path)
    return read_series_file(path, now=NOW, resolve=resolve, **options)


THREE = fr(0, 50.0) | fr(1, 60.0) | fr(2, 70.0)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"zone": pa.array(["FR"] * 3).dictionary_encode()},
        {"zone": pa.array(["FR"] * 3, pa.large_string())},
        {"g_per_kwh": pa.array([50.0, 60.0, 70.0], pa.float32())},
        {"g_per_kwh": pa.array([50, 60, 70], pa.int16())},
        {"g_per_kwh": pa.array(["50", "60", "70"])},
        {"g_per_kwh": pa.array([" 50", "60", "70"]).dictionary_encode()},
        {"low": pa.array(["", None, ""]).dictionary_encode()},
        {"start": pa.array([f"2024-03-10T0{hour}:00:00Z" for hour in range(3)]).dictionary_encode()},
        {"g_per_kwh": pa.array([50, 60, 70]).cast(pa.decimal128(21, 2))},
        {"start": pa.array([f"2024-03-10T0{hour}:00:00Z" for hour in range(3)])},
        *(
            {"start": pa.array([datetime(2024, 3, 10, hour, tzinfo=UTC) for hour in range(3)], pa.timestamp(unit, "Europe/Paris"))}
            for unit in ("s", "ms", "ns")
        ),
    ],
)
def test_parquet_is_read_in_every_sensible_type(tmp_path: Path, columns: dict[str, Any]) -> None:
    imported = read_table(tmp_path, table(**columns))

    assert hours_of(imported) == THREE
    assert imported.fault_count == 0


def test_bad_parquet_cells_are_named_by_row(tmp_path: Path) -> None:
    numbers = pa.array([50.0, None, float("nan")])
    imported = read_table(tmp_path, table(g_per_kwh=numbers))

    assert hours_of(imported) == fr(0, 50.0)
    assert [fault.pointer for fault in imported.faults] == ["row 2, column g_per_kwh", "row 3, column g_per_kwh"]


def test_absent_parquet_zones_and_times_are_faults(tmp_path: Path) -> None:
    start = pa.array([None, datetime(2024, 3, 10, 1, tzinfo=UTC), datetime(1969, 3, 10, tzinfo=UTC)], pa.timestamp("s", "UTC"))
    imported = read_table(tmp_path, table(zone=pa.array(["FR", None, "FR"]), start=start))

    assert [fault.pointer for fault in imported.faults] == ["row 1, column start", "row 2, column zone", "row 3, column start"]


def test_parquet_times_beyond_every_calendar_are_faults(tmp_path: Path) -> None:
    imported = read_table(tmp_path, table(start=pa.array([2**52, -(2**52), 1710028800], pa.int64()).cast(pa.timestamp("s", "UTC"))))

    assert imported.fault_count == 2
    assert list(hours_of(imported)) == [("FR", "lifecycle", "2024-03-10T00:00:00Z")]


def test_naive_parquet_times_need_to_be_declared_utc(tmp_path: Path) -> None:
    naive = table(start=pa.array([1710028800, 1710032400, 1710036000], pa.int64()).cast(pa.timestamp("s")))

    assert "assume_utc" in read_table(tmp_path, naive).faults[0].detail
    assert hours_of(read_table(tmp_path, naive, assume_utc=True)) == THREE


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"zone": [1, 2, 3]}, "column zone: is of type int64 and should be text"),
        ({"g_per_kwh": [True, False, True]}, "column g_per_kwh: is of type bool"),
        ({"g_per_kwh": [[1.0], [2.0], [3.0]]}, "column g_per_kwh: is of type list"),
        ({"start": [1, 2, 3]}, "column start: is of type int64"),
    ],
)
def test_a_parquet_column_of_a_wrong_type_is_refused(tmp_path: Path, columns: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "own.parquet"
    parquet.write_table(table(**columns), path)

    with pytest.raises(InvalidInput) as refused:
        read_series_file(path, now=NOW, resolve=resolve)

    assert sentence in str(refused.value)


def test_a_parquet_file_beyond_the_bounds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "MAX_ROWS", 2)

    with pytest.raises(InvalidInput, match="has 3 rows"):
        read_table(tmp_path, table())


def test_a_huge_word_that_many_rows_point_at_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    count = 20_000
    zones = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array(["x" * 10_000_000]))
    start = pa.array([1710028800 + 3600 * hour for hour in range(count)], pa.int64()).cast(pa.timestamp("s", "UTC"))
    content = pa.table({"zone": zones, "start": start, "g_per_kwh": np.full(count, 50.0)})
    parquet.write_table(content, path, store_schema=False, dictionary_pagesize_limit=1 << 30)

    done = subprocess.run(
        [sys.executable, "-c", READ_AND_MEASURE, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True
    )

    assert int(done.stdout.split()[0]) < 500 * 1024


def with_a_damaged_time_zone(path: Path) -> Path:
    """The file at `path`, written anew with a table whose time zone is not UTF-8."""
    parquet.write_table(table(), path)
    held = parquet.read_metadata(path).metadata[b"ARROW:schema"]
    path.write_bytes(path.read_bytes().replace(held, b64encode(b64decode(held).replace(b"UTC", b"\xfdTC"))))
    return path


@pytest.mark.parametrize("read", [lambda path: read_series_file(path, now=NOW, resolve=resolve), ParquetTable], ids=["import", "backfill"])
def test_a_parquet_file_whose_time_zone_is_not_text_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read(with_a_damaged_time_zone(tmp_path / "own.parquet"))

    assert "is not a sound Parquet file" in str(refusal.value.faults)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_parquet_file_never_escapes_as_another_error(tmp_path: Path, places: list[tuple[int, int]]) -> None:
    path = tmp_path / "own.parquet"
    parquet.write_table(table(), path)
    content = bytearray(path.read_bytes())
    for place, byte in places:
        content[place % len(content)] = byte
    path.write_bytes(content)

    with suppress(InvalidInput):
        read_series_file(path, now=NOW, resolve=resolve)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary(max_size=300) | st.text(st.sampled_from('",\n\r\0;=FR20-:TZ.5 e\ufeff'), max_size=300).map(str.encode))
def test_random_text_after_the_header_is_faults_or_rows_and_never_another_error(tmp_path: Path, text: bytes) -> None:
    with suppress(InvalidInput):
        imported = read(tmp_path, f"{HEADER}\n{row(1)}\n".encode() + text)

        assert all(np.isfinite(hour.g_per_kwh) for hour in hours_of(imported).values())


WRITTEN = st.sampled_from(
    [
        *(row(hour, number) for hour in range(4) for number in (50, 51.5)),
        '"FR","2024-03-10T05:00:00Z","50"',
        "FR,2024-03-10T06:00:00+01:00, 7 ",
        "XX,2024-03-10T00:00:00Z,50",
        "FR,2024-03-10T00:00:00,50",
        "FR,2024-03-10T00:00:00Z,-1",
        "FR,2024-03-10T00:00:00Z",
        "FR,2024-03-10T00:00:00Z,50,50",
        'FR,"2024-03-10T00:00:00Z,50',
        'FR,2024-03-10T07:00:00Z,"50',
        ",,",
        "",
        "   ",
    ],
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(WRITTEN, min_size=1, max_size=30))
def test_splitting_at_once_and_line_by_line_agree(tmp_path: Path, lines: list[str]) -> None:
    def outcome() -> tuple[object, ...]:
        try:
            imported = read(tmp_path, rows(*lines))
        except InvalidInput as error:
            return (str(error),)
        return imported.rows, hours_of(imported), sorted(faults(imported))

    at_once = outcome()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_file.CsvFile, "_split_at_once", lambda *_: None)
        by_line = outcome()

    assert at_once == by_line


# Electricity Maps' portal.


PORTAL = (
    "Datetime (UTC),Country,Zone {n},Zone {i},Carbon {c} gCO\u2082eq/kWh (direct),Carbon {c} gCO\u2082eq/kWh ({l}),Data Source,Data {e}"
)


CONSUMED = Scope.CONSUMPTION


@pytest.mark.parametrize(
    "header",
    [
        PORTAL.format(n="Name", i="Id", c="Intensity", l="LCA", e="Estimated"),
        PORTAL.format(n="name", i="id", c="intensity", l="Life cycle", e="estimated"),
        PORTAL.format(n="Name", i="Id", c="Intensity", l="Life cycle", e="Estimated"),
        PORTAL.format(n="Name", i="Id", c="intensity", l="life-cycle", e="estimated").replace("\u2082", "2"),
    ],
)
def test_every_generation_of_the_portals_header_is_recognised(tmp_path: Path, header: str) -> None:
    lines = ["2024-03-10 00:00:00,France,France,FR,20.5,50.5,rte,false", "2024-03-10 01:00:00,France,France,FR,21,51,rte,true"]

    hours = hours_of(read(tmp_path, rows(*lines, header=header)))

    assert hours == fr(0, 50.5, scope=CONSUMED) | fr(1, 51.0, quality=Quality.ESTIMATED, scope=CONSUMED) | {
        ("FR", "direct", "2024-03-10T00:00:00Z"): Said(20.5, scope=CONSUMED),
        ("FR", "direct", "2024-03-10T01:00:00Z"): Said(21.0, Quality.ESTIMATED, scope=CONSUMED),
    }


def test_the_portals_hours_keep_its_terms_and_are_consumption(tmp_path: Path) -> None:
    lines = [f"2024-03-10 0{hour}:00:00,France,France,FR,20,50,rte,false" for hour in range(2)]
    imported = read(tmp_path, rows(*lines, header=PORTAL.format(n="Name", i="Id", c="Intensity", l="LCA", e="Estimated")))

    for series in imported.series:
        (source,) = series.sources
        assert source.signal is series.signal
        assert source.scope is Scope.CONSUMPTION
        assert source.attribution == "Electricity Maps (own.csv)"
        assert source.licence.startswith("Electricity Maps")
        assert "does not say" not in source.detail


def test_an_empty_number_of_the_portal_is_a_hole_and_no_fault(tmp_path: Path) -> None:
    lines = [f"2024-03-10 0{hour}:00:00,France,France,FR,{direct},50,rte,false" for hour, direct in enumerate(["20", "21", ""])]

    imported = read(tmp_path, rows(*lines, header=PORTAL.format(n="Name", i="Id", c="Intensity", l="LCA", e="Estimated")))

    assert (imported.rows, imported.hours, imported.fault_count) == (3, 5, 0)


@pytest.mark.parametrize("stamps", [["2024-03-10", "2024-03-11"], ["2024-01-01", "2024-02-01"], ["2024-01-01"]])
def test_the_portals_daily_monthly_and_yearly_files_are_not_taken_for_hours(tmp_path: Path, stamps: list[str]) -> None:
    lines = [f"{stamp} 00:00:00,France,France,FR,20,50,rte,false" for stamp in stamps]

    imported = read(tmp_path, rows(*lines, header=PORTAL.format(n="Name", i="Id", c="Intensity", l="LCA", e="Estimated")))

    assert imported.hours == 0
    assert imported.fault_count == 2
    assert "download the hourly file" in imported.faults[0].detail


def test_without_the_portals_flag_nothing_is_called_measured(tmp_path: Path) -> None:
    header = "Datetime (UTC),Zone Id,Carbon Intensity gCO\u2082eq/kWh (LCA)"

    hours = hours_of(read(tmp_path, rows("2024-03-10 00:00:00,FR,50", "2024-03-10 01:00:00,FR,51", header=header)))

    assert hours == fr(0, 50.0, quality=Quality.ESTIMATED, scope=CONSUMED) | fr(1, 51.0, quality=Quality.ESTIMATED, scope=CONSUMED)


def test_a_recorded_portal_file_is_read_hour_for_hour() -> None:
    path = shared("recordings", "electricitymaps", "portal_csv_US-CAL-CISO_2022_hourly.csv.gz")

    imported = read_series_file(path, now=NOW, resolve=resolve)

    assert (imported.rows, imported.hours, imported.zones, imported.fault_count) == (8760, 17520, ("US-CAL-CISO",), 0)
    hours = hours_of(imported)
    assert hours["US-CAL-CISO", "direct", "2022-01-01T00:00:00Z"] == Said(209.26, scope=CONSUMED)
    assert hours["US-CAL-CISO", "lifecycle", "2022-12-31T23:00:00Z"] == Said(273.15, scope=CONSUMED)


# Into the store.


async def test_the_same_import_again_changes_nothing_and_not_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(rows(*(row(hour, hour + 0.1) for hour in range(24))))
    async with opened(tmp_path) as store:
        first = await imported_into(store, path)
        (held,) = await store.read("FR", Signal.LIFECYCLE, [Month(2024, 3)])
        again = await imported_into(store, path, now=NOW + timedelta(days=1))
        (held_again,) = await store.read("FR", Signal.LIFECYCLE, [Month(2024, 3)])
        renamed = await imported_into(store, path.rename(tmp_path / "copy.csv"))

    assert (first.rows, first.hours, first.hours_changed, first.is_written) == (24, 24, 24, True)
    assert (again.hours, again.hours_changed, renamed.hours_changed) == (24, 0, 0)
    assert held is not None
    assert held_again is not None
    assert held.sources == held_again.sources
    assert held.g_per_kwh.tobytes() == held_again.g_per_kwh.tobytes()


async def test_an_import_with_faults_keeps_the_good_rows_and_strict_keeps_none(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(rows(row(0), row(1, "x"), row(2)))
    async with opened(tmp_path) as store:
        strict = await imported_into(store, path, strict=True)
        held_after_strict = await store.held()
        lenient = await imported_into(store, path)
        held = await store.held()

    assert (strict.hours_changed, strict.is_written, strict.fault_count) == (0, False, 1)
    assert strict.faults[0].pointer == "line 3, column g_per_kwh"
    assert held_after_strict == []
    assert (lenient.hours_changed, lenient.is_written, lenient.fault_count) == (2, True, 1)
    assert [entry.hours for entry in held] == [2]


async def test_a_corrected_file_changes_only_what_was_corrected(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    async with opened(tmp_path) as store:
        path.write_text(rows(row(0), row(1)))
        await imported_into(store, path)
        path.write_text(rows(row(0), row(1, 57), row(2)))
        report = await imported_into(store, path)

    assert report.hours_changed == 2


async def test_a_store_that_fails_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("in the way")
    path = tmp_path / "own.csv"
    path.write_text(rows(row(0)))
    async with opened(tmp_path) as store:
        with pytest.raises(StoreError, match="cannot be opened"):
            await imported_into(store, path)


async def test_a_file_without_a_sound_row_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(rows("XX,2024-03-10T00:00:00Z,50"))
    async with opened(tmp_path) as store:
        report = await imported_into(store, path)

        assert (report.hours, report.hours_changed, report.fault_count) == (0, 0, 1)
        assert await store.held() == []


async def test_a_year_of_123_zones_is_imported_bit_for_bit_in_seconds(tmp_path: Path) -> None:
    path = shared("data", "hourly", "em_umass2022.parquet")
    original = parquet.read_table(path).to_pandas()
    known = set(original.zone.unique()) - {"FR"}

    def resolve_all_but_france(zone: str) -> str:
        if zone not in known:
            raise UnknownLocation(zone, f"There is no location {zone!r}.")
        return zone

    columns = {"start": "utc", "signal": "kind", "g_per_kwh": "g"}
    began = time.perf_counter()
    async with opened(tmp_path) as store:
        report = await import_file(path, store, now=NOW, resolve=resolve_all_but_france, columns=columns, assume_utc=True)
        took = time.perf_counter() - began
        held = {
            zone: [
                series
                for series in await store.read(
                    zone,
                    Signal.LIFECYCLE,
                    months_between(hour_of(datetime(2022, 1, 1, tzinfo=UTC)), hour_of(datetime(2023, 1, 1, tzinfo=UTC))),
                )
                if series is not None
            ]
            for zone in sorted(known)
        }

    french = int((original.zone == "FR").sum())
    assert (report.rows, report.fault_count, report.hours_changed) == (len(original), french, len(original) - french)
    assert len(report.zones) == 122
    for zone, group in original.groupby("zone", observed=True):
        if zone in known:
            kept = np.concatenate([series.g_per_kwh[series.quality > 0] for series in held[zone]])
            stamps = np.concatenate([series.first_hour + series.quality.nonzero()[0] for series in held[zone]])
            assert kept.tobytes() == group.g.to_numpy().astype(np.float64).tobytes()
            assert (stamps == group.utc.to_numpy().astype("datetime64[h]").astype(np.int64)).all()
    assert took < 10


def test_a_sparse_file_over_many_months_stays_small(tmp_path: Path) -> None:
    lines = [f"FR,{year}-{month:02d}-01T00:00:00Z,50" for year in range(2000, 2026) for month in range(1, 13)]

    imported = read(tmp_path, rows(*lines))

    assert len(imported.series) == len(lines)
    assert all(len(series.g_per_kwh) == 1 for series in imported.series[:10])
    assert imported.series[-1].end_hour == hour_of(datetime(2025, 12, 1, 1, tzinfo=UTC))
