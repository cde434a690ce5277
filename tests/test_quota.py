"""Calls to sources counted by the key that causes them, from a request over HTTP to a real server that plays the source."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from providers.registry import load_providers
from providers.spending import SPENDER
from service.keys import new_key
from service.quota import Allowance
from service.refusals import QuotaExhausted
from tests.providers.tape import Tape, running_tape
from tests.running import running_service
from tests.test_fetching import CONSOLIDATED, RECENT, gridgram_over, rows
from tests.test_fetching import asked as asked_here
from tests.wire import Answer, batch, check_problem, get, post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.running import RunningService

JOB = {"location": "FR", "energy": {"start": "2024-03-10T05:00:00Z", "step": "PT1H", "kwh": [1.0] * 24}}
BIG, BIG_KEY = new_key("big", may_read_metrics=True)
NONE, NONE_KEY = new_key("none", upstream_calls_per_day=0)
SMALL, SMALL_KEY = new_key("small", upstream_calls_per_day=3)


@pytest.fixture
async def tape() -> AsyncIterator[Tape]:
    async with running_tape() as tape:
        tape.answers[CONSOLIDATED] = rows(48, "Données définitives")
        tape.answers[RECENT] = b"[]"
        yield tape


@asynccontextmanager
async def service_over(tape: Tape, home: Path) -> AsyncIterator[RunningService]:
    """A service with three keys whose only source is the tape."""
    sources: dict[str, Any] = {name: {"enabled": False} for name in load_providers()} | {"rte": {"url": tape.address}}
    keys = ";".join(key.line for key in (BIG_KEY, NONE_KEY, SMALL_KEY))
    settings = {"GRIDGRAM_OFFLINE": "", "GRIDGRAM_REFRESH": "false", "GRIDGRAM_API_KEYS": keys, "GRIDGRAM_PROVIDERS": json.dumps(sources)}
    running = running_service(home, settings)
    service = await asyncio.to_thread(running.__enter__)
    try:
        yield service
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def asked(service: RunningService, key: str, job: Mapping[str, Any] = JOB) -> Answer:
    return await asyncio.to_thread(post, service, job, {"X-API-Key": key})


def job_of(day: int, month: int = 3) -> dict[str, Any]:
    return {**JOB, "energy": {"start": f"2024-{month:02d}-{day:02d}T00:00:00Z", "step": "PT1H", "kwh": [1.0] * 24}}


async def test_a_key_without_calls_is_answered_from_what_is_held_and_refused_what_is_not(tape: Tape, tmp_path: Path) -> None:
    async with service_over(tape, tmp_path) as service:
        refused = await asked(service, NONE)
        calls_of_none = tape.calls
        first = await asked(service, BIG)
        held = await asked(service, NONE)
        (line,) = (await asyncio.to_thread(batch, service, json.dumps(job_of(1)).encode(), {"X-API-Key": NONE})).lines

    problem = check_problem(refused, 429, "quota-exhausted")
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    assert "'none'" in problem["detail"]
    assert calls_of_none == 0
    assert first.json["coverage"] == {"measured": 1.0}
    assert held.json == first.json
    assert (line["error"], line["line"]) == ("quota-exhausted", 1)


async def test_at_once_or_one_after_the_other_a_quota_is_never_exceeded_and_costs_others_nothing(tape: Tape, tmp_path: Path) -> None:
    async with service_over(tape, tmp_path) as service:
        answers = await asyncio.gather(*(asked(service, SMALL, job_of(1, month)) for month in range(1, 9)))
        answers += [await asked(service, SMALL, job_of(5, month)) for month in range(1, 4)]
        calls_of_small = tape.calls
        others = await asyncio.gather(*(asked(service, BIG) for _ in range(3)))
        metrics = await asyncio.to_thread(get, service, "/metrics", {"X-API-Key": BIG})

    assert calls_of_small == 3
    assert {answer.status for answer in answers} == {200, 429}
    assert [answer.status for answer in answers[-3:]] == [429, 429, 429]
    assert all(answer.json["coverage"] == {"measured": 1.0} for answer in others)
    assert b'gridgram_key_upstream_calls_total{key="small"} 3.0' in metrics.body
    assert f'gridgram_key_upstream_calls_total{{key="big"}} {float(tape.calls - 3)}'.encode() in metrics.body
    assert b'gridgram_requests_refused_total{code="quota-exhausted"}' in metrics.body


async def test_of_two_that_need_the_last_call_one_is_answered_and_the_other_is_refused(tape: Tape, tmp_path: Path) -> None:
    gridgram = gridgram_over(tmp_path, tape.address)
    _, key = new_key("last", upstream_calls_per_day=1)
    jobs = ({}, {"energy": {"start": "2023-06-01T05:00:00Z", "step": "PT1H", "kwh": [1.0]}})
    token = SPENDER.set(Allowance(key, time.monotonic, time.time))
    try:
        answered, refused = await asyncio.gather(*(asked_here(gridgram, **job) for job in jobs), return_exceptions=True)
    finally:
        SPENDER.reset(token)
        await gridgram.intensity.close()

    assert answered["coverage"] == {"measured": 1.0}
    assert isinstance(refused, QuotaExhausted)
    assert tape.calls == 1


async def test_a_request_that_is_cut_by_its_quota_leaves_the_same_days_to_the_next_key_at_once(tape: Tape, tmp_path: Path) -> None:
    async with service_over(tape, tmp_path) as service:
        for month in (1, 2):
            await asked(service, SMALL, job_of(1, month))
        while (await asked(service, SMALL, job_of(20))).status == 200 and tape.calls < 3:
            pass
        cut = await asked(service, SMALL)
        answered = await asked(service, BIG)

    assert cut.status == 429
    assert answered.json["coverage"] == {"measured": 1.0}


async def test_work_done_side_by_side_is_refused_as_one_request(tape: Tape, tmp_path: Path) -> None:
    """A schedule reads its zones in tasks of their own; what ends them is told as it is, not as several errors at once."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    task = {
        "locations": ["FR"],
        "energy": {"duration": "PT2H", "total_kwh": 8},
        "earliest": start.isoformat(),
        "latest": (start + timedelta(hours=24)).isoformat(),
    }
    async with service_over(tape, tmp_path) as service:
        answer = await asyncio.to_thread(post, service, task, {"X-API-Key": NONE}, path="/v1/schedule")

    check_problem(answer, 429, "quota-exhausted")
    assert tape.calls == 0
