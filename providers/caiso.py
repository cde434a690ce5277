"""California ISO: generation every five minutes from the files behind its outlook page, published five to ten minutes late.

A file is a day of Pacific wall time, a row names the start of its five minutes as HH:MM and nothing else. Power in MW. On the day
in March that has 23 hours the rows of the missing hour are there and empty. On the day in November that has 25 the file cannot say
which of the two hours from 01:00 a row means: both are left out. Imports and batteries are no generation and are left out too.
"""

from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, format_time, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, MixPoint, PointFault, Provider, ProviderInfo, Request
from providers.reading import beginning, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FUELS = MappingProxyType(
    {
        "solar": Fuel.SOLAR,
        "wind": Fuel.WIND,
        "geothermal": Fuel.GEOTHERMAL,
        "biomass": Fuel.BIOMASS,
        "biogas": Fuel.BIOMASS,
        "small hydro": Fuel.HYDRO,
        "coal": Fuel.COAL,
        "nuclear": Fuel.NUCLEAR,
        "natural gas": Fuel.GAS,
        "large hydro": Fuel.HYDRO,
        "other": Fuel.UNKNOWN,
    }
)
NO_GENERATION = frozenset({"time", "batteries", "imports"})
ZONES = MappingProxyType({"US-CAL-CISO": "CISO"})
URL = "https://www.caiso.com/outlook/"
PACIFIC = ZoneInfo("America/Los_Angeles")
STEP = timedelta(minutes=5)
# The file of 2023-01-01 was last written on 2023-01-04 at 12:03 UTC.
SETTLES_AFTER = timedelta(days=4)
# Shortly after midnight `current` may still be the file of the day before, which reaches far past now.
SKEW = timedelta(minutes=30)

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)

INFO = ProviderInfo(
    name="caiso",
    title="California ISO, Today's Outlook",
    offers=("history", "recent"),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=False,
    licence="CAISO terms of use; no open licence is stated",
    attribution="California ISO (CAISO)",
    url="https://www.caiso.com/todays-outlook/supply",
    detail=(
        "Generation by fuel every five minutes, without imports and batteries. The two hours from 01:00 local time on the day in "
        "November when clocks go back cannot be told apart and are missing. CAISO publishes the page for information, not for billing."
    ),
)


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for one file per Pacific day that the span touches; the day of `now` is asked for whole, as far as it has come."""
    today = now.astimezone(PACIFIC).date()
    requests = []
    for day in _days(interval):
        midnight, next_midnight = _midnight(day), _midnight(day + timedelta(days=1))
        if day == today and midnight + STEP <= now:
            so_far = now - (now - midnight) % STEP
            requests.append(Request(f"{URL}current/fuelsource.csv", zone, Interval(midnight, so_far), part="current"))
        elif day < today:
            wanted = Interval(max(midnight, interval.start), min(next_midnight, interval.end))
            part = "history" if now - next_midnight >= SETTLES_AFTER else "recent"
            requests.append(Request(f"{URL}history/{day:%Y%m%d}/fuelsource.csv", zone, wanted, part=part))
    return requests


def parse(request: Request, body: bytes) -> Batch:
    """Read a day's file. An empty file holds nothing; a page instead of a table is an error."""
    if not body.strip(b"\xef\xbb\xbf \r\n"):
        return Batch()
    header, rows = _table(body)
    faults = [_unknown(name) for name in header if name not in FUELS and name not in NO_GENERATION]
    day = request.interval.start.astimezone(PACIFIC).date()
    quality = Quality.MEASURED if request.part == "history" else Quality.PRELIMINARY
    points: list[MixPoint] = []
    twice = 0
    for clock, cells in _in_order(day, rows, faults):
        mw = _mix(header, cells, clock, faults)
        if mw is None:
            continue
        starts = _instants(day, clock)
        if len(starts) > 1:
            twice += 1
        elif not starts:
            faults.append(PointFault(f"{day} {clock}", "clocks go forward: this wall time does not exist, yet it has numbers"))
        else:
            _refuse_another_day(request, starts[0])
            if request.interval.start - STEP < starts[0] < request.interval.end:
                points.append(MixPoint(to_microseconds(starts[0]), 5, mw, quality))
    if twice:
        faults.append(PointFault(f"{day} 01:00", f"clocks go back: {twice} rows may mean either of two hours and are dropped"))
    return Batch(points, faults)


