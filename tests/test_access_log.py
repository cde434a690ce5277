"""The line that every request leaves: what it says, that it names no secret, and that it costs little."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from service.logs import HELD_LINES, MOST_LINES, PIPE_BYTES, Access, AccessLog, access_line
from service.tracing import Trace, trace_of
from tests.running import running_service, wait_until
from tests.wire import batch, get, post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import RunningService

JOB = {"location": "FR", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1]}}
TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


def access(status: int = 200, **others: Any) -> Access:
    return Access(1_700_000_000.125, "emissions", status, 0.0004123, 612, None, Trace("some-id"))._replace(**others)


def lines_of(service: RunningService, request_id: str, count: int = 1) -> list[dict[str, Any]]:
    """The lines about one request, once they are there."""
    wait_until(lambda: len(_lines_of(service, request_id)) >= count, 5)
    return _lines_of(service, request_id)


def _lines_of(service: RunningService, request_id: str) -> list[dict[str, Any]]:
    return [event for event in service.events() if event.get("request_id") == request_id]


# --- what it says


def test_the_line_of_a_request_says_what_came_of_it() -> None:
    assert json.loads(access_line(access())) == {
        "event": "request.done",
        "level": "info",
        "timestamp": "2023-11-14T22:13:20.125000Z",
        "operation": "emissions",
        "status": 200,
        "ms": 0.412,
        "bytes": 612,
        "request_id": "some-id",
    }
    told = json.loads(access_line(access(503, key="tracker", sent_bytes=None, trace=Trace("i", TRACE_ID, SPAN_ID))))
    assert (told["level"], told["key"], told["trace_id"], told["span_id"], "bytes" in told) == (
        "warning",
        "tracker",
        TRACE_ID,
        SPAN_ID,
        False,
    )
    assert json.loads(access_line(access(500)))["level"] == "error"


def test_every_request_of_a_service_leaves_one_line_with_its_trace(service: RunningService) -> None:
    post(service, JOB, {"X-Request-ID": "line-1", "traceparent": PARENT})
    get(service, "/nowhere/at/all", {"X-Request-ID": "line-2"})
    batch(service, json.dumps(JOB).encode(), {"X-Request-ID": "line-3"})

    (one,), (two,), (three,) = (lines_of(service, f"line-{number}") for number in (1, 2, 3))

    assert (one["event"], one["operation"], one["status"], one["trace_id"], one["span_id"]) == (
        "request.done",
        "emissions",
        200,
        TRACE_ID,
        SPAN_ID,
    )
    assert one["bytes"] > 100
    assert 0 < one["ms"] < 10_000
    assert (two["operation"], two["status"], "trace_id" in two) == ("none", 404, False)
    assert (three["operation"], three["status"]) == ("emissions_batch", 200)
    assert three["bytes"] > 100
    assert not any("nowhere" in line for line in service.log.read_text().splitlines() if "line-2" in line)


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        (PARENT, True),
        (f" {PARENT} ", True),
        (f"01-{TRACE_ID}-{SPAN_ID}-01-more", True),
        (f"{PARENT}-more", False),
        (f"ff-{TRACE_ID}-{SPAN_ID}-01", False),
        (f"00-{'0' * 32}-{SPAN_ID}-01", False),
        (f"00-{TRACE_ID}-{'0' * 16}-01", False),
        (PARENT.upper(), False),
        (f"00-{TRACE_ID}-{SPAN_ID}", False),
        ("", False),
    ],
)
def test_a_trace_is_taken_over_as_the_standard_writes_it_and_never_made_up(given: str, *, is_taken: bool) -> None:
    trace = trace_of({"traceparent": given})

    assert (trace.trace_id, trace.span_id) == ((TRACE_ID, SPAN_ID) if is_taken else ("", ""))
    assert re.fullmatch("[0-9a-f]{16}", trace.request_id)


# --- what is written


async def written(accesses: list[Access], share: float = 1.0, secrets: tuple[str, ...] = ()) -> list[bytes]:
    pieces: list[bytes] = []
    log = AccessLog(share, secrets, pieces.append)
    for one in accesses:
        log.note(one)
    await log.close()
    return pieces


async def test_lines_are_written_in_order_and_whole_in_pieces_that_a_pipe_takes_at_once() -> None:
    pieces = await written([access(seconds=number) for number in range(1_000)])

    assert all(len(piece) <= PIPE_BYTES and piece.endswith(b"\n") for piece in pieces)
    assert [json.loads(line)["ms"] for line in b"".join(pieces).splitlines()] == [1_000 * number for number in range(1_000)]


async def test_lines_are_written_without_being_asked_to_within_a_second() -> None:
    pieces: list[bytes] = []
    is_written = asyncio.Event()
    loop = asyncio.get_running_loop()

    def write(piece: bytes) -> None:
        pieces.append(piece)
        loop.call_soon_threadsafe(is_written.set)

    log = AccessLog(write=write)
    log.note(access())
    await asyncio.wait_for(is_written.wait(), 1)

    assert len(pieces) == 1
    await log.close()


async def test_a_share_of_what_went_well_is_written_and_every_failure() -> None:
    accesses = [access()] * 10_000 + [access(503)] * 10

    statuses = [json.loads(line)["status"] for line in b"".join(await written(accesses, 0.1)).splitlines()]

    assert statuses.count(503) == 10
    assert 800 < statuses.count(200) < 1_200
    assert [json.loads(line)["status"] for line in b"".join(await written(accesses, 0)).splitlines()] == [503] * 10


async def test_while_nobody_reads_the_log_lines_are_counted_and_not_kept_without_end() -> None:
    is_read = threading.Event()
    pieces: list[bytes] = []

    def write(piece: bytes) -> None:
        is_read.wait(10)
        pieces.append(piece)

    log = AccessLog(write=write)
    for _ in range(HELD_LINES + MOST_LINES + 7):
        log.note(access())
    is_read.set()
    await log.close()

    lines = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert [line["count"] for line in lines if line["event"] == "requests.unlogged"] == [7]
    assert len(lines) == HELD_LINES + MOST_LINES + 1


async def test_a_secret_that_a_caller_sends_as_its_request_id_is_struck_out() -> None:
    (piece,) = await written([access(trace=Trace("CANARY-51c9"))], secrets=("CANARY-51c9",))

    assert json.loads(piece)["request_id"] == "***"


async def test_noting_a_request_takes_a_few_microseconds_at_most() -> None:
    log = AccessLog(write=lambda _: None)
    best = min(_seconds_each(log, 2_000) for _ in range(5))
    await log.close()

    assert best < 20e-6


def _seconds_each(log: AccessLog, count: int) -> float:
    one = access()
    started = time.perf_counter()
    for _ in range(count):
        log.note(one)
    return (time.perf_counter() - started) / count


def test_at_level_warning_only_failures_leave_a_line(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_LOG_LEVEL": "info", "GRIDGRAM_ACCESS_LOG_SHARE": "0"}) as running:
        assert post(running, JOB).status == 200

    assert not any(event["event"] == "request.done" for event in running.events())


def test_the_last_lines_are_written_before_the_service_ends(tmp_path: Path) -> None:
    with running_service(tmp_path) as running:
        assert post(running, JOB, {"X-Request-ID": "the-last"}).status == 200

    assert [event["status"] for event in _lines_of(running, "the-last")] == [200]
