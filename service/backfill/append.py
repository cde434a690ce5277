"""Parts to the end of the run's files, in order, beside the conversion.

One thread encodes and writes, another brings what was written to the disk and then enters it into the journal.
"""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from service.backfill.folder import Entry, OutputError
from service.backfill.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from service.backfill.folder import WorkFolder
    from service.backfill.parts import Part

_COPY_BYTES = 1 << 30


class Appender:
    """Writes the parts of a run, at most `ahead` of them not yet written; `progress` is told the totals so far after each.

    Nothing is entered into the journal before `kept` returns: what an entry relies on is on the disk then.

    A block of it ends when all parts are written, on the disk and in the journal. Raises OutputError where the disk is full or fails.
    """

    def __init__(
        self, folder: WorkFolder, head: bytes, ahead: int, progress: Callable[[Totals], None], kept: Callable[[], None] = lambda: None
    ) -> None:
        self._progress = progress
        self._kept = kept
        self.entries = folder.entries()
        self.totals = Totals()
        for entry in self.entries:
            self.totals.add(entry.totals)
        self._data = _opened(folder.data, self.entries[-1].end if self.entries else 0)
        self._quarantine = _opened(folder.quarantine, self.entries[-1].quarantine_end if self.entries else 0)
        self._journal = folder.open_journal()
        self._end = self.entries[-1].end if self.entries else len(head)
        self._quarantine_end = self.entries[-1].quarantine_end if self.entries else 0
        self.first_start = len(head)
        if not self.entries:
            self._write(self._data, head)
        self._parts: queue.SimpleQueue[Callable[[], list[Part]] | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(ahead)
        self._unsynced: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in (self._append_all, self._sync_all)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._parts.put(None)
        for thread in self._threads:
            thread.join()
        for descriptor in (self._data, self._quarantine, self._journal):
            os.close(descriptor)
        if kind is None and self._error is not None:
            raise self._error

    def put(self, parts: Callable[[], list[Part]]) -> None:
        """Have parts written after those before them, once there is room. Raises what went wrong with those."""
        while not self._room.acquire(timeout=0.2):
            if self._error is not None:
                break
        if self._error is not None:
            raise self._error
        self._parts.put(parts)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._fail(
                OutputError(f"the output cannot be written: {error.strerror}; what is done is kept, the same command goes on from there")
            )
        except BaseException as error:  # noqa: BLE001 - it is raised again where the run is
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._unsynced.put(None)

    def _append_all(self) -> None:
        while (parts := self._parts.get()) is not None and self._error is None:
            for part in parts():
                self._append(part)
                del part
            del parts  # nothing is held while the next one is waited for
            self._room.release()
        self._unsynced.put(None)

    def _append(self, part: Part) -> None:
        if isinstance(part.written, Path):
            self._end += _copy(part.written, self._data)
            part.written.unlink()
        else:
            self._end += sum(self._write(self._data, written) for written in part.written)
        self._quarantine_end += self._write(self._quarantine, part.quarantine)
        self._unsynced.put(Entry(part.piece, part.ordinal, part.is_last, self._end, self._quarantine_end, part.footer, part.totals))

    def _sync_all(self) -> None:
        self._kept()
        is_open = True
        while is_open:
            waiting = [self._unsynced.get()]
            while not self._unsynced.empty():
                waiting.append(self._unsynced.get())
            is_open = None not in waiting
            entries = [entry for entry in waiting if entry is not None]
            if not entries:
                continue
            os.fdatasync(self._data)
            os.fdatasync(self._quarantine)
            self._write(self._journal, b"".join(entry.line() for entry in entries))
            os.fdatasync(self._journal)
            for entry in entries:
                self.entries.append(entry)
                self.totals.add(entry.totals)
            self._progress(self.totals)

    @staticmethod
    def _write(descriptor: int, content: Any) -> int:  # noqa: ANN401 - bytes or a view of them
        view = memoryview(content).cast("B")
        at = 0
        while at < len(view):
            at += os.write(descriptor, view[at : at + _COPY_BYTES])
        return len(view)


def _opened(path: Path, end: int) -> int:
    """A file to be added to, cut to what counts."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.ftruncate(descriptor, end)
        os.lseek(descriptor, end, os.SEEK_SET)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    return descriptor


def _copy(path: Path, into: int) -> int:
    source = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(source).st_size
        at = 0
        while at < size:
            at += os.sendfile(into, source, at, min(size - at, _COPY_BYTES))
    finally:
        os.close(source)
    return size
