"""HTTP to a running service, byte for byte: what is sent is what stands here, and what came back is told with its time and its cost."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from tests.running import Service

TIMEOUT_SECONDS = 30.0
KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes
    seconds: float

    @property
    def media_type(self) -> str:
        return self.headers.get_content_type()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """The objects of an NDJSON answer."""
        return [json.loads(line) for line in self.body.splitlines()]


def connect(service: Service) -> socket.socket:
    host, _, port = service.address.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS)


def speak(service: Service, sent: bytes, method: str = "GET") -> Answer:
    """Send bytes as they are on a connection of their own and read one answer; `method` tells whether it has a body."""
    started = time.perf_counter()
    with connect(service) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may answer and close before all is sent
            connection.sendall(sent)
        return hear(connection, method, started)


def hear(connection: socket.socket, method: str = "GET", started: float | None = None) -> Answer:
    """Read one answer to its end."""
    started = time.perf_counter() if started is None else started
    with http.client.HTTPResponse(connection, method=method) as response:
        response.begin()
        body = response.read()
        return Answer(response.status, response.headers, body, time.perf_counter() - started)


def request(method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Write a request; the path is not touched."""
    lines = {"Host": "gridgram.test", "Connection": "close"}
    lines |= {"Content-Length": str(len(body))} if body is not None else {}
    head = "".join(f"{name}: {value}\r\n" for name, value in (lines | dict(headers or {})).items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b"")


def ask(service: Service, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request and read its answer."""
    return speak(service, request(method, path, body, headers), method)


def get(service: Service, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    return ask(service, "GET", path, headers=headers)


def post(
    service: Service, body: object, headers: Mapping[str, str] | None = None, *, path: str = "/v1/emissions", kind: str = "application/json"
) -> Answer:
    """Send a body, bytes as they are and anything else as JSON."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(service, "POST", path, sent, {"Content-Type": kind} | dict(headers or {}))


def batch(service: Service, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    return post(service, body, headers, path="/v1/emissions/batch", kind="application/x-ndjson")


def memory_mib(service: Service, kind: str = "VmRSS") -> float:
    """The service's memory: VmRSS now, or VmHWM at its highest. [MiB]"""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    found = re.search(rf"{kind}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / KIB_PER_MIB


def forget_peak(service: Service) -> None:
    """Let VmHWM start again from what is used now, where the system allows it; elsewhere it only grows, and a test is stricter."""
    with suppress(OSError):
        Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")


def processor_seconds(service: Service) -> float:
    """The processor time that the service has used. [s]"""
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def strings(members: object) -> list[str]:
    """Every text in a JSON document, keys too."""
    match members:
        case str():
            return [members]
        case dict():
            return [text for pair in members.items() for part in pair for text in strings(part)]
        case list():
            return [text for part in members for text in strings(part)]
    return []


def check_problem(answer: Answer, status: int, code: str | None = None) -> dict[str, Any]:
    """A problem document as it should be, in every member; gives its members."""
    assert answer.status == status, answer.body[:500]
    assert answer.media_type == "application/problem+json"
    problem: dict[str, Any] = answer.json
    assert {"type", "title", "status", "detail", "hint", "error", "message", "errors"} <= problem.keys()
    assert problem["status"] == status
    assert problem["type"] == f"/problems/{problem['error']}"
    assert problem["message"] == problem["detail"]
    assert all(problem[name] for name in ("title", "detail", "hint"))
    assert all(fault.keys() == {"pointer", "detail"} and fault["detail"] for fault in problem["errors"])
    if code is not None:
        assert problem["error"] == code
    return problem
