"""What processes that share a Redis tell each other beside the hours: claims, pauses of sources, buckets, and things made from hours."""

from __future__ import annotations

import secrets
from hashlib import sha1
from typing import TYPE_CHECKING, Final

import structlog

from cache import redis_scripts
from cache.contract import Drawn
from cache.kept import bounded_seconds, checked_name, pack_kept, unpack_kept

if TYPE_CHECKING:
    from cache.contract import Bucket
    from cache.redis_keys import RedisKeys
    from cache.redis_link import RedisLink

TOKEN_BYTES: Final = 16

log = structlog.get_logger(__name__)


class RedisShared:
    """The second half of a `cache.contract.SeriesStore`; times are the server's."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys
        self._reported: set[str] = set()

    async def claim(self, name: str, seconds: float) -> str | None:
        """A token, or None while another has the claim. Not tried twice: the first try may have taken it."""
        key, token = self._keys.claim(checked_name(name)), secrets.token_hex(TOKEN_BYTES)
        taken = await self._link.ask(key, "SET", key, token, "NX", "PX", _milliseconds(seconds), retries=False)
        return token if taken else None

    async def release(self, name: str, token: str) -> None:
        """Give a claim back, if it is still this one."""
        key = self._keys.claim(checked_name(name))
        await self._link.ask(key, "EVAL", redis_scripts.RELEASE, 1, key, token)

    async def pause(self, provider: str, seconds: float) -> None:
        """Leave a source alone; a longer pause stays."""
        key = self._keys.pauses
        await self._link.ask(key, "EVAL", redis_scripts.PAUSE, 1, key, checked_name(provider), _milliseconds(seconds))

    async def pauses(self) -> dict[str, float]:
        """The sources to leave alone, and for how long. [s]"""
        key = self._keys.pauses
        found = await self._link.ask_list(key, "EVAL", redis_scripts.PAUSES, 1, key)
        return {name.decode(errors="replace"): int(left) / 1000 for name, left in zip(found[::2], found[1::2], strict=True)}

    async def keep(self, name: str, body: bytes, seconds: float) -> None:
        """Keep a body under a name, in place of an older one."""
        key = self._keys.kept(checked_name(name))
        await self._link.ask(key, "SET", key, pack_kept(name, body), "PX", _milliseconds(seconds))

    async def kept(self, name: str) -> bytes | None:
        """What is kept under a name."""
        key = self._keys.kept(checked_name(name))
        packed = next(iter(await self._link.ask_list(key, "MGET", key)), None)  # GET would refuse what is not a string
        body = None if packed is None else unpack_kept(name, packed)
        if body is None and (packed is not None or await self._link.ask(key, "EXISTS", key)):
            await self._drop(name, key, packed)
        return body

    async def swap(self, name: str, before: bytes | None, body: bytes, seconds: float) -> bool:
        """Keep a body in place of what was read; whether that was still kept."""
        key, packed = self._keys.kept(checked_name(name)), pack_kept(name, body)
        digest = _digest(None if before is None else pack_kept(name, before))
        return bool(await self._link.ask(key, "EVAL", redis_scripts.SWAP, 1, key, digest, packed, _milliseconds(seconds)))

    async def draw(self, bucket: Bucket, wanted: int) -> Drawn:
        """Take out of a bucket, or give back. Not tried twice: the first try may have taken."""
        key = self._keys.bucket(checked_name(bucket.name))
        arguments = wanted, bucket.capacity, _milliseconds(bucket.seconds), int(bucket.refills)
        taken, left = await self._link.ask_list(key, "EVAL", redis_scripts.DRAW, 1, key, *arguments, retries=False)
        return Drawn(int(taken), float(left))

    async def _drop(self, name: str, key: str, packed: bytes | None) -> None:
        """Delete a damaged body, unless another process has mended it since."""
        if name not in self._reported:
            self._reported.add(name)
            log.warning("store.kept_dropped", store=self._link.place.name, name=name, reason="its checksum does not match")
        await self._link.ask(key, "EVAL", redis_scripts.DROP, 1, key, _digest(packed))


def _milliseconds(seconds: float) -> int:
    return max(1, round(bounded_seconds(seconds) * 1000))


def _digest(packed: bytes | None) -> str:
    return "" if packed is None else sha1(packed, usedforsecurity=False).hexdigest()
