"""Services that share a Redis: one sees what another stored, and none fails when it is frozen, killed or full."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.redis_server import redis_server
from tests.running import environment, gridgram, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.redis_server import RedisServer

DAY = "start=2024-03-01T00:00:00Z&end=2024-03-02T00:00:00Z"
JOB = {"location": "FR", "energy": {"start": "2024-03-01T00:00:00Z", "step": "PT1H", "kwh": [1.0] * 24}, "include": ["hours"]}
OWN_G = 24 * 123.0
REQUESTS_PER_SECOND = 500


@contextmanager
def filled_redis(folder: Path) -> Iterator[tuple[RedisServer, dict[str, str]]]:
    """A Redis with a day of one's own hours, imported by the command line, and the settings that name it."""
    with redis_server(folder / "redis") as server:
        server.ask("ACL", "SETUSER", "gridgram", "on", ">hunter2", "~gridgram:*", "+@all")
        settings = {
            "GRIDGRAM_STORE": f"redis://gridgram@127.0.0.1:{server.port}/0",
            "GRIDGRAM_REDIS_PASSWORD_FILE": str(folder / "password"),
        }
        (folder / "password").write_text("hunter2\n")
        own_hours(folder, settings)
        yield server, settings


def own_hours(folder: Path, settings: dict[str, str]) -> None:
    rows = "".join(f"FR,2024-03-01T{hour:02}:00:00Z,123\n" for hour in range(24))
    (folder / "hours.csv").write_text(f"zone,start,g_per_kwh\n{rows}")
    done = gridgram(["import", str(folder / "hours.csv")], folder, settings=settings)
    assert done.returncode == 0, done.stderr


def emissions_g(service: Any) -> float:
    status, answer = service.post("/v1/emissions", JOB)
    assert status == 200, answer
    recomputed: float = sum(hour["kwh"] * hour["g_per_kwh"] for hour in answer["hours"])
    assert answer["emissions_g"] == pytest.approx(recomputed, rel=1e-9)
    return recomputed


def test_two_services_share_what_was_imported_and_answer_on_when_redis_is_killed(tmp_path: Path) -> None:
    with (
        filled_redis(tmp_path) as (server, settings),
        running_service(tmp_path / "one", settings) as one,
        running_service(tmp_path / "two", settings) as two,
    ):
        assert [emissions_g(service) for service in (one, two)] == [OWN_G, OWN_G]
        assert one.get("/readyz")[1]["store"] == "ok"

        server.kill()
        wait_until(lambda: one.get("/readyz")[1]["store"] == "away", 5)
        assert emissions_g(one) == OWN_G  # from its memory
        assert one.get(f"/v1/intensity?location=DE&{DAY}")[0] == 200  # the reference
        assert one.get("/v1/zones")[0] == 200

        server.start()
        server.ask("ACL", "SETUSER", "gridgram", "on", ">hunter2", "~gridgram:*", "+@all")
        own_hours(tmp_path, settings)
        wait_until(lambda: one.get("/readyz")[1]["store"] == "ok", 5)
        assert [emissions_g(service) for service in (one, two)] == [OWN_G, OWN_G]

        ready = next(event for event in one.events() if event["event"] == "serve.ready")
        assert ready["store"] == f"redis://127.0.0.1:{server.port}/0"
        assert "hunter2" not in one.log.read_text() + two.log.read_text()


def test_a_service_starts_and_answers_without_its_redis(tmp_path: Path) -> None:
    settings = environment(tmp_path, {"GRIDGRAM_STORE": "redis://127.0.0.1:1/0"})
    with running_service(tmp_path / "home", settings) as service:
        assert service.ready_seconds < 5
        assert service.get("/readyz") == (200, {"status": "ready", "store": "away"})
        assert emissions_g(service) > 0


async def under_load(address: str, seconds: float) -> list[tuple[float, float, int, float]]:
    """Send so many jobs a second, each on time whether or not the one before was answered: when, how long, status, grams."""
    answers: list[tuple[float, float, int, float]] = []
    began = time.perf_counter()

    async def send(session: aiohttp.ClientSession) -> None:
        sent = time.perf_counter()
        async with session.post(f"{address}/v1/emissions", json=JOB) as response:
            answer = await response.json()
        grams = sum(hour["kwh"] * hour["g_per_kwh"] for hour in answer.get("hours", []))
        answers.append((sent - began, time.perf_counter() - sent, response.status, grams))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as session, asyncio.TaskGroup() as tasks:
        for number in range(int(seconds * REQUESTS_PER_SECOND)):
            await asyncio.sleep(max(0.0, began + number / REQUESTS_PER_SECOND - time.perf_counter()))
            tasks.create_task(send(session))
    return answers


@pytest.mark.soak
@pytest.mark.parametrize("fault", ["frozen", "killed", "full"])
async def test_a_redis_that_fails_under_load_costs_no_answer(tmp_path: Path, fault: str) -> None:
    with filled_redis(tmp_path) as (server, settings), running_service(tmp_path / "one", settings) as service:
        assert await asyncio.to_thread(emissions_g, service) == OWN_G

        async def fail() -> None:
            await asyncio.sleep(3.0)
            if fault == "full":
                server.ask("CONFIG", "SET", "maxmemory", "1")
                return
            (server.freeze if fault == "frozen" else server.kill)()
            await asyncio.sleep(5.0)
            (server.thaw if fault == "frozen" else server.start)()

        answers, _ = await asyncio.gather(under_load(service.address, 12.0), fail())

        after = sorted(taken for sent, taken, _, _ in answers if 4.0 < sent < 8.0)
        worst, p99 = max(taken for _, taken, _, _ in answers), after[int(0.99 * len(after))]
        sys.stdout.write(f"{fault}: worst {1000 * worst:.0f} ms, p99 from 1 s after it {1000 * p99:.1f} ms\n")
        assert {status for _, _, status, _ in answers} == {200}
        assert {grams for sent, _, _, grams in answers if sent < 8.0} == {OWN_G}
        assert p99 <= 0.1
        assert worst <= 0.4
