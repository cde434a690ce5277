"""Every recorded answer from a real server through the whole house into the series that a user reads, and not one hour more.

The recordings lie beside the checkout; each source's own tests hold what must be read of their bytes. Here the way is tested: the
source's own paths and questions, at a base URL that is set, through engine, chain, store and reading.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from gridgram.errors import NoData
from gridgram.fuels import Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR, Interval, hour_of, parse_time
from gridgram.quality import Quality
from gridgram.units import KG_PER_LB
from providers.base import MixPoint, Request
from service.requests import SeriesQuery, read_request
from tests.providers.noon import minutes_after_solar_noon
from tests.providers.recorded import PROVIDERS, Recording, gridgram_at, recorded_tape
from tests.providers.test_watttime import answer as moer_answer
from tests.providers.test_watttime import recorded_month
from tests.shared import SHARED, shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from service.usecases import Gridgram
    from tests.providers.recorded import RecordedTape

LONG_AFTER = "2026-11-24T10:00:00Z"
TOLD = {quality.value for quality in (Quality.MEASURED, Quality.PRELIMINARY, Quality.ESTIMATED, Quality.FORECAST)}
ALWAYS = Interval(parse_time("2000-01-01T00:00:00Z"), parse_time("2027-01-01T00:00:00Z"))
NO_SLOTS = {r"/fw48h$": orjson.dumps({"data": []})}
NO_MAPS = {r"/v3/carbon-intensity/\w+$": b'{"zone": "DE", "history": []}', r"-range$": b'{"zone": "DE", "data": []}'}
LOGIN = {r"^/login$": b'{"token": "made-up-token"}'}


def at(file: str, provider: str, zone: str, start: str, end: str, path: str, told: int = 0, kind: str = "", **more: Any) -> Recording:  # noqa: PLR0917 - the columns of the table below
    """A recording that is asked for from `start` to `end`, at `end` unless `now` says otherwise."""
    return Recording(file, provider, zone, f"{start}:00Z", f"{end}:00Z", more.pop("now", f"{end}:00Z"), path, told, kind, **more)


def french(file: str, start: str, end: str, told: int = 0) -> Recording:
    return at(f"odre/{file}", "rte", "FR", start, end, r"/eco2mix-national-tr/exports/json$", told)


def british(file: str, start: str, end: str, told: int = 0, kind: str = "", *, provider: str = "gb", **more: Any) -> Recording:
    path = r"/generation/[^/]+/[^/]+Z$" if provider == "gb_mix" else r"/intensity/[^/]+/[^/]+Z$"
    return at(f"uk_carbonintensity/{file}", provider, "GB", start, end, path, told, kind, beside=NO_SLOTS, **more)


def european(file: str, zone: str, start: str, end: str, told: int = 0, kind: str = "", **more: Any) -> Recording:  # noqa: PLR0917 - the columns of the table below
    return at(f"entsoe/{file}", "entsoe", zone, start, end, r"/api$", told, kind, now=LONG_AFTER, **more)


def american(file: str, zone: str, start: str, end: str, told: int = 0, kind: str = "", **more: Any) -> Recording:  # noqa: PLR0917 - the columns of the table below
    return at(f"eia/{file}", "eia", zone, start, end, r"/v2/electricity/rto/fuel-type-data/data/$", told, kind, now=LONG_AFTER, **more)


def californian(file: str, day: str, told: int = 0, kind: str = "") -> Recording:
    path = f"/outlook/history/{day.replace('-', '')}/fuelsource.csv$"
    return at(f"caiso/{file}", "caiso", "US-CAL-CISO", f"{day}T08:00", f"{day}T23:00", path, told, kind, now=LONG_AFTER)


def australian(file: str, region: str, start: str, end: str, told: int = 0, kind: str = "", *, is_file: bool = False) -> Recording:  # noqa: PLR0917 - the columns of the table below
    if is_file:
        return at(f"opennem_legacy/{file}", "opennem", region, start, end, r"/power/7d\.json$", told, kind)
    return at(f"openelectricity_v4/{file}", "open_electricity", region, start, end, r"/v4/data/network/NEM$", told, kind)


def mapped(file: str, zone: str, hour: str, told: int = 0, kind: str = "") -> Recording:
    """A day up to an hour, in the middle of that hour."""
    day, _, number = hour.partition("T")
    now, factors = f"{hour}:30:00Z", {"emissionFactorType": "lifecycle"}
    span = (f"{day}T00:00", f"{day}T{int(number) + 1:02d}:00")
    beside = {path: body.replace(b"DE", zone.encode()) for path, body in NO_MAPS.items()}
    return at(f"electricitymaps/{file}", "electricity_maps", zone, *span, "/history$", told, kind, now=now, asked=factors, beside=beside)


def marginal(
    file: str, path: str = r"/v3/historical$", kind: str = "", *, now: str = "2022-07-20T00:00:00Z", status: int = 200
) -> Recording:
    span = ("2022-07-15T00:00", "2022-07-15T01:00")
    more: dict[str, Any] = {"beside": {} if "login" in path else LOGIN, "now": now, "status": status}
    return at(f"watttime/{file}", "watttime", "US-CAL-CISO", *span, path, 0, kind, **more)


def japanese(file: str, zone: str, start: str, end: str, told: int = 0) -> Recording:
    return at(f"japan/{file}", "japan", zone, start, end, f"/{re.escape(file)}$", told)


def american_pages(query: Mapping[str, str], first_page: bytes) -> bytes:
    """Answer as EIA does from all recorded rows: those of the authority and the span, in order, cut into pages, here of 100 rows."""
    second = Recording("eia/fuel-type-data_all_2023-01-01_page5000.json.gz", "eia", "", "", "", "", "")
    pages = [orjson.loads(body)["response"]["data"] for body in (first_page, second.body())]
    rows = [row for page in pages for row in page if row["respondent"] == query["facets[respondent][]"]]
    rows = sorted(
        (row for row in rows if query["start"] <= row["period"] <= query["end"]), key=lambda row: (row["period"], row["fueltype"])
    )
    page = rows[int(query["offset"]) :][:100]
    warnings = [{"warning": "incomplete return"}] if len(page) < len(rows) else []
    return orjson.dumps({"response": {"total": len(rows), "data": page, "warnings": warnings}})


def marginal_month(query: Mapping[str, str], _: bytes) -> bytes:
    """The recorded month, which was kept as a table in g/kWh, in the layout of the source."""
    held = {stamp: rate / KG_PER_LB for stamp, rate in recorded_month()}
    return moer_answer(Request("", "US-CAL-CISO", ALWAYS, tuple(query.items())), held)


TABLE = (
    french("national-tr_exports-json_2023-10.json", "2023-10-01T00:00", "2023-10-04T00:00", 72),
    french("national-tr_records_v21_2023-09-12_unsorted.json", "2023-09-12T16:00", "2023-09-13T07:00"),  # ten quarters, no whole hour
    french("national-tr_search-v1_2023-09-21.json", "2023-09-21T00:00", "2023-09-22T01:00", 24),
    french("national-tr_records_taux_co2_2024-07-03.json", "2024-07-03T00:00", "2024-07-04T00:00"),
    french("regional-cons-def_records_v21_2026-06-30.json", "2026-06-30T00:00", "2026-07-01T00:00"),
    british("intensity_now_2021-04-30.json", "2021-04-30T20:00", "2021-04-30T23:00"),  # half an hour
    british("factors.json", "2021-04-29T00:00", "2021-04-29T05:00", kind="unreadable"),
    british("generation_now_2021-04-30.json", "2021-04-30T20:00", "2021-04-30T23:00", provider="gb_mix"),
    british("stats_2019-04.json", "2019-04-01T00:00", "2019-04-02T00:00"),
    british("regional_all_now.json", "2021-04-30T20:00", "2021-04-30T23:00", kind="unreadable"),
    british("regional_england_now.json", "2021-04-30T20:00", "2021-04-30T23:00", kind="unreadable"),
    british("regional_regionid13_now.json", "2021-04-30T20:00", "2021-04-30T23:00", kind="unreadable"),
    british("regional_postcode_EN2_2019-01.json", "2019-01-01T00:00", "2019-01-03T00:00", kind="unreadable"),
    british("regional_all_range_2020-01.json", "2020-01-01T00:00", "2020-01-03T00:00", kind="unreadable"),
    british("regional_postcode_BH1_fw48h_2020-05-19.json", "2020-05-19T00:00", "2020-05-20T00:00", kind="unreadable"),
    british("generation_range_2019-04.json", "2019-04-01T00:00", "2019-04-08T00:00", 167, provider="gb_mix"),  # ends at 23:30
    british("error_400_path.json", "2021-04-29T00:00", "2021-04-29T05:00", kind="refused", status=400),
    at(
        *("energy_charts/co2eq_fr_2026-10-04.json", "energy_charts", "FR", "2026-10-04T00:00", "2026-10-05T00:00"),
        *("/public_power$", 0, "unreadable"),
    ),
    european("A75_generation_FR_2021-01-01.xml", "FR", "2021-01-01T00:00", "2021-01-02T00:00", 24),
    european("A75_generation_NO_2021-11-23.xml", "NO", "2021-11-23T00:00", "2021-11-24T00:00", 24),
    european("A65_load_FR_2021-01-01.xml", "FR", "2021-01-01T00:00", "2021-01-02T00:00", kind="unreadable"),
    european("A65_load_FR_2050_nodata.xml", "FR", "2021-01-01T00:00", "2021-01-02T00:00"),
    european("A11_flows_SE4_DE-LU_2021-01-01.xml", "DE", "2021-01-01T00:00", "2021-01-02T00:00", kind="unreadable"),
    european("A69_windsolar_forecast_FR_2021-01-01.xml", "FR", "2021-01-01T00:00", "2021-01-02T00:00", kind="unreadable"),
    european("A75_generation_FR_2024-06-15.xml", "FR", "2024-06-14T22:00", "2024-06-15T22:00", 24),
    european("A75_generation_NL_2024-06-15.xml", "NL", "2024-06-14T22:00", "2024-06-15T22:00", 24),
    european("A75_generation_DE_biomass_2023-08-15.xml", "DE", "2023-08-15T22:00", "2023-08-16T22:00", 24),
    european("A65_load_NL_2024-09-01.xml", "NL", "2024-09-01T22:00", "2024-09-02T22:00", kind="unreadable"),
    european("A11_flows_DE_to_NL_2024-09.xml", "NL", "2024-09-01T22:00", "2024-09-02T22:00", kind="unreadable"),
    european("A73_units_BE_nodata.xml", "BE", "2023-08-15T22:00", "2023-08-16T22:00"),
    european("A71_badquery_null_interval.xml", "BE", "2023-08-01T00:00", "2023-08-02T00:00", kind="unreadable"),
    european("A75_generation_NO-NO5_negatives.xml", "NO-NO5", "2023-05-09T09:00", "2023-05-11T09:00", 46),
    european("A75_generation_FI.xml", "FI", "2025-10-21T12:00", "2025-10-24T12:00", 72),
    european("A75_pumped_BE.xml", "BE", "2024-01-01T00:00", "2024-01-01T02:00", 2),
    european("A03_curve_all_zero.xml", "SE-SE4", "2025-10-20T11:00", "2025-10-23T11:00", kind="unreadable"),
    european("A75_generation_DE_2017-10-29_dst.xml", "DE", "2017-10-29T20:00", "2017-10-29T22:00", kind="unreadable"),  # E.ON's area
    european("error_ack_P1M.xml", "FR", "2021-01-01T00:00", "2021-01-02T00:00", kind="refused", status=400),
    american(
        *("fuel-type-data_all_2023-01-01_page0.json.gz", "US-TEX-ERCO", "2022-12-31T23:00", "2023-01-02T00:00", 25),
        laid_out=american_pages,
    ),
    american("interchange_CISO_2024-01-01.json", "US-CAL-CISO", "2024-01-01T00:00", "2024-01-02T00:00"),
    american("region-data_D_all_2023-01-01.json", "US-CAL-CISO", "2023-01-01T00:00", "2023-01-02T00:00"),
    american("fuel-type_nulls_PGE_2022-10-31.json", "US-NW-PGE", "2022-10-31T00:00", "2022-11-01T00:00", 1),
    american("fuel-type_empty_AVRN.json", "US-NW-PGE", "2022-10-31T00:00", "2022-11-01T00:00"),
    american("region-data_BPAT_consumption.json", "US-NW-BPAT", "2023-05-01T00:00", "2023-05-02T00:00"),
    american("error_403_key_missing.json", "US-NW-BPAT", "2023-05-01T00:00", "2023-05-02T00:00", kind="key_refused", status=403),
    american("error_404.json", "US-NW-BPAT", "2023-05-01T00:00", "2023-05-02T00:00", kind="refused", status=404),
    californian("fuelsource_2023-01-01.csv", "2023-01-01", 15),
    californian("netdemand_2019-03-10_dst-spring.csv", "2019-03-10", kind="unreadable"),
    californian("oasis_SLD_FCST_7DA_2025-02-19.zip", "2025-02-19", kind="unreadable"),
    californian("DailyRenewablesWatch_2017-11-04.txt", "2018-11-04", kind="unreadable"),
    californian("renewables_report_2014-03-12.txt", "2019-03-12", kind="unreadable"),
    australian("data_network_power_fueltech_AU-NSW.json", "AU-NSW", "2025-07-10T11:00", "2025-07-11T12:00", 23),
    australian("data_network_power_fueltech_AU-VIC.json", "AU-VIC", "2025-03-16T10:00", "2025-03-17T11:00", 23),
    australian("data_network_power_fueltech_AU-TAS.json", "AU-TAS", "2025-07-22T15:00", "2025-07-23T16:00", 22),
    australian("facilities_AU-QLD.json", "AU-QLD", "2025-07-22T15:00", "2025-07-23T16:00", kind="unreadable"),
    australian("market_demand_AU-NSW.json", "AU-NSW", "2025-03-23T10:00", "2025-03-23T11:00", kind="unreadable"),
    australian("stats_power_7d_AU-NSW.json", "AU-NSW", "2025-07-10T11:00", "2025-07-12T12:00", 23, is_file=True),
    australian("stats_power_7d_AU-TAS.json", "AU-TAS", "2025-07-22T15:00", "2025-07-24T00:00", 22, is_file=True),
    australian("stats_energy_1y_NSW1_2023.json", "AU-NSW", "2023-01-20T00:00", "2023-01-23T00:00", kind="unreadable", is_file=True),
    australian("stats_power_7d_TAS1_2023.json", "AU-TAS", "2023-01-17T14:00", "2023-01-24T14:00", 155, is_file=True),
    australian("stats_price_WEM_2023-09.json", "AU-WA", "2023-09-19T00:00", "2023-09-20T00:00", kind="unreadable", is_file=True),
    mapped("v3_carbon-intensity_history_DE_2024-03-05.json", "DE", "2024-03-06T19", 20),
    mapped("v3_carbon-intensity_latest_US-CAR-DUK.json", "US-CAR-DUK", "2024-03-06T19", 1),
    mapped("v3_power-breakdown_latest_DE.json", "DE", "2024-03-06T19", kind="unreadable"),
    mapped("v3_zones.json", "DE", "2024-03-06T19", kind="unreadable"),
    mapped("legacy_co2signal_v1_latest_DE.json", "DE", "2023-10-02T08", 1),
    mapped("legacy_co2signal_v1_nodata_DE.json", "DE", "2023-10-02T08"),
    marginal("v3_historical_CAISO_NORTH.json"),  # ten minutes, no whole hour
    marginal("v3_forecast_CAISO_NORTH.json", "/v3/forecast$", "refused", now="2022-07-15T00:02:00Z"),  # history is not there
    marginal("v3_region-from-loc_PSCO.json", kind="unreadable"),
    marginal("v3_error_403_scope.json", status=403),  # another region of the account may still work
    marginal("login_error_403.html", "/login$", "key_refused", status=403),
    at(
        *("watttime/moer_CAISO_NORTH_2023-06.csv", "watttime", "US-CAL-CISO", "2023-06-08T00:00", "2023-07-09T00:00", "/v3/historical$"),
        *(744, ""),
        beside=LOGIN,
        laid_out=marginal_month,
        now=LONG_AFTER,
    ),
    at(
        *("ieso/GenOutputCapability_2023-09-01.xml", "ieso", "CA-ON", "2023-09-01T05:00", "2023-09-02T05:00"),
        *("/PUB_GenOutputCapability_20230901.xml$", 24),
    ),
    at(
        *("ieso/GenOutputCapability_2016-05-01_reduced.xml", "ieso", "CA-ON", "2016-05-01T05:00", "2016-05-02T05:00"),
        *("/PUB_GenOutputCapability_20160501.xml$", 4),
    ),
    at(
        *("ieso/GenOutputbyFuelHourly_2016_reduced.xml", "ieso", "CA-ON", "2016-01-01T05:00", "2016-01-09T05:00"),
        *("/PUB_GenOutputbyFuelHourly_2016.xml$", 168),
        now=LONG_AFTER,
    ),
    at(
        *("hydroquebec/production_2023-08-15.json", "hydro_quebec", "CA-QC", "2023-08-15T04:00", "2023-08-16T12:00"),
        *("/json/production.json$", 32),
    ),
    at("ons_brazil/BR_2018-01-27.json", "ons", "BR-CS", "2018-01-27T22:00", "2018-01-27T23:00", "/null$", 1, now="2018-01-27T22:40:00Z"),
    at("ons_brazil/BR_2025-07-22.json", "ons", "BR-NE", "2025-07-22T11:00", "2025-07-22T12:00", "/null$", 1, now="2025-07-22T11:40:00Z"),
    japanese("eria_jukyu_202604_03.csv", "JP-TK", "2026-03-31T15:00", "2026-04-02T17:00", 50),
    japanese("eria_jukyu_202604_06.csv", "JP-KN", "2026-03-31T15:00", "2026-04-02T17:00", 50),
    japanese("eria_jukyu_202604_09.csv", "JP-KY", "2026-03-31T15:00", "2026-04-02T17:00", 50),
    japanese("realtime_jukyu_20260415_02.csv", "JP-TH", "2026-04-14T15:00", "2026-04-15T15:00", 21),
    japanese("area_jyukyu_jisseki_2016.csv", "JP-KN", "2016-03-31T15:00", "2016-04-02T15:00", 48),
)
AEMO = {
    r"/CDEII/CO2EII_AVAILABLE_GENERATORS.CSV$": "CO2EII_AVAILABLE_GENERATORS_2026-08-07.csv",
    r"/Dispatch_SCADA/$": "dirlisting_Dispatch_SCADA_2021-09-02.html",
    r"/Dispatch_SCADA/PUBLIC_DISPATCHSCADA_202109021255_\d+.zip$": "PUBLIC_DISPATCHSCADA_202109021255.zip",
    r"/ROOFTOP_PV/ACTUAL/PUBLIC_ROOFTOP.*zip$": "PUBLIC_ROOFTOP_PV_ACTUAL_MEASUREMENT_20230902183000.zip",
}
"""AEMO's folders and files, each of a time of its own: no hour can come of them."""
OTHER_AEMO = ("PUBLIC_TRADINGIS_202308301800.zip", "PUBLIC_DVD_DISPATCH_UNIT_SCADA_201804010000.zip")
ELSEWHERE = {
    "electricitymaps/portal_csv_US-CAL-CISO_2022_hourly.csv.gz": "a download for `gridgram import`, tested there",
    "ember/ember_country_2021.csv": "a table of yearly means, not an answer of the interface that is asked",
    "eia/fuel-type-data_all_2023-01-01_page5000.json.gz": "served with the first page",
    "india/": "no adapter: a daily report of all India and flows, no hours of generation",
}
"""What no row of the table serves, and why."""


