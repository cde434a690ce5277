"""One running service for all tests that only ask, in a home of its own; it must end well and have logged no fault."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.running import COMMAND, END_SECONDS, Service, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

READY_SECONDS = 10.0
LOOK_SECONDS = 0.01


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long runs out unless markers are asked for, as `make soak` does."""
    if config.getoption("markexpr"):
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@dataclass(frozen=True, slots=True)
class LoggedService(Service):
    """A running service that logs to a file: it can log as much as it likes, and the log be read at any time."""

    log: Path
    home: Path
    ready_seconds: float

    def events(self) -> list[dict[str, Any]]:
        """What was logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    """Wait for something to become true; fail when it has not after so long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(LOOK_SECONDS)


@contextmanager
def logged_service(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[LoggedService]:
    """A service on a free port, until the end of the block; it must have logged no error and end with code 0 on SIGTERM."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "service.log"
    started = time.monotonic()
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0"], env=environment(home, settings), stdout=subprocess.DEVNULL, stderr=stderr, text=True
        )
    try:
        wait_until(lambda: '"serve.ready"' in log.read_text() or process.poll() is not None, READY_SECONDS)
        ready_seconds = time.monotonic() - started
        ready = next((json.loads(line) for line in log.read_text().splitlines() if '"serve.ready"' in line), None)
        assert ready is not None, log.read_text()
        yield LoggedService(ready["address"], process, log, home, ready_seconds)
    finally:
        process.terminate()
        code = process.wait(END_SECONDS)
    assert code == 0, log.read_text()
    lines = log.read_text()
    assert '"level": "error"' not in lines, lines
    assert "Traceback" not in lines, lines


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedService]:
    """The service that all tests share; nothing is imported into its store."""
    with logged_service(tmp_path_factory.mktemp("service")) as running:
        yield running
