"""Open Electricity: generation by fuel in Australia's two grids, every five minutes; with a key, and the last week as keyless files.

Bounds are naive network time (NEM UTC+10, WEM UTC+8, neither has daylight saving), start included, end excluded. Stamps are AEMO's:
they name the END of five minutes and are moved back here. Hour buckets (`1h`) gather the stamps H:00 to H:55 and are read as the hour
H, 5 minutes early; `plan` never asks for them, so that two fetches of an hour agree. Power in MW. Charging, pumps, imports and
exports are positive series that are no generation; what batteries give is left out too, as it has no factor.

Rooftop solar is AEMO's half-hourly estimate, drawn out to five minutes between half-hour ends: it runs about a quarter of an hour late.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR, Interval, parse_time, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from gridgram.units import g_per_kwh_from_kg_per_kwh
from providers.base import Batch, MixPoint, OwnNumber, PointFault, Provider, ProviderInfo, Request, Secret
from providers.reading import number, read_json, spans

if TYPE_CHECKING:
    from collections.abc import Iterable

URL: Final = "https://api.openelectricity.org.au/v4/data/network/"
FILES_URL: Final = "https://data.openelectricity.org.au/v4/stats/au/"
MINUTE: Final = 60_000_000
STEP_MINUTES: Final = 5
LONGEST_SPAN: Final = timedelta(days=7)
"""The source allows 8 days of five minutes; the margin asked at the ends must fit too."""
UNSETTLED: Final = timedelta(minutes=10)
"""The newest five minutes show false zeros until all plants have reported (Open Electricity issue 575)."""
FILE_SPAN: Final = timedelta(days=7)

ZONES: Final = {"AU-NSW": "NSW1", "AU-QLD": "QLD1", "AU-SA": "SA1", "AU-TAS": "TAS1", "AU-VIC": "VIC1", "AU-WA": "WEM"}
NETWORK_TIMES: Final = {"NEM": timezone(timedelta(hours=10)), "WEM": timezone(timedelta(hours=8))}

FUELS: Final = {
    "bioenergy_biogas": Fuel.BIOMASS,
    "bioenergy_biomass": Fuel.BIOMASS,
    "coal_black": Fuel.COAL,
    "coal_brown": Fuel.COAL,
    "distillate": Fuel.OIL,
    "gas_ccgt": Fuel.GAS,
    "gas_ocgt": Fuel.GAS,
    "gas_recip": Fuel.GAS,
    "gas_steam": Fuel.GAS,
    "gas_wcmg": Fuel.GAS,
    "hydro": Fuel.HYDRO,
    "nuclear": Fuel.NUCLEAR,
    "solar_rooftop": Fuel.SOLAR,
    "solar_thermal": Fuel.SOLAR,
    "solar_utility": Fuel.SOLAR,
    "wind": Fuel.WIND,
    "wind_offshore": Fuel.WIND,
}
NO_GENERATION: Final = frozenset(
    {
        "battery",
        "battery_charging",
        "battery_discharging",
        "pumps",
        "imports",
        "exports",
        "interconnector",
        "aggregator_dr",
        "aggregator_vpp",
    }
)
ROOFTOP: Final = "solar_rooftop"
INTERVALS: Final = {"5m": 5, "30m": 30, "1h": 60}
"""Lengths that are read, by the vendor's word. [minutes]"""

