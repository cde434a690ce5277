"""Every source of hours from its plan to its hours, through the real engine and over real HTTP, from small answers of its own kind."""

from __future__ import annotations

import base64
import csv
import io
import traceback
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import orjson
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gridgram.errors import UpstreamError
from gridgram.fuels import IPCC_2014
from gridgram.interval import Interval, parse_time
from gridgram.mix import intensities_of_mix
from gridgram.mix_series import FUELS
from gridgram.quality import MIX, QUALITIES, Signal
from gridgram.zones import Zones
from providers import engine as engine_module
from providers.engine import Engine, Options
from providers.errors import KeyRefused, UpstreamFault
from providers.hourly import MIX_SIGNALS
from providers.registry import load_providers
from tests.providers.tape import Tape, running_tape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from providers.base import Provider

PAYLOADS = Path(__file__).parent / "payloads"
OF_HOURS = {
    name: provider for name, provider in load_providers().items() if not {"history", "recent", "forecast"}.isdisjoint(provider.info.offers)
}
ALL_ZONES = Zones.load()
CANARY = "CANARY"
TOKEN = f"{CANARY}-token-of-a-login"
GRAMS_PER_POUND = 453.59237

LIFECYCLE = {
    "coal": 820,
    "gas": 490,
    "oil": 650,
    "biomass": 230,
    "geothermal": 38,
    "hydro": 24,
    "solar": 45,
    "wind": 11,
    "nuclear": 12,
    "unknown": 700,
}
DIRECT = {"coal": 760, "gas": 370, "oil": 406, "unknown": 575}
FAILURES = {"html": UpstreamError, "empty object": UpstreamError, "echo": UpstreamError, "401": KeyRefused, "500": UpstreamFault}
LETTERS = {"M": "measured", "P": "preliminary", "E": "estimated", "F": "forecast"}


def payload(source: str, name: str) -> bytes:
    return (PAYLOADS / source / name).read_bytes()


def mix(**mw: float) -> dict[Signal, float]:
    """What a mix emits by both signals, by the factors written above. [MW -> g/kWh]"""
    total = sum(mw.values())
    both = ((Signal.LIFECYCLE, LIFECYCLE), (Signal.DIRECT, DIRECT))
    return {signal: sum(factors.get(fuel, 0) * power for fuel, power in mw.items()) / total for signal, factors in both}


def british(*slots: tuple[str, str, int, int | None]) -> bytes:
    rows = [
        {
            "from": f"2024-05-01T{start}Z",
            "to": f"2024-05-01T{end}Z",
            "intensity": {"forecast": forecast, "actual": actual, "index": "moderate"},
        }
        for start, end, forecast, actual in slots
    ]
    return orjson.dumps({"data": rows})


