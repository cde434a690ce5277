"""Requests at a steady rate, each sent on time whether or not those before it were answered, and each answer computed again.

    python -m tests.faults.load ADDRESS REQUESTS_PER_SECOND SECONDS

does that in a process of its own, so that what a test does meanwhile does not count as the service's time: it prints a line when it
begins, and what it heard as JSON when it is done.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import uvloop

from tests.faults.truth import CELLS, any_job, faults_of, is_whole, typical

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 400
CLIENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer: when its request was sent, counted from the begin of the load, and how long it took [s]."""

    sent_at: float
    seconds: float
    status: int
    wrong: tuple[str, ...]
    is_whole: bool


def client() -> aiohttp.ClientSession:
    """A client that may have many requests under way."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS), timeout=aiohttp.ClientTimeout(CLIENT_SECONDS), json_serialize=_written
    )


def _written(members: Any) -> str:
    return orjson.dumps(members).decode()


async def steady_load(address: str, requests_per_second: float, seconds: float, seed: int = 1) -> list[Heard]:
    """Jobs in any zone and month at this rate, for so long; what was heard, in the order of the answers."""
    randomness = random.Random(seed)  # noqa: S311 - jobs, not secrets
    heard: list[Heard] = []
    began = time.perf_counter()

    async def send(session: aiohttp.ClientSession) -> None:
        job, sent = any_job(randomness), time.perf_counter()
        async with session.post(f"{address}/v1/emissions", json=job.request) as response:
            answer, status = await response.json(), response.status
        took = time.perf_counter() - sent
        wrong = faults_of(job, answer) if status == 200 else [str(answer)]
        heard.append(Heard(sent - began, took, status, tuple(wrong), status == 200 and is_whole(answer)))

    async with client() as session, asyncio.TaskGroup() as tasks:
        for number in range(int(seconds * requests_per_second)):
            await asyncio.sleep(max(0.0, began + number / requests_per_second - time.perf_counter()))
            tasks.create_task(send(session))
    return heard


async def steady_load_apart(address: str, requests_per_second: float, seconds: float, begun: asyncio.Event) -> list[Heard]:
    """The same from a process of its own; sets `begun` when it begins."""
    command = [sys.executable, "-m", "tests.faults.load", address, str(requests_per_second), str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    await process.stdout.readline()
    begun.set()
    told = await process.stdout.read()
    assert await process.wait() == 0
    return [Heard(**one) for one in orjson.loads(told)]


def worst(heard: Sequence[Heard]) -> float:
    """The longest that one took. [s]"""
    return max(one.seconds for one in heard)


def p99(heard: Sequence[Heard]) -> float:
    """What 99 of 100 took at most. [s]"""
    return sorted(one.seconds for one in heard)[int(0.99 * len(heard))]


def between(heard: Sequence[Heard], start: float, end: float) -> list[Heard]:
    """Those that were sent in the span [start, end), counted from the begin of the load. [s]"""
    return [one for one in heard if start <= one.sent_at < end]


def check_all_right(heard: Sequence[Heard]) -> None:
    """Every request was answered with 200 and no number was wrong."""
    others = [one for one in heard if one.status != 200 or one.wrong]
    assert not others, f"{len(others)} of {len(heard)}, the first {others[0]}"


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


if __name__ == "__main__":
    for cell in CELLS:  # what is known of them is looked up before the time runs
        typical(cell)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    all_heard = uvloop.run(steady_load(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.buffer.write(orjson.dumps([asdict(one) for one in all_heard]))
