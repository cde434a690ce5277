"""Electricity Maps: hourly intensity of what is used in a zone, imports traced, by life cycle and by combustion, for most of the world.

Stamps name the start of the hour, in UTC; a range excludes its end. The newest hours are estimates, which are replaced within a day or so.
The last 24 hours (`history`) and the forecast are open to free accounts, `past-range` is not. A forecast does not say which factors it
used and takes no wish for them, so only the source's default, the life cycle, is asked for. Nothing measured of mainland China is
published by the hour: its hours come from a model and are always estimates.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from gridgram.errors import UpstreamError
from gridgram.interval import MICROSECONDS_PER_HOUR, Interval, format_time, hour_of, hour_start, parse_time, to_microseconds
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, IntensityPoint, PointFault, Provider, ProviderInfo, Request, Secret
from providers.reading import number, spans

if TYPE_CHECKING:
    from collections.abc import Mapping

URL: Final = "https://api.electricitymaps.com/v3/carbon-intensity"
FACTORS: Final = {"lifecycle": Signal.LIFECYCLE, "direct": Signal.DIRECT}
HISTORY_HOURS: Final = 24
"""What `history` gives: the running hour and the 23 before it."""
LONGEST_RANGE: Final = timedelta(days=10)
HORIZONS_HOURS: Final = (6, 24, 48, 72)
"""The only values that `horizonHours` may have; the running hour comes on top."""
MODELLED: Final = frozenset({"CN"})
NOTHING_HELD: Final = "no recent data"
NOT_GRANTED: Final = ("unauthorized for zonekey", "endpoint not available")
"""How the source says that the account does not cover this zone or this kind of question; other zones of the account still work."""

KEYS: Final = """
AE AF AG AL AM AO AR AT AU AU-NSW AU-QLD AU-SA AU-TAS AU-VIC AU-WA AW AZ BA BB BD BE BF BG BH BI BJ BN BO BR BR-CS BR-N BR-NE BR-S BS
BT BW BY BZ CA-AB CA-BC CA-MB CA-NB CA-ON CA-QC CA-SK CD CF CG CH CI CL-SEN CM CN CO CR CU CV CY CZ DE DJ DK DK-DK1 DK-DK2 DM DO DZ EC
EE EG EH ER ES ET FI FJ FK FO FR GA GB GB-NIR GE GF GH GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IN IN-EA IN-NO IN-SO
IN-WE IQ IR IS IT IT-CNO IT-CSO IT-NO IT-SAR IT-SIC IT-SO JM JO JP JP-CB JP-CG JP-HKD JP-HR JP-KN JP-KY JP-ON JP-SK JP-TH JP-TK KE KG
KH KM KP KR KW KZ LA LB LC LK LR LS LT LU LV LY MA MD ME MG MK ML MM MN MQ MR MT MU MW MX MY-WM MZ NA NC NE NG NI NL NO NO-NO1 NO-NO2
NO-NO3 NO-NO4 NO-NO5 NP NZ OM PA PE PF PG PH PK PL PM PR PS PT PY QA RE RO RS RU RU-KGD RW SA SB SD SE SE-SE1 SE-SE2 SE-SE3 SE-SE4 SG
SI SK SL SN SO SR SS ST SV SY SZ TD TG TH TJ TL TM TN TO TR TT TW TZ UA UG US US-AK US-CAL-BANC US-CAL-CISO US-CAL-IID US-CAL-LDWP
US-CAL-TIDC US-CAR-CPLE US-CAR-CPLW US-CAR-DUK US-CAR-SC US-CAR-SCEG US-CAR-YAD US-CENT-SPA US-CENT-SWPP US-FLA-FMPP US-FLA-FPC
US-FLA-FPL US-FLA-GVL US-FLA-HST US-FLA-JEA US-FLA-SEC US-FLA-TAL US-FLA-TEC US-MIDA-PJM US-MIDW-AECI US-MIDW-LGEE US-MIDW-MISO
US-NE-ISNE US-NW-AVA US-NW-BPAT US-NW-CHPD US-NW-DOPD US-NW-GCPD US-NW-GRID US-NW-IPCO US-NW-NEVP US-NW-NWMT US-NW-PACE US-NW-PACW
US-NW-PGE US-NW-PSCO US-NW-PSEI US-NW-SCL US-NW-TPWR US-NW-WACM US-NW-WAUW US-NY-NYIS US-SE-SEPA US-SE-SOCO US-SW-AZPS US-SW-EPE
US-SW-PNM US-SW-SRP US-SW-TEPC US-SW-WALC US-TEN-TVA US-TEX-ERCO UY UZ VC VE VI VN VU WS XK YE ZA ZM ZW
"""
ZONES: Final[Mapping[str, str]] = {key: key for key in KEYS.split()}
"""Those of our zones that the source lists; the keys are the same on purpose."""


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for whole hours: the forecast first, so that what is known of the running hour lies over it."""
    first, end, running = interval.first_hour, interval.end_hour, hour_of(now)
    recent_from, ahead = running + 1 - HISTORY_HOURS, min(end - running - 1, HORIZONS_HOURS[-1])
    requests = []
    if ahead > 0 and first <= running + HORIZONS_HOURS[-1]:
        horizon = next(hours for hours in HORIZONS_HOURS if hours >= ahead)
        span = _hours(max(first, running), running + 1 + ahead)
        requests.append(_request("forecast", zone, span, "lifecycle", ("horizonHours", str(horizon))))
    for factors in FACTORS:
        if first < recent_from:
            for span in spans(_hours(first, min(end, recent_from)), LONGEST_RANGE):
                bounds = (("start", format_time(span.start)), ("end", format_time(span.end)))
                requests.append(_request("past-range", zone, span, factors, *bounds))
        if first <= running and end > recent_from:
            requests.append(_request("history", zone, _hours(max(first, recent_from), min(end, running + 1)), factors))
    return requests


