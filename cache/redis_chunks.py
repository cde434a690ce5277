"""The hours in Redis: one packed month a key, read by MGET, written only where it still is what was read.

Laying hours over others is ours, not the server's: a month is read, laid over, and written by a script that refuses when another
process was quicker; then it is done again on what that one wrote.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import defaultdict
from functools import partial
from hashlib import sha1
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from cache import redis_scripts
from cache.codec import CodecError, decode_month, encode_month
from cache.contract import Held
from cache.laying import lay_over, span_of
from cache.redis_keys import field, is_zone
from cache.redis_url import RedisKind
from gridgram.errors import StoreError
from gridgram.quality import Signal
from gridgram.series import missing_series, month_series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cache.redis_keys import RedisKeys
    from cache.redis_link import RedisLink
    from gridgram.interval import Month
    from gridgram.series import IntensitySeries

CHUNK_MILLISECONDS: Final = 400 * 86_400_000
"""How long a month stays after it was last written. Closed months are asked for again after that."""
READ_AT_ONCE: Final = 64
WRITTEN_AT_ONCE: Final = 16
"""Months that one command carries; a server does nothing else meanwhile."""
ZONES_AT_ONCE: Final = 16
INLINE: Final = 4
"""Up to so many months are packed and unpacked on the loop (about 0.1 ms each); more of them on a thread."""
TRIES: Final = 40
WAIT_SECONDS: Final = 0.01

log = structlog.get_logger(__name__)

T = TypeVar("T")
Place = tuple[str, Signal, "Month"]
Piece = tuple[Place, "IntensitySeries"]


class RedisChunks:
    """Months by zone and signal, and who else has written."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys
        self._is_cluster = link.place.kind is RedisKind.CLUSTER
        self._token: bytes | None = None
        self._generation = 0
        self._reported: set[Place] = set()

    async def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        """Each month asked for, or None where nothing is held."""
        places = [(zone, signal, month) for month in months]
        packed = await self._fetch(places)
        held = await _worked_out(lambda: [self._decoded(*pair) for pair in zip(places, packed, strict=True)], len(packed))
        damaged = [pair for pair, series in zip(zip(places, packed, strict=True), held, strict=True) if series is None]
        await self._clear(damaged)
        return held

    async def merge(self, series: Sequence[IntensitySeries]) -> int:
        """Lay the hours over what is held; returns how many hours changed.

        All that cannot be packed is found before anything is written. Up to WRITTEN_AT_ONCE months are then written in one step,
        in a cluster those of one zone; should the server go away between two steps, the same merge again does the rest.
        """
        pieces = _pieces(series)
        batch, rest = await asyncio.to_thread(_next_of, pieces), await asyncio.to_thread(_next_of, pieces)
        if rest or (self._is_cluster and len(_zones(batch)) > 1):
            await asyncio.to_thread(_check, series)
        changed = 0
        try:
            while batch:
                for step in self._steps(batch):
                    changed += await self._merge_step(step)
                batch, rest = rest, await asyncio.to_thread(_next_of, pieces) if rest else []
        finally:
            self._generation += bool(changed)
        return changed

    async def generation(self) -> int:
        """A number that grows whenever any process wrote."""
        (token,) = await self._get([self._keys.token])
        if token != self._token or not self._generation:
            self._token = token
            self._generation += 1
        return self._generation

    async def held(self) -> list[Held]:
        """What is held, by zone and signal."""
        names = [zone.decode(errors="replace") for zone in await self._link.ask(self._keys.zones, "SMEMBERS", self._keys.zones)]
        zones = sorted(filter(is_zone, names))
        found: list[list[Held]] = []
        for start in range(0, len(zones), ZONES_AT_ONCE):
            found += await asyncio.gather(*(self._held_of(zone) for zone in zones[start : start + ZONES_AT_ONCE]))
        return [held for of_zone in found for held in of_zone]

    async def _fetch(self, places: Sequence[Place]) -> list[bytes | None]:
        keys = [self._keys.chunk(*place) for place in places]
        packed: list[bytes | None] = []
        for start in range(0, len(keys), READ_AT_ONCE):
            packed += await self._get(keys[start : start + READ_AT_ONCE])
        return packed

    async def _get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under these keys of one slot; None for what is not a string of bytes, which GET would refuse."""
        found = await self._link.ask_list(keys[0], "MGET", *keys)
        if len(found) != len(keys):
            raise StoreError(f"The store {self._link.place.name} answers something else than what it was asked for.")
        return found

    def _steps(self, batch: Sequence[Piece]) -> list[list[Piece]]:
        """The months that are written together: in a cluster those of one zone, since a step cannot reach over two nodes."""
        if not self._is_cluster:
            return [list(batch)]
        return [[piece for piece in batch if piece[0][0] == zone] for zone in _zones(batch)]

    async def _merge_step(self, pieces: Sequence[Piece]) -> int:
        news: dict[Place, list[IntensitySeries]] = defaultdict(list)
        for place, new in pieces:
            news[place].append(new)
        for _ in range(TRIES):
            packed = dict(zip(news, await self._fetch(list(news)), strict=True))
            work = partial(self._all_laid_over, packed, news)
            written = await _worked_out(work, len(news))
            changed = sum(hours for _, hours in written)
            if not changed:
                await self._tell_untold(news)
                return 0
            steps = [(place, packed[place], after) for place, (after, hours) in zip(news, written, strict=True) if hours]
            if await self._write(steps):
                return changed
            await asyncio.sleep(random.uniform(0, WAIT_SECONDS))  # noqa: S311 - so that two writers do not meet again
        raise StoreError(f"The store {self._link.place.name} was changed by others {TRIES} times while hours were laid over its own.")

    def _all_laid_over(
        self, packed: Mapping[Place, bytes | None], news: Mapping[Place, Sequence[IntensitySeries]]
    ) -> list[tuple[IntensitySeries, int]]:
        return [self._laid_over(place, packed[place], news[place]) for place in news]

    def _laid_over(self, place: Place, packed: bytes | None, news: Iterable[IntensitySeries]) -> tuple[IntensitySeries, int]:
        zone, signal, month = place
        after, changed = self._decoded(place, packed) or missing_series(zone, signal, month.first_hour, month.hours), 0
        for new in news:
            after, more = lay_over(after, new, month)
            changed += more
        return after, changed

    async def _write(self, steps: Sequence[tuple[Place, bytes | None, IntensitySeries]]) -> bool:
        """Write the months if each still is what was read; False when one is not."""
        token, zones = secrets.token_bytes(8), _zones(steps)
        chunks = [self._keys.chunk(*place) for place, _, _ in steps]
        indexes = [self._keys.index(place[0]) for place, _, _ in steps]
        shared = [self._keys.untold(zones[0])] if self._is_cluster else [self._keys.zones, self._keys.token]
        arguments: list[str | bytes | int] = [len(steps), CHUNK_MILLISECONDS, token]
        for (_, signal, month), before, after in steps:
            arguments += [_digest(before), encode_month(after), field(signal, month), ",".join(map(str, span_of(after)))]
        keys = [*chunks, *indexes, *shared]
        is_written, *token_before = await self._link.ask_list(chunks[0], "EVAL", redis_scripts.WRITE, len(keys), *keys, *arguments, *zones)
        if is_written and self._is_cluster:
            _, *token_before = await self._announce(token, zones)
            await self._told(zones[0], token)
        if is_written and next(iter(token_before), None) == self._token:
            self._token = token  # else others wrote since the last look: the next one shows a token that we do not know
        return bool(is_written)

    async def _announce(self, token: bytes, zones: Iterable[str]) -> list[Any]:
        keys = [self._keys.zones, self._keys.token]
        return await self._link.ask_list(keys[1], "EVAL", redis_scripts.ANNOUNCE, 2, *keys, CHUNK_MILLISECONDS, token, *zones)

    async def _tell_untold(self, places: Iterable[Place]) -> None:
        """Do what is left of a merge that ended between writing a zone's months and telling of them, whoever's it was."""
        for zone in dict.fromkeys(zone for zone, _, _ in places) if self._is_cluster else ():
            (untold,) = await self._get([self._keys.untold(zone)])
            if untold is not None:
                await self._announce(secrets.token_bytes(8), [zone])
                await self._told(zone, untold)

    async def _told(self, zone: str, token: bytes) -> None:
        untold = self._keys.untold(zone)
        await self._link.ask(untold, "EVAL", redis_scripts.RELEASE, 1, untold, token)

    async def _held_of(self, zone: str) -> list[Held]:
        index = self._keys.index(zone)
        found = await self._link.ask_list(index, "EVAL", redis_scripts.HELD, 1, index, f"{index}:")
        spans: dict[Signal, list[tuple[int, int, int]]] = defaultdict(list)
        for name, span in zip(found[::2], found[1::2], strict=True):
            try:
                first_hour, end_hour, hours = map(int, span.split(b","))
                spans[Signal(name.decode().partition(":")[0])].append((first_hour, end_hour, hours))
            except ValueError:
                continue  # not written by us; the month itself says what it holds
        return [
            Held(
                zone,
                signal,
                min(span[0] for span in spans[signal]),
                max(span[1] for span in spans[signal]),
                sum(span[2] for span in spans[signal]),
            )
            for signal in sorted(spans)
        ]

    def _decoded(self, place: Place, packed: bytes | None) -> IntensitySeries | None:
        if packed is None:
            return None
        try:
            return decode_month(packed, *place)
        except CodecError as error:
            self._report(place, str(error))
            return None

    def _report(self, place: Place, reason: str) -> None:
        if place not in self._reported:
            self._reported.add(place)
            zone, signal, month = place
            log.warning("store.chunk_dropped", store=self._link.place.name, zone=zone, signal=str(signal), month=str(month), reason=reason)

    async def _clear(self, damaged: Sequence[tuple[Place, bytes | None]]) -> None:
        """Remove what stands under these keys and is no month, unless another process has mended it since."""
        missing = [self._keys.chunk(*place) for place, packed in damaged if packed is None]
        if missing and not await self._link.ask(missing[0], "EXISTS", *missing):
            damaged = [(place, packed) for place, packed in damaged if packed is not None]
        for place, packed in damaged:
            chunk, index = self._keys.chunk(*place), self._keys.index(place[0])
            name = field(place[1], place[2])
            dropped = await self._link.ask(chunk, "EVAL", redis_scripts.DROP, 2, chunk, index, _digest(packed), name)
            if dropped:
                if packed is None:
                    self._report(place, "it is not even a string of bytes")
                await self._announce(secrets.token_bytes(8), [place[0]])


async def _worked_out(work: Callable[[], T], months: int) -> T:
    return work() if months <= INLINE else await asyncio.to_thread(work)


def _pieces(series: Iterable[IntensitySeries]) -> Iterator[Piece]:
    for whole in series:
        for month, new in month_series(whole).items():
            yield (whole.zone, whole.signal, month), new


def _next_of(pieces: Iterator[Piece]) -> list[Piece]:
    return list(islice(pieces, WRITTEN_AT_ONCE))


def _check(series: Iterable[IntensitySeries]) -> None:
    """Raise CodecError now for a month that cannot be packed."""
    for _, new in _pieces(series):
        encode_month(new)


def _zones(pieces: Iterable[tuple[Any, ...]]) -> list[str]:
    return list(dict.fromkeys(piece[0][0] for piece in pieces))


def _digest(packed: bytes | None) -> str:
    return "" if packed is None else sha1(packed, usedforsecurity=False).hexdigest()
