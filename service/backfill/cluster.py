"""A run on a cluster of Dask: the same steps as on one machine, the pieces of Parquet on many; the hours are read once and broadcast.

One output file is the same to the last byte as on one machine, and such a run goes on after its client was killed. A folder holds a
file for each piece, written by the workers themselves, and at last `manifest.json`, without which it is not whole.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson

from gridgram.errors import SettingsError
from gridgram.quality import Signal
from service import PACKAGE_VERSION
from service.backfill.append import Appender
from service.backfill.cluster_work import Partition, Recipe, convert_here, convert_into, describe, is_exact, look, open_jobs, write_whole
from service.backfill.folder import OutputError, WorkFolder, check_same
from service.backfill.hours import load_tables, save_tables
from service.backfill.output import OutputFormat
from service.backfill.parts import Workshop
from service.backfill.places import Places
from service.backfill.plan import Plan, Span
from service.backfill.remote import file_system, listed, needed, place_of, stamp_of
from service.backfill.run import Ready, check_names, finish
from service.backfill.summary import summary
from service.backfill.totals import Totals
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gridgram.hour_tables import HourTables
    from service.backfill.cluster_work import Described
    from service.backfill.parts import Part
    from service.backfill.run import Tell
    from service.backfill.spec import Spec
    from service.backfill.summary import BackfillSummary

MANIFEST: Final = "manifest.json"
CONNECT_SECONDS: Final = 10
WORKERS_SECONDS: Final = 60
"""How long the first worker is waited for."""
AHEAD_PER_THREAD: Final = 3
"""Pieces under way for each thread of the cluster, so that none waits for the one who appends."""
MAX_LOSSES: Final = 5
"""So often the hours are broadcast again when all workers that held them are gone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A run on a cluster: its spec, whose paths are not looked at, the files it reads, and where to, a file or a folder."""

    spec: Spec
    places: Sequence[str]
    output: Path | str

    @property
    def is_one_file(self) -> bool:
        """Whether the output is one file."""
        return isinstance(self.output, Path) and self.output.suffix == ".parquet"

    def members(self) -> dict[str, Any]:
        """The run as JSON: what must be the same for it to go on."""
        told = asdict(self.spec) | {"now": self.spec.now.isoformat(), "source": [stamp_of(place) for place in self.places]}
        return told | {"output": str(self.output), "quarantine": str(self.spec.quarantine), "version": PACKAGE_VERSION, "on": "dask"}


Hours: TypeAlias = "Callable[[Plan, Callable[[int], None]], HourTables]"
"""Reads what a plan needs; is told whom to tell how many hours of zones have been read."""


def asked_of(spec: Spec, source: str, output: str) -> Asked:
    """What the command line asks of a cluster. Raises InvalidInput."""
    target = place_of(output)
    places = listed(place_of(source))
    if spec.output_format is not OutputFormat.PARQUET or spec.read_as not in {None, "plain"}:
        raise refused("--dask", "a cluster reads and writes Parquet of the format plain; convert other files on one machine first")
    asked = Asked(replace(spec, read_as="plain"), places, target)
    if isinstance(target, str) and target.endswith(".parquet"):
        raise refused("--output", "one output file is written on this machine; name a local file, or a folder")
    if asked.is_one_file and len(places) > 1:
        raise refused("--output", f"{len(places)} files are read; name a folder for as many files of output")
    if not asked.is_one_file and spec.quarantine is not None:
        raise refused("--quarantine", "in a folder the rows without numbers stand beside each file of output")
    return asked


def convert_on_cluster(  # noqa: PLR0913 - as the command says
    scheduler: str, asked: Asked, hours: Hours, tell: Tell, *, restart: bool, overwrite: bool
) -> BackfillSummary:
    """Run the whole on the cluster of this scheduler; `hours` reads what a plan needs.

    Raises InvalidInput, SettingsError for a cluster that is not there, and OutputError.
    """
    with _client(scheduler) as client:
        if asked.is_one_file:
            return _into_file(client, asked, hours, tell, restart=restart, overwrite=overwrite)
        return _into_folder(client, asked, hours, tell, overwrite=overwrite)


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    distributed = needed("distributed")
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SettingsError(f"there is no scheduler at {scheduler}: {error}") from error
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
        yield client
    except TimeoutError as error:
        raise SettingsError(f"the scheduler at {scheduler} has no workers") from error
    finally:
        client.close()


@dataclass(frozen=True, slots=True)
class Begun:
    """A piece that is being converted, and how often the recipe had been lost before."""

    partition: Partition
    future: Any
    losses_before: int


class Crew:
    """The workers of a run. The recipe is broadcast; when every worker that held it is gone, it is broadcast again."""

    def __init__(self, client: Any, recipe: Recipe, work: Callable[..., Any]) -> None:  # noqa: ANN401 - a Client
        self._client = client
        self._recipe = recipe
        self._work = work
        self._losses = 0
        self._broadcast()

    @property
    def threads(self) -> int:
        """How many pieces are converted at once now."""
        return max(1, sum(map(int, self._client.nthreads().values())))

    def _broadcast(self) -> None:
        (self._held,) = self._client.scatter([self._recipe], broadcast=True, hash=False)

    def begin(self, partition: Partition) -> Begun:
        """Have a piece converted."""
        key = f"gridgram-{self._recipe.run}-{partition.number}-{token_hex(4)}"
        future = self._client.submit(self._work, self._held, partition, key=key, pure=False)
        return Begun(partition, future, self._losses)

    def end(self, begun: Begun) -> Any:  # noqa: ANN401 - what the work gives
        """What came of a piece. Raises OutputError when the workers that tried it died, or the work's own error."""
        partition = begun.partition
        while True:
            try:
                return begun.future.result()
            except CancelledError as error:  # what the piece needs was lost with the last worker that had it
                if begun.losses_before == self._losses:
                    self._come_back(error)
                begun = self.begin(partition)
            except OSError as error:
                raise OutputError(f"a worker cannot write: {error.strerror or error}; give the same command when it can") from error
            except needed("distributed").KilledWorker as error:
                told = f"each worker that tried rows from {partition.piece.first_row + 1} of {partition.place} on died (out of memory?)"
                raise OutputError(f"{told}; the same command goes on") from error

    def _come_back(self, error: BaseException) -> None:
        """Broadcast again to the workers that are there by now. Raises OutputError when that was needed too often, or none comes."""
        self._losses += 1
        if self._losses > MAX_LOSSES:
            raise OutputError("all workers of the cluster went away again and again; the same command goes on") from error
        try:
            self._client.wait_for_workers(1, timeout=WORKERS_SECONDS)
        except TimeoutError:
            raise OutputError("all workers of the cluster went away, and none came; the same command goes on") from error
        self._broadcast()

    def in_order(self, partitions: Iterable[Partition]) -> Iterator[Callable[[], Any]]:
        """What ends each piece, in order, some pieces begun ahead."""
        waiting: deque[Begun] = deque()
        for partition in partitions:
            waiting.append(self.begin(partition))
            if len(waiting) > AHEAD_PER_THREAD * self.threads:
                yield partial(self.end, waiting.popleft())
        while waiting:
            yield partial(self.end, waiting.popleft())