@pytest.fixture
async def tape() -> AsyncIterator[RecordedTape]:
    async with recorded_tape() as tape:
        yield tape


def test_every_recorded_file_of_a_source_with_an_adapter_is_served() -> None:
    shared("recordings")
    files = {f"{path.parent.name}/{path.name}" for path in (SHARED / "recordings").glob("*/*") if path.name != "manifest.json"}
    served = {recording.file for recording in TABLE} | {f"aemo_nemweb/{name}" for name in (*AEMO.values(), *OTHER_AEMO)}
    assert len(files) == 94

    missing = {file for file in files - served if not file.startswith(tuple(ELSEWHERE))}

    assert missing == set()


async def told_hours(gridgram: Gridgram, recording: Recording, signal: str) -> dict[int, float]:
    """What `/v1/intensity` answers of the span: the hours that the source told, by their place in it. [gCO2e/kWh]"""
    members = {"location": recording.zone, "start": recording.start, "end": recording.end, "signal": signal}
    try:
        answer, _ = await gridgram.series(read_request(SeriesQuery, members, gridgram.now()))
    except NoData:
        return {}
    first = recording.interval.first_hour
    told = {hour_of(parse_time(hour["start"])) - first: hour for hour in answer["hours"] if hour["quality"] in TOLD}
    assert {hour["provider"] for hour in told.values()} <= {recording.provider}
    assert {source["provider"] for source in answer["provenance"]} == {hour["provider"] for hour in answer["hours"]}
    return {place: hour["g_per_kwh"] for place, hour in told.items()}


