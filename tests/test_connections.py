"""Slow clients, idle ones, too many of them: each is held to its bound, and the others do not notice."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import ExitStack
from statistics import quantiles
from typing import TYPE_CHECKING

import pytest

from tests.running import running_service, tell, wait_until
from tests.wire import check_problem, connect, get, hear, memory_mib, post, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import RunningService
    from tests.wire import Answer

SHORT = {
    "GRIDGRAM_HEAD_SECONDS": "0.6",
    "GRIDGRAM_BODY_SECONDS": "0.8",
    "GRIDGRAM_ANSWER_SECONDS": "1",
    "GRIDGRAM_IDLE_SECONDS": "2",
}
LATE_SECONDS = 3.0
"""A cut may come so much later than its bound on a machine that does other things too."""
LINE = b'{"location":"FR","energy":{"start":"2022-03-11T00:00:00Z","end":"2022-03-12T00:00:00Z","total_kwh":1}}\n'
JOB = {"location": "FR", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1]}}
ASKING = 50
"""So many of the idle connections ask at the same time."""
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that waits for nobody for long."""
    with running_service(tmp_path_factory.mktemp("hasty"), SHORT) as running:
        yield running


def seconds_until_closed(connection: socket.socket) -> float:
    started = time.monotonic()
    connection.settimeout(20)
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - started


def drip(connection: socket.socket, piece: bytes, pause_seconds: float) -> None:
    """Send a piece again and again until the other side has had enough."""
    try:
        while True:
            connection.sendall(piece)
            time.sleep(pause_seconds)
    except (BrokenPipeError, ConnectionResetError):
        pass


def test_half_a_head_is_waited_for_only_so_long(hasty: RunningService) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        answer = hear(connection)

    problem = check_problem(answer, 408, "request-timeout")
    assert "head" in problem["detail"]
    assert 0.5 <= answer.seconds <= 0.6 + LATE_SECONDS


def test_a_head_that_drips_in_gets_no_more_time(hasty: RunningService) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n")
        dripping = threading.Thread(target=drip, args=(connection, b"X-Name: text\r\n", 0.1))
        dripping.start()
        seconds = seconds_until_closed(connection)
        dripping.join()

    assert seconds <= 0.6 + LATE_SECONDS


def test_the_second_head_of_a_connection_has_its_time_too(hasty: RunningService) -> None:
    with connect(hasty) as connection:
        connection.sendall(request("GET", "/healthz", headers={"Connection": "keep-alive"}))
        assert hear_one(connection).status == 200
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        answer = hear(connection)

    check_problem(answer, 408, "request-timeout")


