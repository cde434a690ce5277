"""Asking one source for days of one zone, alone among all processes that share the store, and telling them what was asked for."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np
import structlog

from gridgram.errors import StoreError, UpstreamError
from gridgram.interval import HOURS_PER_DAY, Interval, hour_of, hour_start
from gridgram.quality import MISSING_CODE, MIX, QUALITY_CODES, Quality, Signal, Told
from providers.errors import KeyRefused, OverQuota, RateLimited, UnitSlip
from providers.spending import is_spent
from service.asked import Answered, Asked, spans_of
from service.auditing.noons import note_noons
from service.auditing.own_numbers import note_own_numbers
from service.claims import claimed
from service.freshness import UNANSWERED_SECONDS, ask_again_seconds, end_of_told
from service.slips import Slips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from cache.contract import SeriesStore
    from gridgram.mix_series import MixSeries
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zone
    from providers.base import Provider
    from providers.engine import Engine, Fetched
    from providers.reference import Reference
    from service.claims import Claim
    from service.mixes.kept import KeptMixes

log = structlog.get_logger()

REQUESTS_PER_PIECE: Final = 8
"""A long span is asked for in pieces of about so many requests, and each piece is kept before the next is asked for."""
PIECE_SECONDS: Final = 60.0
"""No piece may take longer, however long the caller waits."""
CLAIM_MARGIN_SECONDS: Final = 5.0
"""A claim outlasts the fetch that it is for by so much, to read the answer and keep it."""
SLIPPED_SECONDS: Final = 900.0
"""What came in another unit is not asked for again before."""
TOLD = QUALITY_CODES[Quality.ESTIMATED]
"""The worst quality of an hour that a source told of the past."""
KNOWN = QUALITY_CODES[Quality.FORECAST]
"""The worst quality of an hour that a source told at all."""
_BITS: Final[dict[Told, int]] = {told: 1 << place for place, told in enumerate((*Signal, MIX))}


class Shelf(Protocol):
    """Where hours are read from and put, in the store and in memory: `service.intensity.Intensity`."""

    store: SeriesStore
    mixes: KeptMixes
    reference: Reference

    async def held_hours(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        """The hours [first_hour, end_hour) as they are held."""
        ...

    async def held_quality(self, zone: str, told: Told, first_hour: int, end_hour: int) -> NDArray[np.uint8]:
        """The qualities (codes) of the hours [first_hour, end_hour) as they are held, of a signal or of the mix."""
        ...

    async def put(self, fetched: Sequence[IntensitySeries]) -> bool:
        """Lay fetched hours over what is held; whether the store has them, and not only this process."""
        ...

    async def put_mix(self, mix: MixSeries) -> bool:
        """Lay fetched mixes over what is held; whether the store has them."""
        ...

    async def look_again(self) -> None:
        """See at once what other processes have written."""
        ...


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be brought. `due_by`: days whose time comes until then are due [monotonic s]; `deadline`: its end [monotonic s]."""

    zone: Zone
    signal: Told
    shelf: Shelf
    due_by: float
    deadline: float

    @property
    def seconds(self) -> float:
        """How much time is left. [s]"""
        return self.deadline - time.monotonic()


class Sorted(NamedTuple):
    """Days sorted into those to ask for, and the others with the instant until when that is idle [monotonic s]."""

    wanted: list[int]
    again: dict[int, float]