def zipped(body: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.CSV", body)
    return buffer.getvalue()


def australian() -> dict[str, bytes]:
    """The table of generators, both folders, twelve files of telemetry and two of rooftop solar, of the hour that ends at 13:00."""
    reports = "/Reports/Current"
    rooftop = f"{reports}/ROOFTOP_PV/ACTUAL/PUBLIC_ROOFTOP_PV_ACTUAL_MEASUREMENT_20251005"
    telemetry = f"{reports}/Dispatch_SCADA/PUBLIC_DISPATCHSCADA_20251005"
    units = payload("aemo", "units.csv")
    ends = [f"12{minute:02d}" for minute in range(5, 60, 5)] + ["1300"]
    numbers = [99 if end == "1210" else number for number, end in enumerate(ends, start=2)]  # of two files of 12:10 the later one
    return {
        f"{reports}/CDEII/CO2EII_AVAILABLE_GENERATORS.CSV": payload("aemo", "generators.csv"),
        f"{reports}/Dispatch_SCADA/": payload("aemo", "telemetry.html"),
        f"{reports}/ROOFTOP_PV/ACTUAL/": payload("aemo", "rooftop.html"),
        f"{rooftop}130000_0000000000000001.zip": zipped(payload("aemo", "rooftop_1230.csv")),
        f"{rooftop}133000_0000000000000002.zip": zipped(payload("aemo", "rooftop_1300.csv")),
        **{
            f"{telemetry}{end}_{number:016d}.zip": zipped(units.replace(b"12:05:00", f"{end[:2]}:{end[2:]}:00".encode()))
            for number, end in zip(numbers, ends, strict=True)
        },
    }


def californian_hour() -> dict[Signal, float]:
    """The first twelve rows of the file, each fuel averaged, what is below 0 counted as 0."""
    rows = list(csv.DictReader(io.StringIO(payload("caiso", "autumn.csv").decode())))[:12]
    columns = {
        "solar": ("Solar",),
        "wind": ("Wind",),
        "geothermal": ("Geothermal",),
        "biomass": ("Biomass", "Biogas"),
        "hydro": ("Small hydro", "Large Hydro"),
        "coal": ("Coal",),
        "nuclear": ("Nuclear",),
        "gas": ("Natural Gas",),
        "unknown": ("Other",),
    }
    return mix(**{fuel: sum(max(float(row[name]), 0.0) for row in rows for name in names) / 12 for fuel, names in columns.items()})


@dataclass(frozen=True, slots=True)
class Row:
    """What is asked of a source and when, its answers by path, and the hours that must come.

    `hours` has a letter for each hour of the span, `-` where none can be told; `numbers` is what hour `at` emits by each signal.
    A path may have ` direct` behind it: the answer to a question for that kind of factors.
    """

    zone: str
    start: str
    end: str
    now: str
    answers: Mapping[str, bytes]
    hours: str
    numbers: Mapping[Signal, float]
    at: int = 0
    more: Mapping[Signal, str] = field(default_factory=dict)

    @property
    def interval(self) -> Interval:
        return Interval(parse_time(self.start), parse_time(self.end))


FRENCH = "/api/explore/v2.1/catalog/datasets/eco2mix-national-tr/exports/json"
TABLE = {
    "rte": Row(
        "FR",
        "2024-02-05T10:00:00Z",
        "2024-02-05T12:00:00Z",
        "2024-02-05T14:00:00Z",
        {FRENCH: payload("rte", "real_time.json")},
        "E-",  # not every quarter reports every fuel; then one has no number
        mix(oil=100, gas=(3 * 3000 + 3100) / 4, nuclear=45_000, wind=(3 * 6000 + 6100) / 4, hydro=5500, biomass=900),
    ),
    "gb": Row(
        "GB",
        "2024-05-01T00:00:00Z",
        "2024-05-01T03:00:00Z",
        "2024-05-01T01:10:00Z",
        {
            "/intensity/2024-05-01T00:00Z/2024-05-01T01:30Z": british(
                ("00:00", "00:30", 1, 140), ("00:30", "01:00", 1, 150), ("01:00", "01:30", 130, None)
            ),
            "/intensity/2024-05-01T01:00Z/fw48h": british(
                *(("01:00", "01:30", 130, None), ("01:30", "02:00", 120, None)),
                *(("02:00", "02:30", 110, None), ("02:30", "03:00", 100, None)),
            ),
        },
        "PFF",
        {Signal.DIRECT: (140 + 150) / 2},
    ),
    "gb_mix": Row(
        "GB",
        "2024-05-01T00:00:00Z",
        "2024-05-01T02:00:00Z",
        "2024-05-10T00:00:00Z",
        {"/generation/2024-05-01T00:00Z/2024-05-01T02:30Z": payload("gb", "generation.json")},
        "EM",
        {
            Signal.LIFECYCLE: mix(biomass=6.5, gas=30.1, nuclear=16.3, hydro=1.5, wind=34, unknown=0.4 + (2.5 + 2.0) / 2)[Signal.LIFECYCLE],
        },
        at=1,
    ),
    "energy_charts": Row(
        "DE",
        "2024-06-03T08:00:00Z",
        "2024-06-03T10:00:00Z",
        "2024-07-01T00:00:00Z",
        {"/public_power": payload("energy_charts", "public_power.json")},
        "E-",  # hard coal is missing at 08:30; 09:30 is not there
        mix(
            hydro=1500 + 100 + 150,
            biomass=4600 + 700,
            coal=7000 + (2000 + 2010 + 2000) / 3,
            oil=120.5,
            gas=4000 + 300,
            geothermal=20,
            unknown=80,
            wind=900 + 8000,
            solar=(20_000 + 20_100 + 20_200 + 20_300) / 4,
        ),
    ),
    "entsoe": Row(
        "AT",
        "2024-05-01T00:00:00Z",
        "2024-05-01T06:00:00Z",
        "2024-06-01T01:00:00Z",
        {"/api": payload("entsoe", "a01.xml")},
        "MMMMMM",
        mix(gas=500, hydro=200),
    ),
    "eia": Row(
        "US-TEX-ERCO",
        "2024-05-01T00:00:00Z",
        "2024-05-01T06:00:00Z",
        "2024-05-20T00:00:00Z",
        {"/v2/electricity/rto/fuel-type-data/data/": payload("eia", "text.json")},
        "MMMMME",  # 600 MW of sun an hour before midnight
        mix(coal=1001, gas=5010, hydro=50, wind=2000),
    ),
    "caiso": Row(
        "US-CAL-CISO",
        "2024-11-03T07:00:00Z",
        "2024-11-03T11:00:00Z",
        "2024-12-01T00:00:00Z",
        {"/outlook/history/20241103/fuelsource.csv": payload("caiso", "autumn.csv")},
        "M--M",  # the hour from 01:00 comes twice, and its rows once
        californian_hour(),
    ),
    "aemo": Row(
        "AU-NSW",
        "2025-10-05T02:00:00Z",
        "2025-10-05T03:00:00Z",
        "2025-10-05T03:40:00Z",
        australian(),
        "M",
        mix(coal=700, solar=500.5 + (2000 + 2100) / 2),
    ),
    "open_electricity": Row(
        "AU-NSW",
        "2025-10-04T13:00:00Z",
        "2025-10-04T14:00:00Z",
        "2025-10-06T00:00:00Z",
        {"/v4/data/network/NEM": payload("open_electricity", "power_5m.json")},
        "E",  # one of the gas series is null in one step
        mix(coal=sum(range(5000, 5012)) / 12, gas=300 + 20, wind=900, unknown=7),
    ),
    "opennem": Row(
        "AU-VIC",
        "2025-10-05T02:00:00Z",
        "2025-10-05T03:00:00Z",
        "2025-10-05T03:30:00Z",
        {"/v4/stats/au/NEM/VIC1/power/7d.json": payload("open_electricity", "7d.json")},
        "E",  # wind is null in one step
        mix(coal=3000, solar=(1000 + 1200) / 2, wind=500),
    ),
    "electricity_maps": Row(
        "FR",
        "2024-06-01T00:00:00Z",
        "2024-06-01T08:00:00Z",
        "2024-06-01T05:50:00Z",
        {
            "/v3/carbon-intensity/history": payload("electricity_maps", "history.json"),
            "/v3/carbon-intensity/history direct": payload("electricity_maps", "history.json")
            .replace(b'"lifecycle"', b'"direct"')
            .replace(b'"carbonIntensity": 29', b'"carbonIntensity": 9'),
            "/v3/carbon-intensity/forecast": payload("electricity_maps", "forecast.json"),
        },
        "MMM-MEFF",
        {Signal.LIFECYCLE: 29, Signal.DIRECT: 9},
        at=2,
        more={Signal.DIRECT: "MMM-ME--"},  # the forecast is of the life cycle alone
    ),
    "watttime": Row(
        "FR",
        "2024-06-01T00:00:00Z",
        "2024-06-01T02:00:00Z",
        "2024-06-01T06:00:00Z",
        {"/v3/historical": payload("watttime", "historical.json")},
        "E-",  # one step was filled in; of the second hour one step is there
        {Signal.MARGINAL: sum(range(1000, 1060, 5)) / 12 * GRAMS_PER_POUND / 1000},
    ),
    "watttime_average": Row(
        "US-CAL-CISO",
        "2024-06-01T00:00:00Z",
        "2024-06-01T03:00:00Z",
        "2024-06-10T00:00:00Z",
        {"/v3/historical": payload("watttime", "average.json")},
        "MME",
        {Signal.DIRECT: 501 * GRAMS_PER_POUND / 1000},
        at=1,
    ),
    "ieso": Row(
        "CA-ON",
        "2024-11-03T05:00:00Z",
        "2024-11-03T09:00:00Z",
        "2025-06-15T12:00:00Z",
        {"/public/GenOutputbyFuelHourly/PUB_GenOutputbyFuelHourly_2024.xml": payload("ieso", "year.xml")},
        "MEEM",  # gas is incomplete in the second hour, other has no number in the third
        mix(nuclear=9000, gas=500, unknown=4),
    ),
    "hydro_quebec": Row(
        "CA-QC",
        "2025-06-01T04:00:00Z",
        "2025-06-01T16:00:00Z",
        "2025-06-01T14:30:00Z",
        {"/data/documents-donnees/donnees-ouvertes/json/production.json": payload("hydro_quebec", "morning.json")},
        "PPPPPPPPPP--",
        mix(hydro=18_800, wind=600, biomass=580, unknown=20),
    ),
    "ons": Row(
        "BR-CS",
        "2025-10-06T00:00:00Z",
        "2025-10-06T01:00:00Z",
        "2025-10-06T00:18:00Z",
        {"/api/energiaagora/GetBalancoEnergetico/null": payload("ons", "balance.json")},
        "E",
        mix(hydro=40 + 20 + 30, unknown=10, wind=1, nuclear=9),
    ),
    "japan": Row(
        "JP-TK",
        "2025-10-04T15:00:00Z",
        "2025-10-04T17:00:00Z",
        "2026-06-15T03:00:00Z",
        {"/forecast/html/images/eria_jukyu_202510_03.csv": payload("japan", "tokyo.csv")},
        "MM",
        mix(nuclear=1000, gas=2000, coal=3000, oil=40, unknown=60 + 10, hydro=700, biomass=80, wind=90),
    ),
}


class Upstream(Tape):
    """A tape that tells two kinds of factors apart, gives a token in every mode, and in the mode `echo` repeats what it was sent."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.path == "/login":
            self.seen.append(request)
            return web.json_response({"token": TOKEN})
        if self.mode == "echo":
            self.seen.append(request)
            asked = [*request.query.values(), *request.headers.values()]
            return web.Response(text=" ".join(sorted(asked, key=lambda value: CANARY not in value)))
        body = self.answers.get(f"{request.path} {request.query.get('emissionFactorType')}")
        if self.mode == "ok" and body is not None:
            self.seen.append(request)
            return web.Response(body=body, content_type="application/json")
        return await super().answer(request)


def secrets_of(name: str) -> dict[str, str]:
    return {setting: f"{CANARY}-{name}-{setting}" for setting in OF_HOURS[name].needed_settings}


def engine_of(row: Row, address: str) -> Engine:
    return Engine({name: Options(secrets_of(name), address) for name in OF_HOURS}, lambda: parse_time(row.now))


@pytest.fixture
async def tape(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tape]:
    monkeypatch.setattr("tests.providers.tape.Tape", Upstream)
    monkeypatch.setattr(engine_module, "FIRST_WAIT_SECONDS", 0.01)
    async with running_tape() as tape:
        yield tape


@pytest.fixture(params=sorted(TABLE))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def provider(name: str) -> Provider:
    return OF_HOURS[name]


@pytest.fixture
def row(name: str) -> Row:
    return TABLE[name]


@pytest.fixture
async def engine(row: Row, tape: Tape) -> AsyncIterator[Engine]:
    tape.answers = dict(row.answers)
    engine = engine_of(row, tape.address)
    yield engine
    await engine.close()


def test_every_source_of_hours_has_its_row() -> None:
    assert sorted(TABLE) == sorted(OF_HOURS)


async def test_what_a_source_answers_becomes_its_hours(engine: Engine, provider: Provider, row: Row) -> None:
    fetched = await engine.fetch(provider, ALL_ZONES[row.zone], row.interval, 5)

    assert fetched.error is None
    assert {series.signal for series in fetched.series} == set(row.numbers)
    assert (fetched.mix is not None) is provider.tells(MIX)  # in a unit that it declares
    if fetched.mix is not None:
        of_mix = next(series for series in fetched.series if series.signal in MIX_SIGNALS)
        assert fetched.mix.quality.tolist() == of_mix.quality.tolist()
        again = intensities_of_mix(fetched.mix.generation, FUELS, IPCC_2014, of_mix.signal)
        np.testing.assert_allclose(again.g_per_kwh, of_mix.g_per_kwh, rtol=1e-12)
    for series in fetched.series:
        letters = row.more.get(series.signal, row.hours)
        told = [QUALITIES[code - 1].value if code else "" for code in series.quality.tolist()]
        assert (series.zone, series.first_hour) == (row.zone, row.interval.first_hour)
        assert told == [LETTERS.get(letter, "") for letter in letters]
        assert series.g_per_kwh[row.at] == pytest.approx(row.numbers[series.signal], rel=1e-9)
        whole = series.quality > 0
        assert ((series.g_per_kwh[whole] >= 0) & (series.g_per_kwh[whole] <= 1_000)).all()
        assert series.sources[0].provider == provider.info.name


async def test_the_paths_and_questions_that_arrive_are_those_of_the_upstream(
    engine: Engine, tape: Tape, provider: Provider, row: Row
) -> None:
    planned = provider.plan(row.zone, row.interval, engine.clock())

    await engine.fetch(provider, ALL_ZONES[row.zone], row.interval, 5)

    arrived = [request for request in tape.seen if request.path != "/login"]
    assert {request.path for request in arrived} == {path.partition(" ")[0] for path in row.answers}
    for request in planned:
        same = [came for came in arrived if came.path == urlsplit(request.url).path and set(request.query) <= set(came.query.items())]
        assert len(same) == 1


async def test_each_request_carries_the_secrets_of_its_source_where_they_belong_and_no_others(
    engine: Engine, tape: Tape, provider: Provider, row: Row, name: str
) -> None:
    await engine.fetch(provider, ALL_ZONES[row.zone], row.interval, 5)

    held = {"token": TOKEN} if provider.login else secrets_of(name)
    wanted = {(secret.place, secret.field, secret.template.format(held[secret.setting])) for secret in provider.secrets}
    assert tape.seen
    for request in tape.seen:
        parts = [
            *(("query", field, value) for field, value in request.query.items()),
            *(("header", field, value) for field, value in request.headers.items()),
        ]
        if request.path == "/login":
            basic = request.headers["Authorization"].removeprefix("Basic ")
            assert base64.b64decode(basic).decode() == f"{CANARY}-{name}-username:{CANARY}-{name}-password"
            assert CANARY not in f"{parts}"
        else:
            assert {part for part in parts if CANARY in f"{part}" or part[1] == "Authorization"} == wanted
        assert CANARY not in request.path


@pytest.mark.parametrize("mode", FAILURES)
async def test_no_secret_is_told_when_a_source_fails(engine: Engine, tape: Tape, provider: Provider, row: Row, mode: str) -> None:
    tape.mode = mode

    with capture_logs() as logs, pytest.raises(FAILURES[mode]) as caught:
        await engine.fetch(provider, ALL_ZONES[row.zone], row.interval, 1)

    assert tape.seen
    assert CANARY not in f"{engine.health_of(provider)!r} {logs!r} {caught.value!s} {caught.value!r}"
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_no_secret_is_told_in_what_could_not_be_used(engine: Engine, provider: Provider, row: Row) -> None:
    with capture_logs() as logs:
        fetched = await engine.fetch(provider, ALL_ZONES[row.zone], row.interval, 5)

    assert CANARY not in f"{fetched.faults!r} {fetched.error!r} {engine.health_of(provider)!r} {logs!r}"
