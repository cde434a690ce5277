"""More to do than can be done: the excess is refused at once and rightly, the rest is answered, and health is always told."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from service.load import Load, watched_loop
from service.server import set_the_house_aside
from service.shedding import LONG_QUEUE, REFUSAL, TURN_REQUESTS, Queue, is_whole_request
from tests.running import running_service, wait_until
from tests.test_batch import HELD_UP_SECONDS, Pinging
from tests.wire import check_problem, connect, get, hear, post, request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import RunningService

BODY = b'{"location":"FR"}'
PLAIN = {"Connection": "keep-alive", "Content-Type": "application/json"}
WHOLE = request("POST", "/v1/emissions", BODY, PLAIN)
GET = request("GET", "/v1/zones", headers={"Connection": "keep-alive"})


@pytest.mark.parametrize(
    "received", [WHOLE, GET, WHOLE.replace(b"Content-Length", b"content-LENGTH"), GET.replace(b"Connection: keep-alive\r\n", b"")]
)
def test_a_plain_request_that_is_here_to_its_last_byte_is_known_as_one(received: bytes) -> None:
    assert is_whole_request(received)


@pytest.mark.parametrize(
    "received",
    [
        b"",
        WHOLE[:-1],
        WHOLE + b"x",
        GET + GET,
        GET[:-1],
        GET + b"x",
        WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0"),
        WHOLE.replace(b"keep-alive", b"close"),
        WHOLE.replace(b"keep-alive", b"keep-alive, Upgrade"),
        WHOLE.replace(b"Host", b"Expect: 100-continue\r\nHost"),
        WHOLE.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
        WHOLE.replace(b"Host", b"Content-Length: 17\r\nHost"),
        WHOLE.replace(b"Content-Length: ", b"Content-Length : "),
        WHOLE.replace(b"Content-Length: ", b"Content-Length: +"),
        WHOLE.replace(b"Content-Length: ", b"Content-Length: 0"),
        WHOLE.replace(b"POST", b"HEAD"),
        WHOLE.replace(b"POST", b"PUT"),
        BODY,
    ],
)
def test_whatever_is_not_plainly_a_whole_request_is_left_to_the_parser(received: bytes) -> None:
    assert not is_whole_request(received)


def test_the_refusal_is_an_answer_as_http_wants_it() -> None:
    head, _, body = REFUSAL.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"
    assert b"\r\nRetry-After: 1" in head
    assert json.loads(body)["error"] == "overloaded"


def test_a_burst_may_queue_up_and_a_queue_that_stands_is_full() -> None:
    queue = Queue(most_waiting=4, burst_seconds=1.0)
    queue.waiting = 1_000
    during = [queue.is_full(step / 20) for step in range(20)]
    after = [queue.is_full(step / 20) for step in range(20, 40)]

    assert not any(during)
    assert all(after)


def test_a_queue_that_was_empty_for_a_moment_may_burst_again() -> None:
    queue = Queue(most_waiting=4, burst_seconds=1.0)
    queue.waiting = 5
    assert not queue.is_full(0.0)
    assert queue.is_full(1.0)

    for _ in range(5):
        queue.leave()
    queue.waiting = 5

    assert not queue.is_full(1.1)
    assert queue.is_full(2.1)


async def test_of_a_long_queue_some_are_begun_in_each_turn_in_the_order_in_which_they_came() -> None:
    queue, begun = Queue(most_waiting=4, burst_seconds=1.0), []

    async def wait_for_turn(number: int) -> None:
        await queue.turn()
        begun.append(number)
        queue.waiting -= 1

    queue.waiting = LONG_QUEUE + 3 * TURN_REQUESTS
    tasks = [asyncio.ensure_future(wait_for_turn(number)) for number in range(3 * TURN_REQUESTS)]
    counts = []
    while not all(task.done() for task in tasks):
        before = len(begun)
        await asyncio.sleep(0)
        counts.append(len(begun) - before)

    assert begun == list(range(3 * TURN_REQUESTS))
    assert max(counts) == TURN_REQUESTS


async def test_what_is_left_of_a_burst_is_refused_once_the_queue_has_stood_for_too_long() -> None:
    queue = Queue(most_waiting=4, burst_seconds=1.0)
    queue.waiting = 100
    turns = [asyncio.ensure_future(queue.turn()) for _ in range(100)]
    for step in range(21):  # the loop has not run yet: none was begun
        is_full = queue.is_full(step / 20)
        if step == 10:
            await asyncio.sleep(0)

    assert is_full
    assert sum(await asyncio.gather(*turns)) <= 4 + 2 * TURN_REQUESTS
    assert not await turns[-1]


async def test_a_loop_that_is_held_up_is_seen() -> None:
    load = Load()
    async with watched_loop(load):
        await asyncio.sleep(0.12)
        time.sleep(0.3)  # noqa: ASYNC251 - this is what is to be seen
        await asyncio.sleep(0.12)

    assert load.worst_lag_seconds >= 0.2


def test_what_lives_until_the_end_is_not_collected() -> None:
    set_the_house_aside()
    frozen = gc.get_freeze_count()
    gc.unfreeze()

    assert frozen > 10_000


def test_long_profiles_hold_nobody_up(service: RunningService) -> None:
    points = {"energy": {"start": "2022-01-01T00:00:00Z", "step": "PT5M", "kwh": [0.1] * 100_000}, "intensity_g_per_kwh": 100}
    post(service, points)
    with Pinging(service) as pinging:
        statuses = [post(service, points).status for _ in range(8)]
        wait_until(lambda: pinging.count >= 20, 20)

    assert statuses == [200] * 8
    assert pinging.slow_seconds() <= HELD_UP_SECONDS


def test_under_four_times_too_much_the_rest_is_refused_as_promised_and_health_is_told(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_QUEUE_REQUESTS": "2", "GRIDGRAM_BURST_SECONDS": "0.05"}) as service:
        answers = flood(service, clients=48, seconds=1.5)
        after = get(service, "/v1/zones").status

    statuses = [status for status, _, _ in answers["/v1/emissions"]]
    refused = [(headers, body) for status, headers, body in answers["/v1/emissions"] if status == 503]
    assert set(statuses) == {200, 503}
    assert {status for status, _, _ in answers["/healthz"]} == {200}
    assert after == 200
    for headers, body in refused:
        assert headers["Retry-After"] == "1"
        assert headers["Content-Type"] == "application/problem+json"
        assert json.loads(body)["error"] == "overloaded"
    for status, _, body in answers["/v1/emissions"]:
        if status == 200:
            assert json.loads(body)["emissions_g"] == pytest.approx(240.0)


def flood(service: RunningService, clients: int, seconds: float) -> dict[str, list[tuple[int, dict[str, str], bytes]]]:
    """Clients that each ask again at once, on one connection that must outlive all refusals; one more asks for health."""
    job = {"energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [0.1] * 24}, "intensity_g_per_kwh": 100, "include": ["hours"]}
    sent = {
        "/v1/emissions": request("POST", "/v1/emissions", json.dumps(job).encode(), PLAIN),
        "/healthz": request("GET", "/healthz", headers={"Connection": "keep-alive"}),
    }
    answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = {path: [] for path in sent}
    until = time.monotonic() + seconds

    def client(path: str) -> None:
        with connect(service) as connection:
            while time.monotonic() < until:
                connection.sendall(sent[path])
                response = http.client.HTTPResponse(connection)
                response.begin()
                answers[path].append((response.status, dict(response.headers), response.read()))

    threads = [threading.Thread(target=client, args=(path,)) for path in ["/healthz", *["/v1/emissions"] * clients]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_request_in_pieces_is_refused_whole_when_its_time_comes(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_QUEUE_REQUESTS": "1", "GRIDGRAM_BURST_SECONDS": "0"}) as service:
        flooding = threading.Thread(target=flood, args=(service, 24, 1.5))
        flooding.start()
        seen = set()
        while flooding.is_alive():
            with connect(service) as connection:
                connection.sendall(WHOLE[:40])
                connection.sendall(WHOLE[40:].replace(b"keep-alive", b"close"))
                answer = hear(connection, "POST")
            if answer.status == 503:
                check_problem(answer, 503, "overloaded")
            seen.add(answer.status)
        flooding.join()

    assert 503 in seen
    assert seen <= {422, 503}
