"""Whether an answer that states intensities came in another unit: pure.

Two signs tell. Hours that are held already come again as one constant times what they were, and the constant is that of a unit
(`seen_factor`). Or a day lies so far from the yearly mean of its zone that no grid was ever seen there (`level_fault`). Generation by
fuel needs neither: intensity is made of its shares, which have no unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from gridgram.interval import HOURS_PER_DAY, format_hour
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality, Signal
from gridgram.series import missing_series
from gridgram.units import GRAMS_PER_KG, KG_PER_LB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from gridgram.series import IntensitySeries
    from providers.reference import Reference

UNIT_FACTORS: Final = (GRAMS_PER_KG, 1 / GRAMS_PER_KG, 1 / KG_PER_LB, KG_PER_LB)
"""What a number is multiplied with when kg, g and lb are taken for each other."""
FEWEST_HOURS: Final = 6
"""Fewer hours in common say nothing."""
SPREAD: Final = 0.02
"""How far, as a share, the ratio of an hour may lie from the constant."""
ROUNDING_G_PER_KWH: Final = 0.5
"""Many sources state whole numbers."""
WIDEST_SPREAD: Final = 0.06
LEAST_G_PER_KWH: Final = 5.0
"""What is below this on average may truly have been corrected to zero."""
FARTHEST_TIMES: Final = 100.0
"""No day of 91,000 real ones, if any was emitted at all, was this far below or above the yearly mean of its zone (`bench/slips.py`)."""
BURNING_G_PER_KWH: Final = 200.0
"""A grid with a life-cycle mean above this burns something every day, so that its direct intensity is judged by it too."""
REMARKED_TIMES: Final = 1.5
"""A day so far below or above all of the days before it is worth a look: one real day in a thousand is (`bench/slips.py`)."""
DAYS_BEFORE: Final = 30
FEWEST_DAYS_BEFORE: Final = 20
_TOLD = QUALITY_CODES[Quality.ESTIMATED]


class Seen(NamedTuple):
    """What the unit of hours was multiplied with since they were held, 1 where it is the same; and which hours, [first, end), showed it."""

    factor: float
    first_hour: int
    end_hour: int


def seen_factor(told: IntensitySeries, held: IntensitySeries, provider: str) -> Seen | None:
    """Compare what is told now with what is held of the same provider and the same hours; None where those are too few to tell.

    Each day is compared by itself too, so that a source that changed in between is seen. The factor is 0 where all hours came again as
    zeros: what is told in whole numbers becomes that by a thousandth.
    """
    is_its_own = np.array([source.provider == provider for source in held.sources] or [False])[held.source]
    both = np.flatnonzero(is_its_own & _is_told(told) & _is_told(held) & (held.g_per_kwh > 0))
    if len(both) >= FEWEST_HOURS and not told.g_per_kwh[both].any():
        return _seen(0.0, told, both) if held.g_per_kwh[both].mean() > LEAST_G_PER_KWH else None
    both = both[told.g_per_kwh[both] > 0]
    if len(both) < FEWEST_HOURS:
        return None
    day = (told.first_hour + both) // HOURS_PER_DAY
    parts = [part for part in (both, *(both[day == one] for one in np.unique(day))) if len(part) >= FEWEST_HOURS]
    for part in parts:
        if (factor := _constant(told.g_per_kwh[part], held.g_per_kwh[part])) != 1:
            return _seen(factor, told, part)
    return _seen(1.0, told, both)


def _seen(factor: float, told: IntensitySeries, part: NDArray[np.intp]) -> Seen:
    return Seen(factor, told.first_hour + int(part[0]), told.first_hour + int(part[-1]) + 1)


def usual_level(reference: Reference, told: IntensitySeries) -> IntensitySeries:
    """The same hours by the yearly means of the zone itself, all missing where it has none.

    The mean of the country says nothing of a part of it: parts that burn next to nothing lie in countries that burn much.
    """
    zone, span = told.zone, (told.first_hour, told.end_hour)
    signals = (told.signal, Signal.LIFECYCLE) if told.signal is Signal.DIRECT else (told.signal,)
    for signal in signals:
        offer = reference.offer(zone, signal)
        if offer is not None and offer.mean_zone == zone:
            usual = reference.series(zone, signal, *span)
            if signal is told.signal or usual.g_per_kwh.mean() > BURNING_G_PER_KWH:
                return usual
    return missing_series(zone, told.signal, told.first_hour, len(told.g_per_kwh))


def level_fault(told: IntensitySeries, usual: IntensitySeries) -> str:
    """What is unbelievable about the level of a day, "" where nothing is. `usual`: the same hours by yearly means.

    A day of zeros alone is believed: no unit makes a zero, and grids that burn nothing for days are real.
    """
    for day, hours in _days(told):
        mean, expected = float(told.g_per_kwh[hours].mean()), float(usual.g_per_kwh[hours].mean())
        if mean > 0 and expected > 0 and not expected / FARTHEST_TIMES < mean < expected * FARTHEST_TIMES:
            return f"{mean:.4g} g/kWh on {format_hour(day * HOURS_PER_DAY)[:10]}, where the mean of a year is {expected:.4g}"
    return ""


def level_remark(before: Sequence[float], newest: float) -> str:
    """What is worth a look about the mean of a day after the means of the days before it, "" where nothing is. [gCO2e/kWh]

    Most slips between kg and lb are seen by this, and none is proved: the weather of some zones does the same.
    """
    if not _is_beside(before, newest):
        return ""
    return (
        f"{newest:.4g} g/kWh, where the {len(before)} days before had {min(before):.4g} to {max(before):.4g}: look whether its unit changed"
    )


def ratio_remark(before: Sequence[float], newest: float) -> str:
    """What is worth a look about what a source states itself of a day, over ours; after the same of the days before it.

    The weather moves both alike, so that of 6,762 days of two sources of one zone four were remarked upon, and of slips between kg and
    lb nineteen in twenty are.
    """
    if not _is_beside(before, newest):
        return ""
    return (
        f"it states {newest:.3g} times what its mix makes, where it was {min(before):.3g} to {max(before):.3g} times in the "
        f"{len(before)} days before: look whether a unit changed"
    )


def _is_beside(before: Sequence[float], newest: float) -> bool:
    """Whether a number lies far below or above all of enough ones before it."""
    return len(before) >= FEWEST_DAYS_BEFORE and not min(before) / REMARKED_TIMES <= newest <= max(before) * REMARKED_TIMES


def _is_told(series: IntensitySeries) -> NDArray[np.bool_]:
    told: NDArray[np.bool_] = (series.quality != MISSING_CODE) & (series.quality <= _TOLD)
    return told


def _constant(told: NDArray[np.float64], held: NDArray[np.float64]) -> float:
    """The unit's factor that all hours were multiplied with, else 1."""
    for factor in UNIT_FACTORS:
        rounding = ROUNDING_G_PER_KWH / told + ROUNDING_G_PER_KWH / held if max(factor, 1 / factor) < GRAMS_PER_KG else 0.0
        spread = np.minimum(SPREAD + rounding, WIDEST_SPREAD)
        is_on_average = abs(told.sum() / (factor * held.sum()) - 1) < SPREAD
        if is_on_average and (np.abs(told / (factor * held) - 1) < spread).all():
            return factor
    return 1.0


def _days(told: IntensitySeries) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """The days (since 1970) of which enough hours are told, and the places of those."""
    places = np.flatnonzero(told.quality != MISSING_CODE)
    day = (told.first_hour + places) // HOURS_PER_DAY
    for one in np.unique(day).tolist():
        hours = places[day == one]
        if len(hours) >= FEWEST_HOURS:
            yield one, hours
