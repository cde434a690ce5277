"""A whole run: look the file through, read the hours, convert part by part, and put the finished output in its place.

The first two steps wait (`prepare`, in the event loop), the rest computes (`convert`, in a thread). Whatever ends a run leaves either the
finished output under its name or nothing, and a folder from which the same command goes on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from gridgram.errors import GridgramError
from service.backfill.ahead import read_ahead
from service.backfill.append import Appender
from service.backfill.folder import OutputError, WorkFolder, check_same, sync_file, sync_folder
from service.backfill.hours import read_hours
from service.backfill.keeping import Keeping
from service.backfill.output import OutputFormat
from service.backfill.parquet_table import is_parquet
from service.backfill.parts import Workshop, convert_group, convert_piece, open_workshop
from service.backfill.places import Places
from service.backfill.plan import Plan, look_through
from service.backfill.summary import summary
from service.importing.csv_file import open_source
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from gridgram.hour_tables import HourTables
    from service.backfill.parts import Group, Part
    from service.backfill.spec import Spec
    from service.backfill.summary import BackfillSummary
    from service.backfill.totals import Totals
    from service.usecases import Gridgram

CORES_OF_ONE: Final = 2
"""So many cores one process keeps busy from Parquet to Parquet."""

Tell: TypeAlias = "Callable[[str, int, int, int], None]"
"""Is told what is done ("looking", "fetching", "converting"), how much of it, of how much (0: unknown), and rows quarantined."""


class Stopped(GridgramError):
    """The run was asked to stop; it can go on."""

    code = "stopped"


@dataclass(frozen=True, slots=True)
class Ready:
    """A run whose hours are there: the folder it works in, its spec with the instant at which it began, and the rows of the file.

    `found` is the plan, as the folder will have it, and its hours, when they are not yet kept there.
    """

    folder: WorkFolder
    spec: Spec
    rows: int
    found: tuple[Mapping[str, Any], HourTables] | None = None


def _quiet(_doing: str, _done: int, _of: int, _quarantined: int) -> None:
    """Tell nobody."""


async def prepare(gridgram: Gridgram, spec: Spec, *, restart: bool = False, overwrite: bool = False, tell: Tell = _quiet) -> Ready:
    """Find and read the hours of a run, or find the folder of the same run that was cut off. Raises InvalidInput and OutputError."""
    spec = spec.with_format()
    if not spec.output.parent.is_dir():
        raise refused("--output", f"there is no folder {spec.output.parent}")
    folder = WorkFolder(spec.output)
    try:
        return await _prepared(gridgram, spec, folder, restart=restart, overwrite=overwrite, tell=tell)
    except BaseException:
        folder.close()
        raise


async def _prepared(  # noqa: PLR0913 - as above
    gridgram: Gridgram,
    spec: Spec,
    folder: WorkFolder,
    *,
    restart: bool,
    overwrite: bool,
    tell: Tell,
) -> Ready:
    asked = spec.members()
    if restart:
        folder.forget()
    if (saved := folder.saved_plan()) is not None:
        return Ready(folder, replace(spec, now=check_same(saved, asked, folder.path)), saved["rows"])
    check_names(spec, overwrite=overwrite)
    folder.forget()
    plan = await asyncio.to_thread(planned, gridgram, spec, tell)
    hours = sum(end_hour - first_hour for _, _, spans in plan.needed() for first_hour, end_hour in spans)
    tables = await read_hours(gridgram.intensity, plan, lambda done: tell("fetching", done, hours, plan.unusable))
    return Ready(folder, spec, plan.rows, ({"spec": asked, "places": plan.places.members(), "rows": plan.rows}, tables))


def planned(gridgram: Gridgram, spec: Spec, tell: Tell = _quiet) -> Plan:
    """Look the file through for the hours that it needs. Raises InvalidInput."""
    file = spec.open()

    def resolve(location: str) -> str:
        return gridgram.locator.resolve(location).zone.key

    plan = look_through(file, Places(spec.signal, resolve), spec.now, lambda rows: tell("looking", rows, 0, 0))
    if not plan.rows:
        raise refused("file", f"{spec.source.name} holds no jobs")
    return plan


def convert(ready: Ready, *, workers: int = 1, tell: Tell = _quiet, is_stopped: Callable[[], bool] = lambda: False) -> BackfillSummary:
    """Convert what is not yet converted, put the output in its place and give the summary.

    Raises OutputError when the output cannot be written, InvalidInput when the file is damaged, Stopped when it was asked to stop.
    """
    if (before := ready.folder.told_before()) is not None:
        ready.folder.remove()
        ready.folder.close()
        return cast("BackfillSummary", before)
    try:
        with Keeping(ready) as keeping:
            return _converted(ready, keeping, workers, tell, is_stopped)
    except BrokenProcessPool as error:
        raise OutputError(
            "a worker process was ended from outside (out of memory?); the same command goes on, try fewer --workers"
        ) from error
    finally:
        ready.folder.close()


def _converted(ready: Ready, keeping: Keeping, workers: int, tell: Tell, is_stopped: Callable[[], bool]) -> BackfillSummary:
    if workers > 1:
        keeping.end()  # other processes read what is kept
    workshop = _workshop(ready)

    def progress(totals: Totals) -> None:
        tell("converting", totals.rows, ready.rows, totals.quarantined)

    ahead = 1 if workers == 1 else workers + 2  # so that no process waits for the one whose part comes first
    appender = Appender(ready.folder, workshop.encoder.head(), ahead, progress, keeping.end)
    progress(appender.totals)
    with appender, _pool(ready, workers) as pool:
        for parts in _work(workshop, appender, pool, ready.folder.path):
            if is_stopped():
                raise Stopped(f"the run was stopped after {appender.totals.rows:,} rows; the same command goes on from there")
            appender.put(parts)
            del parts  # a part is let go once it is written
    told = summary(ready.spec, appender.totals)
    finish(ready, workshop, appender, told)
    return told


def useful_workers(spec: Spec, workers: int, cores: int) -> int:
    """How many processes a run is given of those that were asked for: no more than there are cores.

    From Parquet to Parquet one process reads, converts and encodes in threads and keeps two cores busy; two processes, which hand over
    their bytes in files, would take longer.
    """
    workers = min(workers, cores)
    is_carried = spec.output_format is OutputFormat.PARQUET and is_parquet(open_source(spec.source))
    return 1 if is_carried and workers <= CORES_OF_ONE else workers


def _workshop(ready: Ready) -> Workshop:
    if ready.found is None:
        return Workshop.opened(ready.folder.path)
    plan, tables = ready.found
    return Workshop(ready.spec, ready.spec.open(), plan["places"], tables)


def _work(workshop: Workshop, appender: Appender, pool: Executor | None, folder: Path) -> Iterator[Callable[[], list[Part]]]:
    """What is still to be done, in order, each as a function that gives parts."""
    piece, skip = 0, 0
    if appender.entries:
        last = appender.entries[-1]
        piece, skip = (last.piece + 1, 0) if last.is_last else (last.piece, last.ordinal + 1)
    if pool is not None and workshop.pieces:
        for number in range(piece, len(workshop.pieces)):
            yield pool.submit(convert_piece, number, skip, str(folder)).result
            skip = 0
        return
    for group in read_ahead(_groups(workshop, piece, skip)):
        if pool is not None:
            yield pool.submit(convert_group, group, str(folder)).result
        else:
            yield _converting(workshop, group)
        del group  # what was read is let go before more is converted


def _groups(workshop: Workshop, piece: int, skip: int) -> Iterator[Group]:
    for number in range(piece, max(1, len(workshop.pieces))):
        yield from workshop.groups(number, skip)
        skip = 0


def _converting(workshop: Workshop, group: Group) -> Callable[[], list[Part]]:
    """Convert a group now; it is encoded when the parts are asked for."""
    return partial(_encoded, workshop, group, workshop.converted(group))


def _encoded(workshop: Workshop, group: Group, converted: Any) -> list[Part]:  # noqa: ANN401 - as `Workshop.encoded` takes them
    return [workshop.encoded(group, *converted)]


@contextmanager
def _pool(ready: Ready, workers: int) -> Iterator[Executor | None]:
    if workers == 1:
        yield None
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), open_workshop, (str(ready.folder.path),)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def finish(ready: Ready, workshop: Workshop, appender: Appender, told: BackfillSummary) -> None:
    """Close the files and give them their names; the output's comes last, and what was told is kept until the folder goes."""
    folder, spec = ready.folder, ready.spec
    starts = [appender.first_start, *(entry.end for entry in appender.entries[:-1])]
    tail = workshop.encoder.tail([entry.footer for entry in appender.entries], starts)
    try:
        with folder.data.open("ab") as data:
            data.write(tail)
            data.flush()
            os.fsync(data.fileno())
        if folder.quarantine.stat().st_size or spec.quarantine:
            _put_beside(folder.quarantine, spec.quarantine or default_quarantine(spec.output))
        folder.save_told(dict(told))
        folder.data.rename(spec.output)
        sync_folder(spec.output.parent)
    except OSError as error:
        raise OutputError(f"{spec.output} cannot be written: {error.strerror}; what is done is kept, the same command goes on") from error
    folder.remove()


def _put_beside(path: Path, name: Path) -> None:
    """Give a file a second name, or a copy where there is none: the first one is still needed if the run ends here."""
    draft = name.with_name(f".{name.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        draft.hardlink_to(path)
    except OSError:  # another disk, or one without links
        shutil.copyfile(path, draft)
    sync_file(draft)
    draft.rename(name)
    draft.unlink(missing_ok=True)  # rename does nothing where both names were the same file's already
    sync_folder(name.parent)


def default_quarantine(output: Path) -> Path:
    """Where rows without numbers are told when no file is named for them."""
    return output.with_name(f"{output.name}.quarantine.ndjson")


def check_names(spec: Spec, *, overwrite: bool) -> None:
    """Refuse to write over a file that is there, or over the input."""
    quarantine = spec.quarantine or default_quarantine(spec.output)
    for path in (spec.output, quarantine):
        if path.resolve() == spec.source.resolve():
            raise refused("--output", f"{path} is the file that is read; name another")
        if path.is_dir():
            raise refused("--output", f"{path} is a folder; name a file")
        if path.exists() and not overwrite:
            raise refused("--output", f"{path} is there already; name another, or write over it with --overwrite")
