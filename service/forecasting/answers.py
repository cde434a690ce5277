"""What forecasts answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired

from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11

from service.answers import PlaceMembers, SeriesAnswer, SpanAnswer

if TYPE_CHECKING:
    from gridgram.forecast_scores import Score


class ForecastAnswer(SeriesAnswer):
    """Hourly intensity ahead of the time of issue. `provenance` names method, level and what was learnt from."""

    issued_at: str


class MethodSkillAnswer(TypedDict):
    """How one method did in a part of the horizon. Bias is forecast minus truth; coverage is of the p10-p90 band. [%, gCO2e/kWh]"""

    method: str
    hours: int
    mape_percent: float
    rmse_g_per_kwh: float
    bias_g_per_kwh: float
    coverage_percent: NotRequired[float]


class HorizonSkillAnswer(TypedDict):
    """The part of the horizon from `ahead_from` to `ahead_to` (ISO 8601, end excluded) after the time of issue, and the methods."""

    ahead_from: str
    ahead_to: str
    methods: list[MethodSkillAnswer]


class SkillAnswer(PlaceMembers):
    """What the forecasts issued in a span turned out to be worth: ours, the source's own, and naive ones, in the same hours.

    `issued` names the spans of hours in each of which a forecast went out and is kept; `horizon` is empty while none of what they were
    about has been told.
    """

    signal: str
    start: str
    end: str
    issued: list[SpanAnswer]
    horizon: list[HorizonSkillAnswer]


class SavingsAnswer(TypedDict):
    """What an 8-hour job saved that starts at the best forecast start within 48 hours, against one that starts at once. [%]

    `kept_percent` is the forecast's share of what perfect knowledge saves; it is absent where there was nothing to save.
    """

    oracle_percent: float
    forecast_percent: float
    same_hour_yesterday_percent: float
    kept_percent: NotRequired[float]


class ZoneBacktestAnswer(TypedDict):
    """One zone's back-test, by day of the horizon and over all of it (the last entry of `horizon`)."""

    zone: str
    origins: int
    horizon: list[HorizonSkillAnswer]
    savings: NotRequired[SavingsAnswer]


class SkippedZoneAnswer(TypedDict):
    """A zone that could not be back-tested, and why."""

    zone: str
    reason: str


class BacktestAnswer(TypedDict):
    """A back-test of zones over a span of origins, one a day at 00:00 UTC."""

    signal: str
    start: str
    end: str
    zones: list[ZoneBacktestAnswer]
    skipped: list[SkippedZoneAnswer]


def method_answer(method: str, score: Score, coverage_percent: float | None = None) -> MethodSkillAnswer:
    """Write the score of a method."""
    answer: MethodSkillAnswer = {
        "method": method,
        "hours": score.hours,
        "mape_percent": score.mape_percent,
        "rmse_g_per_kwh": score.rmse_g_per_kwh,
        "bias_g_per_kwh": score.bias_g_per_kwh,
    }
    if coverage_percent is not None:
        answer["coverage_percent"] = coverage_percent
    return answer
