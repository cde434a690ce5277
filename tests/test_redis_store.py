"""What the Redis store must survive: servers that are frozen, killed, slow, full, read-only, moved, or hold what is not ours."""

from __future__ import annotations

import asyncio
import pickle
import random
import shutil
import signal
import ssl
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from redis import Redis
from redis.exceptions import NoPermissionError

from cache.codec import encode_month
from cache.contract import Bucket, Held
from cache.redis_link import ANSWER_SECONDS, CONNECTIONS, RedisLink
from cache.redis_store import RedisStore
from cache.redis_tls import tls_context
from cache.redis_url import read_redis_url
from gridgram.errors import SettingsError, StoreError, StoreRefused
from gridgram.interval import Month
from gridgram.quality import Signal
from gridgram.series import month_series
from tests.months import MARCH, facts, hours
from tests.redis_proxy import proxy_to
from tests.redis_server import redis_cluster, redis_sentinels, redis_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[1]
APRIL = Month(2024, 4)
ACL = "~gridgram:* +@read +@write +@connection -@dangerous -@admin +eval +time +cluster|slots"
BUSY_MACHINE_SECONDS = 5.0
"""How long a store waits where it is not tested how long it waits."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as running:
        yield running


@asynccontextmanager
async def opened(
    url: str, prefix: str = "gridgram:", tls: ssl.SSLContext | None = None, answer_seconds: float = BUSY_MACHINE_SECONDS
) -> AsyncIterator[RedisStore]:
    """A store that waits long for its server, since the machine of the tests may be busy, unless told otherwise."""
    store = RedisStore(RedisLink(read_redis_url(url), tls, answer_seconds), prefix)
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def administered(server: RedisServer) -> Iterator[Redis]:
    with Redis(host="127.0.0.1", port=server.port, socket_timeout=5, protocol=2) as client:
        yield client


async def seconds_of(work: Callable[[], Any]) -> float:
    """How long something takes until it is done or is a StoreError. [s]"""
    started = time.perf_counter()
    with suppress(StoreError):
        await work()
    return time.perf_counter() - started


async def until_back(store: RedisStore) -> float:
    """How long it takes until the store answers again. [s]"""
    started = time.perf_counter()
    async with asyncio.timeout(20):
        while True:
            try:
                await store.generation()
            except StoreError:
                await asyncio.sleep(0.01)
            else:
                return time.perf_counter() - started


# What lies in the server.


async def test_every_key_has_a_time_to_live_and_our_prefix_and_version(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.merge([hours(1.0), hours(2.0, zone="DE", month=APRIL)])
        await store.claim("fetch/FR", 60.0)
        await store.pause("eia", 60.0)
        await store.pause("rte", 600.0)
        await store.keep("models/FR/lifecycle", b"model", 60.0)
        await store.draw(Bucket("requests/tracker", 60, 60.0), 10)

    with administered(server) as client:
        keys = client.keys()
        assert len(keys) == 10
        assert all(key.startswith(b"gridgram:1:") for key in keys)
        assert [key for key in keys if client.pttl(key) <= 0] == []
        assert client.pttl("gridgram:1:{shared}pauses") > 590_000


async def test_two_prefixes_and_another_version_know_nothing_of_each_other(server: RedisServer) -> None:
    server.ask("SET", "gridgram:0:{FR}:lifecycle:2024-03", "of an older schema")
    async with opened(server.url) as store, opened(server.url, "staging:") as other:
        await store.merge([hours(1.0)])
        await store.claim("fetch/FR", 60.0)

        assert await other.read("FR", Signal.LIFECYCLE, [MARCH]) == [None]
        assert await other.held() == []
        assert await other.claim("fetch/FR", 60.0) is not None
    assert server.ask("GET", "gridgram:0:{FR}:lifecycle:2024-03") == b"of an older schema"


async def test_a_month_that_was_thrown_out_is_held_no_longer(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.merge([hours(1.0), hours(1.0, month=APRIL)])
        server.ask("DEL", "gridgram:1:{FR}:lifecycle:2024-03")

        assert [(held.first_hour, held.hours) for held in await store.held()] == [(APRIL.first_hour, APRIL.hours)]
        assert server.ask("HLEN", "gridgram:1:{FR}") == 1


async def test_a_server_that_was_emptied_is_noticed_and_filled_again(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.merge([hours(1.0)])
        before = await store.generation()
        server.ask("FLUSHALL")

        assert await store.generation() != before
        assert await store.read("FR", Signal.LIFECYCLE, [MARCH]) == [None]
        assert await store.merge([hours(1.0)]) == MARCH.hours


def damaged(number: int, randomness: random.Random) -> tuple[str, ...] | bytes:
    """Bytes that are no month, or a command that makes something of another type: random, cut, flipped, pickled, of another month."""
    ((_, whole),) = month_series(hours(56.0)).items()
    packed = encode_month(whole)
    place = randomness.randrange(len(packed))
    kinds: list[tuple[str, ...] | bytes] = [
        randomness.randbytes(randomness.randrange(1, 400)),
        packed[:place],
        packed[:place] + bytes([packed[place] ^ 1 << randomness.randrange(8)]) + packed[place + 1 :],
        packed[:4] + b"\x02" + packed[5:],
        pickle.dumps({"g_per_kwh": 56.0}),
        encode_month(hours(56.0, zone="DE")),
        ("RPUSH", "KEY", "56.0"),
        ("HSET", "KEY", "g_per_kwh", "56.0"),
    ]
    return kinds[number % len(kinds)]


async def nothing_damaged_is_believed(server: RedisServer, count: int) -> None:
    randomness = random.Random(count)  # noqa: S311 - damage, not secrets
    months = [Month(2000 + number // 12, number % 12 + 1) for number in range(240)]
    async with opened(server.url) as store:
        for start in range(0, count, len(months)):
            with administered(server) as client:
                for number, month in enumerate(months[: count - start]):
                    key, value = f"gridgram:1:{{FR}}:lifecycle:{month}", damaged(start + number, randomness)
                    if isinstance(value, bytes):
                        client.set(key, value)
                    else:
                        client.execute_command(*(key if part == "KEY" else part for part in value))
            with structlog.testing.capture_logs() as logs:
                assert await store.read("FR", Signal.LIFECYCLE, months) == [None] * len(months)
                assert await store.read("FR", Signal.LIFECYCLE, months) == [None] * len(months)

            assert len(logs) == (min(count, len(months)) if start == 0 else 0)
            assert {entry["event"] for entry in logs} <= {"store.chunk_dropped"}
            assert server.ask("EXISTS", *(f"gridgram:1:{{FR}}:lifecycle:{month}" for month in months)) == 0


async def test_what_is_no_month_is_never_believed_but_logged_once_and_deleted(server: RedisServer) -> None:
    await nothing_damaged_is_believed(server, 240)


@pytest.mark.soak
async def test_ten_thousand_damaged_values_are_never_believed(server: RedisServer) -> None:
    await nothing_damaged_is_believed(server, 10_000)


async def test_keys_of_another_type_stand_in_the_way_of_nothing(server: RedisServer) -> None:
    for key in ("{FR}:lifecycle:2024-03", "{shared}zones", "{shared}token", "{shared}pauses", "kept:m"):
        server.ask("RPUSH", f"gridgram:1:{key}", "1")
    server.ask("SET", "gridgram:1:{FR}", "1")

    async with opened(server.url) as store:
        await store.generation()
        assert await store.merge([hours(1.0)]) == MARCH.hours
        await store.pause("eia", 60.0)
        with structlog.testing.capture_logs() as logs:
            assert await store.kept("m") is None
        await store.keep("m", b"model", 60.0)

        assert [entry["event"] for entry in logs] == ["store.kept_dropped"]
        assert [held.hours for held in await store.held()] == [MARCH.hours]
        assert list(await store.pauses()) == ["eia"]
        assert await store.kept("m") == b"model"
        assert (await store.read("FR", Signal.LIFECYCLE, [MARCH]))[0] is not None


async def test_a_damaged_kept_thing_is_not_believed(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.keep("a", b"model", 60.0)
        server.ask("RENAME", "gridgram:1:kept:a", "gridgram:1:kept:b")
        with structlog.testing.capture_logs():
            assert await store.kept("b") is None
        assert server.ask("EXISTS", "gridgram:1:kept:b") == 0


# A server that is away.


async def test_a_frozen_server_costs_once_and_is_found_again(server: RedisServer) -> None:
    async with opened(server.url, answer_seconds=ANSWER_SECONDS) as store:
        await store.merge([hours(1.0)])
        server.freeze()

        first = await asyncio.gather(*(seconds_of(lambda: store.read("FR", Signal.LIFECYCLE, [MARCH])) for _ in range(100)))
        later = sorted([await seconds_of(store.generation) for _ in range(1000)])
        server.thaw()
        back = await until_back(store)

        assert 0.2 < max(first) < 0.4
        assert later[990] < 0.001
        assert back < 5.0
        assert (await store.read("FR", Signal.LIFECYCLE, [MARCH]))[0] is not None


async def test_a_killed_server_costs_next_to_nothing_and_is_found_again_empty(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.merge([hours(1.0)])
        before = await store.generation()
        await asyncio.gather(*(store.read("FR", Signal.LIFECYCLE, [MARCH]) for _ in range(CONNECTIONS)))
        server.kill()

        assert await seconds_of(lambda: store.read("FR", Signal.LIFECYCLE, [MARCH])) < 0.3
        with pytest.raises(StoreError, match="cannot be reached; look whether it runs"):
            await store.generation()
        server.start()
        assert await until_back(store) < 5.0

        assert await store.generation() != before
        assert await store.merge([hours(1.0)]) == MARCH.hours


async def test_a_server_that_was_restarted_between_two_calls_is_not_noticed(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await asyncio.gather(*(store.generation() for _ in range(CONNECTIONS)))
        server.kill()
        server.start()

        await asyncio.gather(*(store.generation() for _ in range(CONNECTIONS)))


async def test_a_server_that_is_not_there_at_first_is_used_once_it_is(server: RedisServer) -> None:
    server.kill()
    async with opened(server.url, answer_seconds=ANSWER_SECONDS) as store:
        assert await seconds_of(store.generation) < 0.3
        server.start()

        assert await until_back(store) < 5.0


async def test_a_slow_server_is_used_and_one_that_is_too_slow_is_done_without(server: RedisServer) -> None:
    async with proxy_to(server.port) as proxy, opened(f"redis://127.0.0.1:{proxy.port}", answer_seconds=ANSWER_SECONDS) as store:
        await store.merge([hours(1.0)])
        proxy.delay_seconds = 0.05
        assert (await store.read("FR", Signal.LIFECYCLE, [MARCH]))[0] is not None

        proxy.delay_seconds = 5.0
        assert 0.2 < await seconds_of(lambda: store.read("FR", Signal.LIFECYCLE, [MARCH])) < 0.4
        with pytest.raises(StoreError, match=r"does not answer within 0\.25 s"):
            await store.generation()
        proxy.delay_seconds = 0.35
        coming_back = asyncio.create_task(until_back(store))
        await asyncio.wait([coming_back], timeout=1.5)
        assert not coming_back.done()
        proxy.delay_seconds = 0.0
        assert await coming_back < 6.5


async def test_connections_that_break_are_made_again(server: RedisServer) -> None:
    async with proxy_to(server.port) as proxy, opened(f"redis://127.0.0.1:{proxy.port}") as store:
        await store.merge([hours(1.0)])
        for _ in range(20):
            await asyncio.gather(*(store.generation() for _ in range(8)))
            proxy.cut()

        assert (await store.read("FR", Signal.LIFECYCLE, [MARCH]))[0] is not None


async def test_answers_that_are_none_are_store_errors_and_never_hours(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.merge([hours(1.0)])
    async with proxy_to(server.port) as proxy:
        proxy.garbled_share = 0.3
        outcomes = set()
        for _ in range(25):
            async with opened(f"redis://127.0.0.1:{proxy.port}", answer_seconds=ANSWER_SECONDS) as store:
                for work in (lambda: store.read("FR", Signal.LIFECYCLE, [MARCH]), store.held, store.generation, store.pauses):
                    try:
                        found = await work()
                    except StoreError:
                        outcomes.add("refused")
                    else:
                        if isinstance(found, list) and found and found[0] is not None and not isinstance(found[0], Held):
                            assert {hour[1] for hour in facts(found[0])} == {1.0}
                            outcomes.add("read")

        assert outcomes == {"refused", "read"}


async def test_callers_wait_while_all_connections_are_busy(server: RedisServer) -> None:
    async with proxy_to(server.port) as proxy, opened(f"redis://127.0.0.1:{proxy.port}") as store:
        store.link._free = asyncio.Semaphore(2)
        await store.merge([hours([float(number)], zone=f"Z{number}") for number in range(200)])
        proxy.delay_seconds = 0.002

        found = await asyncio.gather(*(store.read(f"Z{number}", Signal.LIFECYCLE, [MARCH]) for number in range(200)))

        assert [facts(series)[0][1] for (series,) in found if series] == [float(number) for number in range(200)]
        assert server.ask("INFO", "clients")["connected_clients"] <= 4


async def nobody_gets_anothers_answer(server: RedisServer, count: int) -> None:
    randomness = random.Random(count)  # noqa: S311 - moments, not secrets
    async with proxy_to(server.port) as proxy, opened(f"redis://127.0.0.1:{proxy.port}") as store:
        await store.merge([hours([float(number)], zone=f"Z{number}") for number in range(100)])
        proxy.delay_seconds, proxy.is_even = 0.05, False

        async def ask(number: int) -> tuple[int, float | None]:
            try:
                async with asyncio.timeout(randomness.uniform(0, 0.1)):
                    (series,) = await store.read(f"Z{number % 100}", Signal.LIFECYCLE, [MARCH])
            except TimeoutError:
                return number, None
            assert series is not None
            return number, facts(series)[0][1]

        answers = []
        for start in range(0, count, CONNECTIONS):
            answers += await asyncio.gather(*(ask(number) for number in range(start, min(count, start + CONNECTIONS))))

        given = [(number, found) for number, found in answers if found is not None]
        assert 0.2 * count < len(given) < count
        assert [number for number, found in given if found != float(number % 100)] == []


async def test_callers_who_leave_at_any_moment_leave_the_others_their_own_answers(server: RedisServer) -> None:
    await nobody_gets_anothers_answer(server, 300)


@pytest.mark.soak
async def test_ten_thousand_callers_who_leave_mix_up_no_answer(server: RedisServer) -> None:
    await nobody_gets_anothers_answer(server, 10_000)


# A server that refuses.


async def test_a_full_server_refuses_writes_and_goes_on_being_read(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.merge([hours(1.0)])
        before = await store.generation()
        server.ask("CONFIG", "SET", "maxmemory", "1")

        for refused in (store.merge([hours(2.0)]), store.claim("fetch/FR", 60.0), store.keep("m", b"model", 60.0)):
            with pytest.raises(StoreRefused, match="is full and takes no more"):
                await refused

        (march,) = await store.read("FR", Signal.LIFECYCLE, [MARCH])
        assert march is not None
        assert facts(march)[0][1] == 1.0
        assert await store.generation() == before
        assert [held.hours for held in await store.held()] == [MARCH.hours]
        server.ask("CONFIG", "SET", "maxmemory", "0")
        assert await store.merge([hours(2.0)]) == MARCH.hours


async def test_a_replica_is_read_and_refuses_writes(server: RedisServer, tmp_path: Path) -> None:
    with redis_server(tmp_path / "replica", "--replicaof", "127.0.0.1", str(server.port)) as replica:
        async with opened(server.url) as store:
            await store.merge([hours(1.0)])
        async with opened(replica.url) as store, asyncio.timeout(10):
            while await store.read("FR", Signal.LIFECYCLE, [MARCH]) == [None]:  # noqa: ASYNC110 - the replica does not tell
                await asyncio.sleep(0.02)

            with pytest.raises(StoreRefused, match="is a replica that may not be written"):
                await store.merge([hours(2.0)])
            assert (await store.read("FR", Signal.LIFECYCLE, [MARCH]))[0] is not None


async def test_a_server_that_cannot_save_refuses_writes_and_goes_on_being_read(tmp_path: Path) -> None:
    with redis_server(tmp_path / "server", "--save", "3600 1", "--enable-protected-configs", "yes") as server:
        async with opened(server.url) as store:
            await store.merge([hours(1.0)])
            (tmp_path / "gone").mkdir()
            server.ask("CONFIG", "SET", "dir", str(tmp_path / "gone"))
            (tmp_path / "gone").rmdir()
            server.ask("BGSAVE")
            async with asyncio.timeout(10):
                while server.ask("INFO", "persistence")["rdb_last_bgsave_status"] == "ok":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

            with pytest.raises(StoreRefused, match="cannot save to its disk"):
                await store.merge([hours(2.0)])
            assert (await store.read("FR", Signal.LIFECYCLE, [MARCH]))[0] is not None


async def exercise(store: RedisStore) -> None:
    """Do everything that a store does."""
    await store.generation()
    assert await store.merge([hours(1.0), hours(2.0, zone="DE")]) == 2 * MARCH.hours
    assert (await store.read("FR", Signal.LIFECYCLE, [MARCH, APRIL]))[0] is not None
    assert len(await store.held()) == 2
    token = await store.claim("fetch/FR", 60.0)
    assert token is not None
    await store.release("fetch/FR", token)
    await store.pause("eia", 60.0)
    assert list(await store.pauses()) == ["eia"]
    await store.keep("m", b"model", 60.0)
    assert await store.kept("m") == b"model"


async def test_the_documented_rights_are_enough_and_let_nothing_else_be_touched(server: RedisServer) -> None:
    server.ask("ACL", "SETUSER", "gridgram", "on", ">hunter2", *ACL.split())
    server.ask("SET", "other:precious", "1")

    async with opened(f"redis://gridgram:hunter2@127.0.0.1:{server.port}/0") as store:
        await exercise(store)
        server.ask("RPUSH", "gridgram:1:{FR}:lifecycle:2024-04", "1")
        with structlog.testing.capture_logs():
            assert (await store.read("FR", Signal.LIFECYCLE, [MARCH, APRIL]))[1] is None
    async with opened(f"redis://gridgram:hunter2@127.0.0.1:{server.port}/0", "other:") as store:
        with pytest.raises(StoreRefused, match="does not let this user do that"):
            await store.merge([hours(1.0)])
    with Redis.from_url(f"redis://gridgram:hunter2@127.0.0.1:{server.port}/0") as client:
        for command in (["FLUSHALL"], ["KEYS", "*"], ["CONFIG", "GET", "*"], ["GET", "other:precious"]):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)
    assert ACL in (ROOT / "docs" / "store.md").read_text()


async def test_the_documented_rights_are_enough_in_a_cluster(redis_cluster_servers: list[RedisServer]) -> None:
    for server in redis_cluster_servers:
        server.ask("ACL", "SETUSER", "gridgram", "on", ">hunter2", *ACL.split())
    async with opened(f"redis+cluster://gridgram:hunter2@127.0.0.1:{redis_cluster_servers[2].port}") as store:
        await exercise(store)


async def test_a_wrong_password_is_told_and_never_repeated(server: RedisServer) -> None:
    server.ask("ACL", "SETUSER", "gridgram", "on", ">right", *ACL.split())

    async with opened(f"redis://gridgram:hunter2@127.0.0.1:{server.port}/0") as store:
        with pytest.raises(StoreError, match="refuses the user or the password; look at GRIDGRAM_STORE") as refusal:
            await store.merge([hours(1.0)])

        told: list[str] = [repr(store.link)]
        error: BaseException | None = refusal.value
        while error is not None:
            told += [str(error), repr(error)]
            error = error.__cause__ or error.__context__
        assert "hunter2" not in " ".join(told)
        assert f"redis://127.0.0.1:{server.port}/0" in told[1]


# Clusters and sentinels.


async def test_a_cluster_spreads_the_zones_and_keeps_each_in_one_place(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as servers:
        async with opened(
            "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers), answer_seconds=ANSWER_SECONDS
        ) as store:
            await store.merge([hours(float(number), zone=f"Z{number}") for number in range(60)])

            zones = [{key.split(b"{")[1].split(b"}")[0] for key in server.ask("KEYS", "*{Z*")} for server in servers]  # type: ignore[attr-defined]
            assert all(len(some) > 5 for some in zones)
            assert sum(map(len, zones)) == 60
            assert len(await store.held()) == 60

            servers[1].kill()
            assert await seconds_of(lambda: store.merge([hours(5.0, zone=f"Z{number}") for number in range(60)])) < 3.0
            assert await seconds_of(store.generation) < 0.3


async def test_months_that_were_written_in_a_cluster_and_not_told_of_are_told_by_the_same_merge_again(
    redis_cluster_servers: list[RedisServer],
) -> None:
    for server in redis_cluster_servers:
        server.ask("ACL", "SETUSER", "halfway", "on", ">hunter2", *ACL.replace("~gridgram:*", "~halfway:1:{FR}*").split())
    address = f"127.0.0.1:{redis_cluster_servers[0].port}"
    async with (
        opened(f"redis+cluster://{address}", "halfway:") as reader,
        opened(f"redis+cluster://{address}", "halfway:") as again,
        opened(f"redis+cluster://halfway:hunter2@{address}", "halfway:") as halfway,
    ):
        before = await reader.generation()
        with pytest.raises(StoreRefused):
            await halfway.merge([hours(1.0)])
        assert (await reader.read("FR", Signal.LIFECYCLE, [MARCH]))[0] is not None

        assert await again.merge([hours(1.0)]) == 0

        told = await reader.generation()
        assert told != before
        assert [held.zone for held in await reader.held()] == ["FR"]
        assert await again.merge([hours(1.0)]) == 0
        assert await reader.generation() == told


async def test_slots_that_move_are_followed(redis_cluster_servers: list[RedisServer]) -> None:
    servers = redis_cluster_servers
    async with opened(f"redis+cluster://127.0.0.1:{servers[0].port}", "moved:") as store:
        await store.merge([hours(1.0, zone="MOVE")])
        slot = servers[0].ask("CLUSTER", "KEYSLOT", "{MOVE}")
        owner = next(server for server in servers if server.ask("KEYS", "*{MOVE}*"))
        target = next(server for server in servers if server is not owner)
        ids = {server.port: bytes(server.ask("CLUSTER", "MYID")).decode() for server in servers}  # type: ignore[arg-type]
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[owner.port])
        owner.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
        keys = owner.ask("CLUSTER", "GETKEYSINSLOT", slot, 100)
        owner.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)  # type: ignore[misc]
        for server in (target, owner):
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])

        assert (await store.read("MOVE", Signal.LIFECYCLE, [MARCH]))[0] is not None
        assert await store.merge([hours(2.0, zone="MOVE")]) == MARCH.hours


async def test_a_failover_that_sentinels_order_is_followed(tmp_path: Path) -> None:
    with redis_sentinels(tmp_path) as (servers, sentinels):
        url = "redis+sentinel://" + ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels) + "/grid"
        async with opened(url, answer_seconds=ANSWER_SECONDS) as store:
            await exercise(store)
            sentinels[0].kill()
            servers[0].kill()
            started = time.perf_counter()
            assert await seconds_of(lambda: store.merge([hours(5.0, zone="PL")])) < 1.2

            async with asyncio.timeout(20):
                while True:
                    try:
                        assert await store.merge([hours(6.0, zone="PL")]) == MARCH.hours
                    except StoreError:
                        await asyncio.sleep(0.02)
                    else:
                        break
            gap = time.perf_counter() - started

            (poland,) = await store.read("PL", Signal.LIFECYCLE, [MARCH])
            assert poland is not None
            assert {hour[1] for hour in facts(poland)} == {6.0}
            assert servers[1].ask("ROLE")[0] == b"master"  # type: ignore[index]
            assert gap < 10.0


# TLS, which the tests' own server was built without: a proxy in front of it speaks it.


def openssl(*arguments: str) -> None:
    subprocess.run([shutil.which("openssl") or "openssl", *arguments], check=True, capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CA, a server's certificate for 127.0.0.1, one for another name, and a client's."""
    folder = tmp_path_factory.mktemp("authority")
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    for name in ("ca", "stranger"):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")
    for name, alternative in (("server", "IP:127.0.0.1"), ("other", "DNS:elsewhere.example"), ("client", "DNS:gridgram")):
        signed = ["-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key", "-addext", f"subjectAltName={alternative}"]
        plain = ["-addext", "basicConstraints=critical,CA:FALSE"]
        openssl(*new, *signed, *plain, "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")
    return folder


