"""The store that many replicas share: Redis or Valkey, one server, a cluster, or the master that sentinels name.

It is a cache and never a record: a failover may lose what was acknowledged, a full server may throw any key out. Every key has a
time to live. Needs Redis 6.2 or any Valkey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cache.redis_chunks import RedisChunks
from cache.redis_keys import DEFAULT_PREFIX, RedisKeys
from cache.redis_shared import RedisShared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cache.contract import Bucket, Drawn, Held
    from cache.redis_link import RedisLink
    from gridgram.interval import Month
    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries


class RedisStore:
    """A `cache.contract.SeriesStore` behind a link; nothing is opened before the first call."""

    def __init__(self, link: RedisLink, prefix: str = DEFAULT_PREFIX) -> None:
        keys = RedisKeys(prefix)
        self.link = link
        self._chunks = RedisChunks(link, keys)
        self._shared = RedisShared(link, keys)

    async def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        """Each month asked for, or None where nothing is held."""
        return await self._chunks.read(zone, signal, months)

    async def merge(self, series: Sequence[IntensitySeries]) -> int:
        """Lay the hours over what is held; returns how many hours changed."""
        return await self._chunks.merge(series)

    async def generation(self) -> int:
        """A number that grows whenever any process wrote."""
        return await self._chunks.generation()

    async def held(self) -> list[Held]:
        """What is held, by zone and signal."""
        return await self._chunks.held()

    async def claim(self, name: str, seconds: float) -> str | None:
        """Take a right that one has at a time; a token, or None while another has it."""
        return await self._shared.claim(name, seconds)

    async def release(self, name: str, token: str) -> None:
        """Give a claim back, if it is still this one."""
        await self._shared.release(name, token)

    async def pause(self, provider: str, seconds: float) -> None:
        """Leave a source alone; a longer pause stays."""
        await self._shared.pause(provider, seconds)

    async def pauses(self) -> dict[str, float]:
        """The sources to leave alone, and for how long. [s]"""
        return await self._shared.pauses()

    async def keep(self, name: str, body: bytes, seconds: float) -> None:
        """Keep something that was made from hours."""
        await self._shared.keep(name, body, seconds)

    async def kept(self, name: str) -> bytes | None:
        """What is kept under a name, or None."""
        return await self._shared.kept(name)

    async def swap(self, name: str, before: bytes | None, body: bytes, seconds: float) -> bool:
        """Keep a body in place of what was read; False when that is another by now."""
        return await self._shared.swap(name, before, body, seconds)

    async def draw(self, bucket: Bucket, wanted: int) -> Drawn:
        """Take out of a bucket that all share, or give back."""
        return await self._shared.draw(bucket, wanted)

    async def close(self) -> None:
        """Finish what is under way and let go of the connections."""
        await self.link.close()
