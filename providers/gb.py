"""Great Britain: the system operator's carbon intensity and its generation mix, every half hour, with a forecast of two days.

Asked and stamped in UTC without seconds; stamps name the start. The source gives the slots whose END lies in the asked span, both ends
included, so one slot from before it comes first and is dropped; its limit is 14 days a request.

Two providers, because the two answers count different things and may never share a series. `gb` is the source's own intensity: direct
(combustion only; CO2 alone) and of what is consumed, imports at a factor for each country. `gb_mix` is what is generated in the
country, in percent, which serves as MW since only shares matter; imports are left out. It gives the life cycle; its direct number would
be a second one of another scope, and is not offered.

`actual` comes half an hour after its slot and is revised for a day or more: until then it is preliminary. Where it is null, now, later
and sometimes in the past, the forecast stands in and says so. The 17 regions, for which there is only a forecast, are no zones of ours:
`parse` reads their answers, the part naming the region, and `plan` asks for none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, hour_of, hour_start, parse_time, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, IntensityPoint, MixPoint, OwnNumber, PointFault, Provider, ProviderInfo, Request
from providers.reading import beginning, number, read_json, spans

URL = "https://api.carbonintensity.org.uk"
ZONES = {"GB": "national"}
FUELS = {
    "biomass": Fuel.BIOMASS,
    "coal": Fuel.COAL,
    "gas": Fuel.GAS,
    "hydro": Fuel.HYDRO,
    "nuclear": Fuel.NUCLEAR,
    "oil": Fuel.OIL,
    "other": Fuel.UNKNOWN,
    "solar": Fuel.SOLAR,
    "wind": Fuel.WIND,
}
IMPORTS = "imports"
SETTLED, UNSETTLED = "settled", "unsettled"
SETTLES_AFTER = timedelta(days=2)
SLOT_MINUTES = 30
SLOT = timedelta(minutes=SLOT_MINUTES)
LONGEST_SPAN = timedelta(days=13)
"""With the slot that is asked for beyond the end, within the source's 14 days."""
FORECAST_SPAN = timedelta(hours=48)


