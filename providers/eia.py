"""EIA-930: hourly generation by fuel of every balancing authority of the United States, published one to two hours late.

Bounds are UTC hours, both inclusive. A `period` names the END of its hour for most authorities; LABELS holds those that differ,
with the evidence. Power in MWh per hour, which is mean MW. Numbers come as numbers or as text, by the version of the API. A missing
value is null, never 0. The answer repeats the key, so no part of it may reach an error text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import orjson

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import EPOCH, MICROSECONDS_PER_HOUR, Interval, hour_of, hour_start
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, MixPoint, PointFault, Provider, ProviderInfo, Request, Secret
from providers.reading import number, spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Since July 2024 solar, wind and water are split by what is built beside them; the members of a family are added up.
FUELS = MappingProxyType(
    {
        "COL": Fuel.COAL,
        "NG": Fuel.GAS,
        "NUC": Fuel.NUCLEAR,
        "OIL": Fuel.OIL,
        "WAT": Fuel.HYDRO,
        "PS": Fuel.HYDRO,
        "SUN": Fuel.SOLAR,
        "SNB": Fuel.SOLAR,
        "WND": Fuel.WIND,
        "WNB": Fuel.WIND,
        "GEO": Fuel.GEOTHERMAL,
        "BM": Fuel.BIOMASS,
        "OTH": Fuel.UNKNOWN,
        "UNK": Fuel.UNKNOWN,
    }
)
STORAGE = frozenset({"BAT", "OES", "UES"})
"""Batteries and other stores: what they give back was generated before."""

# Down to these a negative number is a plant's own use and counts as 0, as in the EIA parser of Electricity Maps.
OWN_USE_MW = MappingProxyType({Fuel.SOLAR: -100.0, Fuel.COAL: -50.0, Fuel.GAS: -20.0, Fuel.WIND: -20.0, Fuel.UNKNOWN: -50.0})
OWN_USE_MW_ELSE = -10.0
CHARGES = frozenset({"WAT", "PS", "OTH", "UNK", "SNB", "WNB"})
"""Codes that hold pumps or batteries, so that a large negative number is charging and not an error (DUK WAT -1348, CISO OTH -1394)."""

# One authority a zone. Aggregates (US48, TEX, NE, NY, TEN ...) are never asked for: they repeat these.
ZONES = MappingProxyType(
    {
        "US-CAL-BANC": "BANC",
        "US-CAL-CISO": "CISO",
        "US-CAL-IID": "IID",
        "US-CAL-LDWP": "LDWP",
        "US-CAL-TIDC": "TIDC",
        "US-CAR-CPLE": "CPLE",
        "US-CAR-CPLW": "CPLW",
        "US-CAR-DUK": "DUK",
        "US-CAR-SC": "SC",
        "US-CAR-SCEG": "SCEG",
        "US-CAR-YAD": "YAD",
        "US-CENT-SPA": "SPA",
        "US-CENT-SWPP": "SWPP",
        "US-FLA-FMPP": "FMPP",
        "US-FLA-FPC": "FPC",
        "US-FLA-FPL": "FPL",
        "US-FLA-GVL": "GVL",
        "US-FLA-HST": "HST",
        "US-FLA-JEA": "JEA",
        "US-FLA-SEC": "SEC",
        "US-FLA-TAL": "TAL",
        "US-FLA-TEC": "TEC",
        "US-MIDA-PJM": "PJM",
        "US-MIDW-AECI": "AECI",
        "US-MIDW-LGEE": "LGEE",
        "US-MIDW-MISO": "MISO",
        "US-NE-ISNE": "ISNE",
        "US-NW-AVA": "AVA",
        "US-NW-BPAT": "BPAT",
        "US-NW-CHPD": "CHPD",
        "US-NW-DOPD": "DOPD",
        "US-NW-GCPD": "GCPD",
        "US-NW-GRID": "GRID",
        "US-NW-IPCO": "IPCO",
        "US-NW-NEVP": "NEVP",
        "US-NW-NWMT": "NWMT",
        "US-NW-PACE": "PACE",
        "US-NW-PACW": "PACW",
        "US-NW-PGE": "PGE",
        "US-NW-PSCO": "PSCO",
        "US-NW-PSEI": "PSEI",
        "US-NW-SCL": "SCL",
        "US-NW-TPWR": "TPWR",
        "US-NW-WACM": "WACM",
        "US-NW-WAUW": "WAUW",
        "US-NY-NYIS": "NYIS",
        "US-SE-SEPA": "SEPA",
        "US-SE-SOCO": "SOCO",
        "US-SW-AZPS": "AZPS",
        "US-SW-EPE": "EPE",
        "US-SW-PNM": "PNM",
        "US-SW-SRP": "SRP",
        "US-SW-TEPC": "TEPC",
        "US-SW-WALC": "WALC",
        "US-TEN-TVA": "TVA",
        "US-TEX-ERCO": "ERCO",
    }
)
WITHOUT_GENERATION = frozenset({"AESO", "BCHA", "HQT", "IESO", "MHEB", "NBSO", "SPC"})
"""Canadian neighbours that EIA names only as ends of an interchange: absent from all 9,700 recorded rows of generation."""


@dataclass(frozen=True, slots=True)
class Label:
    """What an authority's `period` names in a span of time, and how we know. `names` is None while it cannot be told."""

    names: Literal["start", "end"] | None
    until: datetime | None
    evidence: str


