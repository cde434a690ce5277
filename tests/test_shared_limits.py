"""What a key may, counted by all processes together: of one store, of the workers of a service, of replicas on one Redis."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from cache.sqlite import SqliteStore
from gridgram.errors import StoreError
from providers.errors import OverQuota
from service import slices
from service.keys import new_key
from service.quota import Allowance
from service.refusals import RateLimited
from tests.redis_server import redis_server
from tests.running import running_service, wait_until
from tests.wire import get

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cache.contract import Bucket, Drawn
    from service.slices import Buckets
    from tests.running import RunningService

TEXT, KEY = new_key("tracker", requests_per_minute=60, upstream_calls_per_day=7, may_read_metrics=True)
LATE = 3
"""What may have come back while a test runs: one a second."""


@asynccontextmanager
async def allowances(folder: Path, count: int = 2) -> AsyncIterator[list[Allowance]]:
    """As many processes have them: each over a store of its own on one file."""
    stores = [SqliteStore(folder / "series.sqlite") for _ in range(count)]
    held = [Allowance(KEY, time.monotonic, time.time, count, number, store) for number, store in enumerate(stores)]
    yield held
    for allowance, store in zip(held, stores, strict=True):
        await allowance.close()
        await store.close()


async def admitted(allowance: Allowance, count: int) -> int:
    """How many of so many requests at once are let in."""
    outcomes = await asyncio.gather(*(allowance.admitted() for _ in range(count)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {type(None), RateLimited}
    return sum(outcome is None for outcome in outcomes)


def left_of(allowance: Allowance) -> int:
    found = re.search(r"r=(\d+)", allowance.rate_headers()["RateLimit"])
    assert found
    return int(found[1])


async def test_processes_together_let_in_what_a_key_may_and_no_more(tmp_path: Path) -> None:
    async with allowances(tmp_path) as (mine, other):
        passed = await asyncio.gather(admitted(mine, 80), admitted(other, 80))

    assert 60 <= sum(passed) <= 60 + LATE
    assert min(passed) > 0
    assert mine.requests + other.requests == sum(passed)


async def test_one_process_may_use_all_of_it_also_what_the_other_had_drawn(tmp_path: Path) -> None:
    async with allowances(tmp_path) as (mine, other):
        await other.admitted()
        await other.close()  # as its slice does when it is held for too long
        passed = await admitted(mine, 80)

    assert 59 <= passed <= 59 + LATE


async def test_a_slice_that_is_not_used_goes_back_after_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "HOLD_SECONDS", 0.05)
    async with allowances(tmp_path) as (mine, other):
        await other.admitted()
        await asyncio.sleep(0.2)
        passed = await admitted(mine, 80)

    assert 59 <= passed <= 59 + LATE


async def test_what_is_told_to_be_left_is_what_is_left_to_all(tmp_path: Path) -> None:
    async with allowances(tmp_path) as (mine, other):
        await admitted(other, 30)
        await mine.admitted()
        first = left_of(mine)
        await admitted(mine, 80)
        last = mine.rate_headers()["RateLimit"]
        with pytest.raises(RateLimited) as refused:
            await admitted_or_raise(other)

    assert 26 <= first <= 29 + LATE
    assert re.fullmatch(r'"requests";r=[01];t=(59|60)', last)
    assert refused.value.headers == {"Retry-After": "1"}


async def admitted_or_raise(allowance: Allowance) -> None:
    for _ in range(5):
        await allowance.admitted()


async def test_a_caller_who_leaves_while_a_slice_is_drawn_costs_nobody_anything(tmp_path: Path) -> None:
    async with allowances(tmp_path, 1) as (mine,):
        leaving = asyncio.ensure_future(mine.admitted())
        staying = asyncio.ensure_future(mine.admitted())
        await asyncio.sleep(0)
        leaving.cancel()
        await staying

        assert mine.requests == 1
        assert 59 <= await admitted(mine, 80) <= 59 + LATE


class Away:
    """A store that is away until it is told to be there."""

    def __init__(self, store: Buckets) -> None:
        self.store = store
        self.is_there = False

    async def draw(self, bucket: Bucket, wanted: int) -> Drawn:
        if not self.is_there:
            raise StoreError("The store is away.")
        return await self.store.draw(bucket, wanted)


async def test_while_the_store_is_away_each_process_counts_its_part_alone_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "ALONE_SECONDS", 0.02)
    store = SqliteStore(tmp_path / "series.sqlite")
    away = Away(store)
    mine = Allowance(KEY, time.monotonic, time.time, 2, 0, away)
    with capture_logs() as logs:
        alone = await admitted(mine, 80)
        await asyncio.sleep(0.05)
        calls = [await could_spend(mine) for _ in range(6)]
        away.is_there = True
        await asyncio.sleep(0.05)
        together = await admitted(mine, 80)
    await mine.close()
    await store.close()

    assert 30 <= alone <= 30 + LATE
    assert calls == [True] * 4 + [False] * 2
    assert 60 <= together <= 60 + LATE
    assert [event["event"] for event in logs] == ["limits.alone", "limits.shared"]


async def could_spend(allowance: Allowance) -> bool:
    try:
        await allowance.spend("rte")
    except OverQuota:
        return False
    return True


async def test_calls_to_sources_are_counted_by_all_together(tmp_path: Path) -> None:
    async with allowances(tmp_path) as (mine, other):
        spent = [await could_spend(allowance) for _ in range(5) for allowance in (mine, other)]

    assert spent.count(True) == 7
    assert (mine.calls_left, other.calls_left) == (0, 0)
    assert mine.calls_refused + other.calls_refused == 3


def asked_of(services: list[RunningService], count: int) -> list[tuple[int, int]]:
    """The status of so many requests, each on a connection of its own, in turn of each service; and what is told to be left."""
    answers = [get(services[number % len(services)], "/v1/zones/FR", {"X-API-Key": TEXT}) for number in range(count)]
    return [(answer.status, int(re.search(r"r=(\d+)", answer.headers["RateLimit"])[1])) for answer in answers]  # type: ignore[index]  # it is there


def check_shared(outcomes: list[tuple[int, int]], seconds: float) -> None:
    """As many were let in as the key may, and what was told to be left went down to nothing."""
    passed = [left for status, left in outcomes if status == 200]
    assert {status for status, _ in outcomes} == {200, 429}
    assert 60 <= len(passed) <= 61 + seconds
    assert all(left >= 60 - number - 1 - 3 for number, left in enumerate(passed)), passed
    assert passed[0] >= 55
    assert passed[-1] <= 3 + seconds


def test_two_workers_give_a_key_its_limit_once(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_WORKERS": "2", "GRIDGRAM_API_KEYS": KEY.line}) as service:
        started = time.monotonic()
        outcomes = asked_of([service], 80)
        seconds = time.monotonic() - started

    check_shared(outcomes, seconds)


def test_two_replicas_on_one_redis_give_a_key_its_limit_once(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as server:
        settings = {"GRIDGRAM_STORE": server.url, "GRIDGRAM_API_KEYS": KEY.line}
        with running_service(tmp_path / "one", settings) as one, running_service(tmp_path / "two", settings) as two:
            started = time.monotonic()
            outcomes = asked_of([one, two], 80)
            seconds = time.monotonic() - started
            server.kill()
            wait_until(lambda: get(one, "/v1/zones/FR", {"X-API-Key": TEXT}).status == 200, 5.0)
            alone = [event for event in one.events() if event["event"] == "limits.alone"]

    check_shared(outcomes, seconds)
    assert len(alone) == 1
