"""Europe: Energy-Charts of Fraunhofer ISE, public net generation by fuel, every quarter of an hour or every hour by country.

Asked in UTC, an hour wider on both sides; stamps are unix seconds and name the start. Power in MW. The answer names one series a
technology, and among them some that are no generation: pumping, trade, load, shares, batteries. How long a stamp lasts is the distance
to its nearer neighbour. The current day is padded with null; a fuel of several series is only told where all of them are, since a
part of it would pass for the whole.

Also offered by the source: `/co2eq` and its forecast for the next day, in one answer, each null where the other tells. What that number
counts is not stated, so it is never an answer of ours; it is asked for as a cross-check. Being on no list of the interface, it may vanish.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import EPOCH, Interval, format_time, hour_of, hour_start, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, IntensityPoint, MixPoint, OwnNumber, PointFault, Provider, ProviderInfo, Request
from providers.reading import beginning, number, read_json, spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

URL = "https://api.energy-charts.info/public_power"
OWN_URL = "https://api.energy-charts.info/co2eq"
OWN_SERIES = {"co2eq": Quality.PRELIMINARY, "co2eq_forecast": Quality.FORECAST}
"""What was comes first."""
COUNTRIES = (
    *("AL", "AM", "AT", "AZ", "BA", "BE", "BG", "BY", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GE", "GR", "HR", "HU", "IE"),
    *("IT", "LT", "LU", "LV", "MD", "ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "RU", "SE", "SI", "SK", "TR", "UA", "XK"),
)
ZONES = {"GB": "uk", "GB-NIR": "nie", **{country: country.lower() for country in COUNTRIES}}
FUELS = {
    "biomass": Fuel.BIOMASS,
    "fossil brown coal / lignite": Fuel.COAL,
    "fossil coal-derived gas": Fuel.GAS,
    "fossil gas": Fuel.GAS,
    "fossil hard coal": Fuel.COAL,
    "fossil oil": Fuel.OIL,
    "fossil oil shale": Fuel.COAL,
    "fossil peat": Fuel.COAL,
    "geothermal": Fuel.GEOTHERMAL,
    "hydro pumped storage": Fuel.HYDRO,
    "hydro run-of-river": Fuel.HYDRO,
    "hydro run-of-river and poundage": Fuel.HYDRO,
    "hydro water reservoir": Fuel.HYDRO,
    "marine": Fuel.HYDRO,
    "nuclear": Fuel.NUCLEAR,
    "other": Fuel.UNKNOWN,
    "other renewables": Fuel.BIOMASS,
    "others": Fuel.UNKNOWN,
    "solar": Fuel.SOLAR,
    "waste": Fuel.BIOMASS,
    "wind offshore": Fuel.WIND,
    "wind onshore": Fuel.WIND,
}
NOT_GENERATION = frozenset(
    {
        "battery",
        "battery consumption",
        "battery storage (power)",
        "cross border electricity trading",
        "energy storage",
        "energy storage consumption",
        "hydro pumped storage consumption",
        "import balance",
        "load",
        "load (incl. self-consumption)",
        "renewable share of generation",
        "renewable share of load",
        "residual load",
    }
)
SETTLED, UNSETTLED = "settled", "unsettled"
SETTLES_AFTER = timedelta(days=7)
"""The source does not say how long it corrects; its own sources do so mostly within days."""
LONGEST_SPAN = timedelta(days=92)
MARGIN = timedelta(hours=1)
SECONDS_PER_HOUR = 3_600
STEP_MINUTES = frozenset({15, 30, 60})


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for whole hours, settled ones apart from those that may still change, and an hour wider."""
    start, end = hour_start(interval.first_hour), hour_start(interval.end_hour)
    border = min(max(hour_start(hour_of(now - SETTLES_AFTER)), start), end)
    parts = ((SETTLED, start, border), (UNSETTLED, border, end))
    return [
        Request(
            URL,
            zone,
            span,
            (("country", ZONES[zone]), ("start", format_time(span.start - MARGIN)), ("end", format_time(span.end + MARGIN))),
            part=part,
        )
        for part, first, last in parts
        if first < last
        for span in spans(Interval(first, last), LONGEST_SPAN)
    ]


def parse(request: Request, body: bytes) -> Batch:
    """Read the series of an answer; one that is new to us is left out, since it may be no generation, and listed."""
    places, series = _read(body)
    faults = [
        PointFault(name, "a series that is new, left out: it may be no generation")
        for name in series
        if name not in FUELS and name not in NOT_GENERATION
    ]
    quality = Quality.MEASURED if request.part == SETTLED else Quality.PRELIMINARY
    points = []
    for stamp, minutes in _steps(sorted(places)).items():
        if not request.interval.first_hour <= stamp // SECONDS_PER_HOUR < request.interval.end_hour:
            continue
        start = EPOCH + timedelta(seconds=stamp)
        try:
            mix = _mix(series, places[stamp])
        except (LookupError, TypeError, ValueError) as error:
            faults.append(PointFault(format_time(start), f"a generation that is no number ({error})"))
            continue
        if mix and minutes not in STEP_MINUTES:
            faults.append(PointFault(format_time(start), "stands alone, so that nothing tells how long it lasts"))
        elif mix:
            points.append(MixPoint(to_microseconds(start), minutes, mix, quality))
    return Batch(points, faults)


