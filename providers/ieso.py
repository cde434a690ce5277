"""Ontario's IESO: hourly output of each generator by day, and by fuel by year.

Days run on Eastern Standard Time, UTC-5 all year. Hours are numbered by their END: hour 1 is 00:00 to 01:00, hour 24 ends at midnight.
The files of a day are kept for about three months, so older hours come from the year's file, which is some 8 MB. Mean MW. Both count
what is connected to the transmission grid: most solar in Ontario is not.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, ElementTree

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, MixPoint, PointFault, Provider, ProviderInfo, Request
from providers.reading import beginning, number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from gridgram.interval import Interval

DAY_URL: Final = "https://reports-public.ieso.ca/public/GenOutputCapability/PUB_GenOutputCapability_{:%Y%m%d}.xml"
YEAR_URL: Final = "https://reports-public.ieso.ca/public/GenOutputbyFuelHourly/PUB_GenOutputbyFuelHourly_{}.xml"
EST: Final = timezone(timedelta(hours=-5))
DAY_FILES_LAST: Final = timedelta(days=30)
"""Older days are read from the year's file, long before their own file goes."""

FUELS: Final = {
    "BIOFUEL": Fuel.BIOMASS,
    "GAS": Fuel.GAS,
    "HYDRO": Fuel.HYDRO,
    "NUCLEAR": Fuel.NUCLEAR,
    "OTHER": Fuel.UNKNOWN,
    "SOLAR": Fuel.SOLAR,
    "WIND": Fuel.WIND,
}
HOURS: Final = {str(hour): timedelta(hours=hour - 1) for hour in range(1, 25)}
"""How long after midnight a numbered hour starts."""
GOOD: Final = "0"
"""OutputQuality of a total to which every generator reported; -1 and -2 stand at totals that lack some."""


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for each Ontario day of the span that is recent, and once for each year with older ones."""
    first = interval.start.astimezone(EST).date()
    last = min(interval.end - timedelta(microseconds=1), now).astimezone(EST).date()
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    oldest = (now - DAY_FILES_LAST).astimezone(EST).date()
    years = sorted({day.year for day in days if day < oldest})
    return [
        *(Request(YEAR_URL.format(year), zone, interval, part="year") for year in years),
        *(Request(DAY_URL.format(day), zone, interval, part="day") for day in days if day >= oldest),
    ]


def parse(request: Request, body: bytes) -> Batch:
    """Read a day by generator or a year by fuel, whichever came."""
    try:
        root: Element = ElementTree.fromstring(body)
    except (ParseError, DefusedXmlException) as error:
        raise UpstreamError(f"IESO answered with something that is not XML: {beginning(body)}") from error
    prefix = root.tag.partition("}")[0] + "}" if "}" in root.tag else ""
    readers = {"GenOutputCapability": _read_day, "GenOutputbyFuelHourly": _read_year}
    reader = readers.get(root.get("docID", ""))
    if reader is None:
        raise UpstreamError(f"IESO answered with a document {root.tag[:60]!r} that is not known here.")
    hours = _Hours()
    reader(root, prefix, hours)
    begin, end = request.interval.first_hour * MICROSECONDS_PER_HOUR, request.interval.end_hour * MICROSECONDS_PER_HOUR
    points = [MixPoint(start, 60, dict(mw), hours.quality[start]) for start, mw in sorted(hours.mw.items()) if begin <= start < end]
    return Batch(points, hours.faults)


def is_empty(status: int, body: bytes) -> bool:
    """Whether an error status says that there is no such file: a day not begun, or no longer kept."""
    del body
    return status == 404  # noqa: PLR2004 - HTTP


class _Hours:
    """The hours gathered from one document: MW by fuel, and how good each is."""

    def __init__(self) -> None:
        self.mw: defaultdict[int, defaultdict[Fuel, float]] = defaultdict(lambda: defaultdict(float))
        self.quality: dict[int, Quality] = {}
        self.faults: list[PointFault] = []
        self._unknown: set[str] = set()

    def add(self, start: int, fuel: str, mw: float | None, quality: Quality) -> None:
        """Add to a fuel of an hour; None adds nothing. `quality` makes the hour no better than it is."""
        if mw is not None:
            self.mw[start][FUELS.get(fuel, Fuel.UNKNOWN)] += mw
        if self.quality.get(start) is not Quality.ESTIMATED:
            self.quality[start] = quality
        if fuel not in FUELS and fuel not in self._unknown:
            self._unknown.add(fuel)
            self.faults.append(PointFault(fuel[:40], "a fuel that is not known here; it counts as unknown"))


def _read_day(root: Element, prefix: str, hours: _Hours) -> None:
    """Add up the generators. One that is silent all day is out of the report; where one falls silent, the hour is estimated."""
    day = root.findtext(f".//{prefix}Date")
    for generator in root.iter(f"{prefix}Generator"):
        name, fuel = (generator.findtext(f"{prefix}{field}", "") for field in ("GeneratorName", "FuelType"))
        rows = [(output.findtext(f"{prefix}Hour"), output.findtext(f"{prefix}EnergyMW")) for output in generator.iter(f"{prefix}Output")]
        outputs = list(_numbers(day, rows, name, hours.faults))
        if any(mw is not None for _, mw in outputs):
            for start, mw in outputs:
                hours.add(start, fuel, mw, Quality.PRELIMINARY if mw is not None else Quality.ESTIMATED)


def _read_year(root: Element, prefix: str, hours: _Hours) -> None:
    for daily in root.iter(f"{prefix}DailyData"):
        day = daily.findtext(f"{prefix}Day")
        for hourly in daily.iter(f"{prefix}HourlyData"):
            hour = hourly.findtext(f"{prefix}Hour")
            for total in hourly.iter(f"{prefix}FuelTotal"):
                fuel = total.findtext(f"{prefix}Fuel", "")
                is_good = total.findtext(f"{prefix}EnergyValue/{prefix}OutputQuality", GOOD) == GOOD
                output = total.findtext(f"{prefix}EnergyValue/{prefix}Output")
                for start, mw in _numbers(day, [(hour, output)], fuel, hours.faults):
                    hours.add(start, fuel, mw, Quality.MEASURED if is_good and mw is not None else Quality.ESTIMATED)


def _numbers(
    day: str | None, rows: list[tuple[str | None, str | None]], who: str, faults: list[PointFault]
) -> Iterator[tuple[int, float | None]]:
    """The start of each numbered hour [microseconds since 1970] and its MW; a row without number is a fault."""
    for hour, output in rows:
        try:
            midnight = datetime.strptime(day or "", "%Y-%m-%d").replace(tzinfo=EST)
            start = to_microseconds(midnight + HOURS[hour or ""])
            yield start, number(output)
        except (KeyError, ValueError) as error:
            faults.append(PointFault(f"{who[:40]} {day} hour {hour}", f"{type(error).__name__}: {error}"))


INFO = ProviderInfo(
    name="ieso",
    title="IESO public reports",
    offers=("history", "recent"),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=False,
    licence="IESO terms of use, public reports",
    attribution="Independent Electricity System Operator (IESO)",
    url="https://www.ieso.ca/power-data",
    detail="Hourly output of the generators on Ontario's transmission grid; solar and small plants on local grids are not in it.",
)

PROVIDER = Provider(
    info=INFO,
    zones={"CA-ON": "IESO"},
    plan=plan,
    parse=parse,
    resolution_minutes=60,
    lag=timedelta(hours=1, minutes=30),
    settles_after=DAY_FILES_LAST,
    longest_span=timedelta(days=366),
    requests_per_minute=60,
    mix_unit=MixUnit.MEGAWATTS,
    history_from=datetime(2015, 1, 1, 5, tzinfo=UTC),
    max_bytes=24 * 1024 * 1024,
    is_empty=is_empty,
)
