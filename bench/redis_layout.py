"""How to lay hours out in Redis: one packed month a key against a hash a day, a sorted set a zone, and a key an hour.

    python -m bench.redis_layout [zones]

The same hours in each layout: a year of g_per_kwh, quality and source (no band) of 100 zones, random numbers; every key has a time to
live. Memory is what the server's `used_memory` grew by. A read is one zone-month through redis-py with hiredis, as an array, over TCP
on this machine, the client on core 0 and the server on core 1 (placement alone is worth a factor of 2.5): medians of 200 reads, of
which the median of 7 rounds that alternate between the layouts is printed. RedisStore.read and PING stand beside it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from redis import Redis

from cache.codec import decode_month, encode_month
from cache.redis_link import RedisLink
from cache.redis_store import RedisStore
from cache.redis_url import read_redis_url
from gridgram.interval import Month
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source
from tests.redis_server import RedisServer, redis_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

YEAR, ROUNDS, READS = 2024, 7, 200
TTL_SECONDS = 86_400
HOUR = struct.Struct("<dBB")
MONTHS = [Month(YEAR, month) for month in range(1, 13)]
SOURCE = Source("eia", Signal.LIFECYCLE, Scope.PRODUCTION, "public domain", "U.S. EIA")


def month_of(zone: int, month: Month) -> IntensitySeries:
    """Random hours of one zone and month, the same at every call."""
    numbers = np.random.default_rng(zone * 12 + month.month).uniform(10.0, 900.0, month.hours)
    quality = np.full(month.hours, QUALITY_CODES[Quality.MEASURED], np.uint8)
    zeros = np.zeros(month.hours, np.uint8)
    return IntensitySeries(f"Z{zone}", Signal.LIFECYCLE, month.first_hour, numbers, numbers, numbers, quality, zeros, (SOURCE,))


def hours_of(zone: int, month: Month) -> Iterable[tuple[int, bytes]]:
    """The hours of one month, each packed by itself."""
    series = month_of(zone, month)
    return ((month.first_hour + place, HOUR.pack(number, 1, 0)) for place, number in enumerate(series.g_per_kwh.tolist()))


def write_months(client: Redis, zone: int, month: Month) -> None:
    """Write a month as one key."""
    client.set(f"m:{zone}:{month}", encode_month(month_of(zone, month)), ex=TTL_SECONDS)


def read_month(client: Redis, zone: int, month: Month) -> NDArray[Any]:
    """Read one key, its checksum checked."""
    (packed,) = client.mget(f"m:{zone}:{month}")  # type: ignore[misc]
    return decode_month(packed, f"Z{zone}", Signal.LIFECYCLE, month).g_per_kwh


def write_days(client: Redis, zone: int, month: Month) -> None:
    """Write a month as a hash for each day."""
    pipe = client.pipeline(transaction=False)
    for hour, packed in hours_of(zone, month):
        pipe.hset(f"d:{zone}:{hour // 24}", str(hour % 24), packed)
    for day in range(month.first_hour // 24, month.next.first_hour // 24):
        pipe.expire(f"d:{zone}:{day}", TTL_SECONDS)
    pipe.execute()


def read_days(client: Redis, zone: int, month: Month) -> NDArray[Any]:
    """Read a hash for each day in one pipeline."""
    pipe = client.pipeline(transaction=False)
    for day in range(month.first_hour // 24, month.next.first_hour // 24):
        pipe.hgetall(f"d:{zone}:{day}")
    return unpacked(day[b"%d" % hour] for day in pipe.execute() for hour in range(24))


def write_zones(client: Redis, zone: int, month: Month) -> None:
    """Write a month into the sorted set of its zone."""
    client.zadd(f"z:{zone}", {hour.to_bytes(4, "big") + packed: hour for hour, packed in hours_of(zone, month)})
    client.expire(f"z:{zone}", TTL_SECONDS)


def read_zone(client: Redis, zone: int, month: Month) -> NDArray[Any]:
    """Read a range of the sorted set."""
    members: list[bytes] = client.zrange(f"z:{zone}", month.first_hour, month.next.first_hour - 1, byscore=True)  # type: ignore[assignment]
    return unpacked(member[4:] for member in members)


def write_hours(client: Redis, zone: int, month: Month) -> None:
    """Write a month as a key for each hour."""
    pipe = client.pipeline(transaction=False)
    for hour, packed in hours_of(zone, month):
        pipe.set(f"h:{zone}:{hour}", packed, ex=TTL_SECONDS)
    pipe.execute()


def read_hours(client: Redis, zone: int, month: Month) -> NDArray[Any]:
    """Read a key for each hour in one command."""
    packed: list[bytes] = client.mget([f"h:{zone}:{hour}" for hour in range(month.first_hour, month.next.first_hour)])  # type: ignore[assignment]
    return unpacked(packed)


def unpacked(packed: Iterable[bytes]) -> NDArray[Any]:
    """The g_per_kwh of hours that were packed by themselves."""
    return np.frombuffer(b"".join(packed), np.dtype([("g", "<f8"), ("quality", "u1"), ("source", "u1")]))["g"]


LAYOUTS: dict[str, tuple[Callable[[Redis, int, Month], None], Callable[[Redis, int, Month], NDArray[Any]]]] = {
    "packed month a key": (write_months, read_month),
    "hash a day": (write_days, read_days),
    "sorted set a zone": (write_zones, read_zone),
    "key an hour": (write_hours, read_hours),
}


def microseconds(work: Callable[[], Any]) -> float:
    """The median of READS calls. [us]"""
    taken = []
    for _ in range(READS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


async def through_the_store(server: RedisServer) -> float:
    """The median of READS reads of a month through RedisStore. [us]"""
    store = RedisStore(RedisLink(read_redis_url(server.url)), "bench:")
    await store.merge([month_of(0, MONTHS[0])])
    taken = []
    for _ in range(READS):
        started = time.perf_counter()
        await store.read("Z0", Signal.LIFECYCLE, MONTHS[:1])
        taken.append(time.perf_counter() - started)
    await store.close()
    return statistics.median(taken) * 1e6


def filled(client: Redis, zones: int) -> dict[str, float]:
    """Write every layout; what each takes. [MB]"""
    megabytes = {}
    for name, (write, _) in LAYOUTS.items():
        before = client.info("memory")["used_memory"]
        for zone in range(zones):
            for month in MONTHS:
                write(client, zone, month)
        megabytes[name] = (client.info("memory")["used_memory"] - before) / 1e6
    return megabytes


def measured(client: Redis, server: RedisServer) -> dict[str, list[float]]:
    """Read the same month in every layout, ROUNDS times in turn. [us]"""
    taken: dict[str, list[float]] = {name: [] for name in [*LAYOUTS, "RedisStore.read", "PING"]}
    for _ in range(ROUNDS):
        for name, (_, read) in LAYOUTS.items():
            if not np.array_equal(read(client, 0, MONTHS[0]), month_of(0, MONTHS[0]).g_per_kwh):
                raise SystemExit(f"{name}: what was read is not what was written")
            taken[name].append(microseconds(lambda read=read: read(client, 0, MONTHS[0])))  # type: ignore[misc]
        taken["RedisStore.read"].append(asyncio.run(through_the_store(server)))
        taken["PING"].append(microseconds(client.ping))
    return taken


def place(process_id: int, core: int) -> str:
    """Keep a process on one core, where there are two; says where it is."""
    cores = sorted(os.sched_getaffinity(0) | os.sched_getaffinity(process_id))
    if len(cores) > core:
        os.sched_setaffinity(process_id, {cores[core]})
        return f"core {cores[core]}"
    return "any core"


def main(zones: int = 100) -> None:
    """Print the table of docs/store.md."""
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        where = f"server {place(server.process_id, 1)}, client {place(0, 0)}"
        with Redis(host="127.0.0.1", port=server.port, protocol=2) as client:
            megabytes, taken = filled(client, zones), measured(client, server)
            version = client.info("server").get("valkey_version") or client.info("server")["redis_version"]
    print(f"{zones} zones, {len(MONTHS)} months; server {version}; {where}")
    print("| layout | memory MB | read a zone-month, us (min-max) |\n|---|---|---|")
    for name, found in taken.items():
        memory = f"{megabytes[name]:.1f}" if name in megabytes else ""
        print(f"| {name} | {memory} | {statistics.median(found):.0f} ({min(found):.0f}-{max(found):.0f}) |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
