"""The newest hour of the zones in use and of those to be kept fresh, as Prometheus' lines.

Names and labels are those of grid-intensity-go, so that its dashboards go on; `node` and `region` stay empty. A scrape asks no source and
does not count as a use of a zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.interval import hour_of, hour_start
from gridgram.quality import QUALITIES, QUALITY_CODES, Quality, Signal
from service.facades.telling import is_estimated
from service.usecases import LATEST_HOURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gridgram.series import IntensitySeries
    from service.metrics.collect import Samples
    from service.usecases import Gridgram

UNITS: Final = "gCO2e per kWh"
IN_USE: Final = "gridgram_zone_in_use"
NAMES: Final = {Signal.LIFECYCLE: "grid_intensity_carbon_average", Signal.MARGINAL: "grid_intensity_carbon_marginal"}
AGE: Final = "gridgram_data_age_seconds"
_KNOWN: Final = QUALITY_CODES[Quality.ESTIMATED]


def in_use_samples(gridgram: Gridgram) -> Samples:
    """The zones and signals whose recent hours were asked for within a day, and those that are to be kept fresh."""
    refresher = gridgram.refresher
    named = refresher.zones if refresher is not None else ()
    asked = {(zone, signal.value) for zone, signal in gridgram.intensity.in_use if isinstance(signal, Signal)}  # a mix has no number
    pairs = asked | {(zone, Signal.LIFECYCLE.value) for zone in named}
    return {IN_USE: dict.fromkeys(sorted(pairs), 1.0)}


async def grid_samples(gridgram: Gridgram, in_use: Iterable[tuple[str, ...]]) -> Samples:
    """The newest hour that is held of each zone and signal, and its age. [gCO2e/kWh, s]"""
    samples: Samples = {AGE: {}}
    now = gridgram.now()
    present = hour_of(now)
    for zone, name in in_use:
        signal = Signal(name)
        held = await gridgram.intensity.held_hours(zone, signal, present - LATEST_HOURS, present + 1)
        newest = _newest(held, present)
        if newest is None:
            continue
        quality, provider = QUALITIES[newest.quality[0] - 1].value, newest.sources[newest.source[0]].provider
        if signal in NAMES:
            labels = (zone, "", provider, "", UNITS, str(is_estimated(quality)).lower())
            samples.setdefault(NAMES[signal], {})[labels] = float(newest.g_per_kwh[0])
        age_seconds = max(0.0, (now - hour_start(newest.end_hour)).total_seconds())
        samples[AGE][zone, signal.value, quality] = age_seconds
    return samples


def _newest(held: IntensitySeries, present: int) -> IntensitySeries | None:
    """The newest hour that a source told, else what is typical for the present one; as `/v1/intensity/latest` chooses."""
    known = np.flatnonzero((held.quality > 0) & (held.quality <= _KNOWN))
    hour = held.first_hour + int(known[-1]) if len(known) else present
    newest = held.window(hour, hour + 1)
    return newest if newest.quality[0] else None
