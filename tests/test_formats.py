"""A series as JSON, CSV and Parquet: the same numbers to the last bit; and which of them a request gets."""

from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.memory import ChunkMemory
from cache.sqlite import SqliteStore
from gridgram.interval import Month, format_time, hour_start
from gridgram.locations import Locator
from gridgram.quality import Quality, Signal
from gridgram.zones import Zones
from providers.reference import Reference
from service.forecasting.ahead import KnownAhead
from service.forecasting.forecaster import Forecaster
from service.formats import COLUMNS, FORMATS, NotAcceptable, choose_format, write_series
from service.intensity import Intensity
from service.requests import SeriesQuery, read_request
from service.usecases import Gridgram
from tests.months import hours, source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gridgram.series import IntensitySeries
    from service.answers import SeriesAnswer

    Read = Callable[[str, str, int, int], tuple[SeriesAnswer, IntensitySeries]]

NOW = datetime(2025, 6, 1, tzinfo=UTC)
MARCH = Month(2024, 3)
NUMBERS = ("g_per_kwh", "low", "high")
HOSTILE = '=HYPERLINK("http://127.0.0.1";"x")\r\n"quoted", and more'


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    """Reads hours of a zone: FR holds own hours with gaps and numbers that are awkward to write, also of a signal that none else offers."""
    zones = Zones.load()
    store = SqliteStore(tmp_path_factory.mktemp("formats") / "series.sqlite")
    intensity = Intensity(store, Reference.load(zones), ChunkMemory(2**26))
    gridgram = Gridgram(zones, Locator.load(zones), intensity, lambda: NOW, ahead=KnownAhead(intensity, Forecaster(intensity)))
    own = source("file", attribution=HOSTILE)
    awkward = [0.1 + 0.2, 1 / 3, 5e-324, 1e22, 123456789.123456789, 0.0, 1e-7, 2.0**53 + 2]
    some = hours(awkward, first=30, origin=own)
    other = hours([55.5] * 40, first=100, origin=replace(own, attribution="-1+1"), quality=Quality.PRELIMINARY)
    marginal = replace(hours([400.25] * 5, first=10, origin=own), signal=Signal.MARGINAL)
    with asyncio.Runner() as runner:
        runner.run(store.merge([some, other, marginal]))

        def read(zone: str, signal: str, first_hour: int, count: int) -> tuple[SeriesAnswer, IntensitySeries]:
            start = hour_start(MARCH.first_hour + first_hour)
            span = {"start": format_time(start), "end": format_time(start + timedelta(hours=count))}
            return runner.run(gridgram.series(read_request(SeriesQuery, {"location": zone, "signal": signal} | span, NOW)))

        yield read
        runner.run(store.close())


def rows_of(name: str, written: bytes) -> list[dict[str, Any]]:
    """What a reader gets, with the numbers as they are in memory."""
    if name == "json":
        answer = orjson.loads(written)
        return [{"zone": answer["zone"], "signal": answer["signal"], **hour} for hour in answer["hours"]]
    if name == "csv":
        rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(written.decode(), newline="")))
        return [row | {number: float(row[number]) for number in NUMBERS} for row in rows]
    table = pq.read_table(io.BytesIO(written))
    return [row | {"start": format_time(row["start"])} for row in table.to_pylist()]


