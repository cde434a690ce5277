"""A Redis that breaks while the service is asked: no request fails, no number is wrong, and all is as before once it is mended.

The service keeps a tenth of the hours in memory and reads the rest, so that it needs the store all the time.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from cache.redis_link import RedisLink
from cache.redis_store import RedisStore
from cache.redis_url import read_redis_url
from gridgram.errors import StoreError, StoreRefused
from tests.faults.load import between, check_all_right, ms, p99, steady_load, steady_load_apart, worst
from tests.faults.truth import CELLS, HOURS, MONTHS, ZONES, import_rows, write_rows
from tests.redis_proxy import proxy_on_a_thread
from tests.redis_server import redis_sentinels, redis_server
from tests.running import running_service, tell, wait_until
from tests.test_redis_store import damaged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.faults.load import Heard
    from tests.redis_proxy import Proxy
    from tests.redis_server import RedisServer
    from tests.running import RunningService

READS_ON = {"GRIDGRAM_MEMORY_MIB": "1", "GRIDGRAM_QUEUE_REQUESTS": "1000"}
"""Little memory, and no request refused because the machine of the tests does other things too: that is tested elsewhere."""
BACK_SECONDS = 5.0
GAP_SECONDS = 15.0
OUR_GAP_SECONDS = 1.0
"""What we may add to a failover once the sentinels agree, on a machine that does other things too."""
BUSY_MACHINE_SECONDS = 1.0
"""The bounds of the quick runs: on a machine that does other things too, and at a tenth of the rate, they only find what hangs."""


@dataclass(frozen=True, slots=True)
class Place:
    """A service, the Redis that it uses, and the way between the two."""

    server: RedisServer
    proxy: Proxy
    service: RunningService
    rows: Path

    async def fill(self) -> None:
        """Put all hours into the store; the service's own way to it is not used."""
        await import_rows(self.server.url, self.rows)

    def is_known(self) -> bool:
        """Whether the service uses the store."""
        return bool(self.service.get("/readyz")[1]["store"] == "ok")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to the store and undone. `loses`: it is empty then; `refuses`: it takes no writes meanwhile."""

    begin: Callable[[Place], object]
    mend: Callable[[Place], object]
    loses: bool = False
    refuses: bool = False


def _proxied(mode: str) -> Fault:
    return Fault(lambda place: setattr(place.proxy, "mode", mode), lambda place: setattr(place.proxy, "mode", "ok"))


FAULTS = {
    "frozen": Fault(lambda place: place.server.freeze(), lambda place: place.server.thaw()),
    "killed": Fault(lambda place: place.server.kill(), lambda place: place.server.start(), loses=True),
    "slow": Fault(lambda place: setattr(place.proxy, "delay_seconds", 0.05), lambda place: setattr(place.proxy, "delay_seconds", 0.0)),
    "full": Fault(
        lambda place: place.server.ask("CONFIG", "SET", "maxmemory", "1"),
        lambda place: place.server.ask("CONFIG", "SET", "maxmemory", "0"),
        refuses=True,
    ),
    "read-only replica": Fault(
        lambda place: place.server.ask("REPLICAOF", "127.0.0.1", "1"),
        lambda place: place.server.ask("REPLICAOF", "NO", "ONE"),
        refuses=True,
    ),
    "emptied": Fault(lambda place: place.server.ask("FLUSHALL"), lambda place: None, loses=True),  # noqa: ARG005 - nothing to undo
    "stall": _proxied("stall"),
    "cut": _proxied("cut"),
    "reset": _proxied("reset"),
    "truncate": _proxied("truncate"),
    "garbage": _proxied("garbage"),
}


@contextmanager
def running_place(folder: Path, settings: dict[str, str]) -> Iterator[Place]:
    with redis_server(folder / "redis") as server, proxy_on_a_thread(server.port) as proxy:
        rows = folder / "hours.csv"
        write_rows(rows)
        write_rows(rows.with_name("newer.csv"), CELLS[:HOURS], revision=1)
        asyncio.run(import_rows(server.url, rows))
        settings = {"GRIDGRAM_STORE": f"redis://127.0.0.1:{proxy.port}/0", **settings}
        with running_service(folder / "home", settings) as service:
            yield Place(server, proxy, service, rows)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A service that all quick tests share; each leaves the store mended and filled."""
    with running_place(tmp_path_factory.mktemp("place"), READS_ON) as running:
        yield running


@asynccontextmanager
async def load(place: Place, requests_per_second: float, seconds: float) -> AsyncIterator[list[Heard]]:
    """The service is asked until the end of the block and of the time; then the list holds what was heard."""
    heard: list[Heard] = []
    asking = asyncio.ensure_future(steady_load(place.service.address, requests_per_second, seconds))
    yield heard
    heard += await asking


