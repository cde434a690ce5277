"""What every point of a source must pass: impossible ones are dropped and listed, doubtful ones are called estimated."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gridgram.fuels import Fuel
from gridgram.interval import to_microseconds
from gridgram.quality import Quality, Signal
from providers.base import IntensityPoint, MixPoint
from providers.checks import check

NOW = datetime(2024, 6, 2, tzinfo=UTC)
START = datetime(2024, 6, 1, tzinfo=UTC)
GREENWICH = 0.0


def mix(hour: int, **mw: float) -> MixPoint:
    fuels = {Fuel(name): power + hour for name, power in mw.items()}
    return MixPoint(to_microseconds(START + timedelta(hours=hour)), 60, fuels, Quality.MEASURED)


def stated(g_per_kwh: float, signal: Signal = Signal.DIRECT, quality: Quality = Quality.MEASURED) -> IntensityPoint:
    return IntensityPoint(to_microseconds(START), 60, g_per_kwh, signal, quality)


SOUND = [mix(hour, gas=400, nuclear=600, wind=200) for hour in range(24)]


def at(when: datetime, point: MixPoint | IntensityPoint) -> MixPoint | IntensityPoint:
    return replace(point, start=to_microseconds(when))


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (at(datetime(1999, 12, 31, 23, tzinfo=UTC), mix(0, gas=400)), "before 2000"),
        (at(NOW + timedelta(hours=1), mix(0, gas=400)), "a measured point in the future"),
        (at(NOW + timedelta(hours=1), stated(200)), "a measured point in the future"),
        (mix(0, gas=0, coal=0), "an empty mix"),
        (mix(0), "an empty mix"),
        (mix(0, gas=3_500_000), "3,500,000 MW in all, more than any grid generates"),
        (mix(0, gas=2_147_220_000), "2,147,220,000 MW in all, more than any grid generates"),
        (mix(0, gas=400, solar=-50), "a negative generation of more than a tenth of the total"),
        (mix(0, gas=float("nan")), "a number that is not finite"),
        (mix(0, gas=float("inf")), "a number that is not finite"),
        (stated(-1), "-1 g/kWh, outside 0 to 2000"),
        (stated(2_001), "2001 g/kWh, outside 0 to 2000"),
        (stated(float("nan")), "nan g/kWh, outside 0 to 2000"),
        (stated(0.4, Signal.LIFECYCLE), "0.4 g/kWh, less than the cleanest plant there is causes over its life: a slip of unit?"),
    ],
)
def test_an_impossible_point_is_dropped_with_its_reason_and_the_others_are_kept(point: MixPoint | IntensityPoint, reason: str) -> None:
    kept, faults = check([*SOUND, point], NOW, GREENWICH)

    assert kept == SOUND
    assert [fault.detail for fault in faults] == [reason]


@pytest.mark.parametrize(
    "point",
    [
        at(NOW + timedelta(hours=30), stated(200, quality=Quality.FORECAST)),
        stated(0.0),
        stated(0.0, Signal.MARGINAL),
        mix(0, gas=400, solar=-30),
    ],
)
def test_a_forecast_a_grid_that_burns_nothing_and_what_plants_use_themselves_are_kept(point: MixPoint | IntensityPoint) -> None:
    assert check([point], NOW, GREENWICH) == ([point], [])


def test_sun_at_night_is_called_estimated_and_told_from_noon_by_the_longitude() -> None:
    sunny = replace(SOUND[0], mw={**SOUND[0].mw, Fuel.SOLAR: 300.0})

    at_night, _ = check([sunny], NOW, GREENWICH)
    at_noon, _ = check([sunny], NOW, 180.0)

    assert [point.quality for point in at_night] == [Quality.ESTIMATED]
    assert at_noon == [sunny]


def test_a_mix_without_a_fuel_that_the_others_have_is_called_estimated() -> None:
    without = replace(SOUND[5], mw={Fuel.NUCLEAR: 605.0, Fuel.WIND: 205.0})

    kept, faults = check([*SOUND[:5], without, *SOUND[6:]], NOW, GREENWICH)

    assert [hour for hour, point in enumerate(kept) if point.quality is Quality.ESTIMATED] == [5]
    assert faults == []


def test_a_feed_that_repeats_itself_is_called_estimated_from_its_second_point_on() -> None:
    frozen = [replace(SOUND[0], start=SOUND[0].start + place * 300_000_000, minutes=5) for place in range(60)]

    kept, _ = check(frozen, NOW, GREENWICH)

    assert [point.quality for point in kept] == [Quality.MEASURED] + [Quality.ESTIMATED] * 59
