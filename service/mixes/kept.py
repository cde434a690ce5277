"""The mixes that sources told, kept in the store a month of a zone at a time.

Read from the store, at most a second old; while it is away from what this process has seen. Processes add to a month by turns: each lays
its hours over what it read, and does so again when another was quicker. No request for emissions reads here.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from cache.codec import CodecError
from cache.mix_codec import decode_mix, encode_mix, mix_name
from gridgram.errors import StoreError
from gridgram.interval import months_between
from gridgram.mix_series import joined_mix, missing_mix, month_mixes, overlay_mix

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache.contract import SeriesStore
    from gridgram.interval import Month
    from gridgram.mix_series import MixSeries

log = structlog.get_logger()

KEPT_SECONDS: Final = 400 * 86_400.0
"""How long a month stays after it was last written; its days are asked for again after that."""
FRESH_SECONDS: Final = 1.0
"""How old what was read may be: as old as all that is known of what other processes write."""
REMEMBERED_MONTHS: Final = 128
"""At 67 kB each; a year of ten zones."""
TRIES: Final = 40

Key = tuple[str, "Month"]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A month as the store had it at an instant. [monotonic s]"""

    mix: MixSeries
    at: float


@dataclass(slots=True)
class KeptMixes:
    """Mixes by zone and hour. `failed` is told what the store refused; `lost` of a month that was held and is no longer."""

    store: SeriesStore
    failed: Callable[[StoreError], None]
    lost: Callable[[str, Month], None]
    _seen: OrderedDict[Key, _Seen] = field(default_factory=OrderedDict)
    _outdated_at: float = field(default=float("-inf"))

    async def read(self, zone: str, first_hour: int, end_hour: int) -> MixSeries:
        """The hours [first_hour, end_hour) as they are held, explicit holes where nothing is."""
        months = [await self._month(zone, month) for month in months_between(first_hour, end_hour)]
        return joined_mix(months).window(first_hour, end_hour)

    async def put(self, mix: MixSeries) -> bool:
        """Lay hours over what is held, in the store and, also while that is away, here; whether the store has them."""
        is_stored = True
        for month, new in month_mixes(mix).items():
            try:
                after = await self._laid_over(month, new)
                self._remember(month, after, time.monotonic())
            except StoreError as error:
                self.failed(error)
                is_stored = False
                self._remember(month, overlay_mix(self._last_seen(mix.zone, month), new)[0], time.monotonic())
        return is_stored

    def look_again(self) -> None:
        """Read from the store at the next call."""
        self._outdated_at = time.monotonic()

    async def _month(self, zone: str, month: Month) -> MixSeries:
        seen, now = self._seen.get((zone, month)), time.monotonic()
        if seen is not None and now - seen.at <= FRESH_SECONDS and seen.at > self._outdated_at:
            self._seen.move_to_end((zone, month))
            return seen.mix
        try:
            _, held = await self._held(zone, month)
        except StoreError as error:
            self.failed(error)
            return self._last_seen(zone, month)
        newer = self._seen.get((zone, month))
        if newer is not None and newer.at > now:  # what was put, or read, since this read began
            return newer.mix
        if seen is not None and seen.mix.quality.any() and not held.quality.any():
            self.lost(zone, month)
        self._remember(month, held, now)
        return held

    async def _held(self, zone: str, month: Month) -> tuple[bytes | None, MixSeries]:
        """What the store keeps of a month, as it is kept and as hours; bytes that are no such month hold no hour."""
        nothing = missing_mix(zone, month.first_hour, month.hours)
        body = await self.store.kept(mix_name(zone, month))
        if body is None:
            return None, nothing
        try:
            return body, await asyncio.to_thread(decode_mix, body, zone, month)
        except CodecError as error:
            log.warning("store.mix_dropped", zone=zone, month=str(month), reason=str(error))
            return body, nothing

    async def _laid_over(self, month: Month, new: MixSeries) -> MixSeries:
        """The month after the new hours are laid over what is kept of it, and kept. Raises StoreError."""
        for _ in range(TRIES):
            body, held = await self._held(new.zone, month)
            try:
                after, changed = await asyncio.to_thread(overlay_mix, held, new)
            except ValueError as error:
                raise StoreError(f"The mix of {new.zone} {month} cannot be kept: {error}.") from error
            if not changed:
                return held
            packed = await asyncio.to_thread(encode_mix, after)
            if await self.store.swap(mix_name(new.zone, month), body, packed, KEPT_SECONDS):
                return after
        raise StoreError(f"The mix of {new.zone} {month} was changed by others {TRIES} times while hours were laid over it.")

    def _last_seen(self, zone: str, month: Month) -> MixSeries:
        seen = self._seen.get((zone, month))
        return missing_mix(zone, month.first_hour, month.hours) if seen is None else seen.mix

    def _remember(self, month: Month, mix: MixSeries, at: float) -> None:
        self._seen[mix.zone, month] = _Seen(mix, at)
        self._seen.move_to_end((mix.zone, month))
        while len(self._seen) > REMEMBERED_MONTHS:
            self._seen.popitem(last=False)