@dataclass(slots=True)
class Asker:
    """Asks sources. `usable` gives those of a zone and signal, in order.

    Counts, since the start: `fetches` asked of sources, `claims_lost` to another process that was at the same source and zone.
    """

    engine: Engine
    clock: Callable[[], datetime]
    usable: Callable[[str, Told], list[Provider]]
    fetches: int = 0
    claims_lost: int = 0
    asked: Asked = field(default_factory=Asked)
    slips: Slips = field(init=False)

    def __post_init__(self) -> None:
        self.slips = Slips(self.engine)

    async def ask(self, provider: Provider, errand: Errand, due: Sequence[int], enough: int) -> dict[int, float]:
        """Ask one source for those of the days that it may better; when each is worth asking it for again [monotonic s].

        `enough` is the code of the quality that cannot be bettered.
        """
        await self._learn(provider, errand)
        wanted, again = await self._sorted(provider, errand, due, enough)
        for piece in spans_of(wanted, _days_per_piece(provider)):
            if errand.seconds <= 0 or is_spent():
                break
            seconds = min(errand.seconds, PIECE_SECONDS) + CLAIM_MARGIN_SECONDS
            name = f"fetch/{provider.info.name}/{errand.zone.key}"
            async with claimed(errand.shelf.store, name, seconds, errand.deadline) as claim:
                self.claims_lost += claim is None or claim.has_waited
                if claim is not None:
                    await self._ask_alone(provider, errand, piece, enough, claim)
        return again | {day: self.asked.of(provider.info.name, errand.zone.key, day).until for day in wanted}

    async def _ask_alone(self, provider: Provider, errand: Errand, piece: Sequence[int], enough: int, claim: Claim) -> None:
        """Ask for what is still wanted of a piece, now that no other process does, and tell the others."""
        await errand.shelf.look_again()
        await self._learn(provider, errand)
        is_shared = False
        for days in spans_of((await self._sorted(provider, errand, piece, enough)).wanted, len(piece)):
            is_shared = await self._fetch(provider, errand, days, claim)
        if is_shared and not claim.is_over:
            await self._tell(provider, errand)

    async def _fetch(self, provider: Provider, errand: Errand, days: range, claim: Claim) -> bool:
        """Ask for whole days, keep what may be kept, and note the days; whether what came is where others find it."""
        interval = Interval(hour_start(days.start * HOURS_PER_DAY), hour_start(days.stop * HOURS_PER_DAY))
        self.fetches += 1
        try:
            fetched: Fetched | None = await self.engine.fetch(provider, errand.zone, interval, min(errand.seconds, PIECE_SECONDS))
            error = fetched.error if fetched else None
        except UpstreamError as failure:
            fetched, error = None, failure
            log.debug("fetch.failed", provider=provider.info.name, zone=errand.zone.key, detail=str(failure))
        if error is not None:
            await self._share_pause(provider, error, errand.shelf.store)
        is_shared = True
        if fetched is not None:
            for fault in fetched.faults[:5]:
                log.info("fetch.fault", provider=provider.info.name, zone=errand.zone.key, where=fault.where, detail=fault.detail)
            kept, slip = await self._kept(provider, errand, fetched)
            error = error or slip
            if claim.is_over:  # another has asked since, and what it brought is newer
                return False
            is_shared = not kept or await errand.shelf.put(kept)
            if fetched.mix is not None and (mix := await self._allowed_mix(provider, fetched.mix, errand.shelf)) is not None:
                is_shared = await errand.shelf.put_mix(mix) and is_shared
            await note_noons(errand.shelf.store, provider.info.name, errand.zone, fetched.points)
            await note_own_numbers(errand.shelf.store, provider, errand.zone, fetched.points)
        if not isinstance(error, OverQuota):  # that says nothing of the source: others may ask it
            await self._note(provider, errand, days, fetched, error)
        return is_shared

    async def _kept(self, provider: Provider, errand: Errand, fetched: Fetched) -> tuple[list[IntensitySeries], UnitSlip | None]:
        """Of what came, what may be kept; and why it is refused, which the source's health then tells too."""
        kept, slip = [], None
        if isinstance(fetched.error, UnitSlip):
            self.slips.note(provider, errand.zone, errand.signal, fetched.error)
        for told in fetched.series:
            if (series := await self._allowed(provider, told, errand.shelf)) is None:
                continue
            refusal = await self.slips.judged(provider, errand.zone, told, fetched.points, errand.shelf)
            if refusal is None:
                kept.append(series)
            slip = slip or refusal
        if slip is None:
            return kept, None
        self.engine.health_of(provider).failed(slip, time.monotonic())
        return [], slip  # what came beside it is in the same unit

    async def _note(self, provider: Provider, errand: Errand, days: range, fetched: Fetched | None, error: UpstreamError | None) -> None:
        """Remember when the days are worth asking this source for again."""
        now, monotonic_now = self.clock(), time.monotonic()
        is_slip = isinstance(error, UnitSlip)
        told = _told(replace(fetched, series=[]) if fetched and is_slip else fetched)  # what was refused is not missed later as lost
        for day in days:
            seconds = SLIPPED_SECONDS if is_slip else UNANSWERED_SECONDS
            if error is None:
                is_up_to_date = await self._is_up_to_date(provider, errand, day)
                seconds = ask_again_seconds(provider, day, now, is_up_to_date=is_up_to_date)
            self.asked.note(provider.info.name, errand.zone.key, day, Answered(monotonic_now + seconds, told.get(day, 0)))

    async def _is_up_to_date(self, provider: Provider, errand: Errand, day: int) -> bool:
        """Whether the newest hour of the day that the source should have told is held: one that is over, else one that it forecasts."""
        now, first, enough = self.clock(), day * HOURS_PER_DAY, TOLD
        end = min(first + HOURS_PER_DAY, hour_of(now - provider.lag))
        if end <= first:
            end, enough = min(first + HOURS_PER_DAY, end_of_told(provider, now)), KNOWN
        if end <= first:
            return True
        (newest,) = await errand.shelf.held_quality(errand.zone.key, errand.signal, end - 1, end)
        return bool(MISSING_CODE < newest <= enough)

    async def _allowed(self, provider: Provider, told: IntensitySeries, shelf: Shelf) -> IntensitySeries | None:
        """The hours that this source may tell of: none of a signal that it is refused for, and no hour that one before it has told."""
        usable = self.usable(told.zone, told.signal)
        if provider not in usable:
            return None
        if provider is usable[0]:
            return told
        held = await shelf.held_hours(told.zone, told.signal, told.first_hour, told.end_hour)
        return replace(told, quality=np.where(_told_by_others(provider, held), np.uint8(MISSING_CODE), told.quality))

    async def _allowed_mix(self, provider: Provider, mix: MixSeries, shelf: Shelf) -> MixSeries | None:
        """The same of a mix."""
        usable = self.usable(mix.zone, MIX)
        if provider not in usable:
            return None
        if provider is usable[0]:
            return mix
        held = await shelf.mixes.read(mix.zone, mix.first_hour, mix.end_hour)
        return replace(mix, quality=np.where(_told_by_others(provider, held), np.uint8(MISSING_CODE), mix.quality))

    async def _sorted(self, provider: Provider, errand: Errand, days: Iterable[int], enough: int) -> Sorted:
        """The days that the source may better: an hour is missing that it may have, or is not yet good enough.

        What it was asked for lately is not wanted again, unless the hours that it told then are gone.
        """
        now, monotonic_now = self.clock(), time.monotonic()
        sorted_days = Sorted([], {})
        for day in days:
            answered = self.asked.of(provider.info.name, errand.zone.key, day)
            quality = await self._qualities(provider, errand, day, now)
            known = (quality != MISSING_CODE) & (quality <= KNOWN)
            is_lost = answered.told & _BITS[errand.signal] and len(quality) and not known.any()
            if answered.until > errand.due_by and not is_lost:
                sorted_days.again[day] = answered.until
            elif ((quality == MISSING_CODE) | (quality > enough)).any():
                sorted_days.wanted.append(day)
            else:
                sorted_days.again[day] = monotonic_now + ask_again_seconds(provider, day, now, is_up_to_date=True)
        return sorted_days

    async def _qualities(self, provider: Provider, errand: Errand, day: int, now: datetime) -> NDArray[np.uint8]:
        """The qualities (codes) of those hours of a day that the source can have told; empty where that is none."""
        first, end = day * HOURS_PER_DAY, min((day + 1) * HOURS_PER_DAY, end_of_told(provider, now))
        if end <= first or (provider.history_from is not None and hour_start((day + 1) * HOURS_PER_DAY) <= provider.history_from):
            return np.zeros(0, np.uint8)
        return await errand.shelf.held_quality(errand.zone.key, errand.signal, first, end)

    async def _learn(self, provider: Provider, errand: Errand) -> None:
        """Learn which days other processes have asked the source for."""
        try:
            body = await errand.shelf.store.kept(_asked_name(provider, errand.zone))
        except StoreError:
            return
        if body is not None:
            self.asked.learn(provider.info.name, errand.zone.key, body, time.monotonic(), self.clock().timestamp())

    async def _tell(self, provider: Provider, errand: Errand) -> None:
        """Tell the others which days were asked for."""
        body, seconds = self.asked.packed(provider.info.name, errand.zone.key, time.monotonic(), self.clock().timestamp())
        if seconds > 0:
            try:
                await errand.shelf.store.keep(_asked_name(provider, errand.zone), body, seconds)
            except StoreError as error:
                log.debug("fetch.untold", provider=provider.info.name, zone=errand.zone.key, detail=str(error))

    async def _share_pause(self, provider: Provider, error: UpstreamError, store: SeriesStore) -> None:
        """Let the others leave a source alone that wants it: all of them, or those with the key that it refused."""
        seconds = self.engine.health_of(provider).paused_seconds(time.monotonic())
        if seconds <= 0 or not isinstance(error, RateLimited | KeyRefused):
            return
        name = provider.info.name
        try:
            await store.pause(name if isinstance(error, RateLimited) else f"{name}/{key_digest(self.engine, provider)}", seconds)
        except StoreError as failure:
            log.debug("fetch.untold", provider=name, detail=str(failure))


