"""How much each key may: requests in a minute, and calls to sources in a day. Counted in this process; `clock` and `now` are arguments."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from providers.errors import OverQuota
from providers.spending import SPENDER
from service.refusals import QuotaExhausted, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.keys import Key

SECONDS_PER_MINUTE: Final = 60.0
SECONDS_PER_DAY: Final = 86_400


@dataclass(slots=True, eq=False)
class Allowance:
    """What one key has left. A bucket holds a minute's requests and fills evenly; calls to sources start anew each UTC day.

    `wall_clock` gives seconds since 1970, `clock` monotonic seconds.
    """

    key: Key
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    shares: int = 1
    """Among how many processes the calls to sources are divided."""
    number: int = 0
    """Which of these processes this is, from 0: the first ones have one call more where the calls do not divide evenly."""
    requests: int = 0
    upstream_calls: int = 0
    calls_refused: int = 0
    _tokens: float = field(init=False)
    _filled_at: float = field(init=False)
    _day: int = 0
    _calls_today: int = 0

    def __post_init__(self) -> None:
        self._tokens = float(self.key.requests_per_minute or 0)
        self._filled_at = self.clock()

    def admit(self) -> None:
        """Count one request. Raises RateLimited when there were too many."""
        limit = self.key.requests_per_minute
        if limit is not None:
            now = self.clock()
            self._tokens = min(float(limit), self._tokens + (now - self._filled_at) * limit / SECONDS_PER_MINUTE)
            self._filled_at = now
            if self._tokens < 1:
                wait = (1 - self._tokens) * SECONDS_PER_MINUTE / limit
                raise RateLimited(self.key.name, limit, max(1, math.ceil(wait)))
            self._tokens -= 1
        self.requests += 1

    def rate_headers(self) -> dict[str, str]:
        """The limit and what is left of it, as draft-ietf-httpapi-ratelimit-headers writes them; none without a limit."""
        limit = self.key.requests_per_minute
        if limit is None:
            return {}
        left = int(self._tokens)
        seconds = math.ceil((limit - self._tokens) * SECONDS_PER_MINUTE / limit)
        return {"RateLimit-Policy": f'"requests";q={limit};w=60', "RateLimit": f'"requests";r={left};t={seconds}'}

    @property
    def calls_per_day(self) -> float:
        """How many calls to sources this process may make in a day for the key; infinite without a limit."""
        limit = self.key.upstream_calls_per_day
        return math.inf if limit is None else limit // self.shares + (self.number < limit % self.shares)

    @property
    def calls_left(self) -> float:
        """How many calls to sources this process may still make today for the key; infinite without a limit."""
        if self.key.upstream_calls_per_day is None:
            return math.inf
        day = int(self.wall_clock()) // SECONDS_PER_DAY
        if day > self._day:  # a clock that is set back gives nobody a second quota
            self._day, self._calls_today = day, 0
        return self.calls_per_day - self._calls_today

    def spend(self, provider: str) -> None:
        """Count one call to a source that is about to be made. Raises OverQuota when none is left."""
        if self.calls_left < 1:
            self.calls_refused += 1
            raise OverQuota(f"{provider} is not asked: the key {self.key.name!r} has caused as many calls as it may today.")
        self._calls_today += 1
        self.upstream_calls += 1

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