def _partitions(client: Any, asked: Asked) -> list[Partition]:  # noqa: ANN401 - a Client
    """All pieces of all files, in order. Raises InvalidInput where the files do not have the same columns."""
    described: list[Described] = client.gather(client.map(describe, list(asked.places), spec=asked.spec, pure=False))
    for place, one in zip(asked.places, described, strict=True):
        if one.schema != described[0].schema:
            raise refused("file", f"{place} has other columns, or columns of other types, than {asked.places[0]}")
    pieces = [(place, piece, is_exact(one.rows)) for place, one in zip(asked.places, described, strict=True) for piece in one.pieces]
    return [Partition(number, *one) for number, one in enumerate(pieces)]


def _planned(client: Any, asked: Asked, partitions: Sequence[Partition], tell: Tell) -> Plan:  # noqa: ANN401 - a Client
    """Look all pieces through, and lay what they need together, in order: places get the numbers that one machine would give them."""
    looked = client.map(look, list(partitions), spec=asked.spec, pure=False)
    zones: list[tuple[str, str]] = []
    known: dict[str, Any] = {"numbers": {}, "reasons": {}}
    spans: dict[int, Span] = {}
    rows = unusable = 0
    for future in looked:
        members, needed_spans, more_rows, more_unusable = future.result()
        pairs = [(zone, signal) for zone, signal in members["zones"]]
        zones += [pair for pair in pairs if pair not in zones]
        for key, number in members["numbers"].items():
            known["numbers"].setdefault(key, number if number < 0 else zones.index(pairs[number]))
        known["reasons"] |= members["reasons"]
        for number, (first_us, end_us, days) in needed_spans.items():
            span = spans.setdefault(zones.index(pairs[number]), Span(first_us, end_us))
            span.first_us, span.end_us = min(span.first_us, first_us), max(span.end_us, end_us)
            span.days.update(days)
        rows, unusable = rows + more_rows, unusable + more_unusable
        tell("looking", rows, 0, 0)
    if not rows:
        raise refused("file", "the files hold no jobs")
    places = Places(Signal(asked.spec.signal), None, {"zones": zones, **known})
    return Plan(places, spans, rows, unusable)


def _tables(plan: Plan, hours: Hours, tell: Tell) -> HourTables:
    needed_hours = sum(end_hour - first_hour for _, _, spans in plan.needed() for first_hour, end_hour in spans)
    return hours(plan, lambda done: tell("fetching", done, needed_hours, plan.unusable))


