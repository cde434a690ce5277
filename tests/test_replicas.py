"""Two processes of the service on one store, SQLite's file and a Redis, and a source that is counted: one fetch for all of them."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from providers.registry import load_providers
from tests.providers.tape import running_tape
from tests.redis_server import redis_server
from tests.running import running_service, tell
from tests.test_fetching import CONSOLIDATED, JOB, RECENT, asked, gridgram_over, rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.providers.tape import Tape
    from tests.running import RunningService

HOURS = {"include": ["hours"], **JOB}


@pytest.fixture
async def tape() -> AsyncIterator[Tape]:
    async with running_tape() as tape:
        tape.answers = {CONSOLIDATED: rows(48, "Données définitives"), RECENT: b"[]"}
        yield tape


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'series.sqlite'}"
        return
    with redis_server(tmp_path / "redis") as server:
        yield server.url


@pytest.fixture
def start(tape: Tape, tmp_path: Path) -> Iterator[Callable[..., RunningService]]:
    """Start a process on a store; all end with the test."""
    with ExitStack() as services:

        def started(store: str, **settings: str) -> RunningService:
            home = tmp_path / f"home-{time.monotonic_ns()}"
            return services.enter_context(running_service(home, {**settings_of(tape), "GRIDGRAM_STORE": store, **settings}))

        yield started


@asynccontextmanager
async def client() -> AsyncIterator[Callable[..., Any]]:
    """Posts a job to a service and gives its answer, which must be one."""
    async with ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(60)) as session:

        async def post(service: RunningService, **changed: Any) -> Any:
            async with session.post(f"{service.address}/v1/emissions", json={**HOURS, **changed}) as response:
                assert response.status == 200, await response.text()
                return await response.json()

        yield post


async def burst(start: Callable[..., RunningService], store: str, tape: Tape, requests: int, at_once: int) -> None:
    services = [start(store, GRIDGRAM_QUEUE_REQUESTS=str(requests)) for _ in range(2)]  # that a burst may be too long is tested elsewhere
    tape.delay_seconds = 0.5
    room = asyncio.Semaphore(at_once)
    async with client() as post:

        async def one(number: int) -> Any:
            async with room:
                return await post(services[number % 2], signal="direct" if number % 4 > 1 else "lifecycle")

        answers = await asyncio.gather(*(one(number) for number in range(requests)))

    tell(f"{requests} requests at two processes: {tape.calls} calls")
    assert all(answer == answers[number % 4] for number, answer in enumerate(answers))
    assert all(answer["coverage"] == {"measured": 1.0} for answer in answers)
    assert tape.calls <= 2  # one, unless a process is so busy that its store does not answer it in time: then each works alone


async def test_a_burst_of_misses_on_one_zone_at_two_processes_is_one_call_or_one_each(
    start: Callable[..., RunningService], tape: Tape, tmp_path: Path
) -> None:
    with redis_server(tmp_path / "redis") as server:
        await burst(start, server.url, tape, 200, 200)


@pytest.mark.soak
@pytest.mark.parametrize("requests", [1_000, 10_000])
async def test_a_burst_of_thousands_of_misses_at_two_processes_is_one_call_or_one_each(
    start: Callable[..., RunningService], store: str, tape: Tape, requests: int
) -> None:
    await burst(start, store, tape, requests, requests)


async def test_a_second_process_never_asks_for_a_zone_that_the_first_has_fetched_and_keeps_its_pauses(
    start: Callable[..., RunningService], store: str, tape: Tape
) -> None:
    first, second = start(store), start(store)
    async with client() as post:
        answer = await post(first)
        assert await post(second) == answer
        assert (await post(second, signal="direct"))["coverage"] == {"measured": 1.0}
        assert tape.calls == 1

        tape.mode, tape.headers = "429", {"Retry-After": "120"}
        await post(first, energy={**JOB["energy"], "start": "2023-01-01T00:00:00Z"})
        assert tape.calls == 2
        tape.mode = "ok"
        for year in (2021, 2022):
            for service in (first, second):
                asked_for = {**JOB["energy"], "start": f"{year}-01-01T00:00:00Z"}
                assert (await post(service, energy=asked_for))["coverage"] == {"typical": 1.0}

    assert tape.calls == 2


@pytest.mark.soak
async def test_when_the_process_that_fetches_is_killed_one_more_call_is_made_once_its_claim_has_run_out(
    start: Callable[..., RunningService], store: str, tape: Tape
) -> None:
    """The claim lasts for the fetch, one second here, and five more."""
    second = start(store, GRIDGRAM_UPSTREAM_SECONDS="1")
    tape.delay_seconds = 30.0
    async with client() as post:
        settings = {**settings_of(tape), "GRIDGRAM_STORE": store, "GRIDGRAM_UPSTREAM_SECONDS": "1"}
        with suppress(AssertionError), running_service(second.home / "first", settings) as first:  # it does not end with code 0
            killed = asyncio.ensure_future(post(first))
            while not tape.calls:  # noqa: ASYNC110 - the tape is a server, not an event
                await asyncio.sleep(0.01)
            first.process.kill()
            await asyncio.gather(killed, return_exceptions=True)
        tape.delay_seconds = 0.0
        started = time.monotonic()
        while (await post(second))["coverage"] != {"measured": 1.0}:
            assert time.monotonic() - started < 10

    assert tape.calls == 2


def settings_of(tape: Tape) -> dict[str, str]:
    off = {f"GRIDGRAM_PROVIDERS__{name.upper()}__ENABLED": "false" for name in load_providers() if name != "rte"}
    return {**off, "GRIDGRAM_OFFLINE": "false", "GRIDGRAM_PROVIDERS__RTE__URL": tape.address}


async def test_with_a_slow_source_held_hours_that_are_due_are_answered_at_once(
    start: Callable[..., RunningService], tape: Tape, tmp_path: Path
) -> None:
    tape.answers[CONSOLIDATED] = rows(48, "")  # preliminary: it may change, so it is asked for again
    filling = gridgram_over(tmp_path, tape.address)
    held = await asked(filling, include=["hours"])
    await filling.intensity.store.keep("asked/rte/FR", b"[]", 1)
    await filling.intensity.close()
    tape.mode, calls = "slow", tape.calls
    service = start(f"sqlite:///{tmp_path / 'series.sqlite'}", GRIDGRAM_UPSTREAM_SECONDS="1.5")
    async with client() as post:
        seconds = []
        for _ in range(100):
            started = time.monotonic()
            assert await post(service) == held
            seconds.append(time.monotonic() - started)
        unheld = asyncio.ensure_future(post(service, energy={**JOB["energy"], "start": "2023-01-01T00:00:00Z"}))
        await asyncio.sleep(0.2)
        assert not unheld.done()  # it waits for the source, and harms nobody
        assert await post(service) == held
        unheld.cancel()
        await asyncio.gather(unheld, return_exceptions=True)

    assert statistics.median(seconds) < 0.05
    assert tape.calls > calls


async def test_a_named_zone_is_fetched_without_a_request_unless_that_is_off(
    start: Callable[..., RunningService], tape: Tape, tmp_path: Path
) -> None:
    wanted = {"GRIDGRAM_REFRESH_ZONES": '["FR"]'}
    start(f"sqlite:///{tmp_path / 'off.sqlite'}", GRIDGRAM_REFRESH="false", **wanted)
    await asyncio.sleep(0.5)
    assert tape.calls == 0

    start(f"sqlite:///{tmp_path / 'on.sqlite'}", **wanted)
    async with asyncio.timeout(10):
        while not tape.calls:  # noqa: ASYNC110 - the tape is a server, not an event
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)

    assert tape.calls == 1
    assert {request.path for request in tape.seen} == {RECENT}