def _read(body: bytes) -> tuple[dict[int, int], dict[str, Sequence[Any]]]:
    """Where each stamp stands, and the series by their names in small letters. Raises UpstreamError for any other shape."""
    answer = read_json(body, "Energy-Charts")
    try:
        stamps = [int(stamp) for stamp in answer["unix_seconds"]]
        series = {kind["name"].strip().lower(): kind["data"] for kind in answer["production_types"]}
        lengths = {len(numbers) for numbers in series.values()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UpstreamError(f"Energy-Charts answered without stamps and series of generation: {beginning(body)}") from error
    if lengths - {len(stamps)}:
        raise UpstreamError(f"Energy-Charts answered with series of {sorted(lengths)} numbers for {len(stamps)} stamps.")
    return {stamp: place for place, stamp in enumerate(stamps)}, series


def _steps(stamps: Sequence[int]) -> dict[int, int]:
    """How long each stamp lasts: the distance to its nearer neighbour, so that a hole never makes one longer. [minutes, 0: unknown]"""
    steps = dict.fromkeys(stamps, 0)
    for before, after in pairwise(stamps):
        minutes = (after - before) // 60
        steps[before] = min(steps[before] or minutes, minutes)
        steps[after] = minutes
    return steps


def _mix(series: Mapping[str, Sequence[Any]], place: int) -> dict[Fuel, float]:
    mix: dict[Fuel, float] = {}
    untold: set[Fuel] = set()
    for name, fuel in FUELS.items():
        if name not in series:
            continue
        mw = number(series[name][place])
        if mw is None:
            untold.add(fuel)
        else:
            mix[fuel] = mix.get(fuel, 0.0) + mw
    return {fuel: mw for fuel, mw in mix.items() if fuel not in untold}


def plan_own(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for the source's own number of whole hours, an hour wider as for the mix."""
    del now
    span = Interval(hour_start(interval.first_hour), hour_start(interval.end_hour))
    bounds = (("start", format_time(span.start - MARGIN)), ("end", format_time(span.end + MARGIN)))
    return [Request(OWN_URL, zone, span, (("country", ZONES[zone]), *bounds), part="co2eq")]


def parse_own(request: Request, body: bytes) -> Batch:
    """Read the source's own number, where it has none its forecast; as life cycle, to which it is compared. [gCO2eq/kWh]"""
    answer = read_json(body, "Energy-Charts")
    try:
        stamps = [int(stamp) for stamp in answer["unix_seconds"]]
        told = [list(zip(stamps, map(number, answer[name]), [quality] * len(stamps), strict=True)) for name, quality in OWN_SERIES.items()]
    except (KeyError, TypeError, ValueError) as error:
        raise UpstreamError(f"Energy-Charts answered without stamps and its co2eq: {beginning(body)}") from error
    steps = _steps(sorted(set(stamps)))
    points: dict[int, IntensityPoint] = {}
    for stamp, g_per_kwh, quality in (row for rows in told for row in rows):
        is_asked = request.interval.first_hour <= stamp // SECONDS_PER_HOUR < request.interval.end_hour
        if g_per_kwh is not None and is_asked and steps[stamp] in STEP_MINUTES:
            start = to_microseconds(EPOCH + timedelta(seconds=stamp))
            points.setdefault(stamp, IntensityPoint(start, steps[stamp], g_per_kwh, Signal.LIFECYCLE, quality))
    return Batch([points[stamp] for stamp in sorted(points)])


def is_empty(status: int, body: bytes) -> bool:
    """Tell the status 404 of a span without numbers from that of a path that is no more."""
    return status == 404 and b'"Not Found"' not in body  # noqa: PLR2004 - the status


PROVIDER = Provider(
    info=ProviderInfo(
        name="energy_charts",
        title="Energy-Charts (Fraunhofer ISE)",
        offers=("history", "recent"),
        signals=(Signal.LIFECYCLE, Signal.DIRECT),
        scope=(Scope.PRODUCTION,),
        needs_key=False,
        licence="CC BY 4.0",
        attribution="Energy-Charts.info (Fraunhofer ISE)",
        url="https://www.energy-charts.info",
        detail="Net generation into the public grid; what industry makes for itself is not in it. Slows down those who ask often.",
    ),
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=60,  # of its coarsest countries, so that the operators' own sources come first
    lag=timedelta(hours=2),
    settles_after=SETTLES_AFTER,
    longest_span=LONGEST_SPAN,
    requests_per_minute=10,
    mix_unit=MixUnit.MEGAWATTS,
    history_from=datetime(2015, 1, 1, tzinfo=UTC),
    is_empty=is_empty,
    own_number=OwnNumber(Signal.LIFECYCLE, "co2eq: what it counts is not stated by the source", plan_own, parse_own),
)