def key_digest(engine: Engine, provider: Provider) -> str:
    """A few digits that tell one key of a source from another, and from which no key can be made."""
    options = engine.options.get(provider.info.name)
    secrets = sorted(options.secrets.items()) if options else []
    return blake2b(repr(secrets).encode(), digest_size=3).hexdigest()


def _told_by_others(provider: Provider, held: IntensitySeries | MixSeries) -> NDArray[np.bool_]:
    """Which hours another source has told."""
    others = np.array([source.provider != provider.info.name for source in held.sources] or [False])
    is_present = held.quality != MISSING_CODE
    is_told: NDArray[np.bool_] = is_present & (held.quality <= TOLD) & others[np.where(is_present, held.source, 0)]
    return is_told


def _told(fetched: Fetched | None) -> dict[int, int]:
    """Of which signals an answer tells hours, and of which the mix, by day, a bit each."""
    told: dict[int, int] = {}
    if fetched is None:
        return told
    kinds: list[tuple[Told, IntensitySeries | MixSeries]] = [(series.signal, series) for series in fetched.series]
    if fetched.mix is not None:
        kinds.append((MIX, fetched.mix))
    for kind, hours in kinds:
        for day in np.unique((hours.quality.nonzero()[0] + hours.first_hour) // HOURS_PER_DAY).tolist():
            told[day] = told.get(day, 0) | _BITS[kind]
    return told


def _asked_name(provider: Provider, zone: Zone) -> str:
    return f"asked/{provider.info.name}/{zone.key}"


def _days_per_piece(provider: Provider) -> int:
    """How many days of a source about REQUESTS_PER_PIECE requests give, one at least."""
    if provider.requests_per_day > 1:
        return max(1, REQUESTS_PER_PIECE // provider.requests_per_day)
    return max(1, REQUESTS_PER_PIECE * provider.longest_span // timedelta(days=1))
