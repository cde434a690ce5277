"""Log lines: one JSON object each, on standard error, with no secret in them.

`log_json` sets up what is logged here and there; `AccessLog` writes the line that every request leaves, which must cost next to nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import UTC, datetime
from functools import lru_cache
from random import random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer

from service.redaction import redact_names, redactor
from service.tracing import add_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.tracing import Trace

PIPE_BYTES: Final = 4_096
"""So much is written at once to a pipe that others write to as well (PIPE_BUF on Linux)."""
HELD_LINES: Final = 256
MOST_LINES: Final = 65_536
"""While whoever reads standard error does not, so many lines are kept; of those after them only the number."""
HELD_SECONDS: Final = 0.25
FAILURE: Final = 500
"""From this status on a request is always logged; this one is our own fault, those above mostly somebody else's."""


def log_json(level: str, secrets: Iterable[str] = ()) -> None:
    """Set up logging for this process: events at `level` or worse, as JSON on standard error, with the secrets struck out."""
    redact = redactor(secrets)

    def render(_logger: object, _method: str, event: Any) -> str:  # noqa: ANN401 - structlog's event
        line = orjson.dumps(redact_names(event), default=repr, option=orjson.OPT_NON_STR_KEYS)
        return redact(line).decode()

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),  # locals hold secrets and bodies
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # a line and its end in one write, also where Python holds nothing back
        cache_logger_on_first_use=False,
    )


class Access(NamedTuple):
    """What is noted of one request: when it ended (seconds since 1970), and what came of it. Unpacked once it is written."""

    ended: float
    operation: str
    status: int
    seconds: float
    sent_bytes: int | None
    key: str | None
    trace: Trace


class AccessLog:
    """One line a request, gathered for a quarter of a second and written by a thread: `request.done`.

    Of requests that went well only `share` is written, of failures (5xx) all. Belongs to one event loop; close it when done.
    """

    def __init__(self, share: float = 1.0, secrets: Iterable[str] = (), write: Callable[[bytes], None] | None = None) -> None:
        self.share = share
        self._redact = redactor(secrets)
        self._write = write or _write_stderr
        self._held: list[Access] = []
        self._unheld = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None

    def note(self, access: Access) -> None:
        """Take in one request."""
        if self.share < 1.0 and access.status < FAILURE and random() >= self.share:  # noqa: S311 - which lines are left out is no secret
            return
        if len(self._held) >= MOST_LINES:
            self._unheld += 1
            return
        self._held.append(access)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._flush)
        elif len(self._held) == HELD_LINES:
            self._flush()

    async def close(self) -> None:
        """Write what is held."""
        while self._held or (self._writing is not None and not self._writing.done()):
            self._flush()
            if self._writing is not None:
                await self._writing
        if self._timer is not None:
            self._timer.cancel()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None and not self._writing.done():  # one at a time, in order; the rest is tried again soon
            self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._flush)
            return
        if self._held:
            held, self._held = self._held, []
            unheld, self._unheld = self._unheld, 0
            self._writing = asyncio.get_running_loop().run_in_executor(None, self._write_lines, held, unheld)

    def _write_lines(self, held: list[Access], unheld: int) -> None:
        piece = _unlogged_line(unheld) if unheld else b""
        for access in held:
            line = access_line(access)
            if piece and len(piece) + len(line) > PIPE_BYTES:
                self._write(self._redact(piece))
                piece = b""
            piece += line
        self._write(self._redact(piece))


def access_line(access: Access) -> bytes:
    """The line of one request. [ms, bytes] Nothing in it needs JSON's escapes: names are ours or were read as letters and digits."""
    ended, operation, status, seconds, sent_bytes, key, (request_id, trace_id, span_id) = access
    level = "info" if status < FAILURE else "error" if status == FAILURE else "warning"
    stamp = f"{_second(int(ended))}.{int(ended % 1 * 1_000_000):06d}"
    sent = "" if sent_bytes is None else f',"bytes":{sent_bytes}'
    of_key = "" if key is None else f',"key":"{key}"'
    of_trace = "" if not trace_id else f',"trace_id":"{trace_id}","span_id":"{span_id}"'
    return (
        f'{{"event":"request.done","level":"{level}","timestamp":"{stamp}Z","operation":"{operation}","status":{status},'
        f'"ms":{seconds * 1000:.3f}{sent}{of_key},"request_id":"{request_id}"{of_trace}}}\n'
    ).encode()


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _unlogged_line(count: int) -> bytes:
    line = {"event": "requests.unlogged", "level": "warning", "timestamp": datetime.now(UTC), "count": count}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def _write_stderr(piece: bytes) -> None:
    """Write whole lines past Python's buffers, so that those of several processes do not mix."""
    try:
        descriptor = sys.stderr.fileno()
        while piece:
            piece = piece[os.write(descriptor, piece) :]
    except (OSError, ValueError):  # standard error is gone: there is nowhere to say so
        return