LABELS: Mapping[str, tuple[Label, ...]] = MappingProxyType(
    {
        "PJM": (
            Label(
                "start",
                None,
                "solar centroid -0.3 to +0.3 h from solar noon in 2019 to 2024Q1 when read as START; lag 0 against Electricity Maps",
            ),
        ),
        "CISO": (
            Label(
                "start",
                datetime(2022, 6, 13, tzinfo=UTC),
                "solar centroid +0.3 to +0.4 h from solar noon until June 2022 when read as START; lag 0 against Electricity Maps",
            ),
            Label(None, datetime(2022, 6, 20, tzinfo=UTC), "the label changed in this week; the day is not known"),
            Label(
                "end", None, "2023-01-01: gas at label H+1 is within 5 % of CAISO's five-minute file for hour H in all 16 hours recorded"
            ),
        ),
    }
)
END = Label("end", None, "ERCO, FPL, MISO, ISNE, BPAT, EPE: solar centroid +1.0 to +1.3 h from solar noon if read as START; NYIS: lag -1 h")

URL = "https://api.eia.gov/v2/electricity/rto/fuel-type-data/data/"
ROWS_PER_PAGE = 5000
LONGEST = timedelta(days=31)
SETTLES_AFTER = timedelta(days=5)
MARGIN = timedelta(hours=24)
"""How long before the span we ask, to learn which fuels the authority reports: one that then lacks a value is late and not 0."""

_PERIOD = re.compile(r"\d{4}-\d\d-\d\dT\d\d", re.ASCII)
_COUNT = re.compile(r"\d{1,12}", re.ASCII)
_ERROR_CODE = re.compile(r"[A-Z][A-Z_]{2,40}", re.ASCII)