def plan_intensity(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for what was, and from the present hour on for the forecast."""
    present = hour_start(hour_of(now))
    requests = _ask_past("intensity", zone, interval, now, until=present)
    coming = _between(interval, present, present + FORECAST_SPAN)
    if coming:
        requests.append(Request(f"{URL}/intensity/{_stamp(coming.start)}/fw48h", zone, coming, part=UNSETTLED))
    return requests


def plan_mix(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for what was, the present hour included."""
    return _ask_past("generation", zone, interval, now, until=hour_start(hour_of(now) + 1))


def _ask_past(path: str, zone: str, interval: Interval, now: datetime, until: datetime) -> list[Request]:
    border = hour_start(hour_of(now - SETTLES_AFTER))
    parts = ((SETTLED, _between(interval, hour_start(interval.first_hour), border)), (UNSETTLED, _between(interval, border, until)))
    return [
        Request(f"{URL}/{path}/{_stamp(span.start)}/{_stamp(span.end + SLOT)}", zone, span, part=part)
        for part, wanted in parts
        if wanted
        for span in spans(wanted, LONGEST_SPAN)
    ]


def _between(interval: Interval, start: datetime, end: datetime) -> Interval | None:
    """The hours that an interval touches, as far as they lie within [start, end)."""
    first, last = max(hour_start(interval.first_hour), start), min(hour_start(interval.end_hour), end)
    return Interval(first, last) if first < last else None


def _stamp(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%MZ}"


def parse_intensity(request: Request, body: bytes) -> Batch:
    """Read the source's own intensity: the actual one, else its forecast, else nothing."""
    slots, faults = _slots(request, body)
    points = []
    for start, slot in sorted(slots.items()):
        try:
            actual, forecast = (number(slot["intensity"].get(name)) for name in ("actual", "forecast"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            faults.append(PointFault(slot["from"], f"no intensity that can be read ({type(error).__name__}: {error})"))
            continue
        if actual is not None:
            quality = Quality.MEASURED if request.part == SETTLED else Quality.PRELIMINARY
            points.append(IntensityPoint(start, SLOT_MINUTES, actual, Signal.DIRECT, quality))
        elif forecast is not None:
            points.append(IntensityPoint(start, SLOT_MINUTES, forecast, Signal.DIRECT, Quality.FORECAST))
    return Batch(points, faults)


def parse_mix(request: Request, body: bytes) -> Batch:
    """Read the generation mix; a fuel that is new to us counts as unknown and is listed once."""
    slots, faults = _slots(request, body)
    points = []
    new: dict[str, str] = {}
    for start, slot in sorted(slots.items()):
        mix: dict[Fuel, float] = {}
        try:
            for share in slot["generationmix"]:
                name, percent = share["fuel"], number(share["perc"])
                if name == IMPORTS or percent is None:
                    continue
                if name not in FUELS:
                    new.setdefault(name, slot["from"])
                fuel = FUELS.get(name, Fuel.UNKNOWN)
                mix[fuel] = mix.get(fuel, 0.0) + percent
        except (KeyError, TypeError, ValueError) as error:
            faults.append(PointFault(slot["from"], f"no mix that can be read ({type(error).__name__}: {error})"))
            continue
        if mix:
            quality = Quality.MEASURED if request.part == SETTLED else Quality.PRELIMINARY
            points.append(MixPoint(start, SLOT_MINUTES, mix, quality))
    faults += [PointFault(where, f"the fuel {name!r} is new, counted as unknown") for name, where in new.items()]
    return Batch(points, faults)


def _slots(request: Request, body: bytes) -> tuple[dict[int, dict[str, Any]], list[PointFault]]:
    """The slots within the asked hours by their start, and the faults of those that cannot be placed in time."""
    slots: dict[int, dict[str, Any]] = {}
    faults: list[PointFault] = []
    entries = _entries(body)
    came = [slot for entry in entries for slot in _opened(entry, request.part)]
    if entries and not any(isinstance(slot, dict) and "from" in slot for slot in came):
        raise UpstreamError(f"carbonintensity.org.uk answered without the slots that were asked for: {beginning(body)}")
    for place, slot in enumerate(came):
        try:
            start, end = parse_time(slot["from"]), parse_time(slot["to"])
        except (KeyError, TypeError, ValueError) as error:
            faults.append(PointFault(f"slot {place}", f"no time that can be read ({type(error).__name__}: {error})"))
            continue
        if end - start != SLOT:
            faults.append(PointFault(slot["from"], f"a slot that lasts {end - start}, not half an hour"))
        elif request.interval.first_hour <= hour_of(start) < request.interval.end_hour:
            slots[to_microseconds(start)] = slot
    return slots, faults


def _entries(body: bytes) -> list[Any]:
    """What stands in `data`: a list, or in some answers its only member."""
    answer = read_json(body, "carbonintensity.org.uk")
    entries = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(entries, dict):
        return [entries]
    if not isinstance(entries, list):
        raise UpstreamError(f"carbonintensity.org.uk answered without data: {beginning(body)}")
    return entries


def _opened(entry: Any, part: str) -> list[Any]:  # noqa: ANN401 - JSON of any shape
    """The slots in an entry: itself, or those of the region that the part names.

    One region's answer holds its slots in `data`; an answer of all regions holds them by time, with a list of `regions` in each.
    """
    if not isinstance(entry, dict):
        return [entry]
    if isinstance(entry.get("regions"), list):
        return [{**entry, **region} for region in entry["regions"] if isinstance(region, dict) and str(region.get("regionid")) == part]
    if isinstance(entry.get("data"), list):
        return entry["data"] if str(entry.get("regionid")) == part else []
    return [entry]


INTENSITY = Provider(
    info=ProviderInfo(
        name="gb",
        title="Carbon Intensity API, Great Britain",
        offers=("history", "recent", "forecast"),
        signals=(Signal.DIRECT,),
        scope=(Scope.CONSUMPTION,),
        needs_key=False,
        licence="CC BY 4.0",
        attribution="National Energy System Operator (carbonintensity.org.uk)",
        url="https://carbonintensity.org.uk",
        detail="The source's own number: CO2 from combustion, imports included; biomass counts 120 g/kWh there.",
    ),
    zones=ZONES,
    plan=plan_intensity,
    parse=parse_intensity,
    resolution_minutes=SLOT_MINUTES,
    lag=timedelta(minutes=30),
    settles_after=SETTLES_AFTER,
    longest_span=LONGEST_SPAN,
    requests_per_minute=30,
    history_from=datetime(2017, 9, 1, tzinfo=UTC),
    forecast_span=FORECAST_SPAN,
)

MIX = Provider(
    info=ProviderInfo(
        name="gb_mix",
        title="Carbon Intensity API, Great Britain, generation mix",
        offers=("history", "recent"),
        signals=(Signal.LIFECYCLE,),
        scope=(Scope.PRODUCTION,),
        needs_key=False,
        licence="CC BY 4.0",
        attribution="National Energy System Operator (carbonintensity.org.uk)",
        url="https://carbonintensity.org.uk",
        detail="Percent of generation by fuel, imports left out.",
    ),
    zones=ZONES,
    plan=plan_mix,
    parse=parse_mix,
    resolution_minutes=SLOT_MINUTES,
    lag=timedelta(minutes=30),
    settles_after=SETTLES_AFTER,
    longest_span=LONGEST_SPAN,
    requests_per_minute=30,
    mix_unit=MixUnit.PERCENT,
    history_from=datetime(2018, 1, 1, tzinfo=UTC),
    own_number=OwnNumber(
        Signal.DIRECT, "the national intensity: combustion, imports by country, biomass at 120 g/kWh", plan_intensity, parse_intensity
    ),
)

PROVIDERS = (INTENSITY, MIX)
