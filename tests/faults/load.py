"""Requests at a steady rate, each sent on time whether or not those before it were answered, and each answer computed again."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from tests.faults.truth import any_job, faults_of, is_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    assert {one.status for one in heard} == {200}
    assert [one.wrong for one in heard if one.wrong] == []


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def tell(figure: str) -> None:
    """Print a figure for who looks at it: `make soak` shows what the tests that passed have printed."""
    sys.stdout.write(f"{figure}\n")