@asynccontextmanager
async def load_apart(place: Place, requests_per_second: float, seconds: float) -> AsyncIterator[list[Heard]]:
    """The same from a process of its own, which has begun when the block is entered: for what is measured."""
    heard: list[Heard] = []
    begun = asyncio.Event()
    asking = asyncio.ensure_future(steady_load_apart(place.service.address, requests_per_second, seconds, begun))
    await begun.wait()
    yield heard
    heard += await asking


async def under(fault: Fault, place: Place, asked: AbstractAsyncContextManager[list[Heard]], before: float) -> list[Heard]:
    """What is heard of a service that is asked and whose store breaks after a while [s]; it is mended and filled afterwards."""
    async with asked as heard:
        await asyncio.sleep(before)
        fault.begin(place)
        if fault.refuses:
            with pytest.raises(StoreRefused):
                await import_rows(place.server.url, place.rows.with_name("newer.csv"))
    fault.mend(place)  # not on a thread: a server ends with the one that started it
    if fault.loses:
        await place.fill()
    await asyncio.to_thread(wait_until, place.is_known, BACK_SECONDS)
    if fault.loses:
        await asyncio.sleep(1.1)  # as long as a process may not know what another has written
    async with load(place, 100, 0.2) as after:
        pass
    check_all_right(heard + after)
    assert all(one.is_whole for one in [*between(heard, 0.0, before - 0.1), *after])
    return heard


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_store_that_breaks_costs_no_answer_and_no_number(place: Place, fault: str) -> None:
    heard = await under(FAULTS[fault], place, load(place, 60, 1.0), 0.3)

    assert worst(heard) <= BUSY_MACHINE_SECONDS


MEMORY_MIB = {"in memory": "64", "read": "1"}
REQUESTS_PER_SECOND = {"in memory": 500, "read": 150}
"""A job whose hours have to be read and unpacked costs three times one whose hours are in memory."""