def bits(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The rows with their numbers to the last bit."""
    names = ("zone", "signal", "start", "quality", "provider")
    return [(*(row[name] for name in names), *(row[number].hex() for number in NUMBERS)) for row in rows]


@settings(deadline=None)  # others use the machine too
@given(
    of=st.sampled_from([("FR", "direct"), *((zone, "lifecycle") for zone in ("FR", "DE", "US-CAL-CISO", "CN-BJ", "AU-NSW", "ZA"))]),
    first_hour=st.integers(-30_000, 5_000),
    count=st.integers(1, 1_500),
)
def test_csv_json_and_parquet_hold_the_same_numbers_to_the_last_bit(read: Read, of: tuple[str, str], first_hour: int, count: int) -> None:
    answer, series = read(*of, first_hour, count)

    in_json, in_csv, in_parquet = (bits(rows_of(name, write_series(answer, series, name))) for name in FORMATS)

    assert in_json == in_csv == in_parquet
    assert len(in_json) == count


def test_awkward_numbers_are_the_same_in_every_format(read: Read) -> None:
    answer, series = read("FR", "lifecycle", 30, 8)

    read_back = [rows_of(name, write_series(answer, series, name)) for name in FORMATS]

    for rows in read_back:
        assert [row["g_per_kwh"] for row in rows] == [0.1 + 0.2, 1 / 3, 5e-324, 1e22, 123456789.123456789, 0.0, 1e-7, 2.0**53 + 2]


def test_missing_hours_have_no_row_in_any_format_and_stand_in_the_terms(read: Read) -> None:
    answer, series = read("FR", "marginal", 8, 10)

    for name in FORMATS:
        assert [row["start"] for row in rows_of(name, write_series(answer, series, name))] == [
            f"2024-03-01T{hour}:00:00Z" for hour in range(10, 15)
        ]
    metadata = pq.read_schema(io.BytesIO(write_series(answer, series, "parquet"))).metadata
    assert answer["missing"] == [
        {"start": "2024-03-01T08:00:00Z", "end": "2024-03-01T10:00:00Z"},
        {"start": "2024-03-01T15:00:00Z", "end": "2024-03-01T18:00:00Z"},
    ]
    assert orjson.loads(metadata[b"gridgram.missing"]) == answer["missing"]
    assert orjson.loads(metadata[b"gridgram.provenance"]) == answer["provenance"]


def test_every_row_of_csv_and_parquet_names_its_source_and_licence(read: Read) -> None:
    answer, series = read("FR", "lifecycle", 28, 4)

    for name in ("csv", "parquet"):
        rows = rows_of(name, write_series(answer, series, name))
        assert tuple(rows[0]) == COLUMNS
        assert [row["provider"] for row in rows] == ["reference", "reference", "file", "file"]
        assert all(row["licence"] and row["attribution"] and row["scope"] for row in rows)


def test_a_parquet_file_has_utc_times_and_double_numbers(read: Read) -> None:
    answer, series = read("FR", "lifecycle", 0, 3)

    schema = pq.read_schema(io.BytesIO(write_series(answer, series, "parquet")))

    assert {name: str(schema.field(name).type) for name in schema.names} == {
        **dict.fromkeys(COLUMNS, "string"),
        **dict.fromkeys(NUMBERS, "double"),
        "start": "timestamp[us, tz=UTC]",
    }


def test_no_cell_of_a_csv_is_a_formula_and_quotes_and_lines_come_back(read: Read) -> None:
    answer, series = read("FR", "lifecycle", 29, 120)

    written = write_series(answer, series, "csv").decode()
    cells = [cell for row in csv.reader(io.StringIO(written, newline="")) for cell in row]

    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert f"'{HOSTILE}" in cells
    assert "'-1+1" in cells


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "json"),
        (" , ,", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("Application/JSON; charset=utf-8", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV;header=present", "csv"),
        ("text/*", "csv"),
        ("application/*", "json"),
        ("application/vnd.apache.parquet", "parquet"),
        ("application/vnd.apache.parquet, */*;q=0.1", "parquet"),
        ("text/csv;q=0.5, application/json;q=0.4", "csv"),
        ("text/csv;q=0.4, application/json;q=0.5", "json"),
        ("text/csv, application/json", "csv"),
        ("application/json, text/csv", "json"),
        ("text/csv;q=0, */*", "json"),
        ("application/json;q=0, */*", "csv"),
        ("application/json;q=0.1, */*;q=0.2", "csv"),
        ("*/*;q=0.2, application/json;q=0.1", "csv"),
        ("application/json;q=0, text/csv;q=0, */*", "parquet"),
        ("text/csv;q=rubbish, application/json;q=0.001", "json"),
        ("text/csv;q=nan, */*;q=0.1", "json"),
        ("text/csv;q=1e9, application/json", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
    ],
)
def test_the_accept_header_chooses_the_format(accept: str, chosen: str) -> None:
    assert choose_format(None, accept) == chosen


@pytest.mark.parametrize(
    "accept", ["text/html", "*/*;q=0", "application/json;q=0", "image/*", "text/csv;q=0.0", "rubbish", ";;;", "x" * 5_000]
)
def test_a_request_that_accepts_none_of_the_formats_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        choose_format(None, accept)

    assert "text/csv" in str(refused.value)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_parameter_overrules_the_accept_header(name: str) -> None:
    assert choose_format(name, "text/html") == name
