"""A run's figure, worked out when it is asked for: its energy by hour, the best price of each, and what better hours changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gridgram.errors import UnknownLocation
from gridgram.quality import Signal
from gridgram.run_energy import Counting, Sample, hourly_kwh, increments, total_kwh, tracker_total_g
from gridgram.run_prices import best_prices, figure, prices_of, revision
from service.refusals import QuotaExhausted
from service.runs.packing import pack_prices, pack_revision, unpack_prices

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gridgram.locations import Place
    from gridgram.run_prices import Figure, HourPrice
    from gridgram.series import IntensitySeries
    from service.runs.records import Records, Run
    from service.usecases import Gridgram

    Reader = Callable[[str, Signal, int, int], Awaitable[IntensitySeries]]

SIGNAL = Signal.LIFECYCLE
"""What the figures of runs count."""
ATTEMPTS = 3
"""How often a figure is worked out anew because another process kept its own meanwhile."""


@dataclass(frozen=True, slots=True)
class Energy:
    """The energy of a run: its samples as increments, and by hour. [kWh, gCO2e]"""

    samples: tuple[Sample, ...]
    kwh: dict[int, float]
    total_kwh: float
    tracker_g: float | None

    @property
    def start(self) -> int:
        """When the first sample begins. [microseconds]"""
        return min(sample.start for sample in self.samples)

    @property
    def end(self) -> int:
        """When the last one ends. [microseconds]"""
        return max(sample.end for sample in self.samples)


class Priced(NamedTuple):
    """A run with its energy and figure; `place` is None where it is not known, and `remark` then tells why."""

    run: Run
    energy: Energy
    prices: Mapping[int, HourPrice]
    figure: Figure
    place: Place | None
    remark: str


def energy_of(samples: Sequence[tuple[Counting, Sample]]) -> Energy:
    """The energy of a run. Raises ValueError for totals that fall, which are never kept."""
    parts = [sample for counting, sample in samples if counting is Counting.DELTA]
    parts += increments(sample for counting, sample in samples if counting is Counting.TOTAL)
    return Energy(tuple(parts), hourly_kwh(parts), total_kwh(parts), tracker_total_g(parts))


async def priced(gridgram: Gridgram, records: Records, run: Run, read: Reader) -> Priced:
    """Work out the figure of a run from the hours that `read` gives, and keep what better hours changed. Raises StoreError."""
    samples = await records.samples(run.owner, run.run)
    energy = await asyncio.to_thread(energy_of, samples)
    place, remark = await _place(gridgram, run.location)
    if place is None or not energy.kwh:
        return Priced(run, energy, {}, figure(energy.kwh, {}), place, remark)
    series = await _series(gridgram, read, place.zone.key, range(min(energy.kwh), max(energy.kwh) + 1))
    prices: Mapping[int, HourPrice] = {}
    for _ in range(ATTEMPTS):
        before = await asyncio.to_thread(unpack_prices, run.prices)
        prices = best_prices(before, prices_of(series, energy.kwh))
        if prices == before:
            break
        changed = revision(energy.kwh, before, prices)
        packed = await asyncio.to_thread(pack_prices, prices)
        if await records.reprice(run, packed, None if changed is None else pack_revision(changed, gridgram.now())):
            break
        run = await records.run(run.owner, run.run)  # another was quicker: go on from what it kept
    return Priced(run, energy, prices, figure(energy.kwh, prices), place, remark)


async def _place(gridgram: Gridgram, location: str) -> tuple[Place | None, str]:
    if not location:
        return None, ""
    try:
        place = await asyncio.to_thread(gridgram.locator.resolve, location)  # the first point loads the shapes
    except UnknownLocation as error:
        return None, str(error)
    return place, place.detail


async def _series(gridgram: Gridgram, read: Reader, zone: str, hours: range) -> IntensitySeries:
    """The hours as they are to be had; those that are held when the caller's calls to sources are used up."""
    try:
        return await read(zone, SIGNAL, hours.start, hours.stop)
    except QuotaExhausted:
        return await gridgram.intensity.held_hours(zone, SIGNAL, hours.start, hours.stop)