def hear_one(connection: socket.socket) -> http.client.HTTPResponse:
    """Read one answer and leave the connection open."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response


@pytest.mark.parametrize("sent", [b"", b'{"loc'])
def test_a_body_that_does_not_come_is_a_problem(hasty: RunningService, sent: bytes) -> None:
    head = request("POST", "/v1/emissions", headers={"Content-Type": "application/json", "Content-Length": "1000"})
    with connect(hasty) as connection:
        connection.sendall(head + sent)
        answer = hear(connection, "POST")

    check_problem(answer, 408, "request-timeout")
    assert 0.7 <= answer.seconds <= 2 * 0.8 + LATE_SECONDS


def test_a_body_that_drips_in_below_the_least_rate_is_cut(hasty: RunningService) -> None:
    head = request("POST", "/v1/emissions", headers={"Content-Type": "application/json", "Content-Length": "100000"})
    with connect(hasty) as connection:
        connection.sendall(head)
        dripping = threading.Thread(target=drip, args=(connection, b" ", 0.1))
        dripping.start()
        answer = hear(connection, "POST")
        dripping.join()

    check_problem(answer, 408, "request-timeout")


def test_a_batch_that_moves_on_slowly_is_never_cut(hasty: RunningService) -> None:
    lines = 30
    head = request("POST", "/v1/emissions/batch", headers={**NDJSON, "Content-Length": str(lines * len(LINE))})
    with connect(hasty) as connection:
        connection.sendall(head)
        for _ in range(lines):  # some 1,400 bytes a second for more than twice the bound
            connection.sendall(LINE)
            time.sleep(0.075)
        answer = hear(connection, "POST")

    assert [line["energy_kwh"] for line in answer.lines] == [1.0] * lines


def test_a_batch_that_stands_still_says_so_after_its_answers(hasty: RunningService) -> None:
    head = request("POST", "/v1/emissions/batch", headers={**NDJSON, "Content-Length": "100000"})
    with connect(hasty) as connection:
        connection.sendall(head + LINE * 3)
        answer = hear(connection, "POST")

    *given, last = answer.lines
    assert [line["energy_kwh"] for line in given] == [1.0] * 3
    assert (last["error"], last["line"]) == ("request-timeout", 4)


def test_a_connection_without_a_request_is_closed(hasty: RunningService) -> None:
    with connect(hasty) as fresh, connect(hasty) as used:
        used.sendall(request("GET", "/healthz", headers={"Connection": "keep-alive"}))
        assert hear_one(used).status == 200

        assert 1.5 <= seconds_until_closed(fresh) <= 2 + LATE_SECONDS
        assert seconds_until_closed(used) <= 2 + LATE_SECONDS


def test_a_client_that_does_not_read_its_answer_is_cut(hasty: RunningService) -> None:
    year = b'{"location":"FR","energy":{"start":"2022-01-01T00:00:00Z","end":"2023-01-01T00:00:00Z","total_kwh":1},"include":["hours"]}\n'
    before = cut(hasty, "answer")
    with connect(hasty) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.sendall(request("POST", "/v1/emissions/batch", year * 12, NDJSON))  # some 13 MB of answers
        wait_until(lambda: cut(hasty, "answer") == before + 1, 10)


def cut(service: RunningService, what: str) -> int:
    return sum(event[what] for event in service.events() if event["event"] == "connections.cut")


def test_connections_above_the_cap_are_refused_and_those_below_are_not_disturbed(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_CONNECTIONS": "20"}) as service, ExitStack() as stack:
        kept = [stack.enter_context(connect(service)) for _ in range(20)]
        refused = [get(service, "/healthz") for _ in range(5)]
        for connection in kept:
            connection.sendall(request("GET", "/healthz"))
        answers = [hear(connection).status for connection in kept]
        stack.close()
        wait_until(lambda: get(service, "/healthz").status == 200, 5)

    assert answers == [200] * 20
    for answer in refused:
        check_problem(answer, 503, "overloaded")
        assert answer.headers["Retry-After"] == "1"


def test_fifty_slow_clients_are_gone_in_time_and_the_others_do_not_notice(hasty: RunningService) -> None:
    slowloris(hasty, 50, closed_within_seconds=0.6 + LATE_SECONDS)


@pytest.mark.soak
def test_a_thousand_slow_clients_are_gone_within_fifteen_seconds_and_the_others_do_not_notice(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        slowloris(service, 1_000, closed_within_seconds=15)


def slowloris(service: RunningService, count: int, closed_within_seconds: float) -> None:
    """Each sends half a head, every second one drips more of it; good clients are timed before and meanwhile."""
    alone = good_seconds(service, 100)
    started = time.monotonic()
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(service)) for _ in range(count)]
        for connection in slow:
            connection.sendall(b"POST /v1/emissions HTTP/1.1\r\nHost: here\r\n")
        meanwhile: list[float] = []
        timing = threading.Thread(target=lambda: meanwhile.extend(good_seconds(service, 100)))
        timing.start()
        dripping = slow[::2]
        while dripping and time.monotonic() - started < closed_within_seconds:
            time.sleep(0.2)
            for connection in list(dripping):
                try:
                    connection.sendall(b"X-Name: text\r\n")
                except OSError:
                    dripping.remove(connection)
        for connection in slow:
            seconds_until_closed(connection)
        seconds = time.monotonic() - started
        timing.join()

    tell(
        f"{count} slow clients: all closed after {seconds:.1f} s; "
        f"p95 of good ones alone {1000 * quantiles(alone, n=20)[-1]:.1f} ms, meanwhile {1000 * quantiles(meanwhile, n=20)[-1]:.1f} ms"
    )
    assert seconds <= closed_within_seconds
    assert quantiles(meanwhile, n=20)[-1] <= 2 * quantiles(alone, n=20)[-1] + 0.02


def good_seconds(service: RunningService, count: int) -> list[float]:
    answers: list[Answer] = [post(service, JOB) for _ in range(count)]
    assert {answer.status for answer in answers} == {200}
    return [answer.seconds for answer in answers]


def test_a_thousand_idle_connections_take_little_memory_and_all_are_served(service: RunningService) -> None:
    before = memory_mib(service)
    fresh, used = idle(service, 1_000)

    assert fresh - before <= 10
    assert used - before <= 20


@pytest.mark.soak
def test_ten_thousand_idle_connections_take_less_than_200_mib_and_all_are_served(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        fresh, used = idle(service, 9_999)

    assert fresh <= 200
    assert used <= 240  # each keeps its last request until the next one


def idle(service: RunningService, count: int) -> tuple[float, float]:
    """Open so many connections, then ask once on each; what the service has resident after the first and after the second. [MiB]"""
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(service)) for _ in range(count)]
        assert get(service, "/healthz").status == 200  # all before it were accepted
        fresh = memory_mib(service)
        statuses = set()
        for first in range(0, count, ASKING):
            for connection in connections[first : first + ASKING]:
                connection.sendall(request("GET", "/healthz", headers={"Connection": "keep-alive"}))
            statuses |= {hear_one(connection).status for connection in connections[first : first + ASKING]}
        used = memory_mib(service)

    tell(f"{count} idle connections: {fresh:.0f} MiB, {used:.0f} MiB once each has asked")
    assert statuses == {200}
    return fresh, used