Series = dict[int, float | None]
"""MW by the start of the step, None where the source has null. [microseconds since 1970]"""


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask week by week, from the label at the start (which is thrown away) to the label at the end, but for the unsettled minutes."""
    region = ZONES[zone]
    network, clock = _network(region)
    requests = []
    for span in spans(interval, LONGEST_SPAN):
        start = _hour_floor(span.start)
        end = min(_hour_ceiling(span.end) + timedelta(minutes=STEP_MINUTES), _step_floor(now - UNSETTLED))
        if start < end:
            query = (
                ("metrics", "power"),
                ("interval", "5m"),
                ("date_start", _naive(start, clock)),
                ("date_end", _naive(end, clock)),
                ("network_region", region),
                ("primary_grouping", "network_region"),
                ("secondary_grouping", "fueltech"),
            )
            requests.append(Request(URL + network, zone, span, query))
    return requests


def parse(request: Request, body: bytes) -> Batch:
    """Read the power of each fuel technology."""
    source = "Open Electricity"
    answer = read_json(body, source)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise UpstreamError(f"{source} answered without data for {request.zone}{_its_error(answer)}.")
    if answer.get("success") is False:
        raise UpstreamError(f"{source} refused {request.zone}{_its_error(answer)}.")
    faults: list[PointFault] = []
    power: dict[str, Series] = {}
    minutes = STEP_MINUTES
    for metric in answer["data"]:
        if not isinstance(metric, dict) or metric.get("metric") != "power" or metric.get("unit") != "MW":
            raise UpstreamError(f"{source} answered with something other than power in MW for {request.zone}.")
        minutes = INTERVALS.get(str(metric.get("interval")), 0)
        if minutes not in {STEP_MINUTES, 60}:
            raise UpstreamError(f"{source} answered in steps of {metric.get('interval')!r}, which are not read here.")
        results = metric.get("results")
        for found in results if isinstance(results, list) else ():
            fueltech = _fueltech(found, ZONES[request.zone])
            if fueltech:
                shift = minutes if minutes == STEP_MINUTES else 0
                power.setdefault(fueltech, {}).update(_rows(found.get("data"), shift, fueltech, faults))
    return Batch(_mixes(request, power, {}, minutes, faults), faults)


def is_empty(status: int, body: bytes) -> bool:
    """Whether an error status says that there is nothing: no data in the span, or older than the plan of the key reaches."""
    return (status == 404 and b"No data available" in body) or (status == 400 and b"too far in the past" in body)  # noqa: PLR2004 - HTTP


def plan_files(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for the file of the last seven days, if the span touches them."""
    if interval.end <= now - FILE_SPAN or interval.start >= now:
        return []
    region = ZONES[zone]
    network, _ = _network(region)
    path = network if network == region else f"{network}/{region}"
    return [Request(f"{FILES_URL}{path}/power/7d.json", zone, interval)]


def parse_file(request: Request, body: bytes) -> Batch:
    """Read a file of the last seven days; its forecasts are left out. `own_g_per_kwh` is its emissions over its generation."""
    source = "OpenNEM"
    answer = read_json(body, source)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list) or answer.get("type") != "power":
        raise UpstreamError(f"{source} answered without power for {request.zone}{_its_error(answer)}.")
    if str(answer.get("region") or answer.get("code")).upper() != ZONES[request.zone]:
        raise UpstreamError(f"{source} answered for {str(answer.get('region'))[:20]!r} where {ZONES[request.zone]} was asked.")
    faults: list[PointFault] = []
    power: dict[str, Series] = {}
    emissions: dict[str, Series] = {}
    for series in answer["data"]:
        if not isinstance(series, dict) or not series.get("fuel_tech"):
            continue
        kind, fueltech = (series.get("type"), series.get("units")), str(series["fuel_tech"]).lower()
        if kind == ("power", "MW"):
            power[fueltech] = _history(series, faults)
        elif kind == ("emissions", "tCO2e"):
            emissions[fueltech] = _history(series, faults)
    return Batch(_mixes(request, power, emissions, STEP_MINUTES, faults), faults)


def _network(region: str) -> tuple[str, timezone]:
    network = region if region in NETWORK_TIMES else "NEM"
    return network, NETWORK_TIMES[network]


def _its_error(answer: object) -> str:
    text = answer.get("error") if isinstance(answer, dict) else None
    return f": {text[:120]}" if isinstance(text, str) else ""


