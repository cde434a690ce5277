"""What works on uploads beside the service: one process at a time, at the lowest priority, over and over until nothing waits.

Each serving process has one of these. Who comes first gets a backfill, by its lock; the converting process holds that lock too, so that
nobody begins anew beside one whose parent was killed.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import structlog

from service.backfill.uploads.asking import FREE, METERED, NEVER, answer
from service.backfill.uploads.job import FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.backfill.uploads.job import Job
    from service.backfill.uploads.shelf import Shelf
    from service.quota import Allowance

log = structlog.get_logger()

LOOK_SECONDS: Final = 3.0
"""How often it is looked for backfills that other processes took in or left behind."""
SWEEP_SECONDS: Final = 60.0
MAX_ATTEMPTS: Final = 3
"""A backfill whose process ended so often without a word is given up."""
COMMAND: Final = (sys.executable, "-m", "service.backfill.uploads.child")


@dataclass(slots=True)
class Runner:
    """Works on what waits on the shelf; `allowances` are those of the keys, empty where the service has none."""

    shelf: Shelf
    allowances: Mapping[str, Allowance]
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """There is a new backfill."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled; a process under way then ends, and goes on after the next start."""
        owners = self.allowances.keys() or {""}
        swept_at = -SWEEP_SECONDS
        while True:
            self._woken.clear()
            try:
                if time.monotonic() - swept_at >= SWEEP_SECONDS:
                    await asyncio.to_thread(self.shelf.sweep)
                    swept_at = time.monotonic()
                taken = await asyncio.to_thread(self.shelf.take, owners)
                if taken is not None:
                    await self._convert(*taken)
                    continue
            except OSError as error:
                log.warning("backfill.folder_failed", detail=str(error))
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _convert(self, job: Job, lock: int) -> None:
        """Let a process convert one backfill, and see what became of it."""
        allowance = self.allowances.get(job.asked.owner)
        log.info("backfill.started", backfill=job.asked.id)
        started = time.monotonic()
        try:
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                str(job.folder),
                _metering(allowance),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(lock,),
                start_new_session=True,
            )
            try:
                await _converse(process, allowance)
                code = await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            await asyncio.to_thread(_note_end, job, code)
        finally:
            os.close(lock)
        state = await asyncio.to_thread(lambda: job.state.state)
        log.info("backfill.ended", backfill=job.asked.id, state=state, seconds=round(time.monotonic() - started, 3))


def _metering(allowance: Allowance | None) -> str:
    """Whether the calls to sources are counted, and whether a key may cause any at all."""
    if allowance is None:
        return FREE
    return METERED if allowance.calls_per_day else NEVER


async def _converse(process: asyncio.subprocess.Process, allowance: Allowance | None) -> None:
    """Answer what the process asks until it has nothing more to ask."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101 - as above
    while question := await process.stdout.readline():
        if allowance is not None:
            process.stdin.write(f"{await answer(question.decode('ascii', 'replace'), allowance)}\n".encode())


def _note_end(job: Job, code: int) -> None:
    """Count an end without a word, and put the next attempt off."""
    if code == 0 or not job.folder.exists():
        return
    state, now = job.state, time.time()
    attempts = state.attempts + 1
    log.warning("backfill.broke", backfill=job.asked.id, code=code, attempts=attempts)
    if attempts < MAX_ATTEMPTS:
        job.put_state(replace(state, at=now, attempts=attempts, not_before=now + attempts, detail="it broke off and is tried again"))
        return
    detail = f"the conversion broke off {attempts} times; the upload may need more memory than there is, split it"
    job.put_state(replace(state, state=FAILED, at=now, attempts=attempts, detail=detail))