@pytest.mark.parametrize("recording", TABLE, ids=lambda recording: recording.file.rpartition("/")[2])
async def test_a_recording_comes_through_the_whole_house_as_its_adapter_reads_it(
    recording: Recording, tape: RecordedTape, tmp_path: Path
) -> None:
    recording.body()
    tape.held = [recording]
    gridgram = gridgram_at(tmp_path, recording, tape.address)
    provider = PROVIDERS[recording.provider]
    alone = {series.signal: series for series in recording.hours(gridgram.zones[recording.zone])}

    for number, signal in enumerate(provider.info.signals):
        told = await told_hours(gridgram, recording, signal.value)

        series = alone.get(signal)
        read = {} if series is None else {place: g for place, g in enumerate(series.g_per_kwh.tolist()) if series.quality[place]}
        assert told == pytest.approx(read)
        assert number or len(told) == recording.told
    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    assert set(fetcher.engine.health_of(provider).errors) == ({recording.kind} if recording.kind else set())
    assert any(recording.fits(request.path, request.query) for request in tape.seen)
    await gridgram.intensity.close()


TIMES_AND_PAGES = {
    "start",
    "end",
    "offset",
    "length",
    "periodStart",
    "periodEnd",
    "date_start",
    "date_end",
    "where",
    "api_key",
    "securityToken",
}
OF_OTHERS = {"TimeInterval", "facets[fueltype][]", "psrType", "timezone", "q", "rows", "dataset", "month"}
"""Questions that those who recorded asked and we do not: of one type alone, or in an older way."""


