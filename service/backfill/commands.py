"""`gridgram backfill`: a file of past jobs in, the same file with emissions out."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridgram.errors import Fault, InvalidInput
from service.command import Exit, Json, SignalChoice, SignalOption, errors, print_json, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.backfill.preview import PreviewAnswer
    from service.backfill.run import Ready
    from service.backfill.spec import Spec
    from service.backfill.summary import BackfillSummary
    from service.usecases import Gridgram

FETCH_SECONDS = 300.0
"""How long one month of one zone is asked for; there is time, and an hour that is not told stays a typical one."""
MAX_WORKERS = 256


def backfill(
    source: Annotated[str, typer.Argument(metavar="IN", help="Past jobs: CSV, TSV, NDJSON (plain or .gz), Parquet, or a tool's own log.")],
    output: Annotated[str, typer.Option("-o", "--output", help="Where to: a name that ends in .parquet, .csv or .ndjson.")],
    read_as: Annotated[str | None, typer.Option("--format", help="The format of IN, when its header does not tell.")] = None,
    columns: Annotated[str, typer.Option(help="IN's names for our columns: location=site,start=begin,end=finish,energy_kwh=kwh.")] = "",
    location: Annotated[str | None, typer.Option(help="Where the jobs ran, for rows that do not say.")] = None,
    time_zone: Annotated[str | None, typer.Option("--tz", help="The zone of times without an offset, such as Europe/Paris.")] = None,
    pue: Annotated[float, typer.Option(help="Facility energy / computer energy, for rows that do not say.")] = 1.0,
    power_from_tdp: Annotated[
        str, typer.Option("--power-from-tdp", help="Model energy that was not metered from W per core and GPU: cpu=7.5,gpu=300.")
    ] = "",
    signal: SignalOption = SignalChoice.LIFECYCLE,
    min_quality: Annotated[str, typer.Option(help="The worst quality of an hour that is accepted.")] = "annual",
    quarantine: Annotated[Path | None, typer.Option(help="Where rows without numbers are told; default OUT.quarantine.ndjson.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Also draw energy and emissions by month and zone into this PNG.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=MAX_WORKERS, help="Processes that convert, at most one a core.")] = 1,
    part_rows: Annotated[int | None, typer.Option(min=1, help="Rows converted at a time; default 262,144.")] = None,
    dask: Annotated[str | None, typer.Option(help="Convert Parquet on the cluster of this scheduler: tcp://host:8786.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which hours would be fetched.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away what an unfinished run has done.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over an output that is there.")] = False,
    is_json: Json = False,
) -> None:
    """Convert a file of past jobs. A run that was cut off goes on when the same command is given again."""
    with errors(is_json=is_json):
        from service.backfill.picture import check_can_draw, draw  # noqa: PLC0415 - heavy parts are loaded where they are used
        from service.backfill.run import convert, default_quarantine, prepare, useful_workers  # noqa: PLC0415
        from service.backfill.summary import print_summary  # noqa: PLC0415

        if plot is not None:
            check_can_draw(plot)
        if dask is not None and (dry_run or workers > 1):
            raise InvalidInput([Fault("--dry-run" if dry_run else "--workers", "does not go together with --dask; leave one of them out")])
        is_folder = dask is not None and not Path(output).suffix
        spec = _spec(
            Path(source),
            Path(output, "part.parquet") if is_folder else Path(output),
            read_as=read_as,
            columns=columns,
            location=location,
            time_zone=time_zone,
            pue=pue,
            power_from_tdp=_watts(power_from_tdp),
            signal=signal.value,
            min_quality=min_quality,
            quarantine=quarantine,
            part_rows=part_rows,
        )
        if dry_run:
            _preview(spec, is_json=is_json)
            return

        with _progress() as tell:

            async def work(gridgram: Gridgram) -> Ready:
                return await prepare(gridgram, spec, restart=restart, overwrite=overwrite, tell=tell)

            if dask is not None:
                told = _on_cluster(dask, spec, (source, output), tell, restart=restart, overwrite=overwrite)
            else:
                ready = run(work, upstream_seconds=FETCH_SECONDS)
                told = convert(ready, workers=useful_workers(spec, workers, os.cpu_count() or 1), tell=tell)
        if plot is not None:
            draw(told, plot)
        if is_json:
            print_json(told)
        else:
            print_summary(told, str(quarantine or (output if is_folder else default_quarantine(Path(output)))))
        if told["rows_quarantined"]:
            raise typer.Exit(Exit.SOME_ROWS_FAILED)


def _on_cluster(  # what the cluster module does, with the house that reads the hours
    scheduler: str,
    spec: Spec,
    places: tuple[str, str],
    tell: Any,  # noqa: ANN401 - as `_progress` gives it
    *,
    restart: bool,
    overwrite: bool,
) -> BackfillSummary:
    from service.backfill.cluster import asked_of, convert_on_cluster  # noqa: PLC0415 - as above
    from service.backfill.hours import read_hours  # noqa: PLC0415

    def hours(plan: Any, progress: Any) -> Any:  # noqa: ANN401 - as the cluster wants it
        return run(lambda gridgram: read_hours(gridgram.intensity, plan, progress), upstream_seconds=FETCH_SECONDS)

    asked = asked_of(spec, *places)
    return convert_on_cluster(scheduler, asked, hours, tell, restart=restart, overwrite=overwrite)


def _spec(  # the command's flags, checked
    source: Path,
    output: Path,
    *,
    columns: str,
    signal: str,
    min_quality: str,
    pue: float,
    part_rows: int | None,
    **told: Any,  # noqa: ANN401
) -> Spec:
    from gridgram.quality import QUALITIES, Quality, Signal  # noqa: PLC0415 - as above
    from service.backfill.output import format_of  # noqa: PLC0415
    from service.backfill.spec import PART_ROWS, Spec  # noqa: PLC0415
    from service.limits import MAX_PUE  # noqa: PLC0415
    from service.usecases import utc_now  # noqa: PLC0415

    if not 1 <= pue <= MAX_PUE:
        raise InvalidInput([Fault("--pue", f"{pue:g} is not from 1 to {MAX_PUE:g}")])
    worst = [quality.value for quality in QUALITIES if quality is not Quality.GIVEN]
    if min_quality not in worst:
        raise InvalidInput([Fault("--min-quality", f"{min_quality[:40]!r} is none of {', '.join(worst)}")])
    return Spec(
        source,
        output,
        format_of(output),
        utc_now(),
        columns=_column_names(columns),
        pue=pue,
        signal=Signal(signal),
        min_quality=Quality(min_quality),
        part_rows=part_rows or PART_ROWS,
        **told,
    )


def _column_names(text: str) -> dict[str, str]:
    pairs = {pair: pair.partition("=")[::2] for pair in text.split(",") if pair}
    for pair, (ours, theirs) in pairs.items():
        if not (ours.strip() and theirs.strip()):
            raise InvalidInput([Fault("--columns", f"{pair[:40]!r} is no pair; write --columns location=site,energy_kwh=kwh")])
    return {ours.strip(): theirs.strip() for ours, theirs in pairs.values()}


def _watts(text: str) -> dict[str, float]:
    from service.backfill.device_watts import watts_of  # noqa: PLC0415 - as above

    try:
        return watts_of(text)
    except ValueError as error:
        raise InvalidInput([Fault("--power-from-tdp", str(error))]) from error


def _preview(spec: Spec, *, is_json: bool) -> None:
    from service.backfill.preview import preview  # noqa: PLC0415 - as above
    from service.backfill.run import planned  # noqa: PLC0415

    async def work(gridgram: Gridgram) -> PreviewAnswer:
        return await preview(gridgram.intensity, planned(gridgram, spec.with_format()))

    told = run(work)
    if is_json:
        print_json(told)
        return
    from rich.table import Table  # noqa: PLC0415

    from service.tables import terminal  # noqa: PLC0415

    console = terminal()
    console.print(f"{told['rows']:,} rows, {told['rows_unusable']:,} of them without numbers to come")
    console.print(
        f"{told['hours']:,} hours are needed; of {told['hours_untold']:,} no source has told, about {told['requests']:,} requests would ask"
    )
    table = Table("zone", "signal", "from", "to", "hours", "untold", "source", "requests", box=None, pad_edge=False, header_style="bold")
    for need in told["needs"]:
        counts = (f"{need['hours']:,}", f"{need['hours_untold']:,}", need["source"] or "(none is asked)", f"{need['requests']:,}")
        table.add_row(need["zone"], need["signal"], need["spans"][0][0], need["spans"][-1][1], *counts)
    console.print(table)


@contextmanager
def _progress() -> Iterator[Any]:
    """What tells how far a run is: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda *_facts: None
        return
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    texts = TextColumn("{task.description}"), TextColumn("{task.fields[facts]}")
    with Progress(texts[0], BarColumn(), TaskProgressColumn(), texts[1], TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def tell(doing: str, done: int, of: int, quarantined: int) -> None:
            if doing not in tasks:
                tasks[doing] = bar.add_task(doing, total=of or None, facts="")
            task = next(task for task in bar.tasks if task.id == tasks[doing])
            rate = f", {task.speed:,.0f}/s" if task.speed else ""
            unit = "hours of zones" if doing == "fetching" else "rows"
            facts = f"{done:,} {unit}{rate}" + (f", {quarantined:,} quarantined" if quarantined else "")
            bar.update(tasks[doing], completed=done, facts=facts, total=of or task.total)

        yield tell