def _hours(first: int, end: int) -> Interval:
    return Interval(hour_start(first), hour_start(end))


def _request(part: str, zone: str, interval: Interval, factors: str, *more: tuple[str, str]) -> Request:
    # Without disableCallerLookup, a zone that the source does not know is silently replaced by the one that we call from.
    chosen = () if part == "forecast" else (("emissionFactorType", factors),)
    query = (("zone", ZONES[zone]), ("disableCallerLookup", "true"), *chosen, *more)
    return Request(f"{URL}/{part}", zone, interval, query, part=part)


def parse(request: Request, body: bytes) -> Batch:
    """Read any answer of the source about carbon intensity, one hour or many, old layouts included. [gCO2e/kWh]"""
    rows = _rows(_document(body), ZONES[request.zone])
    factors = dict(request.query).get("emissionFactorType", "lifecycle")
    found: dict[int, tuple[str, IntensityPoint]] = {}
    faults: list[PointFault] = []
    for place, row in enumerate(rows):
        try:
            point = _point(request, row, factors)
        except (KeyError, TypeError, ValueError) as error:
            faults.append(PointFault(f"row {place}", f"{type(error).__name__}: {error}"))
            continue
        if point is None or not request.interval.first_hour <= point.start // MICROSECONDS_PER_HOUR < request.interval.end_hour:
            continue
        updated_at = str(row.get("updatedAt") or "")
        if point.start not in found or found[point.start][0] <= updated_at:
            found[point.start] = (updated_at, point)
    return Batch([found[start][1] for start in sorted(found)], faults)


