"""The service and the command line as a user runs them: processes of their own, in a home of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

COMMAND = [sys.executable, "-c", "from service.cli import app; app()"]
END_SECONDS = 20


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
    return kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "GRIDGRAM_OFFLINE": "1"} | dict(settings or {})


def gridgram(
    arguments: Sequence[str], home: Path, *, stdin: str | None = None, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(home, settings), input=stdin, capture_output=True, text=True, check=False, timeout=120
    )


@contextmanager
def running_service(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[Service]:
    """A service on a free port, from its first log line until it has ended; it must end well."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"], env=environment(home, settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        ready = json.loads(process.stderr.readline())
        assert ready["event"] == "serve.ready", ready
        yield Service(ready["address"], process)
    finally:
        process.terminate()
        _, rest_of_log = process.communicate(timeout=END_SECONDS)
    assert process.returncode == 0, rest_of_log
