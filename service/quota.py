"""How much each key may: requests in a minute, and calls to sources in a day. `clock` and `now` are arguments.

Where several processes serve, they draw from buckets in the store that they share: requests a slice at a time, so that the store is asked
once in many requests (`service.slices`), calls to sources one by one. While the store is away, each process counts for itself.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cache.contract import Bucket
from gridgram.errors import StoreError
from providers.errors import OverQuota
from providers.spending import SPENDER
from service.refusals import QuotaExhausted, RateLimited
from service.slices import Slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.keys import Key
    from service.slices import Buckets

SECONDS_PER_MINUTE: Final = 60.0
SECONDS_PER_DAY: Final = 86_400


@dataclass(slots=True, eq=False)
class Allowance:
    """What one key has left. A bucket holds a minute's requests and fills evenly; calls to sources start anew each UTC day.

    `wall_clock` gives seconds since 1970, `clock` monotonic seconds. With a `store` the key's limits are those of all who share it.
    """

    key: Key
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    shares: int = 1
    """Among how many processes the calls to sources are divided, and the requests too, while they do not share a store."""
    number: int = 0
    """Which of these processes this is, from 0: the first ones have one call more where the calls do not divide evenly."""
    store: Buckets | None = None
    requests: int = 0
    upstream_calls: int = 0
    calls_refused: int = 0
    _tokens: float = field(init=False)
    _filled_at: float = field(init=False)
    _slices: Slices | None = field(init=False, default=None)
    _day: int = 0
    _calls_today: int = 0
    _calls_left: float | None = None
    """How many calls of today the store had left when it was last asked; None while it has not answered."""

    def __post_init__(self) -> None:
        limit = self.key.requests_per_minute
        if self.store is not None and limit is not None:
            self._slices = Slices(self.store, Bucket(f"requests/{self.key.name}", limit, SECONDS_PER_MINUTE), self.clock)
        self._tokens = float(self._own_limit)
        self._filled_at = self.clock()

    @property
    def _own_limit(self) -> int:
        """How many requests a minute this process allows by itself."""
        limit = self.key.requests_per_minute or 0
        return limit if self._slices is None else max(1, limit // self.shares)

    async def admitted(self) -> None:
        """Count one request, by what all processes together have left. Raises RateLimited when there were too many."""
        if self._slices is None:
            self.admit()
            return
        try:
            wait_seconds = await self._slices.take()
        except StoreError:
            self.admit()
            return
        if wait_seconds > 0:
            raise self._limited(wait_seconds)
        self.requests += 1

    def admit(self) -> None:
        """Count one request, by what this process has left. Raises RateLimited when there were too many."""
        if self.key.requests_per_minute is not None:
            now, limit = self.clock(), self._own_limit
            self._tokens = min(float(limit), self._tokens + (now - self._filled_at) * limit / SECONDS_PER_MINUTE)
            self._filled_at = now
            if self._tokens < 1:
                raise self._limited((1 - self._tokens) * SECONDS_PER_MINUTE / limit)
            self._tokens -= 1
        self.requests += 1

    def _limited(self, wait_seconds: float) -> RateLimited:
        return RateLimited(self.key.name, self.key.requests_per_minute or 0, max(1, math.ceil(wait_seconds)))

    async def close(self) -> None:
        """Give back what was drawn and not used."""
        if self._slices is not None:
            await self._slices.close()

    def rate_headers(self) -> dict[str, str]:
        """The limit and what is left of it, as draft-ietf-httpapi-ratelimit-headers writes them; none without a limit."""
        limit = self.key.requests_per_minute
        if limit is None:
            return {}
        slices = self._slices
        left = self._tokens if slices is None or slices.is_alone else slices.left
        seconds = math.ceil((limit - left) * SECONDS_PER_MINUTE / limit)
        return {"RateLimit-Policy": f'"requests";q={limit};w=60', "RateLimit": f'"requests";r={int(left)};t={seconds}'}

    @property
    def calls_per_day(self) -> float:
        """How many calls to sources may be made in a day for the key; infinite without a limit.

        By all who share the store; by this process where none is shared.
        """
        limit = self.key.upstream_calls_per_day
        if limit is None:
            return math.inf
        return limit if self.store is not None else self._own_calls_per_day(limit)

    def _own_calls_per_day(self, limit: int) -> int:
        return limit // self.shares + (self.number < limit % self.shares)

    @property
    def calls_left(self) -> float:
        """How many calls to sources may still be made today for the key, as far as this process knows; infinite without a limit."""
        limit = self.key.upstream_calls_per_day
        if limit is None:
            return math.inf
        self._begin_day()
        if self._calls_left is not None:
            return self._calls_left
        return self.calls_per_day - self._calls_today

    def _begin_day(self) -> None:
        day = int(self.wall_clock()) // SECONDS_PER_DAY
        if day > self._day:  # a clock that is set back gives nobody a second quota
            self._day, self._calls_today, self._calls_left = day, 0, None

    async def spend(self, provider: str) -> None:
        """Count one call to a source that is about to be made. Raises OverQuota when none is left."""
        limit = self.key.upstream_calls_per_day
        if limit is not None and (self.calls_left < 1 or not await self._take_call(limit)):
            self.calls_refused += 1
            raise OverQuota(f"{provider} is not asked: the key {self.key.name!r} has caused as many calls as it may today.")
        self._calls_today += 1
        self.upstream_calls += 1

    async def _take_call(self, limit: int) -> bool:
        """Whether a call was to be had; from the store, while it is there."""
        if self.store is None:
            return True
        bucket = Bucket(f"calls/{self.key.name}/{self._day}", limit, 2.0 * SECONDS_PER_DAY, refills=False)
        try:
            drawn = await self.store.draw(bucket, 1)
        except StoreError:
            return self._calls_today < self._own_calls_per_day(limit)
        self._calls_left = drawn.left
        return drawn.taken == 1

    def exhausted(self) -> QuotaExhausted:
        """What the caller is told when no calls are left."""
        seconds = SECONDS_PER_DAY - int(self.wall_clock()) % SECONDS_PER_DAY
        return QuotaExhausted(self.key.name, self.key.upstream_calls_per_day or 0, seconds)


@contextmanager
def within_quota(is_lacking: Callable[[], bool]) -> Iterator[None]:
    """Around work that asks sources: raises QuotaExhausted before it when the key has no call left, after it when they did not suffice.

    `is_lacking` tells, after the work, whether it brought less than it was to bring: what others of the same key lack is theirs.
    """
    spender = SPENDER.get()
    if not isinstance(spender, Allowance):
        yield
        return
    if spender.calls_left < 1:
        raise spender.exhausted()
    yield
    if spender.calls_left < 1 and is_lacking():
        raise spender.exhausted()