def _hour_floor(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _hour_ceiling(instant: datetime) -> datetime:
    floor = _hour_floor(instant)
    return floor if floor == instant else floor + timedelta(hours=1)


def _step_floor(instant: datetime) -> datetime:
    return instant.replace(minute=instant.minute // STEP_MINUTES * STEP_MINUTES, second=0, microsecond=0)


def _naive(instant: datetime, clock: timezone) -> str:
    return instant.astimezone(clock).replace(tzinfo=None).isoformat()


def _fueltech(found: object, region: str) -> str:
    """The fuel technology of a result, empty for another region's; older answers write it in capitals."""
    columns = found.get("columns") if isinstance(found, dict) else None
    if not isinstance(columns, dict) or not isinstance(columns.get("fueltech"), str):
        raise UpstreamError("Open Electricity answered with a series without fuel technology.")
    if str(columns.get("region", region)).upper() != region:
        return ""
    return str(columns["fueltech"]).lower()


def _rows(rows: object, shift_minutes: int, where: str, faults: list[PointFault]) -> Series:
    """Pairs of stamp and MW, moved back by the shift."""
    series: Series = {}
    for row in rows if isinstance(rows, list) else ():
        try:
            stamp, mw = row
            series[to_microseconds(parse_time(stamp)) - shift_minutes * MINUTE] = number(mw)
        except (TypeError, ValueError) as error:
            faults.append(PointFault(where, f"{str(row)[:60]}: {error}"))
    return series


def _history(series: dict[str, Any], faults: list[PointFault]) -> Series:
    """The steps of one series of a file, half hours as six equal steps; both are stamped at their END."""
    try:
        history = series["history"]
        minutes = INTERVALS[history["interval"]]
        first_end = to_microseconds(parse_time(history["start"]))
        cells = [number(cell) for cell in history["data"]]
    except (KeyError, TypeError, ValueError) as error:
        faults.append(PointFault(str(series.get("id")), f"no readable history: {error}"))
        return {}
    return {
        first_end + (minutes * (place - 1) + within) * MINUTE: cell
        for place, cell in enumerate(cells)
        for within in range(0, minutes, STEP_MINUTES)
    }


def _mixes(
    request: Request, power: dict[str, Series], emissions: dict[str, Series], minutes: int, faults: list[PointFault]
) -> list[MixPoint]:
    """One mix for every step of the hours asked for.

    A fuel one of whose series is null has no known total and is absent. A step that only rooftop solar reports is no mix: that estimate
    is there before the plants' telemetry.
    """
    generation = {fueltech: series for fueltech, series in power.items() if fueltech not in NO_GENERATION}
    unknown = sorted(generation.keys() - FUELS.keys())
    faults += [PointFault(fueltech, "a fuel technology that is not known here; it counts as unknown") for fueltech in unknown]
    begin, end = request.interval.first_hour * MICROSECONDS_PER_HOUR, request.interval.end_hour * MICROSECONDS_PER_HOUR
    points = []
    for start in sorted({start for series in generation.values() for start in series if begin <= start < end}):
        reported = {fueltech for fueltech, series in generation.items() if series.get(start) is not None}
        if reported <= {ROOFTOP}:
            continue
        mw: defaultdict[Fuel, float] = defaultdict(float)
        for fueltech in sorted(reported):
            mw[FUELS.get(fueltech, Fuel.UNKNOWN)] += generation[fueltech][start] or 0.0
        for fueltech in generation.keys() - reported:
            mw.pop(FUELS.get(fueltech, Fuel.UNKNOWN), None)
        own = _own_g_per_kwh(start, minutes, mw.values(), (emissions[name] for name in sorted(emissions.keys() & generation.keys())))
        points.append(MixPoint(start, minutes, dict(mw), Quality.MEASURED, own))
    return points


def _own_g_per_kwh(start: int, minutes: int, mw: Iterable[float], emissions: Iterable[Series]) -> float | None:
    """The source's emissions [t in the step] over its generation, None where it tells none."""
    tonnes = [series.get(start) for series in emissions]
    mwh = sum(power for power in mw if power > 0) * minutes / 60
    if not tonnes or mwh <= 0 or any(cell is None for cell in tonnes):
        return None
    return g_per_kwh_from_kg_per_kwh(sum(cell or 0.0 for cell in tonnes) / mwh)


INFO = ProviderInfo(
    name="open_electricity",
    title="Open Electricity (API version 4)",
    offers=("history", "recent"),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=True,
    licence="Open Electricity terms: the Community, Academic and Pro plans are for non-commercial use",
    attribution="Open Electricity, data of AEMO",
    url="https://openelectricity.org.au",
    detail="Generation by fuel every five minutes in the NEM and WEM, rooftop solar included. A Community key reaches back 730 days.",
)
FILES_INFO = ProviderInfo(
    name="opennem",
    title="OpenNEM files of the last seven days",
    offers=("recent",),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=False,
    licence="CC BY-NC 4.0",
    attribution="OpenNEM / Open Electricity, data of AEMO",
    url="https://openelectricity.org.au",
    detail="The files behind the public charts: no key, no promise, non-commercial. They may be moved behind a login.",
)

PROVIDERS = (
    Provider(
        info=INFO,
        zones=ZONES,
        plan=plan,
        parse=parse,
        resolution_minutes=STEP_MINUTES,
        lag=timedelta(minutes=15),
        settles_after=timedelta(days=2),
        longest_span=LONGEST_SPAN,
        requests_per_minute=60,
        mix_unit=MixUnit.MEGAWATTS,
        history_from=datetime(1998, 12, 7, tzinfo=UTC),
        secrets=(Secret("key", "header", "Authorization", "Bearer {}"),),
        max_bytes=16 * 1024 * 1024,
        is_empty=is_empty,
    ),
    Provider(
        info=FILES_INFO,
        zones=ZONES,
        plan=plan_files,
        parse=parse_file,
        resolution_minutes=STEP_MINUTES,
        lag=timedelta(minutes=15),
        settles_after=timedelta(days=2),
        longest_span=FILE_SPAN,
        requests_per_minute=12,
        mix_unit=MixUnit.MEGAWATTS,
        own_number=OwnNumber(Signal.DIRECT, "its emissions over its generation: combustion, by the factor of each plant"),
    ),
)
OPEN_ELECTRICITY, OPENNEM = PROVIDERS
