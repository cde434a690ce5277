"""The short way of a request: nobody can tell it from the whole way by what comes back, what is counted or what is logged."""

from __future__ import annotations

import http.client
import json
import re
import signal
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from gridgram.series import month_series
from gridgram.sums import MonthChunk
from service.guard import Guard
from service.shedding import LONG_QUEUE
from service.short_way import ShortWay
from tests.running import running_service, wait_until
from tests.test_at_once import holding
from tests.test_emissions import random_series
from tests.wire import Answer, connect, get, hear, request

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import RunningService

JOB = {"location": "FR", "energy": {"start": "2024-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2] * 24}, "include": ["hours"]}
BODY = json.dumps(JOB).encode()
KEPT = {"Connection": "keep-alive", "Content-Type": "application/json"}
SHORT = request("POST", "/v1/emissions", BODY, KEPT)
OWN = {"date", "x-request-id"}
"""Headers that differ from answer to answer."""
WAYS_APART_SECONDS = 0.05
"""Long enough for the two pieces of a request to be read one by one."""
SAMPLE = re.compile(r"^gridgram_requests_total\{operation=\"emissions\",status=\"200\"\} (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def logging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service of which nobody else asks anything."""
    with running_service(tmp_path_factory.mktemp("short-way")) as running:
        yield running


def whole_way(connection: socket.socket, sent: bytes) -> Answer:
    """Send a request in two pieces, which goes the whole way, and hear its answer."""
    connection.sendall(sent[:-1])
    time.sleep(WAYS_APART_SECONDS)
    connection.sendall(sent[-1:])
    return hear(connection)


def short_way(connection: socket.socket, sent: bytes) -> Answer:
    """Send a request in one piece and hear its answer."""
    connection.sendall(sent)
    return hear(connection)


def hear_next(answers: BinaryIO) -> bytes:
    """The body of the next of several answers on one connection."""
    head = b"".join(iter(answers.readline, b"\r\n"))
    assert head.startswith(b"HTTP/1.1 200 ")
    return answers.read(int(re.findall(rb"(?i)content-length: (\d+)", head)[0]))


def hear_two(connection: socket.socket) -> Iterator[Answer]:
    """The next two of several answers on one connection."""
    with connection.makefile("rb") as answers:
        for _ in range(2):
            status = answers.readline().split()[1]
            headers = http.client.parse_headers(answers)
            yield Answer(int(status), headers, answers.read(int(headers["Content-Length"])), 0.0)


def facts(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """What two answers to one request have in common; headers in any order."""
    return answer.status, sorted((name, text) for name, text in answer.headers.items() if name.lower() not in OWN), answer.body


def counted(service: RunningService) -> float:
    found = SAMPLE.search(get(service, "/metrics").body.decode())
    return float(found[1]) if found else 0.0


def test_both_ways_answer_alike_are_counted_and_leave_a_line(logging: RunningService) -> None:
    before = counted(logging)
    with connect(logging) as connection:
        answers = [
            way(connection, request("POST", "/v1/emissions", BODY, KEPT | {"X-Request-ID": f"way-{number}"}))
            for number, way in enumerate([short_way, whole_way, short_way, whole_way])
        ]

    assert [answer.headers["X-Request-ID"] for answer in answers] == [f"way-{number}" for number in range(4)]
    assert answers[0].status == 200
    assert len({json.dumps(facts(answer)[:2]) + answer.body.decode() for answer in answers}) == 1
    assert all(re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["Date"]) for answer in answers)
    assert counted(logging) == before + 4
    wait_until(lambda: sum(str(event.get("request_id")).startswith("way-") for event in logging.events()) == 4, 5)
    lines = [event for event in logging.events() if str(event.get("request_id")).startswith("way-")]
    assert {(line["operation"], line["status"], line["bytes"], line["level"]) for line in lines} == {
        ("emissions", 200, len(answers[0].body), "info")
    }


HEADERS: list[dict[str, str]] = [
    {},
    {"traceparent": f"00-{'4b' * 16}-{'f0' * 8}-01", "X-Request-ID": "a b"},
    {"Accept-Encoding": "gzip"},
    {"Content-Type": "application/json; charset=utf-8"},
    {"Content-Type": "text/plain"},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "sprang"},
    {"Connection": "close"},
    {"Origin": "https://elsewhere.test"},
    {"Expect": "200-ok"},
]
PATHS = ["/v1/emissions", "/v1/emissions?", "/v1/emissions?a=1", "//v1/emissions", "/v1/emission%73", "/v1/emissions/"]
FAULTS: list[dict[str, Any]] = [{}, {"pue": 0.5}, {"pue": 1.3}, {"location": "XX"}, {"location": "geo:48.85,2.35"}, {"signal": "marginal"}]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(HEADERS), st.sampled_from(PATHS), st.sampled_from(FAULTS), st.sampled_from([1, 24, 60, 300]))
def test_a_request_gets_the_same_answer_either_way(
    logging: RunningService, headers: dict[str, str], path: str, fault: dict[str, Any], steps: int
) -> None:
    members = JOB | {"energy": {**JOB["energy"], "kwh": [0.1] * steps}} | fault  # type: ignore[dict-item]
    sent = request("POST", path, json.dumps(members).encode(), KEPT | headers)
    with connect(logging) as one, connect(logging) as other:
        short, whole = short_way(one, sent), whole_way(other, sent)

    if short.status >= 400:  # a problem names its request
        assert (short.status, short.json | {"request_id": ""}) == (whole.status, whole.json | {"request_id": ""})
    else:
        assert facts(short) == facts(whole)


def test_requests_that_come_at_once_on_one_connection_are_answered_in_their_order(logging: RunningService) -> None:
    bodies = [json.dumps(JOB | {"pue": 1 + number / 10}).encode() for number in range(6)]
    sent = b"".join(request("POST", "/v1/emissions", body, KEPT) for body in bodies)
    health = request("GET", "/healthz", headers={"Connection": "keep-alive"})
    with connect(logging) as connection, connection.makefile("rb") as answers:
        connection.sendall(sent)
        together = [json.loads(hear_next(answers))["pue"] for _ in bodies]
        connection.sendall(SHORT + health)
        pair = [json.loads(hear_next(answers)).get("zone"), json.loads(hear_next(answers))]
        connection.sendall(SHORT + health[:10])
        first = json.loads(hear_next(answers)).get("zone")
        connection.sendall(health[10:])
        rest = json.loads(hear_next(answers))

    assert together == [1 + number / 10 for number in range(6)]
    assert pair == ["FR", {"status": "ok"}]
    assert (first, rest) == ("FR", {"status": "ok"})


def test_in_a_long_queue_the_next_request_of_a_connection_changes_nothing_for_the_first(logging: RunningService) -> None:
    def asked(number: int, which: int) -> tuple[str, float, bytes]:
        name, pue = f"long-{number}-{which}", 1 + number / 1000 + which
        return name, pue, request("POST", "/v1/emissions", json.dumps(JOB | {"pue": pue}).encode(), KEPT | {"X-Request-ID": name})

    with ExitStack() as stack:
        connections = [stack.enter_context(connect(logging)) for _ in range(4 * LONG_QUEUE)]
        short_way(connections[0], SHORT)  # from now on its hours are in memory
        logging.process.send_signal(signal.SIGSTOP)
        for number, connection in enumerate(connections):
            connection.sendall(asked(number, 0)[2])
        logging.process.send_signal(signal.SIGCONT)  # it reads all these at once, and those that follow while they wait
        for number, connection in enumerate(connections):
            connection.sendall(asked(number, 1)[2])
        wanted = [asked(number, which)[:2] for number in range(len(connections)) for which in (0, 1)]
        told = [(answer.headers["X-Request-ID"], answer.json["pue"]) for connection in connections for answer in hear_two(connection)]

    assert told == wanted


def test_an_answer_to_a_client_that_has_gone_disturbs_nobody(logging: RunningService) -> None:
    for _ in range(50):
        with connect(logging) as connection:
            connection.sendall(SHORT)
    with connect(logging) as connection:
        assert short_way(connection, SHORT).status == 200


async def test_a_job_at_which_something_unforeseen_happens_goes_the_whole_way() -> None:
    series = random_series(7)
    unsound = [MonthChunk(replace(month, source=np.full_like(month.source, 200))) for month in month_series(series).values()]
    gridgram = holding(series)
    await gridgram.emissions(gridgram.read_job(JOB))
    sound = ShortWay(Guard(), gridgram).answer(CIMultiDict(KEPT), BODY)
    for chunk in unsound:
        gridgram.intensity.memory.put(chunk)
    with pytest.raises(IndexError):
        gridgram.emissions_at_once(BODY)

    assert sound is not None
    assert ShortWay(Guard(), gridgram).answer(CIMultiDict(KEPT), BODY) is None


def test_where_keys_are_set_the_short_way_is_closed(tmp_path: Path) -> None:
    from service.keys import new_key  # noqa: PLC0415 - what else runs here needs none

    text, key = new_key("tracker")
    with running_service(tmp_path, {"GRIDGRAM_API_KEYS": f"tracker sha256:{key.digest.hex()}"}) as guarded, connect(guarded) as connection:
        without = short_way(connection, SHORT).status
        brought = short_way(connection, request("POST", "/v1/emissions", BODY, KEPT | {"X-API-Key": text})).status

    assert (without, brought) == (401, 200)


def test_a_service_that_was_told_to_stop_ends_the_connection_with_the_answer(tmp_path: Path) -> None:
    with running_service(tmp_path) as ending, connect(ending) as connection, connect(ending) as busy:
        assert short_way(connection, SHORT).headers["Connection"] is None
        busy.sendall(SHORT[:-1])  # what is under way keeps the service
        time.sleep(WAYS_APART_SECONDS)
        ending.process.send_signal(signal.SIGTERM)
        wait_until(lambda: any(event.get("event") == "serve.stopping" for event in ending.events()), 5)
        time.sleep(WAYS_APART_SECONDS)
        last = short_way(connection, SHORT)
        busy.sendall(SHORT[-1:])
        assert hear(busy).status == 200
        assert ending.process.wait(20) == 0

    assert (last.status, last.headers["Connection"]) == (200, "close")


def test_requests_that_wait_when_the_service_is_told_to_stop_are_answered(tmp_path: Path) -> None:
    long = json.dumps(JOB | {"energy": {**JOB["energy"], "kwh": [1.2] * 240}}).encode()  # type: ignore[dict-item]
    sent = request("POST", "/v1/emissions", long, KEPT)
    settings = {"GRIDGRAM_QUEUE_REQUESTS": "1000"}
    with ExitStack() as stack, running_service(tmp_path, settings) as ending:
        connections = [stack.enter_context(connect(ending)) for _ in range(600)]
        for connection in connections:  # each is taken from the system's queue, and the hours are in memory
            short_way(connection, SHORT)
        ending.process.send_signal(signal.SIGSTOP)
        for connection in connections:
            connection.sendall(sent)
        ending.process.send_signal(signal.SIGTERM)
        ending.process.send_signal(signal.SIGCONT)
        statuses = {hear(connection).status for connection in connections}
        assert ending.process.wait(20) == 0

    assert statuses == {200}
