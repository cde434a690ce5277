"""Many jobs in one request: order, bad lines, limits, and clients that are slow, deaf or gone."""

from __future__ import annotations

import gzip
import json
import select
import socket
import threading
import time
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Self

import pytest

from service.limits import MAX_BATCH_BYTES, MAX_BATCH_LINES, MAX_LINE_BYTES
from tests.running import wait_until
from tests.wire import Answer, batch, check_problem, connect, forget_peak, get, hear, memory_mib, post, request

if TYPE_CHECKING:
    from tests.running import RunningService

MANY = 20_000
MANY_SECONDS = 20.0
"""For MANY jobs of a day; measured 1.2 s on one of two shared cores."""
HELD_UP_SECONDS = 0.1
MOST_MIB = 64.0
STUCK_SECONDS = 0.5
NDJSON = {"Content-Type": "application/x-ndjson"}


def job(kwh: float = 1.0, **members: object) -> bytes:
    energy = {"start": "2022-03-11T00:00:00Z", "end": "2022-03-12T00:00:00Z", "total_kwh": kwh}
    return json.dumps({"location": "FR", "energy": energy} | members).encode()


def given(kwh: float) -> bytes:
    """A job that needs no hours."""
    energy = {"start": "2022-03-11T00:00:00Z", "end": "2022-03-12T00:00:00Z", "total_kwh": kwh}
    return json.dumps({"energy": energy, "intensity_g_per_kwh": 1}).encode()


def stream(service: RunningService, body: bytes, **headers: str) -> Answer:
    """Send from one thread and read in this one, as a client with much to send must."""
    sent = request("POST", "/v1/emissions/batch", body, NDJSON | headers)
    with connect(service) as connection:
        sender = threading.Thread(target=connection.sendall, args=(sent,))
        sender.start()
        answer = hear(connection, "POST")
        sender.join()
    return answer


def problems(answer: Answer) -> dict[int, str]:
    return {line["line"]: line["error"] for line in answer.lines if "error" in line}


# --- what is answered


def test_answers_come_in_the_order_of_the_jobs(service: RunningService) -> None:
    answer = batch(service, b"\n".join(given(kwh) for kwh in range(1, 500)))

    assert answer.status == 200
    assert answer.media_type == "application/x-ndjson"
    assert [line["energy_kwh"] for line in answer.lines] == list(range(1, 500))


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"location": "US-CAL-CISO", "pue": 1.3, "signal": "direct"},
        {"include": ["hours", "equivalents"]},
        {"location": "geo:48.85,2.35", "energy": {"start": "2022-03-11T00:10:00Z", "step": "PT7M", "kwh": [0.1] * 50}},
        {"energy": {"start": "2022-03-11T00:00:00+05:30", "step": "PT1H", "power_w": [300, 250.5]}},
        {"energy": {"intervals": [{"start": "2022-03-11T00:00:00Z", "end": "2022-03-11T00:30:00Z", "kwh": 1}]}},
        {"intensity_g_per_kwh": 57},
    ],
    ids=["flat", "direct", "hours", "steps", "power", "intervals", "given"],
)
def test_a_job_in_a_batch_is_answered_as_it_is_alone(service: RunningService, members: dict[str, Any]) -> None:
    [line] = batch(service, job(**members)).lines

    assert line == post(service, job(**members)).json


def test_a_bad_line_is_answered_in_its_place_and_the_others_are_not_touched(service: RunningService) -> None:
    lines = [given(1), b"{", b'{"location":"FR"}', job(location="FRANC"), given(2), job(signal="marginal"), b"[]", b"\xff", given(3)]

    answers = batch(service, b"\n".join(lines)).lines

    assert [line.get("error", line.get("energy_kwh")) for line in answers] == [
        1,
        "invalid-body",
        "invalid-input",
        "unknown-location",
        2,
        "no-data",
        "invalid-input",
        "invalid-body",
        3,
    ]
    assert [line["line"] for line in answers if "error" in line] == [2, 3, 4, 6, 7, 8]
    assert answers[3]["suggestions"] == ["FR"]