@dataclass(frozen=True, slots=True)
class Handshake:
    """Which certificate the server has, which authority the store trusts, and whether it shows a certificate of its own."""

    server_name: str = "server"
    ca_name: str | None = "ca"
    is_shown: bool = True


def server_context(authority: Path, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority / "ca.pem")
    context.load_cert_chain(authority / f"{name}.pem", authority / f"{name}.key")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def opened_in_tls(server: RedisServer, authority: Path, handshake: Handshake) -> AsyncIterator[RedisStore]:
    ca_file = authority / f"{handshake.ca_name}.pem" if handshake.ca_name else None
    shown = [authority / "client.pem", authority / "client.key"] if handshake.is_shown else [None, None]
    context = server_context(authority, handshake.server_name)
    tls = tls_context(ca_file, *shown)
    async with proxy_to(server.port, context) as proxy, opened(f"rediss://127.0.0.1:{proxy.port}/0", tls=tls) as store:
        yield store


async def test_the_store_speaks_tls_and_shows_its_certificate(server: RedisServer, authority: Path) -> None:
    async with opened_in_tls(server, authority, Handshake()) as store:
        await exercise(store)


async def test_a_cluster_inside_tls_is_used(tmp_path: Path, authority: Path) -> None:
    with redis_cluster(tmp_path, masters=1) as (server,):
        context = server_context(authority, "server")
        tls = tls_context(authority / "ca.pem", authority / "client.pem", authority / "client.key")
        async with proxy_to(server.port, context) as proxy:
            server.ask("CONFIG", "SET", "cluster-announce-ip", "127.0.0.1")
            server.ask("CONFIG", "SET", "cluster-announce-port", proxy.port)
            async with opened(f"rediss+cluster://127.0.0.1:{proxy.port}", tls=tls) as store:
                await exercise(store)


