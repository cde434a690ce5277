"""What clients of the Carbon Aware SDK's web API read: its members and no others, since generated clients refuse what they do not know."""

from __future__ import annotations

from pydantic import RootModel
from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11


class CarbonAwareEmissions(TypedDict):
    """One hour. [gCO2e/kWh]"""

    location: str
    time: str
    rating: float
    duration: str


class CarbonAwareEmissionsList(RootModel[list[CarbonAwareEmissions]]):
    """Hours."""


class CarbonAwareForecastPoint(TypedDict):
    """The mean from a time on, over `duration` minutes. [gCO2e/kWh, min]"""

    location: str
    timestamp: str
    duration: int
    value: float


class CarbonAwareForecast(TypedDict):
    """A forecast of one location: the mean over the window from each hour on, and where it is least."""

    generatedAt: str
    requestedAt: str
    location: str
    dataStartAt: str
    dataEndAt: str
    windowSize: int
    optimalDataPoints: list[CarbonAwareForecastPoint]
    forecastData: list[CarbonAwareForecastPoint]


class CarbonAwareForecastList(RootModel[list[CarbonAwareForecast]]):
    """Forecasts."""


class CarbonAwareAverage(TypedDict):
    """The mean over a span, to the second. [gCO2e/kWh]"""

    location: str
    startTime: str
    endTime: str
    carbonIntensity: float


class CarbonAwareAverageList(RootModel[list[CarbonAwareAverage]]):
    """Means."""


class CarbonAwarePlace(TypedDict):
    """A place by its coordinates. [degrees]"""

    latitude: float
    longitude: float
    name: str


class CarbonAwareLocations(RootModel[dict[str, CarbonAwarePlace]]):
    """All places by name."""