def test_the_paths_and_questions_of_each_source_are_those_that_were_recorded() -> None:
    compared = 0
    for recording in TABLE:
        told = recorded_request(recording.file)
        if not recording.told or told is None:
            continue
        asked = PROVIDERS[recording.provider].plan(recording.zone, recording.days, parse_time(recording.now))
        fitting = [request for request in asked if recording.fits(request.url, dict(request.query))]
        assert fitting
        for request in fitting:
            ours = dict(request.query)
            path, theirs = told
            assert without_times(urlsplit(request.url).path) == without_times(path)
            for name in theirs.keys() - TIMES_AND_PAGES - OF_OTHERS:
                assert ours[name] == theirs[name], (recording.file, name)
            compared += 1
    assert compared >= 15


def recorded_request(file: str) -> tuple[str, dict[str, str]] | None:
    """Path and query of the request that a recording answers; None where the manifest tells of no address, or of an older one."""
    manifest = json.loads(shared("recordings", file.partition("/")[0], "manifest.json").read_text())
    (entry,) = (entry for entry in manifest if entry["file"] == file.partition("/")[2])
    found = re.match(r"GET (https://\S+|\?\S+)", entry["request"])
    if found is None or "/records" in found[1] or "/latest" in found[1] or ".." in found[1] or "/v3/stats" in found[1]:
        return None
    place = urlsplit(found[1])
    return place.path or "/api", dict(parse_qsl(place.query))