def test_blank_lines_are_passed_over_and_counted(service: RunningService) -> None:
    answer = batch(service, b"\n\n" + given(1) + b"\n  \n\t\r\n{\n\n" + given(2) + b"\n\n")

    assert [line.get("energy_kwh") for line in answer.lines] == [1, None, 2]
    assert problems(answer) == {6: "invalid-body"}


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r\n\r\n"])
def test_lines_may_end_as_they_do_on_windows_and_the_last_need_not_end(service: RunningService, end: bytes) -> None:
    answer = batch(service, given(1) + b"\r\n" + given(2) + end)

    assert [line["energy_kwh"] for line in answer.lines] == [1, 2]


def test_a_batch_of_nothing_is_answered_with_nothing(service: RunningService) -> None:
    for body in (b"", b"\n", b"\n\n \n"):
        answer = batch(service, body)
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("pack", [gzip.compress, lambda lines: gzip.compress(lines[:40]) + gzip.compress(lines[40:])])
def test_a_compressed_batch_is_the_same_batch(service: RunningService, pack: Any) -> None:
    lines = b"\n".join(given(kwh) for kwh in range(1, 2_000))

    answer = stream(service, pack(lines), **{"Content-Encoding": "gzip"})

    assert [line["energy_kwh"] for line in answer.lines] == list(range(1, 2_000))


def test_a_compressed_batch_that_is_cut_short_says_so_after_what_was_sound(service: RunningService) -> None:
    packed = gzip.compress(b"\n".join(given(kwh) for kwh in range(1, 11)) + b"\n")

    answer = batch(service, packed[:-4], {"Content-Encoding": "gzip"})

    assert [line.get("energy_kwh") for line in answer.lines] == [*range(1, 11), None]
    assert problems(answer) == {11: "invalid-body"}
    assert "cut short" in answer.lines[-1]["detail"]


def test_another_type_or_parameters_are_refused_before_anything_is_read(service: RunningService) -> None:
    check_problem(post(service, b"{}", path="/v1/emissions/batch"), 415, "unsupported-media-type")
    check_problem(post(service, b"{}", path="/v1/emissions/batch?x=1", kind="application/x-ndjson"), 422, "invalid-input")


def test_jsonl_is_the_same_type(service: RunningService) -> None:
    answer = post(service, given(1), path="/v1/emissions/batch", kind="application/jsonl; charset=utf-8")

    assert answer.lines[0]["energy_kwh"] == 1


# --- limits


def test_a_line_that_is_too_long_ends_the_batch_in_its_place(service: RunningService) -> None:
    long = given(2).ljust(MAX_LINE_BYTES + 1)

    answer = stream(service, given(1) + b"\n" + long + b"\n" + given(3))

    assert [line.get("energy_kwh") for line in answer.lines] == [1, None]
    assert problems(answer) == {2: "body-too-large"}
    assert "Nothing from this line on was read" in answer.lines[-1]["hint"]


def test_a_line_of_the_greatest_length_is_answered(service: RunningService) -> None:
    answer = stream(service, given(1).ljust(MAX_LINE_BYTES) + b"\n" + given(2))

    assert [line["energy_kwh"] for line in answer.lines] == [1, 2]


def test_a_batch_that_is_too_long_ends_where_it_is_too_long(service: RunningService) -> None:
    line = given(1).ljust(2_000_000) + b"\n"
    lines = MAX_BATCH_BYTES // len(line) + 2

    answer = stream(service, line * lines)

    assert [line.get("energy_kwh") for line in answer.lines] == [1] * (lines - 2) + [None]
    assert problems(answer) == {lines - 1: "body-too-large"}


def test_a_batch_of_too_many_lines_ends_there(service: RunningService) -> None:
    answer = stream(service, b"\n" * (MAX_BATCH_LINES - 1) + given(1) + b"\n" + given(2))

    assert [line.get("energy_kwh") for line in answer.lines] == [1, None]
    assert problems(answer) == {MAX_BATCH_LINES + 1: "body-too-large"}


# --- clients


