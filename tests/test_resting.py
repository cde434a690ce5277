"""Connections that rest after a refusal: nobody's refusals eat up what could be answered, and nobody waits longer than told."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from service.resting import A_TICK, TICK_SECONDS, Rest
from service.shedding import RETRY_AFTER_SECONDS, Queue
from tests.running import running_service, wait_until
from tests.test_shedding import PLAIN, flood
from tests.wire import get, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.running import RunningService


class Clock:
    """A loop's time and timers, which go on when told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, work: Callable[[], None]) -> None:
        self.timers.append((self.now + seconds, work))

    def go_on(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [timer for timer in self.timers if timer[0] <= until]:
            first = min(due, key=lambda timer: timer[0])
            self.timers.remove(first)
            self.now = first[0]
            first[1]()
        self.now = until


class Refused:
    """A connection that only remembers whether it is read."""

    def __init__(self) -> None:
        self.is_read = True

    def stop_reading(self) -> None:
        self.is_read = False

    def go_on_reading(self) -> None:
        self.is_read = True


def resting(waiting: int = 64) -> tuple[Rest, Clock, Queue]:
    queue, clock = Queue(most_waiting=64, burst_seconds=1.0), Clock()
    queue.waiting = waiting
    return Rest(queue, clock), clock, queue  # type: ignore[arg-type]  # all of a loop that it uses


def test_a_few_refusals_let_nobody_rest_and_of_many_only_the_first_do_not() -> None:
    rest, clock, _ = resting()
    few, many = [Refused() for _ in range(A_TICK)], [Refused() for _ in range(3 * A_TICK)]
    for connection in few:
        rest.refused(connection)
    clock.go_on(TICK_SECONDS)
    for connection in many:
        rest.refused(connection)

    assert all(connection.is_read for connection in few)
    assert [connection.is_read for connection in many] == [True] * A_TICK + [False] * (2 * A_TICK)
    assert len(rest) == 2 * A_TICK


def test_nobody_rests_longer_than_told_and_those_who_have_rested_longest_are_read_first() -> None:
    rest, clock, _ = resting()
    refused = [Refused() for _ in range(5_000)]
    for connection in refused:
        rest.refused(connection)
    clock.go_on(5 * TICK_SECONDS)
    first, rest_of_them = refused[: 6 * A_TICK], refused[6 * A_TICK :]
    early = [connection.is_read for connection in first], [connection.is_read for connection in rest_of_them]
    clock.go_on(RETRY_AFTER_SECONDS)

    assert all(early[0])
    assert not any(early[1])
    assert all(connection.is_read for connection in refused)


def test_as_soon_as_there_is_room_those_who_rest_are_read_again() -> None:
    rest, clock, queue = resting()
    refused = [Refused() for _ in range(A_TICK + 60)]
    for connection in refused:
        rest.refused(connection)
    queue.waiting = 0
    clock.go_on(TICK_SECONDS)

    assert all(connection.is_read for connection in refused)
    assert not len(rest)


def test_while_some_rest_an_empty_queue_starts_no_new_burst() -> None:
    rest, clock, queue = resting(waiting=65)
    assert not queue.is_full(0.0)
    assert queue.is_full(1.0)
    for _ in range(1_000):
        rest.refused(Refused())
    for _ in range(65):
        queue.leave()
    queue.waiting = 65
    during = queue.is_full(1.1)
    clock.go_on(1.1 * RETRY_AFTER_SECONDS)
    for _ in range(65):
        queue.leave()
    queue.waiting = 65

    assert during
    assert not queue.is_full(2.5)


def test_nothing_ticks_while_nobody_is_refused() -> None:
    rest, clock, _ = resting()
    rest.refused(Refused())
    clock.go_on(10 * TICK_SECONDS)

    assert clock.timers == []


def test_at_the_end_all_are_read() -> None:
    rest, _, _ = resting()
    refused = [Refused() for _ in range(100)]
    for connection in refused:
        rest.refused(connection)
    rest.end()

    assert all(connection.is_read for connection in refused)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that lets one request wait, and no burst."""
    settings = {"GRIDGRAM_QUEUE_REQUESTS": "1", "GRIDGRAM_BURST_SECONDS": "0"}
    with running_service(tmp_path_factory.mktemp("busy"), settings) as running:
        yield running


def test_clients_who_ask_again_at_once_are_refused_so_many_times_a_second_at_most_and_health_is_told(busy: RunningService) -> None:
    started = time.monotonic()
    answers = flood(busy, clients=40, seconds=0.8)
    seconds = time.monotonic() - started
    metrics = get(busy, "/metrics").body.decode()
    statuses = [status for status, _, _ in answers["/v1/emissions"]]
    refused, ticks = statuses.count(503), seconds / TICK_SECONDS
    wait_until(lambda: sum(event.get("requests", 0) for event in busy.events() if event["event"] == "load.shed") == refused, 3.0)

    assert set(statuses) == {200, 503}
    assert refused <= 3 * A_TICK * (ticks + 1)
    assert {status for status, _, _ in answers["/healthz"]} == {200}
    assert f"gridgram_requests_shed_total {float(refused)}" in metrics
    assert "gridgram_connections_resting " in metrics


async def test_clients_who_leave_while_they_rest_are_let_go(busy: RunningService) -> None:
    body = json.dumps({"energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [0.1]}, "intensity_g_per_kwh": 100}).encode()
    sent = request("POST", "/v1/emissions", body, PLAIN)
    pairs = [await asyncio.open_connection("127.0.0.1", int(busy.address.rpartition(":")[2])) for _ in range(100)]
    for _ in range(3):
        for _, writer in pairs:
            writer.write(sent)
    for _, writer in pairs:
        writer.transport.abort()
    await asyncio.sleep(1.2 * RETRY_AFTER_SECONDS)
    status, health = await asyncio.to_thread(busy.get, "/readyz")

    assert (status, health["status"]) == (200, "ready")
    assert [event for event in busy.events() if event["level"] == "error"] == []