def without_times(path: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", "TIME", path)


async def test_the_recorded_folders_and_files_of_australia_are_followed_and_make_no_hour_that_they_do_not_hold(tmp_path: Path) -> None:
    base = at("", "aemo", "AU-NSW", "2021-09-02T01:00", "2021-09-02T03:00", "", now="2021-09-02T03:10:00Z")
    held = [replace(base, file=f"aemo_nemweb/{name}", path=path) for path, name in AEMO.items()]
    for recording in held:
        recording.body()
    async with recorded_tape() as tape:
        tape.held = held
        gridgram = gridgram_at(tmp_path, base, tape.address)

        assert await told_hours(gridgram, base, "lifecycle") == {}

        assert {"/Reports/Current/CDEII/CO2EII_AVAILABLE_GENERATORS.CSV", "/Reports/Current/Dispatch_SCADA/"} <= {r.path for r in tape.seen}
        await gridgram.intensity.close()


@pytest.mark.parametrize("name", OTHER_AEMO)
async def test_a_recorded_report_of_australia_is_not_taken_for_another(name: str, tape: RecordedTape, tmp_path: Path) -> None:
    recording = at(f"aemo_nemweb/{name}", "aemo", "AU-NSW", "2021-09-02T01:00", "2021-09-02T03:00", "/CO2EII_AVAILABLE_GENERATORS.CSV$")
    recording.body()
    tape.held = [recording]
    gridgram = gridgram_at(tmp_path, recording, tape.address)

    assert await told_hours(gridgram, recording, "lifecycle") == {}

    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    assert fetcher.engine.health_of(PROVIDERS["aemo"]).errors == {"unreadable": 1}
    await gridgram.intensity.close()


def test_the_sun_of_every_recorded_day_stands_where_it_should() -> None:
    """Solar power of whole days centres within forty minutes of solar noon, for every source and zone whose recordings hold some."""
    centred = {}
    for recording in TABLE:
        days = (recording.interval.end_hour - recording.interval.first_hour) // 24
        if recording.told < 20 or days < 1 or recording.provider == "watttime":
            continue
        points = [point for point in recording.points() if isinstance(point, MixPoint)]
        first = recording.interval.first_hour * MICROSECONDS_PER_HOUR
        whole = [point for point in points if first <= point.start < first + days * 24 * MICROSECONDS_PER_HOUR]
        if sum(point.mw.get(Fuel.SOLAR, 0.0) * point.minutes for point in whole) > 60 * 100:
            centred[recording.provider, recording.zone, recording.file] = minutes_after_solar_noon(whole, recording.zone)

    assert {name: minutes for name, minutes in centred.items() if abs(minutes) > 40} == {}
    assert {provider for provider, _, _ in centred} >= {"rte", "entsoe", "gb_mix", "eia", "open_electricity", "opennem", "ieso", "japan"}
