"""The service and the command line as a user runs them: processes of their own, in a home of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CLIENTS_PYTHON = Path(
    os.environ.get("GRIDGRAM_CLIENTS_PYTHON", Path(__file__).resolve().parent.parent / ".venv" / "clients" / "bin" / "python")
)
"""The real clients of other services have an environment of their own (make setup-clients)."""
COMMAND = [sys.executable, "-c", "from service.cli import app; app()"]
READY_SECONDS = 30.0
"""A bound against hanging, on a machine that does other things too; how soon a service is ready is measured elsewhere."""
END_SECONDS = 20.0
LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    address: str
    process: subprocess.Popen[str]

    def get(self, path: str) -> tuple[int, Any]:
        """Ask for a path; the status and the JSON of the answer."""
        return self._send(urllib.request.Request(f"{self.address}{path}"))

    def post(self, path: str, members: object) -> tuple[int, Any]:
        """Send JSON to a path; the status and the JSON of the answer."""
        body = json.dumps(members).encode()
        return self._send(urllib.request.Request(f"{self.address}{path}", body, {"Content-Type": "application/json"}))

    def _send(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


def environment(home: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which nothing of this user's settings or cache is seen, and no source is asked unless told so."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGRAM_")}
    ours = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "GRIDGRAM_OFFLINE": "1",
        "GRIDGRAM_DRAIN_NOTICE_SECONDS": "0",
    }
    return kept | ours | dict(settings or {})


def gridgram(
    arguments: Sequence[str], home: Path, *, stdin: str | None = None, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(home, settings), input=stdin, capture_output=True, text=True, check=False, timeout=120
    )


@dataclass(frozen=True, slots=True)
class RunningService(Service):
    """A running service that logs to a file: it can log as much as it likes, and the log be read at any time."""

    log: Path
    home: Path
    ready_seconds: float

    def events(self) -> list[dict[str, Any]]:
        """What was logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def tell(figure: str) -> None:
    """Print a figure for who looks at it: `make soak` shows what the tests that passed have printed."""
    sys.stdout.write(f"{figure}\n")


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    """Wait for something to become true; fail when it has not after so long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(LOOK_SECONDS)


@contextmanager
def running_service(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[RunningService]:
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
        yield RunningService(ready["address"], process, log, home, ready_seconds)
    finally:
        process.terminate()
        code = process.wait(END_SECONDS)
    assert code == 0, log.read_text()
    lines = log.read_text()
    assert not re.search(r'"level": ?"error"', lines), lines
    assert "Traceback" not in lines, lines
