"""A service whose store holds hours of known quality up to now, as the tests of the facades ask for it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gridgram.fuels import Fuel
from gridgram.interval import format_hour, hour_of
from gridgram.quality import Quality
from tests.mixes import GB_MIX, french_hours, keep_mixes, mixes
from tests.running import gridgram, running_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.running import RunningService

HOURS = 24 * 32


def clean_g_per_kwh(hour: int) -> float:
    """France: a value of its own for each hour of a week, half of them in .5 so that rounding shows. [gCO2e/kWh]"""
    return 40.5 + hour % 168 / 2


def quality_of(hour: int, present: int) -> str:
    """Measured until three hours ago, then preliminary, the present one estimated."""
    return "measured" if hour < present - 2 else ("preliminary" if hour < present else "estimated")


def write_hours(path: Path, present: int) -> None:
    """A month of hours: France by lifecycle and direct, California by its marginal signal, Poland with one true zero."""
    rows = ["zone,start,g_per_kwh,signal,quality"]
    for hour in range(present - HOURS, present + 1):
        start, quality = format_hour(hour), quality_of(hour, present)
        rows.append(f"FR,{start},{clean_g_per_kwh(hour)},lifecycle,{quality}")
        rows.append(f"FR,{start},{clean_g_per_kwh(hour) / 4},direct,{quality}")
        rows.append(f"US-CAL-CISO,{start},{300 + hour % 24},marginal,{quality}")
        rows.append(f"PL,{start},{0 if hour == present - 1 else 600},lifecycle,{quality}")
    path.write_text("\n".join(rows) + "\n")


def write_mixes(store: Path, present: int) -> None:
    """A day of mixes: France as well known as its hours, its newest two hours ago; Great Britain in percent."""
    first = present - 30
    shares = {Fuel.WIND: 30.0, Fuel.GAS: 40.0, Fuel.NUCLEAR: 20.0}
    keep_mixes(
        store,
        french_hours(first, present - 2),
        french_hours(present - 2, present - 1, quality=Quality.PRELIMINARY),
        mixes(*[shares] * 29, zone="GB", first_hour=first, source=GB_MIX),
    )


@contextmanager
def service_with_hours(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[RunningService]:
    """A running service with those hours."""
    home.mkdir(parents=True, exist_ok=True)
    write_hours(home / "hours.csv", present_hour())
    outcome = gridgram(["import", str(home / "hours.csv")], home)
    assert outcome.returncode == 0, outcome.stderr
    write_mixes(home / "cache" / "gridgram" / "series.sqlite", present_hour())
    with running_service(home, settings) as running:
        yield running


def present_hour() -> int:
    """The number of the present hour."""
    return hour_of(datetime.now(UTC))


def steady_hour() -> None:
    """Wait out the last seconds of an hour, so that what is asked twice is asked in one hour."""
    import time  # noqa: PLC0415 - for this alone

    now = datetime.now(UTC)
    left = timedelta(hours=1) - timedelta(minutes=now.minute, seconds=now.second)
    if left < timedelta(seconds=5):
        time.sleep(left.total_seconds() + 1)


def native_hours(service: RunningService, zone: str, first: int, end: int, signal: str = "lifecycle") -> list[dict[str, Any]]:
    """The hours as `/v1/intensity` tells them."""
    status, answer = service.get(f"/v1/intensity?location={zone}&start={format_hour(first)}&end={format_hour(end)}&signal={signal}")
    assert status == 200, answer
    hours: list[dict[str, Any]] = answer["hours"]
    return hours
