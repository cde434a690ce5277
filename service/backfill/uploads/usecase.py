"""Taking uploads in and telling how they stand."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
import structlog

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import format_time
from service.backfill.uploads.job import DONE, Job
from service.backfill.uploads.shelf import check_length

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from service.backfill.uploads.answers import BackfillAnswer
    from service.backfill.uploads.requests import BackfillQuery
    from service.backfill.uploads.runner import Runner
    from service.backfill.uploads.shelf import Shelf

log = structlog.get_logger()

PIECE_BYTES: Final = 1 << 20
"""So much of an upload is gathered before it is written."""


@dataclass(slots=True)
class Backfills:
    """The uploads of all callers; `runner` is told when there is a new one."""

    shelf: Shelf
    runner: Runner

    async def take_in(
        self,
        owner: str,
        query: BackfillQuery,
        key: str | None,
        length: int | None,
        pieces: Callable[[int], AsyncIterator[bytes]],
    ) -> tuple[BackfillAnswer, bool]:
        """Keep an upload, whole or not at all; tells whether it is a new one. `pieces` gives the body, at most so many bytes.

        Raises InvalidInput, TooMuchKept, CannotKeep, KeyReused and what reading a body raises.
        """
        options = _options(query)
        room = await asyncio.to_thread(self._room, owner, key)
        check_length(length, room)
        upload = await asyncio.to_thread(self.shelf.new_upload)
        try:
            digest = await self._written(upload / "jobs", options, pieces(room))
            job, is_new = await asyncio.to_thread(self.shelf.place, upload, owner, digest, options, key)
            answer = await asyncio.to_thread(self.tell, job)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, upload, ignore_errors=True)
            raise
        if is_new:
            log.info("backfill.taken", backfill=job.asked.id, bytes=job.asked.upload_bytes)
            self.runner.wake()
        return answer, is_new

    async def find(self, identity: str, owner: str) -> Job | None:
        """The backfill of this id, if it is this caller's."""
        return await asyncio.to_thread(self.shelf.find, identity, owner)

    def tell(self, job: Job) -> BackfillAnswer:
        """How a backfill stands; looks at the disk."""
        now = self.shelf.now()
        state, asked = job.state, job.asked
        answer: dict[str, Any] = {"id": asked.id, "state": state.state, "output": asked.options["output"]}
        answer |= {"upload_bytes": asked.upload_bytes, "created_at": _time(asked.created_at)}
        progress = job.progress(now)
        if state.is_final:
            answer |= {"finished_at": _time(state.at), "expires_at": _time(state.at + self.shelf.bounds.keep_seconds)}
        elif progress is not None:
            answer |= {"state": "running", "doing": progress.doing, "rows_done": progress.rows_done}
            answer |= {"rows": progress.rows} if progress.doing == "converting" else {}
            answer |= {"rows_quarantined": progress.rows_quarantined, "rows_per_second": progress.rows_per_second}
        if state.summary is not None:
            told = state.summary
            answer |= {"summary": told, "rows": told["rows"], "rows_done": told["rows"], "rows_quarantined": told["rows_quarantined"]}
        answer |= {"detail": state.detail} if state.detail and answer["state"] != "running" else {}
        answer |= {"errors": state.errors} if state.errors else {}
        return cast("BackfillAnswer", answer)

    async def remove(self, job: Job) -> BackfillAnswer | None:
        """Throw a backfill away, ending it if it runs; gives how it stood, None when another was quicker."""
        answer = await asyncio.to_thread(self.tell, job)
        is_gone = await asyncio.to_thread(self.shelf.remove, job)
        log.info("backfill.removed", backfill=job.asked.id)
        return answer if is_gone else None

    def _room(self, owner: str, key: str | None) -> int:
        """How much may be sent. One that repeats a request may always send it again: it is found to be the same in the end."""
        return self.shelf.bounds.upload_bytes if key is not None and self.shelf.knows(owner, key) else self.shelf.room(owner)

    async def _written(self, path: Path, options: dict[str, Any], pieces: AsyncIterator[bytes]) -> str:
        """Write a body into a file, onto the disk; gives the digest of it and of the options. Raises CannotKeep."""
        digest = sha256(orjson.dumps(options, option=orjson.OPT_SORT_KEYS) + b"\0")
        with self.shelf.kept():
            file = await asyncio.to_thread(path.open, "wb", 0)
        try:
            held: list[bytes] = []
            size = total = 0
            async for piece in pieces:
                held.append(piece)
                size += len(piece)
                total += len(piece)
                if size >= PIECE_BYTES:
                    await asyncio.to_thread(self._write, file, digest, held)
                    held, size = [], 0
            await asyncio.to_thread(self._write, file, digest, held, is_last=True)
        finally:
            await asyncio.to_thread(file.close)
        if not total:
            raise InvalidInput([Fault("", "the body is empty; send the file of jobs as it is")])
        return digest.hexdigest()

    def _write(self, file: Any, digest: Any, held: list[bytes], *, is_last: bool = False) -> None:  # noqa: ANN401 - a raw file, a hash
        view = memoryview(b"".join(held))
        digest.update(view)
        with self.shelf.kept():
            while view:
                view = view[file.write(view) :]
            if is_last:
                os.fsync(file.fileno())


def _options(query: BackfillQuery) -> dict[str, Any]:
    return query.model_dump() | {"columns": query.column_names(), "power_from_tdp": query.device_watts()}


def _time(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(round(seconds), UTC))


def is_done(answer: BackfillAnswer) -> bool:
    """Whether there is a result."""
    return answer["state"] == DONE