def test_each_job_is_answered_before_the_next_is_sent(service: RunningService) -> None:
    head = request("POST", "/v1/emissions/batch", headers=NDJSON | {"Transfer-Encoding": "chunked"})
    with connect(service) as connection:
        connection.sendall(head)
        received = b""
        for kwh in range(1, 6):
            line = given(kwh) + b"\n"
            for piece in (line[:10], line[10:]):
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            while received.count(b'"energy_kwh"') < kwh:
                piece = connection.recv(65_536)
                assert piece
                received += piece
        connection.sendall(b"0\r\n\r\n")
        while piece := connection.recv(65_536):
            received += piece

    assert [int(part.split(b".")[0]) for part in received.split(b'"energy_kwh":')[1:]] == [1, 2, 3, 4, 5]


def test_twenty_thousand_jobs_are_answered_in_time_while_others_are_served(service: RunningService, record_testsuite_property: Any) -> None:
    body = b"\n".join(job(kwh) for kwh in range(1, MANY + 1))
    with Pinging(service) as pinging:
        answer = stream(service, body)
    record_testsuite_property("seconds for 20,000 jobs", round(answer.seconds, 2))

    energies = [line["energy_kwh"] for line in answer.lines]
    assert energies == list(range(1, MANY + 1))
    assert answer.seconds <= MANY_SECONDS
    assert pinging.slow_seconds() <= HELD_UP_SECONDS


def test_a_client_that_does_not_read_is_not_read_from_and_holds_up_nobody(service: RunningService) -> None:
    year = {"start": "2022-01-01T00:00:00Z", "end": "2023-01-01T00:00:00Z", "total_kwh": 1}
    line = job(include=["hours"], energy=year)  # its answer has more than a megabyte
    post(service, line)  # what is loaded once is not what is held
    sent = request("POST", "/v1/emissions/batch", b"\n".join([line.ljust(100_000)] * 300), NDJSON)
    forget_peak(service)
    before = memory_mib(service)
    with Pinging(service) as pinging, connect(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.setblocking(False)
        rest = memoryview(sent)
        while rest and select.select([], [connection], [], STUCK_SECONDS)[1]:
            rest = rest[connection.send(rest) :]
        wait_until(lambda: pinging.count >= 30, 20)
        assert rest, "all was read, though nothing was"
    grown = memory_mib(service, "VmHWM") - before

    assert grown <= MOST_MIB
    assert pinging.slow_seconds() <= HELD_UP_SECONDS


def test_a_client_that_reads_late_gets_every_answer(service: RunningService) -> None:
    body = b"\n".join(job(kwh) for kwh in range(1, 16_001))
    sent = memoryview(request("POST", "/v1/emissions/batch", body, NDJSON))
    with connect(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        while sent and select.select([], [connection], [], STUCK_SECONDS)[1]:
            sent = sent[connection.send(sent[:65_536]) :]
        sender = threading.Thread(target=connection.sendall, args=(sent,))
        sender.start()
        answer = hear(connection, "POST")
        sender.join()

    assert [line["energy_kwh"] for line in answer.lines] == list(range(1, 16_001))


def test_a_client_that_vanishes_is_forgotten(service: RunningService) -> None:
    before = abandoned(service)
    head = request("POST", "/v1/emissions/batch", headers=NDJSON | {"Content-Length": "1000000"})
    for lines in (b"", given(1)[:20], (given(1) + b"\n") * 1_000):
        with connect(service) as connection:
            connection.sendall(head + lines)
            assert select.select([connection], [], [], 5)[0], "the answer has not begun"

    wait_until(lambda: abandoned(service) == before + 3, 5)
    assert get(service, "/healthz").status == 200


def abandoned(service: RunningService) -> int:
    return len([event for event in service.events() if event["event"] == "batch.abandoned"])


class Pinging:
    """Asks for the health of the service all the time, and knows how long that took."""

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self._seconds: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ping)

    @property
    def count(self) -> int:
        return len(self._seconds)

    def slow_seconds(self) -> float:
        """What nine of ten answers took no longer than; the tenth may have met other work on the machine."""
        return quantiles(self._seconds, n=10)[-1]

    def _ping(self) -> None:
        while not self._is_over.wait(0.01):
            started = time.perf_counter()
            assert get(self._service, "/healthz").status == 200
            self._seconds.append(time.perf_counter() - started)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