INFO = ProviderInfo(
    name="eia",
    title="US Energy Information Administration, Form EIA-930",
    offers=("history", "recent"),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=True,
    licence="US government work, free to use with credit",
    attribution="U.S. Energy Information Administration (EIA)",
    url="https://www.eia.gov/opendata/",
    detail=(
        "Hourly net generation by fuel of 56 balancing authorities; storage is left out. The key is free. Some authorities label hours by "
        "their start and not by their end: the week of June 2022 in which California changed is missing. Known faults that are not mended: "
        "Palo Verde counted twice (AZPS and SRP, July 2018 to 2019), geothermal of IID counted twice (January and February 2025)."
    ),
)


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask a day earlier and an hour later than wanted; hours that may still be corrected are asked for apart."""
    settled = hour_start(hour_of(now - SETTLES_AFTER))
    parts = []
    if interval.start < settled:
        parts.append(("settled", Interval(interval.start, min(interval.end, settled))))
    if interval.end > settled and interval.start < now:
        parts.append(("recent", Interval(max(interval.start, settled), interval.end)))
    return [_request(zone, span, part) for part, whole in parts for span in spans(whole, LONGEST)]


def parse(request: Request, body: bytes) -> Batch:
    """Read one page. Hours come whole: the last hour of a page that is not the last one is left to the next page, which begins with it."""
    response = _response(body)
    rows, total = _rows(response)
    following = _following(request, rows, total, is_cut=bool(response.get("warnings")))
    hours, faults = _hours(request, rows)
    if following:
        first_left = following[0].interval.first_hour
        hours = {hour: fuels for hour, fuels in hours.items() if hour < first_left}
    elif rows and _offset(request) + len(rows) < total:
        faults.append(PointFault(f"offset {_offset(request)}", f"EIA counts {total} rows, but gave {len(rows)}"))
    points = _points(request, hours, faults)
    return Batch(points, faults, following)


def hour_named(respondent: str, period: datetime) -> int | None:
    """The number of the hour that an authority means by a `period`, None where that is not known."""
    labels = LABELS.get(respondent, (END,))
    label = next(label for label in labels if label.until is None or period < label.until)
    if label.names is None:
        return None
    return hour_of(period) - (label.names == "end")


def _request(zone: str, span: Interval, part: str) -> Request:
    query = (
        ("frequency", "hourly"),
        ("data[]", "value"),
        ("facets[respondent][]", ZONES[zone]),
        # For END labels the span [a, b) is a+1h .. b, for START labels a .. b-1h: this holds both.
        ("start", f"{span.start - MARGIN:%Y-%m-%dT%H}"),
        ("end", f"{hour_start(span.end_hour):%Y-%m-%dT%H}"),
        ("sort[0][column]", "period"),
        ("sort[0][direction]", "asc"),
        ("sort[1][column]", "fueltype"),
        ("sort[1][direction]", "asc"),
        ("offset", "0"),
        ("length", str(ROWS_PER_PAGE)),
    )
    return Request(URL, zone, span, query, part=part)


def _response(body: bytes) -> dict[str, Any]:
    """The `response` of an answer; never quotes it, for it repeats the key."""
    answer: object = None
    with suppress(orjson.JSONDecodeError):  # which holds the body, so nothing may be raised from it
        answer = orjson.loads(body)
    if answer is None:
        kind = "a page" if body.lstrip()[:1] == b"<" else "something that is not JSON"
        raise UpstreamError(f"EIA answered with {kind} of {len(body)} bytes")
    if not isinstance(answer, dict):
        raise UpstreamError(f"EIA answered with a JSON {type(answer).__name__} where its object was expected")
    response = answer.get("response")
    if isinstance(response, dict):
        return response
    error = answer.get("error")
    code = str(error.get("code")) if isinstance(error, dict) else ""
    raise UpstreamError(f"EIA answered with an error{f' {code}' if _ERROR_CODE.fullmatch(code) else ''} instead of its rows")


def _rows(response: Mapping[str, Any]) -> tuple[list[Any], int]:
    """The rows of a page, and how many there are on all pages. [list, count]"""
    rows = response.get("data")
    if not isinstance(rows, list):
        raise UpstreamError("EIA answered without a list of rows")
    total = str(response.get("total"))
    if not _COUNT.fullmatch(total):
        raise UpstreamError("EIA did not say how many rows there are")
    return rows, int(total)


def _following(request: Request, rows: Sequence[Any], total: int, *, is_cut: bool) -> list[Request]:
    """The request for the next page, if there is one: it is for the last hour of this one, whose rows may lie on both, and what follows.

    The warning of a cut answer also sits on the last page, so only the count tells; it is believed when the page is full or cut. The next
    page begins a day before its first hour where this page is long enough, for the reason that MARGIN gives.
    """
    offset, query = _offset(request), dict(request.query)
    is_full = len(rows) >= int(query.get("length", ROWS_PER_PAGE))
    if offset + len(rows) >= total or not rows or not (is_full or is_cut):
        return []
    texts: list[Any] = [row.get("period") if isinstance(row, dict) else None for row in rows]
    try:
        is_in_order, last = texts == sorted(texts), _read_period(texts[-1])
    except (TypeError, ValueError):
        is_in_order, last = False, EPOCH
    if not is_in_order:
        raise UpstreamError("EIA sent a page that is not in the order of time, so that the next one cannot be joined to it")
    read = bisect_left(texts, f"{last - MARGIN:%Y-%m-%dT%H}") or bisect_left(texts, texts[-1])
    if not read:
        raise UpstreamError(f"EIA sent a page of {len(rows)} rows for one hour, which leaves no way to ask for the rest")
    named = hour_named(ZONES[request.zone], last)
    first_left = hour_start(hour_of(last) - 1 if named is None else named)
    if first_left >= request.interval.end:
        return []
    query["offset"] = str(offset + read)
    return [replace(request, query=tuple(query.items()), interval=Interval(max(first_left, request.interval.start), request.interval.end))]


def _offset(request: Request) -> int:
    return int(dict(request.query).get("offset", "0"))


def _hours(request: Request, rows: Sequence[Any]) -> tuple[dict[int, dict[str, float | None]], list[PointFault]]:
    """The numbers by hour and fuel code, and the rows that could not be read. [MW]"""
    respondent = ZONES[request.zone]
    hours: dict[int, dict[str, float | None]] = {}
    faults: list[PointFault] = []
    unplaced: list[str] = []
    for at, row in enumerate(rows):
        if isinstance(row, dict) and row.get("respondent") != respondent:
            continue  # only where an answer holds all authorities
        try:
            period, code, power_mw = _read_row(row)
        except (KeyError, TypeError, ValueError):
            faults.append(PointFault(f"row {_offset(request) + at}", "not a row of period, fuel type and MWh"))
            continue
        hour = hour_named(respondent, period)
        if hour is None:
            unplaced.append(f"{period:%Y-%m-%dT%H}")
            continue
        fuels = hours.setdefault(hour, {})
        if fuels.setdefault(code, power_mw) != power_mw:
            faults.append(PointFault(f"{respondent} {code} {period:%Y-%m-%dT%H}", "comes twice with different numbers; neither counts"))
            fuels[code] = None
    if unplaced:
        detail = f"{len(unplaced)} rows dropped: whether {respondent} named the start or the end of the hour is not known for this week"
        faults.append(PointFault(f"{respondent} {min(unplaced)} to {max(unplaced)}", detail))
    return hours, faults


def _read_row(row: Mapping[str, Any]) -> tuple[datetime, str, float | None]:
    """The period, the fuel code and the number of a row; raises KeyError, TypeError or ValueError for any other row."""
    code, unit = row["fueltype"], row.get("value-units", "megawatthours")
    if not isinstance(code, str) or unit != "megawatthours":
        msg = "no fuel type, or not MWh"
        raise ValueError(msg)
    return _read_period(row["period"]), code.upper(), number(row["value"])


def _read_period(text: str) -> datetime:
    """The instant of a period in UTC; raises ValueError for a local one or no hour at all."""
    if not _PERIOD.fullmatch(text):
        msg = "not an hour in UTC"
        raise ValueError(msg)
    return datetime.fromisoformat(f"{text}:00:00+00:00")


def _points(request: Request, hours: Mapping[int, Mapping[str, float | None]], faults: list[PointFault]) -> list[MixPoint]:
    """The wanted hours in order, without those that lack a fuel which the authority does report."""
    respondent = ZONES[request.zone]
    quality = Quality.PRELIMINARY if request.part == "recent" else Quality.MEASURED
    codes = sorted({code for fuels in hours.values() for code in fuels} - STORAGE)
    faults.extend(PointFault(f"fuel type {code[:20]!r}", "not one that we know; counts as unknown") for code in codes if code not in FUELS)
    reported = {code: sorted(hour for hour, fuels in hours.items() if fuels.get(code)) for code in codes}
    points = []
    charging: dict[str, int] = {}
    for hour in sorted(hours):
        if not request.interval.first_hour <= hour < request.interval.end_hour:
            continue
        mw: dict[Fuel, float] = {}
        wrong = []
        for code in codes:
            power_mw = hours[hour].get(code)
            fuel = FUELS.get(code, Fuel.UNKNOWN)
            if power_mw is None:
                wrong += [f"{code} has no number, though it has at other hours"] if _is_expected(reported[code], hour) else []
            elif power_mw >= 0:
                mw[fuel] = mw.get(fuel, 0.0) + power_mw
            elif power_mw >= OWN_USE_MW.get(fuel, OWN_USE_MW_ELSE):
                mw.setdefault(fuel, 0.0)
            elif code in CHARGES:
                mw.setdefault(fuel, 0.0)
                charging[code] = charging.get(code, 0) + 1
            else:
                wrong.append(f"{code} is {power_mw:g} MW, too far below 0 for a plant's own use")
        if wrong or not mw:
            faults.append(PointFault(f"{respondent} {hour_start(hour):%Y-%m-%dT%HZ}", "; ".join(wrong) or "no fuel has a number"))
        else:
            points.append(MixPoint(hour * MICROSECONDS_PER_HOUR, 60, mw, quality))
    faults.extend(
        PointFault(f"{respondent} {code}", f"far below 0 in {count} hours: charging, which is no generation and counts as 0")
        for code, count in charging.items()
    )
    return points


def _is_expected(reported: Sequence[int], hour: int) -> bool:
    """Whether a fuel that gave something in these hours should have a number in this one: it did so within a day, or before and after."""
    earlier = bisect_right(reported, hour)
    return earlier > 0 and (earlier < len(reported) or (hour - reported[earlier - 1]) * timedelta(hours=1) <= MARGIN)


PROVIDER = Provider(
    info=INFO,
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=60,
    lag=timedelta(hours=2),
    settles_after=SETTLES_AFTER,
    longest_span=LONGEST,
    requests_per_minute=120,  # 9,000 an hour and 5 a second are allowed
    mix_unit=MixUnit.MEGAWATTS,
    history_from=datetime(2018, 7, 1, tzinfo=UTC),  # not checked against the source: the form had no fuels before
    secrets=(Secret(setting="key", place="query", field="api_key"),),
)