@pytest.fixture(params=MEMORY_MIB)
def place_under_load(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A service that holds all hours in memory once it has read them, and one that goes on reading."""
    with running_place(tmp_path, {"GRIDGRAM_MEMORY_MIB": MEMORY_MIB[request.param]}) as running:
        yield running


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_store_that_breaks_under_load(place_under_load: Place, fault: str, request: pytest.FixtureRequest) -> None:
    """p99 counts from a second after the fault, when it has been noticed; the frozen one stays so for half a minute."""
    before, during = 6.0, 30.0 if fault == "frozen" else 8.0
    hours = request.node.callspec.params["place_under_load"]
    asked = load_apart(place_under_load, REQUESTS_PER_SECOND[hours], before + during)
    heard = await under(FAULTS[fault], place_under_load, asked, before)

    sound, broken = between(heard, 3.0, before), between(heard, before + 1, before + during)
    tell(f"{fault}, hours {hours}: sound p99 {ms(p99(sound))}, worst {ms(worst(sound))};")
    tell(f"broken p99 {ms(p99(broken))}, worst of all {ms(worst(heard))}")
    assert p99(broken) <= max(0.1, 2 * p99(sound))
    assert worst(heard) <= 0.3 + worst(sound)


async def test_what_is_no_month_is_not_believed_by_a_service(place: Place) -> None:
    await nothing_damaged_is_answered(place, 300, 60, 1.0)


@pytest.mark.soak
async def test_ten_thousand_damaged_values_are_not_believed_by_a_service(place: Place) -> None:
    await nothing_damaged_is_answered(place, 10_000, 100, 20.0)


KEYS = [f"gridgram:1:{{{zone}}}:lifecycle:{month}" for zone in ZONES for month in MONTHS if (zone, str(month)) != ("DE", "2024-03")]
"""All but the one month that a piece of the nonsense is sound for: another's month, where it belongs."""


async def nothing_damaged_is_answered(place: Place, count: int, requests_per_second: float, seconds: float) -> None:
    """Months are overwritten with so much nonsense while the service is asked for them."""
    randomness = random.Random(count)  # noqa: S311 - damage, not secrets

    def damage() -> None:
        with Redis(host="127.0.0.1", port=place.server.port, socket_timeout=5, protocol=2) as client:
            for number in range(count):
                key = randomness.choice(KEYS)
                value = damaged(number, randomness)
                if isinstance(value, bytes):
                    client.set(key, value)
                else:
                    client.delete(key)
                    client.execute_command(*(key if part == "KEY" else part for part in value))
                time.sleep(0.9 * seconds / count)

    async with load(place, requests_per_second, seconds) as heard:
        await asyncio.to_thread(damage)
    await place.fill()
    await asyncio.sleep(1.1)
    async with load(place, 100, 0.2) as after:
        pass

    check_all_right(heard + after)
    assert not all(one.is_whole for one in heard)
    assert all(one.is_whole for one in after)
    assert any(event["event"] == "store.chunk_dropped" for event in place.service.events())


async def test_more_callers_than_connections_wait_their_turn(place: Place) -> None:
    """As many at once as have three hundred and more reads under way, where 32 may be."""
    place.proxy.delay_seconds = 0.01
    try:
        async with load(place, 5_000, 0.08) as heard:
            pass
    finally:
        place.proxy.delay_seconds = 0.0

    check_all_right(heard)
    assert worst(heard) <= 3 * BUSY_MACHINE_SECONDS


def test_a_service_whose_store_is_not_there_is_ready_and_uses_it_once_it_is(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as server:
        write_rows(tmp_path / "hours.csv")
        server.kill()
        with running_service(tmp_path / "home", {"GRIDGRAM_STORE": server.url}) as service:
            assert service.get("/readyz") == (200, {"status": "ready", "store": "away"})
            check_all_right(asyncio.run(steady_load(service.address, 50, 0.5)))
            server.start()
            asyncio.run(import_rows(server.url, tmp_path / "hours.csv"))
            started = time.monotonic()
            wait_until(lambda: service.get("/readyz")[1]["store"] == "ok", BACK_SECONDS)
            tell(f"ready in {service.ready_seconds:.1f} s, the store used {time.monotonic() - started:.1f} s after it was there")
            heard = asyncio.run(steady_load(service.address, 50, 0.5))

    check_all_right(heard)
    assert all(one.is_whole for one in heard)


async def is_imported(url: str, rows: Path) -> bool:
    """Whether an import is done now."""
    try:
        await import_rows(url, rows)
    except StoreError:
        return False
    return True


async def seconds_to_write(store: RedisStore, began: float) -> float:
    """How long after this moment a store that is open takes something again. [s]"""
    while True:
        try:
            await store.keep("written", b"again", 60.0)
        except StoreError:
            await asyncio.sleep(0.01)
        else:
            return time.monotonic() - began


async def seconds_to_name(sentinels: list[RedisServer], port: int, began: float) -> float:
    """How long after this moment all sentinels name the server at this port as the master. [s]"""

    def is_named() -> bool:
        named = [sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "grid") for sentinel in sentinels]
        return all(int(address[1]) == port for address in named)  # type: ignore[index]  # a list of host and port

    while not await asyncio.to_thread(is_named):  # noqa: ASYNC110 - the sentinels do not tell
        await asyncio.sleep(0.01)
    return time.monotonic() - began


@pytest.mark.soak
async def test_a_failover_under_load_costs_no_answer_and_writes_go_on_at_the_new_master(tmp_path: Path) -> None:
    with redis_sentinels(tmp_path) as (servers, sentinels):
        url = "redis+sentinel://" + ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels) + "/grid"
        for revision in (0, 1):
            write_rows(tmp_path / f"{revision}.csv", revision=revision)
        await import_rows(servers[0].url, tmp_path / "0.csv")
        await asyncio.to_thread(wait_until, lambda: servers[1].ask("DBSIZE") == servers[0].ask("DBSIZE"), BACK_SECONDS)
        settings = {"GRIDGRAM_STORE": url, **READS_ON}
        with running_service(tmp_path / "home", settings) as service:
            asking = asyncio.ensure_future(steady_load(service.address, 60, 15.0))
            await asyncio.sleep(3.0)
            store = RedisStore(RedisLink(read_redis_url(url)))
            try:
                await store.keep("written", b"before", 60.0)
                servers[0].kill()
                killed = time.monotonic()
                async with asyncio.timeout(GAP_SECONDS):
                    named, gap = await asyncio.gather(seconds_to_name(sentinels, servers[1].port, killed), seconds_to_write(store, killed))
            finally:
                await store.close()
            async with asyncio.timeout(GAP_SECONDS):
                while not await is_imported(url, tmp_path / "1.csv"):  # noqa: ASYNC110 - the sentinels do not tell
                    await asyncio.sleep(0.05)
            imported = time.monotonic() - killed
            heard = await asking

    tell(f"failover: named by all sentinels after {named:.1f} s, written to after {gap:.1f} s, imported into after {imported:.1f} s;")
    tell(f"p99 {ms(p99(heard))}, worst {ms(worst(heard))}")
    check_all_right(heard)
    assert gap - named <= OUR_GAP_SECONDS
    assert all(one.is_whole for one in between(heard, 12.0, 15.0))
