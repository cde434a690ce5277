"""Back-tests of whatever hours the store holds; no source is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.backtest import Backtest, backtest
from gridgram.errors import Fault, InvalidInput
from gridgram.forecast_history import LONGEST_HOURS
from gridgram.interval import HOURS_PER_DAY, format_hour, months_between
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality
from gridgram.series import joined
from service.forecasting.skill import day_spans, horizon_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.quality import Signal
    from service.forecasting.answers import BacktestAnswer, SavingsAnswer, ZoneBacktestAnswer
    from service.usecases import Gridgram

LONGEST_HORIZON: Final = 336
LONGEST_SPAN_HOURS: Final = 3 * 366 * HOURS_PER_DAY
_TOLD = QUALITY_CODES[Quality.ESTIMATED]


async def back_test(  # noqa: PLR0913, PLR0917 - what is asked for
    gridgram: Gridgram, locations: Sequence[str], signal: Signal, first_hour: int, end_hour: int, horizon: int
) -> BacktestAnswer:
    """Forecast every day's 00:00 UTC in the span from what was held before it, and score that. Raises InvalidInput, UnknownLocation."""
    if end_hour <= first_hour:
        raise InvalidInput([Fault("--to", "the end is not after the start")])
    if end_hour - first_hour > LONGEST_SPAN_HOURS:
        raise InvalidInput([Fault("--to", f"a back-test covers at most {LONGEST_SPAN_HOURS // HOURS_PER_DAY} days; split it")])
    if not 1 <= horizon <= LONGEST_HORIZON:
        raise InvalidInput([Fault("--horizon", f"a horizon lies between 1 and {LONGEST_HORIZON} hours")])
    zones = dict.fromkeys(gridgram.locator.resolve(location).zone.key for location in locations)
    answer: BacktestAnswer = {
        "signal": signal.value,
        "start": format_hour(first_hour),
        "end": format_hour(end_hour),
        "zones": [],
        "skipped": [],
    }
    for zone in zones:
        told = await _told(gridgram, zone, signal, first_hour - LONGEST_HOURS, end_hour)
        midnights = range(-(-first_hour // HOURS_PER_DAY) * HOURS_PER_DAY, end_hour, HOURS_PER_DAY)
        tested = await asyncio.to_thread(backtest, first_hour - LONGEST_HOURS, told, midnights, horizon)
        if tested is None:
            hours = int(np.isfinite(told).sum())
            reason = f"of {zone} {hours} told {signal.value} hours are held there: too few, or none with 28 days told before and all after"
            answer["skipped"].append({"zone": zone, "reason": reason})
        else:
            answer["zones"].append(_zone_answer(zone, tested, horizon))
    return answer


def _zone_answer(zone: str, tested: Backtest, horizon: int) -> ZoneBacktestAnswer:
    horizons = horizon_answer(tested.said, tested.low, tested.high, tested.true, day_spans(horizon))
    answer: ZoneBacktestAnswer = {"zone": zone, "origins": len(tested.origins), "horizon": horizons}
    saved = tested.savings()
    if saved is not None:
        savings: SavingsAnswer = {
            "oracle_percent": saved.oracle_percent,
            "forecast_percent": saved.forecast_percent,
            "same_hour_yesterday_percent": saved.naive_percent,
        }
        if saved.kept_percent is not None:
            savings["kept_percent"] = saved.kept_percent
        answer["savings"] = savings
    return answer


async def _told(gridgram: Gridgram, zone: str, signal: Signal, first_hour: int, end_hour: int) -> np.ndarray:
    """The hours that are held and told, NaN elsewhere. [gCO2e/kWh]"""
    chunks = await gridgram.intensity.chunks(zone, signal, months_between(first_hour, end_hour))
    series = joined([chunk.series for chunk in chunks]).window(first_hour, end_hour)
    return np.where((series.quality != MISSING_CODE) & (series.quality <= _TOLD), series.g_per_kwh, np.nan)
