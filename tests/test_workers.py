"""Several workers on one port, and the end of a service: nobody who was let in is sent away without an answer."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.running import COMMAND, environment, gridgram, running_service, wait_until
from tests.wire import check_problem, connect, get, hear, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import RunningService

TWO = {"GRIDGRAM_WORKERS": "2"}
LINE = b'{"location":"FR","energy":{"start":"2022-03-11T00:00:00Z","end":"2022-03-12T00:00:00Z","total_kwh":1}}\n'
HEAD = request("POST", "/v1/emissions/batch", headers={"Content-Type": "application/x-ndjson", "Content-Length": str(2 * len(LINE))})


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service of two workers."""
    with running_service(tmp_path_factory.mktemp("two"), TWO) as running:
        yield running


def workers_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def sockets_of(pid: int) -> int:
    return len([link for link in Path(f"/proc/{pid}/fd").iterdir() if str(link.readlink()).startswith("socket:")])


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def events(service: RunningService, name: str) -> int:
    return len([event for event in service.events() if event["event"] == name])


def test_two_workers_share_a_port_and_are_told_ready_once(two: RunningService) -> None:
    pids = workers_of(two.process.pid)
    before = [sockets_of(pid) for pid in pids]
    with ExitStack() as stack:
        for _ in range(64):
            connection = stack.enter_context(connect(two))
            connection.sendall(request("GET", "/healthz", headers={"Connection": "keep-alive"}))
            assert hear(connection).status == 200
        grown = [sockets_of(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]

    assert len(pids) == 2
    assert sum(grown) == 64
    assert min(grown) >= 10, "one worker has nearly all"
    assert events(two, "serve.ready") == 1


def test_a_worker_that_dies_is_replaced_nobody_is_refused_meanwhile_and_the_next_time_it_takes_longer(two: RunningService) -> None:
    first, other = workers_of(two.process.pid)
    os.kill(first, signal.SIGKILL)

    answers = [get(two, "/healthz").status for _ in range(40)]  # some wait at the door of the dead one

    assert answers == [200] * 40
    wait_until(lambda: len(set(workers_of(two.process.pid)) - {first}) == 2, 10)
    assert other in workers_of(two.process.pid)

    (second,) = set(workers_of(two.process.pid)) - {other}
    os.kill(second, signal.SIGKILL)
    wait_until(lambda: events(two, "worker.ended") == 2, 5)
    wait_until(lambda: len(workers_of(two.process.pid)) == 2, 10)

    ended = [event for event in two.events() if event["event"] == "worker.ended"]
    assert [(event["pid"], event["code"], event["pause_seconds"]) for event in ended] == [(first, -9, 0.0), (second, -9, 1.0)]


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr:
        parent = subprocess.Popen([*COMMAND, "serve", "--port", "0", "--workers", "2"], env=environment(tmp_path), stderr=stderr)
    wait_until(lambda: "serve.ready" in log.read_text(), 10)
    pids = workers_of(parent.pid)
    parent.kill()
    parent.wait()

    assert len(pids) == 2
    wait_until(lambda: not any(is_running(pid) for pid in pids), 5)


@pytest.mark.parametrize("settings", [{}, TWO])
def test_a_second_signal_ends_at_once(tmp_path: Path, settings: dict[str, str]) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen([*COMMAND, "serve", "--port", "0"], env=environment(tmp_path, settings), stderr=stderr)
    wait_until(lambda: "serve.ready" in log.read_text(), 10)
    address = next(json.loads(line)["address"] for line in log.read_text().splitlines() if "serve.ready" in line)
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(HEAD + LINE)
        connection.recv(65_536)
        process.terminate()
        wait_until(lambda: "stopping" in log.read_text(), 5)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)  # it waits for the batch
        process.terminate()

        assert process.wait(1) == 128 + signal.SIGTERM


def test_a_port_that_is_taken_is_named_whoever_has_it(two: RunningService, tmp_path: Path) -> None:
    port = two.address.rpartition(":")[2]

    ended = gridgram(["serve", "--port", port, "--workers", "2"], tmp_path / "other")

    assert ended.returncode == 4
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_workers_that_cannot_start_end_the_service_with_their_reason(tmp_path: Path) -> None:
    ended = gridgram(["serve", "--port", "0", "--workers", "2"], tmp_path, settings={"GRIDGRAM_PROVIDER_ORDER": '["nobody"]'})

    assert ended.returncode == 4
    assert "'nobody', which is no source" in ended.stderr


@pytest.mark.parametrize("settings", [{}, TWO])
def test_readiness_says_no_before_the_door_is_closed(tmp_path: Path, settings: dict[str, str]) -> None:
    with running_service(tmp_path, {"GRIDGRAM_DRAIN_NOTICE_SECONDS": "1", **settings}) as service:
        ready = get(service, "/readyz").status
        service.process.terminate()
        wait_until(lambda: events(service, "serve.stopping") == int(settings.get("GRIDGRAM_WORKERS", "1")), 5)
        told, others = get(service, "/readyz"), get(service, "/healthz").status
        code = service.process.wait(5)

    assert (ready, others, code) == (200, 200, 0)
    check_problem(told, 503, "draining")
    with pytest.raises(ConnectionRefusedError):
        connect(service)


@pytest.mark.parametrize("settings", [{}, TWO])
def test_of_two_hundred_requests_under_way_none_is_dropped_at_the_end(tmp_path: Path, settings: dict[str, str]) -> None:
    answers: dict[socket.socket, bytes] = {}
    with running_service(tmp_path, settings) as service, ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(200):
            connection = stack.enter_context(connect(service))
            connection.sendall(HEAD + LINE)
            answers[connection] = connection.recv(65_536)
            selector.register(connection, selectors.EVENT_READ)
        service.process.terminate()
        started = time.monotonic()
        for number, connection in enumerate(answers):  # the rest of each comes one to two seconds after the signal
            time.sleep(max(0.0, started + 1 + number / 200 - time.monotonic()))
            connection.sendall(LINE)
        while selector.get_map():
            for key, _ in selector.select(10):
                connection = key.fileobj  # type: ignore[assignment]  # sockets were registered
                piece = connection.recv(65_536)
                answers[connection] += piece
                if not piece:
                    selector.unregister(connection)
        code = service.process.wait(10)

    assert [answer.count(b'"emissions_g"') for answer in answers.values()] == [2] * 200
    assert all(answer.endswith(b"0\r\n\r\n") for answer in answers.values())
    assert code == 0
