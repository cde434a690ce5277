"""Hydro-Québec: the mix of Québec of yesterday and today, hour by hour.

Stamps are naive Montréal time at half past and stand for the hour around them. On the day with 23 hours one stamp is left out, on the
day with 25 one comes twice, first in summer time. `recentHour` names the last hour that is known: rows after it say 0, which is not
meant. Mean MW. `autres` is mostly biomass; `thermique` is one peaking plant whose fuel is not told.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, MixPoint, PointFault, Provider, ProviderInfo, Request
from providers.reading import number, read_json

if TYPE_CHECKING:
    from gridgram.interval import Interval

URL: Final = "https://www.hydroquebec.com/data/documents-donnees/donnees-ouvertes/json/production.json"
MONTREAL: Final = "America/Toronto"
"""The zone that keeps Montréal's time since 1970; America/Montreal is only a link to it."""
HELD: Final = timedelta(days=2)

FUELS: Final = {
    "hydraulique": Fuel.HYDRO,
    "eolien": Fuel.WIND,
    "autres": Fuel.BIOMASS,
    "solaire": Fuel.SOLAR,
    "thermique": Fuel.UNKNOWN,
}
TOTAL: Final = "total"


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for the one file, if it can hold something of the span."""
    return [Request(URL, zone, interval)] if interval.end > now - HELD and interval.start < now else []


def parse(request: Request, body: bytes) -> Batch:
    """Read the rows up to the last known hour."""
    answer = read_json(body, "Hydro-Québec")
    rows = answer.get("details") if isinstance(answer, dict) else None
    last = answer.get("recentHour") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not isinstance(last, str):
        raise UpstreamError("Hydro-Québec answered without `details` or `recentHour`.")
    begin, end = request.interval.first_hour * MICROSECONDS_PER_HOUR, request.interval.end_hour * MICROSECONDS_PER_HOUR
    points: dict[int, MixPoint] = {}
    faults: list[PointFault] = []
    unknown: set[str] = set()
    passes = Counter(str(row.get("date")) for row in rows if isinstance(row, dict))
    seen: set[int] = set()
    for row in rows:
        try:
            start = _start(row["date"], passes[row["date"]], seen)
            seen.add(start)
            mw, others = _mix(row["valeurs"])
            if row["date"] > last or not mw:
                continue
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            faults.append(PointFault(str(row)[:60], f"{type(error).__name__}: {error}"))
            continue
        unknown |= others
        points[start] = MixPoint(start, 60, mw, Quality.PRELIMINARY)
    faults += [PointFault(name, "a kind of generation that is not known here; it counts as unknown") for name in sorted(unknown)]
    return Batch([point for start, point in sorted(points.items()) if begin <= start < end], faults)


def _start(stamp: str, passes: int, seen: set[int]) -> int:
    """The start of the hour around a naive stamp, of an hour that the clocks repeat in the order of the rows.

    Raises ValueError for an hour that the clocks skip, for one that they repeat and that comes once, so that nobody can tell which it
    is, and for one that comes again without being repeated.
    """
    local = datetime.fromisoformat(stamp).replace(minute=0, second=0, tzinfo=ZoneInfo(MONTREAL))
    first, second = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first > second:
        raise ValueError(f"{stamp} does not exist in Montréal")
    if first < second and passes == 1:
        raise ValueError(f"{stamp} comes once, but Montréal had that hour twice")
    for start in (to_microseconds(first), to_microseconds(second)):
        if start not in seen:
            return start
    raise ValueError(f"{stamp} comes twice")


def _mix(values: dict[str, object]) -> tuple[dict[Fuel, float], set[str]]:
    """The MW by fuel, and the names that are not known."""
    mw: dict[Fuel, float] = {}
    for name, cell in values.items():
        power = number(cell)
        if name != TOTAL and power is not None:
            fuel = FUELS.get(name, Fuel.UNKNOWN)
            mw[fuel] = mw.get(fuel, 0.0) + power
    return mw, {name for name in values if name not in FUELS and name != TOTAL}


INFO = ProviderInfo(
    name="hydro_quebec",
    title="Hydro-Québec open data",
    offers=("recent",),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=False,
    licence="CC BY-NC 4.0",
    attribution="Hydro-Québec",
    url="https://www.hydroquebec.com/documents-data/open-data/",
    detail="Hourly generation by kind of yesterday and today; not for commercial use.",
)

PROVIDER = Provider(
    info=INFO,
    zones={"CA-QC": "HQT"},
    plan=plan,
    parse=parse,
    resolution_minutes=60,
    lag=timedelta(hours=1, minutes=30),
    settles_after=HELD,
    longest_span=HELD,
    requests_per_minute=12,
    mix_unit=MixUnit.MEGAWATTS,
)