def _document(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer. An error tells nothing of the body, which may repeat what was sent, secrets included."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        kind = "a page" if body.lstrip().startswith(b"<") else "something"
        raise UpstreamError(f"Electricity Maps answered with {kind} that is not JSON ({len(body)} bytes).") from None
    if not isinstance(answer, dict):
        raise UpstreamError("Electricity Maps answered with JSON that is not an object.")
    return answer


def _rows(answer: dict[str, Any], zone: str) -> list[dict[str, Any]]:
    """The hours of an answer, none where it says that there are none. Raises UpstreamError for all that is no answer to the question."""
    if answer.get("error") or answer.get("status") == "error":
        told = f"{answer.get('error')} {answer.get('message')}".lower()
        if NOTHING_HELD in told:
            return []
        kind = "that the account does not cover the question" if any(words in told for words in NOT_GRANTED) else "with an error document"
        raise UpstreamError(f"Electricity Maps answered {kind} for {zone}.")
    if answer.get("status") == "no-data":
        return []
    if (answer.get("zone") or answer.get("countryCode")) != zone:
        raise UpstreamError(f"Electricity Maps answered for another zone than {zone}, or for none.")
    if answer.get("temporalGranularity", "hourly") != "hourly":
        raise UpstreamError(f"Electricity Maps answered in steps that are not hours for {zone}.")
    if "carbonIntensity" in answer:
        return [answer]
    # The layout of co2signal, which `home-assistant` still has, holds one hour in `data`.
    held = next((answer[name] for name in ("history", "data", "forecast") if name in answer), None)
    if isinstance(held, dict) and "carbonIntensity" in held:
        return [held]
    if not isinstance(held, list):
        raise UpstreamError(f"Electricity Maps answered without hours of carbon intensity for {zone}.")
    return held


def _point(request: Request, row: dict[str, Any], factors: str) -> IntensityPoint | None:
    """One hour; None where it has no number. Raises KeyError, TypeError or ValueError for a row that cannot be used."""
    stamp, cell = row["datetime"], row["carbonIntensity"]
    if row.get("emissionFactorType", factors) != factors:
        raise UpstreamError(f"Electricity Maps answered with other factors than {factors} for {request.zone}.")
    if row.get("flowTraced") is False:
        raise ValueError("production instead of consumption: not flow-traced")
    start = to_microseconds(parse_time(stamp))
    if start % MICROSECONDS_PER_HOUR:
        raise ValueError("a stamp that is no full hour")
    g_per_kwh = number(cell)
    if g_per_kwh is None:
        return None
    if request.part == "forecast":
        quality = Quality.FORECAST
    elif row.get("isEstimated") is False and request.zone not in MODELLED:
        quality = Quality.MEASURED
    else:
        quality = Quality.ESTIMATED
    return IntensityPoint(start, 60, g_per_kwh, FACTORS[factors], quality)


def is_empty(status: int, body: bytes) -> bool:
    """Nothing is held (404), or nothing for this account (401): a zone or a kind of question that it does not cover."""
    told = body.decode("utf-8", "replace").lower()
    return (status == 404 and NOTHING_HELD in told) or (status in {401, 403} and any(words in told for words in NOT_GRANTED))  # noqa: PLR2004


PROVIDER: Final = Provider(
    info=ProviderInfo(
        name="electricity_maps",
        title="Electricity Maps",
        offers=("history", "recent", "forecast"),
        signals=(Signal.LIFECYCLE, Signal.DIRECT),
        scope=(Scope.CONSUMPTION,),
        needs_key=True,
        licence="Electricity Maps terms, no redistribution",
        attribution="Electricity Maps",
        url="https://www.electricitymaps.com",
        detail=(
            "Consumption, imports traced. The newest hours are estimates, replaced within about a day; all hours of China are. "
            "Free accounts: the last 24 hours and the forecast, of the zones that they cover. The forecast is life cycle only."
        ),
    ),
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=60,
    lag=timedelta(0),
    settles_after=timedelta(days=2),
    longest_span=LONGEST_RANGE,
    requests_per_minute=60.0,
    history_from=datetime(2017, 1, 1, tzinfo=UTC),
    forecast_span=timedelta(hours=HORIZONS_HOURS[-1]),
    secrets=(Secret("key", "header", "auth-token"),),
    is_model=True,
    is_empty=is_empty,
)