def _into_file(  # noqa: PLR0913 - as above
    client: Any,  # noqa: ANN401 - a Client
    asked: Asked,
    hours: Hours,
    tell: Tell,
    *,
    restart: bool,
    overwrite: bool,
) -> BackfillSummary:
    output = cast("Path", asked.output)
    if not output.parent.is_dir():
        raise refused("--output", f"there is no folder {output.parent}")
    spec = replace(asked.spec, source=Path(asked.places[0]), output=output)
    folder = WorkFolder(output)
    try:
        if restart:
            folder.forget()
        members = asked.members()
        if (saved := folder.saved_plan()) is not None:
            spec = replace(spec, now=check_same(saved, members, folder.path))
        else:
            check_names(spec, overwrite=overwrite)
            folder.forget()
            plan = _planned(client, asked, _partitions(client, asked), tell)
            try:
                save_tables(_tables(plan, hours, tell), folder.hours)
                folder.save_plan(saved := {"spec": members, "places": plan.places.members(), "rows": plan.rows})
            except OSError as error:
                raise OutputError(f"the hours cannot be kept in {folder.path}: {error.strerror or error}") from error
        if (before := folder.told_before()) is not None:
            folder.remove()
            return cast("BackfillSummary", before)
        recipe = Recipe(token_hex(8), spec, saved["places"], load_tables(folder.hours))
        return _appended(client, asked, Ready(folder, spec, saved["rows"]), recipe, tell)
    finally:
        folder.close()


def _appended(client: Any, asked: Asked, ready: Ready, recipe: Recipe, tell: Tell) -> BackfillSummary:  # noqa: ANN401 - a Client
    """Let the workers convert, and append what they give to the one file, as a run on one machine does."""
    workshop = Workshop(recipe.spec, open_jobs(asked.places[0], recipe.spec), recipe.places, recipe.tables)
    crew = Crew(client, recipe, convert_here)

    def progress(totals: Totals) -> None:
        tell("converting", totals.rows, ready.rows, totals.quarantined)

    appender = Appender(ready.folder, workshop.encoder.head(), 1, progress)
    progress(appender.totals)
    piece, skip = 0, 0
    if appender.entries:
        last = appender.entries[-1]
        piece, skip = (last.piece + 1, 0) if last.is_last else (last.piece, last.ordinal + 1)
    left = _partitions(client, asked)[piece:]
    left[:1] = [replace(one, skip=skip) for one in left[:1]]
    with appender:
        for parts in crew.in_order(left):
            appender.put(cast("Callable[[], list[Part]]", parts))
    told = summary(ready.spec, appender.totals)
    finish(ready, workshop, appender, told)
    return told


def _into_folder(
    client: Any,  # noqa: ANN401 - a Client
    asked: Asked,
    hours: Hours,
    tell: Tell,
    *,
    overwrite: bool,
) -> BackfillSummary:
    folder = str(asked.output)
    _clear(folder, overwrite=overwrite)
    partitions = _partitions(client, asked)
    plan = _planned(client, asked, partitions, tell)
    recipe = Recipe(token_hex(8), asked.spec, plan.places.members(), _tables(plan, hours, tell))
    crew = Crew(client, recipe, partial(convert_into, folder=folder))
    totals, files = Totals(), []
    for partition, end in zip(partitions, crew.in_order(partitions), strict=True):
        written = end()
        totals.add(written.totals)
        files.append({"file": written.name, "source": partition.place, "first_row": partition.piece.first_row + 1})
        files[-1] |= {"rows": written.totals.rows, "rows_quarantined": written.totals.quarantined, "bytes": written.size_bytes}
        tell("converting", totals.rows, plan.rows, totals.quarantined)
    told = summary(replace(asked.spec, output=Path(folder)), totals)
    try:
        _remove(folder, ".part-*")  # what workers that died had begun
        write_whole(folder, MANIFEST, [orjson.dumps({"summary": told, "files": files}, option=orjson.OPT_INDENT_2)])
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error
    return told


def _clear(folder: str, *, overwrite: bool) -> None:
    """Make the folder of the output; what an older run left there goes, its manifest first. Raises InvalidInput and OutputError."""
    filesystem, path = file_system(folder)
    try:
        filesystem.makedirs(path, exist_ok=True)
        if filesystem.exists(f"{path}/{MANIFEST}"):
            if not overwrite:
                raise refused("--output", f"{folder} holds a finished run already; name another, or write over it with --overwrite")
            filesystem.rm(f"{path}/{MANIFEST}")
        _remove(folder, "part-*", ".part-*")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error


def _remove(folder: str, *patterns: str) -> None:
    filesystem, path = file_system(folder)
    if left := [found for pattern in patterns for found in filesystem.glob(f"{path}/{pattern}")]:
        filesystem.rm(left)
