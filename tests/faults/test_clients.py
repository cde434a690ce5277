"""Clients that leave in the middle, and names that are none: nobody gets another's answer, and no source is asked."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from providers.registry import load_providers
from tests.faults.load import check_all_right, client, steady_load
from tests.faults.truth import any_job, faults_of, import_rows, write_rows
from tests.providers.tape import running_tape
from tests.redis_proxy import proxy_on_a_thread
from tests.redis_server import redis_server
from tests.running import running_service, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import aiohttp

    from tests.running import RunningService

AT_ONCE = 8
LEAVE_SECONDS = 0.1


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that reads most of its hours from a Redis, whose answers take up to 20 ms, each another time."""
    folder = tmp_path_factory.mktemp("reading")
    with redis_server(folder / "redis") as server, proxy_on_a_thread(server.port) as proxy:
        write_rows(folder / "hours.csv")
        asyncio.run(import_rows(server.url, folder / "hours.csv"))
        proxy.delay_seconds, proxy.is_even = 0.02, False
        settings = {"GRIDGRAM_STORE": f"redis://127.0.0.1:{proxy.port}/0", "GRIDGRAM_MEMORY_MIB": "1"}
        with running_service(folder / "home", settings) as service:
            yield service


async def nobody_gets_anothers_answer(service: RunningService, count: int) -> None:
    randomness = random.Random(count)  # noqa: S311 - moments, not secrets
    answered, wrong = 0, []

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal answered
        job = any_job(randomness)
        try:
            async with asyncio.timeout(randomness.uniform(0, LEAVE_SECONDS)):
                async with session.post(f"{service.address}/v1/emissions", json=job.request) as response:
                    answer = await response.json()
        except TimeoutError:
            return
        answered += 1
        wrong.extend([str(answer)] if response.status != 200 else faults_of(job, answer))

    async with client() as session:
        for start in range(0, count, AT_ONCE):
            await asyncio.gather(*(ask(session) for _ in range(start, min(count, start + AT_ONCE))))

    tell(f"{count - answered} of {count} clients left, {answered} were answered, {len(wrong)} wrongly")
    assert wrong == []
    assert 0.1 * count < answered < count
    check_all_right(await steady_load(service.address, 100, 0.3))


async def test_clients_who_leave_at_any_moment_leave_the_others_their_own_answers(reading: RunningService) -> None:
    await nobody_gets_anothers_answer(reading, 500)


@pytest.mark.soak
async def test_ten_thousand_clients_who_leave_mix_up_no_answer(reading: RunningService) -> None:
    await nobody_gets_anothers_answer(reading, 10_000)


async def no_source_is_asked(folder: Path, count: int) -> None:
    """Each name is asked for in two ways, all sources being on and played by one server that counts."""
    async with running_tape() as tape:
        settings = {f"GRIDGRAM_PROVIDERS__{name.upper()}__URL": tape.address for name in load_providers()}
        with running_service(
            folder, {**settings, "GRIDGRAM_OFFLINE": "false", "GRIDGRAM_STORE": f"sqlite:///{folder}/s.sqlite"}
        ) as service:
            statuses: dict[int, int] = {}

            async def ask(session: aiohttp.ClientSession, number: int) -> None:
                name = ("XX-{}", "FR-0{}", "geo:0,-{}", "aws:eu-west-{}", "{}", "eia:{}")[number % 6].format(100 + number)
                job = {"location": name, "energy": {"start": "2024-03-01T00:00:00Z", "step": "PT1H", "kwh": [1.0]}}
                span = {"location": name, "start": "2024-03-01T00:00:00Z", "end": "2024-03-02T00:00:00Z"}
                for asked in (
                    session.post(f"{service.address}/v1/emissions", json=job),
                    session.get(f"{service.address}/v1/intensity", params=span),
                ):
                    async with asked as response:
                        statuses[response.status] = statuses.get(response.status, 0) + 1

            async with client() as session:
                for start in range(0, count, AT_ONCE):
                    await asyncio.gather(*(ask(session, number) for number in range(start, start + AT_ONCE)))
        calls = tape.calls

    tell(f"{count} unknown places: statuses {statuses}, {calls} calls of sources")
    assert statuses.keys() <= {404, 422}
    assert calls == 0


async def test_names_that_are_no_place_cause_no_call_of_a_source(tmp_path: Path) -> None:
    await no_source_is_asked(tmp_path, 200)


@pytest.mark.soak
async def test_ten_thousand_names_that_are_no_place_cause_no_call_of_a_source(tmp_path: Path) -> None:
    await no_source_is_asked(tmp_path, 10_000)
