"""The process that converts one backfill: `python -m service.backfill.uploads.child FOLDER METERING`.

It runs at the lowest priority, within bounds of memory, and first in line when the system needs memory back; a file that harms it harms no
answer. It ends with the process that started it (their pipe breaks) and when its folder is thrown away; another one goes on from there.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from gridgram.errors import InvalidInput
from providers.spending import SPENDER
from service.backfill.folder import OutputError
from service.backfill.uploads.asking import FREE, NEVER, Asking
from service.backfill.uploads.job import DONE, FAILED, HEARTBEAT_SECONDS, Job, Progress, State
from service.backfill.uploads.wording import faults_of_http

if TYPE_CHECKING:
    from service.backfill.run import Ready
    from service.backfill.spec import Spec
    from service.backfill.summary import BackfillSummary
    from service.settings import Settings

log = structlog.get_logger()

MEMORY_BYTES: Final = 4 << 30
"""No more than this is taken; a conversion takes less than 1 GiB, so that only a file made to harm meets it."""
FETCH_SECONDS: Final = 300.0
"""How long one month of one zone is asked for; nobody waits meanwhile."""
FULL_DISK_SECONDS: Final = 60.0
"""After so long it is tried again where the disk was full."""
SECONDS_PER_DAY: Final = 86_400


class Teller:
    """Writes how far the conversion is once a second, and ends the process when there is nobody left to do it for."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._progress = Progress(time.time(), "looking")
        self._began: tuple[float, int] | None = None

    def tell(self, doing: str, done: int, of: int, quarantined: int) -> None:
        """Take in how far it is, as `service.backfill.run` tells."""
        now = time.time()
        if doing == "fetching":
            self._progress = replace(self._progress, at=now, doing=doing)
        elif doing == "looking":
            self._progress = Progress(now, doing, rows=done)
        else:
            self._began = self._began or (now, done)
            seconds = now - self._began[0]
            rate = (done - self._began[1]) / seconds if seconds else 0.0
            self._progress = Progress(now, doing, of, done, quarantined, rate)

    def run(self) -> None:
        """Keep writing, in a thread of its own."""
        while True:
            if not self._job.folder.exists():
                os._exit(0)
            with suppress(OSError):
                self._job.put_progress(replace(self._progress, at=time.time()))
            time.sleep(HEARTBEAT_SECONDS)


def spec_of(job: Job) -> Spec:
    """The run that was asked for."""
    from gridgram.quality import Quality, Signal  # noqa: PLC0415 - what is heavy is loaded once this process is out of the way
    from service.backfill.output import OutputFormat  # noqa: PLC0415
    from service.backfill.spec import Spec  # noqa: PLC0415
    from service.usecases import utc_now  # noqa: PLC0415

    options: dict[str, Any] = job.asked.options
    return Spec(
        job.upload,
        job.result,
        OutputFormat(options["output"]),
        utc_now(),
        read_as=options["format"],
        time_zone=options["tz"],
        location=options["location"],
        columns=options["columns"],
        pue=options["pue"],
        power_from_tdp=options["power_from_tdp"],
        signal=Signal(options["signal"]),
        min_quality=Quality(options["min_quality"]),
        quarantine=job.quarantine,
    )


def work(job: Job, settings: Settings, asking: Asking | None, teller: Teller, *, may_ask_tomorrow: bool = True) -> State:
    """Convert the backfill; gives how it stands afterwards."""
    from service.backfill.run import convert  # noqa: PLC0415 - as above

    try:
        ready = asyncio.run(_prepared(spec_of(job), settings, asking, teller))
        if ready is None:
            return _tomorrow(job) if may_ask_tomorrow else _never(job)
        told: BackfillSummary = convert(ready, tell=teller.tell)
    except InvalidInput as error:
        return State(FAILED, time.time(), detail="the upload cannot be converted", errors=faults_of_http(error))
    except OutputError as error:
        text = str(error)
        if os.strerror(errno.EFBIG) in text:  # the result is larger than a file may be
            return State(FAILED, time.time(), detail="the result is larger than the files of a caller may be")
        return State(
            at=time.time(), not_before=time.time() + FULL_DISK_SECONDS, detail=f"{_without_paths(text, job)}; it goes on by itself"
        )
    return State(DONE, time.time(), summary={**told})


async def _prepared(spec: Spec, settings: Settings, asking: Asking | None, teller: Teller) -> Ready | None:
    """The run with its hours; None when the key has no calls to sources left and some were needed."""
    from service.app import build_gridgram  # noqa: PLC0415 - as above
    from service.backfill.run import prepare  # noqa: PLC0415

    gridgram = build_gridgram(settings)
    SPENDER.set(asking)
    try:
        try:
            ready = await prepare(gridgram, spec, overwrite=True, tell=teller.tell)
        except InvalidInput as error:
            if all(fault.pointer != "--restart" for fault in error.faults):
                raise
            ready = await prepare(gridgram, spec, overwrite=True, restart=True, tell=teller.tell)  # begun by another version
        if asking is not None and asking.refused:
            ready.folder.forget()
            ready.folder.close()
            return None
        return ready
    finally:
        await gridgram.intensity.close()


def _tomorrow(job: Job) -> State:
    now = time.time()
    next_day = (int(now) // SECONDS_PER_DAY + 1) * SECONDS_PER_DAY
    detail = f"the key {job.asked.owner!r} has caused its calls to sources of today; it goes on by itself when the next day (UTC) begins"
    return State(at=now, not_before=next_day, detail=detail)


def _never(job: Job) -> State:
    detail = f"the hours of the jobs are not all held, and the key {job.asked.owner!r} may cause no calls to sources"
    return State(FAILED, time.time(), detail=detail)


def _without_paths(text: str, job: Job) -> str:
    return text.replace(f"{job.folder}/", "").replace(str(job.folder), "the folder").partition(";")[0]


def step_aside(most_file_bytes: int) -> None:
    """Let everything else go first, and take no more than this process may."""
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_file_bytes, most_file_bytes))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def main(folder: str, metering: str) -> None:
    """Convert the backfill of a folder, and end."""
    from service.command import log_json_lines, settings_of_command  # noqa: PLC0415 - as above

    settings = settings_of_command(upstream_seconds=FETCH_SECONDS)
    step_aside(settings.backfill_stored_mib << 20)
    log_json_lines(settings)
    try:
        job = Job.opened(Path(folder))
    except FileNotFoundError:  # taken back before its turn began
        return
    asking, teller = Asking(), Teller(job)
    for task in (asking.listen, teller.run):
        threading.Thread(target=task, daemon=True).start()
    code = 0
    try:
        job.put_state(work(job, settings, None if metering == FREE else asking, teller, may_ask_tomorrow=metering != NEVER))
    except Exception:
        if job.folder.exists():
            log.exception("backfill.crashed", backfill=job.asked.id)
            code = 1
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