@pytest.mark.parametrize(
    "handshake",
    [Handshake(is_shown=False), Handshake(server_name="other"), Handshake(ca_name="stranger"), Handshake(ca_name=None)],
    ids=["no certificate of ours", "another host's certificate", "another authority", "no authority"],
)
async def test_a_certificate_that_does_not_fit_is_no_connection(server: RedisServer, authority: Path, handshake: Handshake) -> None:
    async with opened_in_tls(server, authority, handshake) as store:
        with pytest.raises(StoreError, match="cannot be reached"):
            await store.generation()


def test_files_that_are_no_certificates_are_named(tmp_path: Path, authority: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")

    with pytest.raises(SettingsError, match=r"GRIDGRAM_REDIS_CA_FILE names .* which holds no certificate"):
        tls_context(tmp_path / "text.pem", None, None)
    with pytest.raises(SettingsError, match=r"GRIDGRAM_REDIS_CERT_FILE names .* which with its key is no certificate to show"):
        tls_context(None, authority / "client.pem", authority / "server.key")


# The servers of the tests themselves.

START_AND_WAIT = """
import sys, time
from pathlib import Path
from tests.redis_server import redis_server

with redis_server(Path(sys.argv[1])) as server:
    print(server.process.pid, flush=True)
    time.sleep(60)
"""


def test_a_server_ends_with_the_tests_even_when_they_are_killed(tmp_path: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", START_AND_WAIT, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert starter.stdout
    number = int(starter.stdout.readline())
    starter.send_signal(signal.SIGKILL)
    starter.communicate()

    deadline = time.monotonic() + 5
    while Path(f"/proc/{number}/stat").exists() and Path(f"/proc/{number}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, f"server {number} outlived its tests"
        time.sleep(0.01)
