"""The right to do something alone among all processes that share the store, waited for within the caller's time."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridgram.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cache.contract import SeriesStore

LOOK_SECONDS: Final = 0.05
"""How often, on average, one who waits looks whether the other is done."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A right that is held until `ends_at` [monotonic s]; after that another may have taken it, and nothing may be written by it.

    `has_waited`: another had it before, who may have done the work. `token` is "" while the store is away and everybody works alone.
    """

    token: str
    ends_at: float
    has_waited: bool

    @property
    def is_over(self) -> bool:
        """Whether another may have it by now."""
        return time.monotonic() >= self.ends_at


@asynccontextmanager
async def claimed(store: SeriesStore, name: str, seconds: float, deadline: float) -> AsyncIterator[Claim | None]:
    """Hold a claim for the block, for so many seconds at most; None when another kept it until the deadline [monotonic s].

    While the store is away the block goes on without one. What the block raises, its cancellation included, gives the claim back.
    """
    claim = await _taken(store, name, seconds, deadline)
    try:
        yield claim
    finally:
        if claim is not None and claim.token:
            with suppress(StoreError):  # then it runs out by itself
                await store.release(name, claim.token)


async def _taken(store: SeriesStore, name: str, seconds: float, deadline: float) -> Claim | None:
    has_waited = False
    while True:
        asked_at = time.monotonic()
        try:
            token = await store.claim(name, seconds)
        except StoreError:
            return Claim("", float("inf"), has_waited)
        if token is not None:
            return Claim(token, asked_at + seconds, has_waited)
        has_waited = True
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        await asyncio.sleep(min(left, LOOK_SECONDS * random.uniform(0.5, 1.5)))  # noqa: S311 - spreads the looks, hides nothing