def no_file(status: int, body: bytes) -> bool:
    """A day that CAISO holds no file of is a 404."""
    del body
    return status == 404  # noqa: PLR2004 - HTTP's own number


def _days(interval: Interval) -> list[date]:
    """The Pacific days that a span touches."""
    first = interval.start.astimezone(PACIFIC).date()
    last = (interval.end - timedelta(microseconds=1)).astimezone(PACIFIC).date()
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), PACIFIC).astimezone(UTC)


def _instants(day: date, clock: str) -> list[datetime]:
    """The instants of a wall time: one, none in the hour that is skipped, two in the hour that is repeated."""
    wall = datetime.combine(day, time.fromisoformat(clock))
    both = {wall.replace(tzinfo=PACIFIC, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(instant for instant in both if instant.astimezone(PACIFIC).replace(tzinfo=None) == wall)


def _table(body: bytes) -> tuple[list[str], list[list[str]]]:
    """The names of the columns in small letters, and the rows."""
    try:
        header, *rows = csv.reader(body.decode("utf-8-sig").splitlines())
    except (UnicodeDecodeError, ValueError, csv.Error) as error:
        raise UpstreamError(f"CAISO answered with something that is no table: {beginning(body)}") from error
    names = [name.strip().casefold() for name in header]
    if names[:1] != ["time"]:
        raise UpstreamError(f"CAISO answered with something that is not its table of sources: {beginning(body)}")
    missing = sorted(FUELS.keys() - set(names) - {"other"})
    if missing:
        raise UpstreamError(f"CAISO's table of sources lacks the columns {', '.join(missing)}")
    return names, rows


def _in_order(day: date, rows: Sequence[Sequence[str]], faults: list[PointFault]) -> Iterator[tuple[str, Sequence[str]]]:
    """The rows with a wall time and any number, up to the row 00:00 of the next day that some files end with."""
    before = ""
    for at, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row[1:]):
            continue
        clock = row[0].strip()
        if not _CLOCK.fullmatch(clock):
            faults.append(PointFault(f"line {at}", f"{clock[:20]!r} is no time of day"))
        elif clock == "00:00" and before:
            return
        elif clock <= before and len(_instants(day, clock)) == 1:
            faults.append(PointFault(f"line {at}", f"{clock} comes after {before}"))
        else:
            before = max(before, clock)
            yield clock, row


def _mix(header: Sequence[str], row: Sequence[str], clock: str, faults: list[PointFault]) -> Mapping[Fuel, float] | None:
    """The generation of a row by fuel, None where a cell is missing or no number. [MW]"""
    mw: dict[Fuel, float] = {}
    for name, cell in zip(header, row, strict=False):
        if name in NO_GENERATION:
            continue
        try:
            power_mw = number(cell)
        except ValueError:
            power_mw = None
        if power_mw is None:
            faults.append(PointFault(clock, f"{name} is {cell[:20]!r}"))
            return None
        fuel = FUELS.get(name, Fuel.UNKNOWN)
        mw[fuel] = mw.get(fuel, 0.0) + power_mw
    if len(row) != len(header):
        faults.append(PointFault(clock, f"{len(row)} cells under {len(header)} columns"))
        return None
    return mw


def _refuse_another_day(request: Request, start: datetime) -> None:
    """The file of today cannot hold hours that have not come."""
    if request.part == "current" and start >= request.interval.end + SKEW:
        reason = f"it has numbers for {format_time(start)}, but was asked at {format_time(request.interval.end)}"
        raise UpstreamError(f"CAISO's file of today seems to be another day's: {reason}")


def _unknown(name: str) -> PointFault:
    return PointFault(f"column {name[:40]!r}", "not a source that we know; its generation counts as unknown")


PROVIDER = Provider(
    info=INFO,
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=5,
    lag=timedelta(minutes=10),
    settles_after=SETTLES_AFTER,
    longest_span=timedelta(days=1),
    requests_per_minute=30,
    mix_unit=MixUnit.MEGAWATTS,
    history_from=datetime(2018, 4, 10, tzinfo=UTC),  # not checked against the source: older days have no file
    max_bytes=1024 * 1024,
    is_empty=no_file,
)
