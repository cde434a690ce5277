"""WattTime: what one more kWh emits (`watttime`), and what the average kWh emits (`watttime_average`), by region.

Marginal rates (MOER) are a model's, every five minutes, with a forecast; they count the plants that answer to a change of load, across
borders too. Average rates (AOER) are the CO2 of all plants of a region by the hour, burning alone, two to three days late, without a
forecast. Each of the two has regions of its own. Both in lb/MWh. Stamps name the start of the step, in UTC; the end of a span is
inclusive. A point whose inputs were filled in is marked when asked for, and comes twice where the source has it both ways: the one that
was not filled in is kept. Values change with the version of the model; an answer is of one version and names its date.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from gridgram.errors import UpstreamError
from gridgram.interval import EPOCH, Interval, hour_of, hour_start, parse_time, to_microseconds
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.units import g_per_kwh_from_lb_per_mwh
from providers.base import Batch, IntensityPoint, Login, PointFault, Provider, ProviderInfo, Request, Secret
from providers.reading import number, spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

URL: Final = "https://api.watttime.org/v3"
LOGIN_URL: Final = "https://api.watttime.org/login"
TOKEN_LASTS: Final = timedelta(minutes=30)
UNIT: Final = "lbs_co2_per_mwh"
SIGNALS: Final = {"co2_moer": Signal.MARGINAL, "co2_aoer": Signal.DIRECT}
STEPS: Final = {"co2_moer": timedelta(minutes=5), "co2_aoer": timedelta(hours=1)}
LONGEST_RANGE: Final = timedelta(days=30)
FORECAST_HOURS: Final = 72
MODELLED: Final = frozenset({"CN"})
"""Where nothing measured goes into the model."""
NOTHING_HELD: Final = "no coverage"
NOT_GRANTED: Final = "invalid scope"
"""How the source says that the account does not cover this region; other regions of the account still work."""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

MARGINAL_REGIONS: Final = """
AE:ARE AT:AT AU-NSW:NEM_NSW AU-VIC:NEM_VIC BE:BE BH:BHR CA-QC:HQ CH:CH CL-SEN:CHL CN:CHN DE:DE ES:ES FI:FI FR:FR GB:UK GR:GR IE:IE
JP-KN:JP_KN JP-TK:JP_TK KR:KOR MX:MX_SIN NL:NL NZ:NZL PL:PL QA:QAT SA:SAU SE:SE SG:SGP TW:TWN US-CAL-CISO:CAISO_NORTH US-CAL-LDWP:LDWP
US-CAR-SC:SC US-NW-BPAT:BPA US-NW-NEVP:NEVP US-NW-PACE:PACE US-NW-WACM:WACM US-SE-SOCO:SOCO US-SW-AZPS:AZPS ZA:ZAF
"""
MARGINAL_ZONES: Final[Mapping[str, str]] = dict(pair.split(":") for pair in MARGINAL_REGIONS.split())
"""One region each. California's is the northern one of seven, the only region that every account may read. Left out: zones of which the
source names several regions, and zones that are only part of the region, or of which the region is only a corner (CA-ON)."""

AVERAGE_REGIONS: Final = """
CA-AB:AESO CA-BC:BCHYDRO CA-QC:HQ US-CAL-CISO:CAISO US-CAL-LDWP:LDWP US-CAR-CPLE:CPLE US-CAR-CPLW:CPLW US-CAR-DUK:DUK US-CENT-SWPP:SPP
US-FLA-FPC:FPC US-FLA-FPL:FPL US-FLA-TEC:TEC US-MIDW-AECI:AECI US-MIDW-LGEE:LGEE US-MIDW-MISO:MISO US-NE-ISNE:ISONE US-NW-BPAT:BPA
US-NW-NEVP:NEVP US-NW-PGE:PGE US-NW-PSCO:PSCO US-NW-PSEI:PSEI US-NW-WACM:WACM US-SE-SOCO:SOCO US-SW-AZPS:AZPS US-SW-PNM:PNM
US-SW-SRP:SRP US-SW-WALC:WALC US-TEN-TVA:TVA US-TEX-ERCO:ERCOT
"""
AVERAGE_ZONES: Final[Mapping[str, str]] = dict(pair.split(":") for pair in AVERAGE_REGIONS.split())
"""Whole balancing authorities, as users of the source list them."""


def plan_marginal(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for the forecast first, from the running hour on, so that what is known of that hour lies over it."""
    region = MARGINAL_ZONES[zone]
    requests = []
    horizon = hour_start(hour_of(now)) + timedelta(hours=FORECAST_HOURS + 1)
    ahead = _overlap(interval, hour_start(hour_of(now)), horizon)
    if ahead is not None and ahead.end > now:
        # One hour more than asked: a forecast is counted from when it was made, up to some minutes ago.
        hours = min(FORECAST_HOURS, -((now - ahead.end) // timedelta(hours=1)) + 1)
        query = (("region", region), ("signal_type", "co2_moer"), ("horizon_hours", str(hours)))
        requests.append(Request(f"{URL}/forecast", zone, ahead, query, part="forecast"))
    return [*requests, *_past("co2_moer", region, zone, interval, now)]


def plan_average(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for what is past."""
    return list(_past("co2_aoer", AVERAGE_ZONES[zone], zone, interval, now))


def _past(signal_type: str, region: str, zone: str, interval: Interval, now: datetime) -> Iterator[Request]:
    """Whole steps in spans that do not overlap, although the source includes the end."""
    step = STEPS[signal_type]
    past = _overlap(interval, EPOCH, now)
    if past is None:
        return
    whole = Interval(past.start - (past.start - EPOCH) % step, past.end + (EPOCH - past.end) % step)
    for span in spans(whole, LONGEST_RANGE):
        bounds = (("start", span.start.isoformat()), ("end", (span.end - step).isoformat()))
        query = (("region", region), ("signal_type", signal_type), *bounds, ("include_imputed_marker", "true"))
        yield Request(f"{URL}/historical", zone, span, query, part="historical")


def _overlap(interval: Interval, start: datetime, end: datetime) -> Interval | None:
    first, last = max(interval.start, start), min(interval.end, end)
    return Interval(first, last) if first < last else None


def parse(request: Request, body: bytes) -> Batch:
    """Read steps of the past or of a forecast; of several forecasts in one answer the latest. [lb/MWh -> gCO2/kWh]"""
    asked = dict(request.query)
    answer = _document(body)
    rows = _rows(answer)
    if rows:
        _check(answer.get("meta"), asked)
    signal_type = asked["signal_type"]
    read = partial(_point, request, SIGNALS[signal_type], STEPS[signal_type], _model(answer.get("meta")))
    found: dict[int, IntensityPoint] = {}
    faults: list[PointFault] = []
    for place, row in enumerate(rows):
        try:
            point = read(row)
        except (KeyError, TypeError, ValueError) as error:
            faults.append(PointFault(f"row {place}", f"{type(error).__name__}: {error}"))
            continue
        if point is None:
            continue
        held = found.get(point.start)
        if held is None or QUALITY_CODES[point.quality] <= QUALITY_CODES[held.quality]:
            found[point.start] = point
    return Batch([found[start] for start in sorted(found)], faults)


def _document(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer. An error tells nothing of the body, which may repeat what was sent, secrets included."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        kind = "a page" if body.lstrip().startswith(b"<") else "something"
        raise UpstreamError(f"WattTime answered with {kind} that is not JSON ({len(body)} bytes).") from None
    if not isinstance(answer, dict):
        raise UpstreamError("WattTime answered with JSON that is not an object.")
    return answer


def _rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of an answer; past forecasts come as lists of steps, sorted here by when they were made."""
    if "error" in answer:
        told = f"{answer.get('error')} {answer.get('message')}".lower()
        if NOTHING_HELD in told:
            return []
        kind = "that the account does not cover the region" if NOT_GRANTED in told else "with an error document"
        raise UpstreamError(f"WattTime answered {kind}.")
    rows = answer.get("data")
    if not isinstance(rows, list):
        raise UpstreamError("WattTime answered without a list of points.")
    made = [row for row in rows if isinstance(row, dict) and isinstance(row.get("forecast"), list)]
    if not made:
        return rows
    return [step for row in sorted(made, key=lambda row: str(row.get("generated_at"))) for step in row["forecast"]]


def _check(meta: object, asked: Mapping[str, str]) -> None:
    """Refuse an answer of another signal, region, unit or step than the one that was asked for."""
    step_seconds = STEPS[asked["signal_type"]] // timedelta(seconds=1)
    wanted = {"signal_type": asked["signal_type"], "region": asked["region"], "units": UNIT, "data_point_period_seconds": step_seconds}
    if not isinstance(meta, dict):
        raise UpstreamError("WattTime answered without saying which signal, region and unit its numbers are of.")
    for name, value in wanted.items():
        if meta.get(name) != value:
            raise UpstreamError(f"WattTime answered with another {name} than {value}.")


def _model(meta: object) -> str:
    """The date of the model that an answer names; "" where it names none that can be read."""
    model = meta.get("model") if isinstance(meta, dict) else None
    date = model.get("date") if isinstance(model, dict) else None
    return date if isinstance(date, str) and _DATE.fullmatch(date) else ""


def _point(request: Request, signal: Signal, step: timedelta, model: str, row: dict[str, Any]) -> IntensityPoint | None:
    """One step; None where it has no rate or lies outside the span. Raises KeyError, TypeError or ValueError."""
    start = parse_time(row["point_time"])
    if (start - EPOCH) % step:
        raise ValueError("a stamp between two steps")
    rate = number(row["value"])
    if rate is None or start <= request.interval.start - step or start >= request.interval.end:
        return None
    if request.part == "forecast":
        quality = Quality.FORECAST
    elif row.get("imputed_data_used") or request.zone in MODELLED:
        quality = Quality.ESTIMATED
    else:
        quality = Quality.MEASURED
    minutes = step // timedelta(minutes=1)
    return IntensityPoint(to_microseconds(start), minutes, g_per_kwh_from_lb_per_mwh(rate), signal, quality, model)


def read_token(body: bytes) -> str:
    """The token that a login gives for `TOKEN_LASTS`. Raises UpstreamError for all else; wrong names and passwords get a page (403)."""
    token = _document(body).get("token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token or " " in token:
        raise UpstreamError("WattTime answered a login without a token.")
    return token


def is_empty(status: int, body: bytes) -> bool:
    """No coverage (404), or none for this account (403); an outdated token is answered with a page, which is neither."""
    told = body.decode("utf-8", "replace").lower()
    return (status == 404 and NOTHING_HELD in told) or (status == 403 and NOT_GRANTED in told)  # noqa: PLR2004 - HTTP statuses


MARGINAL: Final = Provider(
    info=ProviderInfo(
        name="watttime",
        title="WattTime, marginal rates",
        offers=("history", "recent", "forecast"),
        signals=(Signal.MARGINAL,),
        scope=(Scope.CONSUMPTION,),
        needs_key=True,
        licence="WattTime terms, no redistribution",
        attribution="WattTime",
        url="https://watttime.org",
        detail=(
            "Marginal operating emissions of CO2, a model's, with the plants across the border that answer. "
            "Free accounts: northern California, which stands for US-CAL-CISO."
        ),
    ),
    zones=MARGINAL_ZONES,
    plan=plan_marginal,
    parse=parse,
    resolution_minutes=5,
    lag=timedelta(minutes=5),
    settles_after=timedelta(days=3),
    longest_span=LONGEST_RANGE,
    requests_per_minute=300.0,
    history_from=datetime(2020, 1, 1, tzinfo=UTC),
    forecast_span=timedelta(hours=FORECAST_HOURS),
    secrets=(Secret("token", "header", "Authorization", "Bearer {}"),),
    login=Login(LOGIN_URL, read_token, TOKEN_LASTS),
    account="watttime",
    is_model=True,
    is_empty=is_empty,
)

AVERAGE: Final = replace(
    MARGINAL,
    info=ProviderInfo(
        name="watttime_average",
        title="WattTime, average rates",
        offers=("history",),
        signals=(Signal.DIRECT,),
        scope=(Scope.PRODUCTION,),
        needs_key=True,
        licence="WattTime terms, no redistribution",
        attribution="WattTime",
        url="https://watttime.org/data-science/data-signals/average-co2/",
        detail="Average operating emissions of CO2: generation by fuel x yearly factors of the country, without imports.",
    ),
    zones=AVERAGE_ZONES,
    plan=plan_average,
    resolution_minutes=60,
    lag=timedelta(hours=72),
    settles_after=timedelta(days=7),
    forecast_span=timedelta(0),
)

PROVIDERS: Final = (MARGINAL, AVERAGE)
