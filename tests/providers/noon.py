"""How far the middle of a solar day lies from solar noon: what shows a label that slipped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gridgram.fuels import Fuel
from gridgram.interval import from_microseconds
from gridgram.zones import Zones
from providers.base import MixPoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from providers.base import IntensityPoint


def minutes_after_solar_noon(points: Iterable[MixPoint | IntensityPoint], zone: str) -> float:
    """The solar energy's mean time of day against the sun at the zone's longitude; the points must make whole days. [minutes]"""
    longitude = Zones.load()[zone].longitude
    weighed = [_solar(point, longitude) for point in points if isinstance(point, MixPoint)]
    return sum(minutes * energy for minutes, energy in weighed) / sum(energy for _, energy in weighed)


def _solar(point: MixPoint, longitude: float) -> tuple[float, float]:
    middle = from_microseconds(point.start + point.minutes * 30_000_000)
    angle = 2 * math.pi * (middle.timetuple().tm_yday - 81) / 365
    equation_of_time = 9.87 * math.sin(2 * angle) - 7.53 * math.cos(angle) - 1.5 * math.sin(angle)
    solar_minutes = (middle.hour * 60 + middle.minute + 4 * longitude + equation_of_time) % 1440
    return solar_minutes - 720, max(point.mw.get(Fuel.SOLAR, 0.0), 0.0) * point.minutes
