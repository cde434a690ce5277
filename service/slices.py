"""Requests that a key may make, drawn by several processes from one bucket in the store that they share, a slice at a time.

So the store is asked once in many requests. What is left of a slice goes back after a moment, so that one process keeps nothing from
another for longer. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from gridgram.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from cache.contract import Bucket, Drawn

log = structlog.get_logger()

SLICES: Final = 20
"""A bucket is drawn in so many slices."""
HOLD_SECONDS: Final = 1.0
"""For so long a process keeps a slice that it does not use up."""
DRAW_SECONDS: Final = 0.5
"""How long a request waits for the store."""
ALONE_SECONDS: Final = 1.0
"""How soon a store that did not answer is asked again."""


class Buckets(Protocol):
    """The part of a store that is needed here."""

    async def draw(self, bucket: Bucket, wanted: int) -> Drawn:
        """Take out of a bucket, or give back."""
        ...


@dataclass(slots=True, eq=False)
class Slices:
    """What this process has drawn out of a bucket and not used. `clock` gives monotonic seconds."""

    store: Buckets
    bucket: Bucket
    clock: Callable[[], float]
    is_alone: bool = False
    """Whether the store could not be asked the last time."""
    _held: int = 0
    _left: float = field(init=False)
    _seen_at: float = field(init=False)
    _next_at: float = float("-inf")
    _drawing: asyncio.Task[None] | None = None
    _returning: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._left, self._seen_at = float(self.bucket.capacity), self.clock()

    async def take(self) -> float:
        """Take one; 0, or how many seconds to wait when there is none. Raises StoreError while the store cannot be asked."""
        while self._held < 1:
            wait_seconds = self._next_at - self.clock()
            if wait_seconds > 0 and self.is_alone:
                raise StoreError(f"The bucket {self.bucket.name} cannot be looked at.")
            if wait_seconds > 0:
                return wait_seconds
            await self._drawn()
        self._held -= 1
        return 0.0

    @property
    def left(self) -> float:
        """What is left in the bucket and of the slice, as far as this process knows."""
        refilled = max(0.0, self.clock() - self._seen_at) * self.bucket.capacity / self.bucket.seconds
        return min(float(self.bucket.capacity), self._left + refilled + self._held)

    async def close(self) -> None:
        """Give back what is held, and let go of the store."""
        if self._returning is not None:
            self._returning.cancel()
            self._return()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _drawn(self) -> None:
        """Wait until a slice was drawn or could not be; of all who come meanwhile one draws. A caller who leaves stops it for nobody."""
        if self._drawing is None:
            self._drawing = self._begin(self._draw())
        done, _ = await asyncio.wait([self._drawing], timeout=DRAW_SECONDS)
        if not done:
            self._stand_alone("it does not answer in time")

    async def _draw(self) -> None:
        try:
            drawn = await self.store.draw(self.bucket, max(1, self.bucket.capacity // SLICES))
        except StoreError as error:
            self._stand_alone(str(error))
            return
        finally:
            self._drawing = None
        if self.is_alone:
            self.is_alone = False
            log.info("limits.shared", bucket=self.bucket.name)
        self._held += drawn.taken
        self._left, self._seen_at = drawn.left, self.clock()
        if not drawn.taken:  # until the next one is there nobody needs to look; others may give theirs back before
            self._next_at = self._seen_at + min(HOLD_SECONDS, (1 - drawn.left) * self.bucket.seconds / self.bucket.capacity)
        elif self._returning is None:
            self._returning = asyncio.get_running_loop().call_later(HOLD_SECONDS, self._return)

    def _stand_alone(self, why: str) -> None:
        if not self.is_alone:
            self.is_alone = True
            log.warning("limits.alone", bucket=self.bucket.name, detail=f"each process counts for itself: {why}")
        self._next_at = self.clock() + ALONE_SECONDS

    def _return(self) -> None:
        self._returning = None
        if self._held:
            self._begin(self._give_back())

    async def _give_back(self) -> None:
        held, self._held = self._held, 0
        with suppress(StoreError):  # then they come back in time, as if they had been used
            self._left, self._seen_at = (await self.store.draw(self.bucket, -held)).left, self.clock()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
