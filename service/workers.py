"""Several processes that serve on one port: a parent that only holds the listening sockets and looks after its workers.

Each worker has a socket of its own on the same address (SO_REUSEPORT: the system spreads the connections). The parent keeps them all
open, so that what waits at the door of a worker that died waits for the next one. Workers end with their parent: each holds one end of
a pipe that nobody writes to, and that breaks when the parent is gone, however it went.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from service.metrics.sharing import add_to_ended

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

log = structlog.get_logger()

BACKLOG = 4_096
LONG_LIFE_SECONDS = 30.0
"""A worker that lived for so long is replaced at once; one that did not, later and later."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
END_SECONDS = 25.0
"""How long a worker may take to end after its notice: the time for its requests, and a little."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker is given: its number from 0, where to listen, and its two pipes to the parent."""

    number: int
    listeners: tuple[socket.socket, ...]
    lifeline: int
    """It can be read (and gives nothing) once the parent is gone."""
    ready: int
    metrics_folder: Path | None
    """Where the workers tell each other what they counted; None where there could be no such folder."""

    def tell_ready(self) -> None:
        """Tell the parent that this worker answers."""
        with suppress(OSError):  # the parent is gone, and the lifeline says so
            os.write(self.ready, bytes([self.number]))


@dataclass(slots=True)
class _Slot:
    """A place for a worker, and the worker that has it now, if any."""

    number: int
    listeners: tuple[socket.socket, ...]
    pid: int = 0
    started_at: float = 0.0
    start_at: float = 0.0
    pause_seconds: float = 0.0


class Workers:
    """The parent. `work` is what a worker does; it gives its exit code. `tell_ready` is called once, when all answer."""

    def __init__(self, host: str, port: int, count: int, work: Callable[[Worker], int], tell_ready: Callable[[str, int], None]) -> None:
        if port:
            for probe in _listen(host, port, is_shared=False):  # where another one's workers listen, a shared socket would be let in
                probe.close()
        listeners = [_listen(host, port)]
        self.host, self.port = listeners[0][0].getsockname()[:2]
        listeners += [_listen(host, self.port) for _ in range(1, count)]
        self._slots = [_Slot(number, tuple(own)) for number, own in enumerate(listeners)]
        self._work = work
        self._tell_ready = tell_ready
        self._lifeline, self._kept_end = os.pipe()
        self._ready, self._told_end = os.pipe()
        self._woken, self._wake = socket.socketpair()
        self._metrics_folder = _metrics_folder()
        self._not_ready: set[int] = set(range(count))
        self._is_told = False
        self._stops: list[signal.Signals] = []
        self._code = 0

    def run(self, notice_seconds: float) -> int:
        """Keep the workers running until SIGTERM or SIGINT, then let them finish; a second signal ends all at once. Gives the exit code."""
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._signalled)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._woken, selectors.EVENT_READ)
                selector.register(self._ready, selectors.EVENT_READ)
                while not self._stops:
                    self._start_due()
                    self._wait(selector, self._seconds_to_next_start())
                self._end(selector, notice_seconds)
        finally:
            for slot in self._slots:
                if slot.pid:
                    os.kill(slot.pid, signal.SIGKILL)
            if self._metrics_folder:
                shutil.rmtree(self._metrics_folder, ignore_errors=True)
        return self._code

    def _signalled(self, number: int, _: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._stops.append(signal.Signals(number))

    def _wait(self, selector: selectors.BaseSelector, seconds: float | None) -> None:
        """Wait for a signal, a worker that is ready or one that has ended."""
        for key, _ in selector.select(seconds):
            if key.fileobj is self._woken:
                with suppress(BlockingIOError):
                    self._woken.recv(4096)
            else:
                self._not_ready -= set(os.read(self._ready, 256))
        if not self._not_ready and not self._is_told:
            self._is_told = True
            self._tell_ready(self.host, self.port)
        self._bury()

    def _seconds_to_next_start(self) -> float | None:
        due = [slot.start_at for slot in self._slots if not slot.pid]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if not slot.pid and slot.start_at <= now:
                slot.started_at = now
                slot.pid = self._fork(slot)
                log.debug("worker.started", worker=slot.number, pid=slot.pid)

    def _fork(self, slot: _Slot) -> int:
        """Start a worker. The parent has one thread and nothing open but the sockets and pipes, so that a bare fork is safe."""
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's reaches the parent too, which decides
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for other in self._slots:
                if other is not slot:
                    for listener in other.listeners:
                        listener.close()
            os.close(self._kept_end)
            os.close(self._ready)
            code = self._work(Worker(slot.number, slot.listeners, self._lifeline, self._told_end, self._metrics_folder))
        except BaseException:  # noqa: BLE001 - a process ends here
            traceback.print_exc()
        finally:
            with suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _bury(self) -> None:
        """See which workers have ended, and plan when the next ones start. One that never was ready ends the whole."""
        for slot in self._slots:
            if not slot.pid:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if not pid:
                continue
            code, lived = os.waitstatus_to_exitcode(status), time.monotonic() - slot.started_at
            slot.pid = 0
            if self._metrics_folder:
                add_to_ended(self._metrics_folder, pid)
            if self._stops:
                self._code = self._code or max(0, code)
            elif not self._is_told:
                log.error("worker.failed", worker=slot.number, code=code, detail="it ended before it could answer")
                self._code = code if code > 0 else 1
                self._stops.append(signal.SIGTERM)
            else:
                is_steady = lived >= LONG_LIFE_SECONDS
                slot.start_at = time.monotonic() + (0.0 if is_steady else slot.pause_seconds)
                facts = {"code": code, "lived_seconds": round(lived, 1), "pause_seconds": slot.pause_seconds}
                log.warning("worker.ended", worker=slot.number, pid=pid, **facts)
                slot.pause_seconds = 0.0 if is_steady else min(max(2 * slot.pause_seconds, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)

    def _end(self, selector: selectors.BaseSelector, notice_seconds: float) -> None:
        """Tell the workers to stop, close the doors when they do, and wait for them; not after a second signal."""
        told, until = len(self._stops), time.monotonic() + notice_seconds + END_SECONDS
        doors_close_at = time.monotonic() + notice_seconds
        log.info("workers.stopping")
        for slot in self._slots:
            if slot.pid:
                os.kill(slot.pid, signal.SIGTERM)
        self._bury()
        while any(slot.pid for slot in self._slots):
            now = time.monotonic()
            if now >= doors_close_at:
                for slot in self._slots:
                    for listener in slot.listeners:
                        listener.close()
            if len(self._stops) > told or now > until:
                log.warning("serve.killed", detail="what was under way is lost")
                self._code = 128 + self._stops[-1]
                return
            self._wait(selector, max(0.0, (doors_close_at if now < doors_close_at else until) - now))


def _listen(host: str, port: int, *, is_shared: bool = True) -> list[socket.socket]:
    """A listening socket on each address of a host, to which others may be added if it is shared. Raises OSError."""
    opened: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        ):
            listener = socket.socket(family, kind, protocol)
            opened.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            at = opened[0].getsockname()[1] if len(opened) > 1 else port
            listener.bind((address[0], at, *address[2:]))
            listener.listen(BACKLOG)
    except OSError:
        for listener in opened:
            listener.close()
        raise
    return opened


def _metrics_folder() -> Path | None:
    """Make a folder in which the workers' metrics meet. None where none can be made."""
    try:
        folder = tempfile.mkdtemp(prefix="gridgram-metrics-")
    except OSError as error:
        log.warning("workers.no_metrics_folder", detail=f"each worker tells its own metrics only: {error}")
        return None
    return Path(folder)
