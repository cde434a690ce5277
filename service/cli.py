"""The command line: the same use cases as the HTTP API, with a table for people and JSON for machines.

Exit codes: 0 all went well; 1 some rows of a file had faults (the rest was kept); 2 the input is wrong or names no zone; 3 the hours
are not held at the quality asked for; 4 the store, the settings or the output cannot be used.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridgram.errors import Fault, InvalidInput
from service.auditing import commands as auditing_commands
from service.backfill import commands as backfill_commands
from service.command import (
    Exit,
    Json,
    LocationArgument,
    SignalChoice,
    SignalOption,
    build,
    errors,
    fail,
    log_json_lines,
    print_json,
    read_request_file,
    run,
    settings_of_command,
)
from service.exporting.commands import export
from service.footprint import commands as footprint_commands
from service.forecasting import commands as forecasting
from service.key_commands import keys
from service.mixes import commands as mix_commands
from service.provider_commands import providers
from service.runs import commands as run_commands
from service.scheduling import commands as scheduling

if TYPE_CHECKING:
    from service.answers import EmissionsAnswer, SeriesAnswer
    from service.settings import Settings
    from service.usecases import Gridgram
    from service.workers import Worker

FETCH_SECONDS = 300.0
"""How long `fetch` asks the sources; it is asked to fill the store, not to answer at once."""

app = typer.Typer(
    help="Carbon intensity of electricity by the hour, and the emissions of what used it.",
    epilog=(
        "Exit codes: 0 well; 1 some rows had faults, the rest was kept; 2 wrong input; 3 no hours at the quality asked for; "
        "4 store, settings or output unusable."
    ),
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

app.add_typer(keys, name="keys")
app.add_typer(export, name="export")
app.add_typer(providers, name="providers")


class ScopeChoice(StrEnum):
    """`--scope`."""

    PRODUCTION = "production"
    CONSUMPTION = "consumption"


class FormatChoice(StrEnum):
    """`--format`."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; default 8080, 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve; default 1.")] = None,
) -> None:
    """Start the service."""
    with errors(is_json=False):
        settings = settings_of_command(host=host, port=port, workers=workers)
        log_json_lines(settings)
        try:
            code = _serve_alone(settings) if settings.workers == 1 else _serve_with_workers(settings)
        except OSError as error:
            fail(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}", Exit.UNUSABLE)
    raise typer.Exit(code)


def _serve_alone(settings: Settings, worker: Worker | None = None) -> int:
    import uvloop  # noqa: PLC0415 - only this command needs it

    from service.metrics.sharing import Share  # noqa: PLC0415 - what serves is loaded only to serve
    from service.server import serve as serve_app  # noqa: PLC0415
    from service.web_app import build_app  # noqa: PLC0415

    share = Share(worker.metrics_folder) if worker and worker.metrics_folder else None

    async def main() -> None:
        await serve_app(build_app(build(settings), settings, share, worker.number if worker else 0), settings, worker)

    uvloop.run(main())
    return 0


def _serve_with_workers(settings: Settings) -> int:
    from service.welcome import tell_ready  # noqa: PLC0415 - as above
    from service.workers import Workers  # noqa: PLC0415

    def work(worker: Worker) -> int:
        try:
            with errors(is_json=False):
                return _serve_alone(settings, worker)
        except typer.Exit as ended:
            return ended.exit_code

    parent = Workers(settings.host, settings.port, settings.workers, work, lambda host, port: tell_ready(host, port, settings))
    return parent.run(settings.drain_notice_seconds)


@app.command()
def emissions(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A JSON request as for POST /v1/emissions; - reads standard input.")] = None,
    location: Annotated[str | None, typer.Option(help="Where the job ran: FR, US-CA, aws:eu-west-3 ...")] = None,
    start: Annotated[str | None, typer.Option(help="RFC 3339 with an offset, like 2024-03-11T00:00:00Z.")] = None,
    end: Annotated[str | None, typer.Option(help="End of the job, with --total-kwh.")] = None,
    total_kwh: Annotated[float | None, typer.Option(help="Energy from --start to --end, in kWh.")] = None,
    kwh: Annotated[str | None, typer.Option(help="Energy of each --step in kWh, with commas between: 1.2,0.8.")] = None,
    power_w: Annotated[str | None, typer.Option(help="Mean power of each --step in W, with commas between.")] = None,
    step: Annotated[str | None, typer.Option(help="Length of a step of --kwh or --power-w; default PT1H.")] = None,
    pue: Annotated[float, typer.Option(help="Facility energy / computer energy.")] = 1.0,
    signal: SignalOption = SignalChoice.LIFECYCLE,
    min_quality: Annotated[str, typer.Option(help="The worst quality of an hour that is accepted.")] = "annual",
    intensity_g_per_kwh: Annotated[float | None, typer.Option(help="A flat intensity in place of the grid, in gCO2e/kWh.")] = None,
    hours: Annotated[bool, typer.Option("--hours", help="Add the hours.")] = False,
    equivalents: Annotated[bool, typer.Option("--equivalents", help="Add equivalents.")] = False,
    is_json: Json = False,
) -> None:
    """Turn one job's energy into emissions. Needs no running service."""
    with errors(is_json=is_json):
        if file is not None:
            _refuse_flags_beside_file(context)
            members = read_request_file(file)
        else:
            energy = _energy(start=start, end=end, total_kwh=total_kwh, kwh=kwh, power_w=power_w, step=step)
            members = {"energy": energy, "pue": pue, "signal": signal.value, "min_quality": min_quality}
            members |= {"location": location} if location is not None else {}
            members |= {"intensity_g_per_kwh": intensity_g_per_kwh} if intensity_g_per_kwh is not None else {}
            members["include"] = [name for name, is_wanted in (("hours", hours), ("equivalents", equivalents)) if is_wanted]

        async def work(gridgram: Gridgram) -> EmissionsAnswer:
            return await gridgram.emissions(gridgram.read_job(members))

        answer = run(work)
        if is_json:
            print_json(answer)
        else:
            from service.tables import print_emissions  # noqa: PLC0415 - rich is loaded only to print

            print_emissions(answer)


app.command("audit")(auditing_commands.audit)
app.command("footprint")(footprint_commands.footprint)


@app.command()
def intensity(
    location: LocationArgument,
    start: Annotated[str, typer.Option(help="RFC 3339 with an offset.")],
    end: Annotated[str, typer.Option(help="End of the span, excluded.")],
    signal: SignalOption = SignalChoice.LIFECYCLE,
    output_format: Annotated[FormatChoice | None, typer.Option("--format", help="Write this format to standard output.")] = None,
    is_json: Json = False,
) -> None:
    """Print the hourly intensity of a place."""
    chosen = output_format or (FormatChoice.JSON if is_json else None)
    with errors(is_json=is_json):
        if is_json and chosen is not FormatChoice.JSON:
            raise InvalidInput([Fault("--format", "--json asks for another format; leave one of the two out")])
        from service.formats import write_series  # noqa: PLC0415
        from service.requests import SeriesQuery, read_request  # noqa: PLC0415

        members = {"location": location, "start": start, "end": end, "signal": signal.value}

        async def work(gridgram: Gridgram) -> tuple[SeriesAnswer, bytes]:
            answer, series = await gridgram.series(read_request(SeriesQuery, members, gridgram.now()))
            return answer, write_series(answer, series, chosen.value) if chosen else b""

        answer, written = run(work)
        if chosen:
            typer.echo(written, nl=chosen is FormatChoice.JSON)
        else:
            from service.tables import print_series  # noqa: PLC0415

            print_series(answer)


@app.command()
def zones(
    key: Annotated[str | None, typer.Argument(help="The key of one zone; without it all are listed.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also name the sources that are not asked, and why.")] = False,
    is_json: Json = False,
) -> None:
    """List the zones, or tell what one of them is answered from."""
    with errors(is_json=is_json):

        async def work(gridgram: Gridgram) -> Any:  # noqa: ANN401 - one answer or the other
            return gridgram.all_zones() if key is None else await gridgram.zone(key)

        answer = run(work)
        if is_json:
            print_json(answer)
        else:
            from service.tables import print_zone, print_zones  # noqa: PLC0415

            print_zones(answer) if key is None else print_zone(answer, explain=explain)


@app.command()
def locate(location: LocationArgument, is_json: Json = False) -> None:
    """Tell which zone answers for a location."""
    with errors(is_json=is_json):
        from service.requests import LocationQuery, read_request  # noqa: PLC0415

        async def work(gridgram: Gridgram) -> Any:  # noqa: ANN401 - a JSON answer
            return await gridgram.locate(read_request(LocationQuery, {"location": location}, gridgram.now()))

        answer = run(work)
        if is_json:
            print_json(answer)
        else:
            from service.tables import print_place  # noqa: PLC0415

            print_place(answer)


@app.command("import")
def import_hours(
    file: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet with zone, start, g_per_kwh; or Electricity Maps' portal CSV.")],
    strict: Annotated[bool, typer.Option("--strict", help="Write nothing when a single row is wrong.")] = False,
    columns: Annotated[str, typer.Option(help="The file's names for our columns: g_per_kwh=g,start=utc,signal=kind.")] = "",
    assume_utc: Annotated[bool, typer.Option("--assume-utc", help="Read times without an offset as UTC.")] = False,
    scope: Annotated[ScopeChoice | None, typer.Option(help="What the numbers count, for rows that do not say.")] = None,
    is_json: Json = False,
) -> None:
    """Put a user's own hours into the store, where they outrank all other sources."""
    from service.importing.run import import_file  # noqa: PLC0415

    with errors(is_json=is_json):
        names = _column_names(columns)

        async def work(gridgram: Gridgram) -> Any:  # noqa: ANN401 - an ImportReport
            return await import_file(
                file,
                gridgram.intensity.store,
                now=gridgram.now(),
                resolve=gridgram.zone_of_hours,
                columns=names,
                assume_utc=assume_utc,
                scope=Scope(scope.value) if scope else None,
                strict=strict,
            )

        from gridgram.quality import Scope  # noqa: PLC0415

        report = run(work)
        from service.tables import import_report, print_import  # noqa: PLC0415

        if is_json:
            print_json(import_report(report))
        else:
            print_import(report)
    if report.fault_count:
        raise typer.Exit(Exit.SOME_ROWS_FAILED if report.is_written else Exit.WRONG_INPUT)


@app.command()
def fetch(
    zone: Annotated[str, typer.Argument(help="The key of a zone.")],
    start: Annotated[str, typer.Option(help="RFC 3339 with an offset.")],
    end: Annotated[str, typer.Option(help="End of the span, excluded; at most 366 days after the start.")],
    signal: SignalOption = SignalChoice.LIFECYCLE,
    is_json: Json = False,
) -> None:
    """Fill the store ahead: ask the sources for a span, and tell what is held of it then."""
    with errors(is_json=is_json):
        from service.requests import SeriesQuery, read_request  # noqa: PLC0415

        members = {"location": zone, "start": start, "end": end, "signal": signal.value}

        async def work(gridgram: Gridgram) -> SeriesAnswer:
            return (await gridgram.series(read_request(SeriesQuery, members, gridgram.now())))[0]

        answer = run(work, upstream_seconds=FETCH_SECONDS)
        if is_json:
            print_json({name: answer[name] for name in ("zone", "signal", "start", "end", "missing", "provenance")})
        else:
            from service.tables import print_provenance  # noqa: PLC0415

            print_provenance(answer)
        untold = sum(source["hours"] for source in answer["provenance"] if source["quality"] in {"typical", "annual"})
        if untold or answer["missing"]:
            fail(f"no source told of {untold or 'some'} of the hours; `gridgram providers check NAME` asks one source", Exit.NO_DATA)


app.command("when")(scheduling.when)
app.command("wait")(scheduling.wait)
app.command("rank")(scheduling.rank)
app.command("backfill")(backfill_commands.backfill)
app.command("mix")(mix_commands.mix)
app.command("forecast")(forecasting.forecast)
app.command("backtest")(forecasting.backtest)
app.command("runs")(run_commands.runs)


@app.command()
def openapi() -> None:
    """Print the HTTP contract."""
    from service.openapi import openapi_yaml  # noqa: PLC0415 - only this command needs it

    with errors(is_json=False):
        typer.echo(openapi_yaml(), nl=False)


def _refuse_flags_beside_file(context: typer.Context) -> None:
    """Raise InvalidInput for a flag that the file would silently overrule."""
    sources = {name: context.get_parameter_source(name) for name in context.params if name not in {"file", "is_json"}}
    flags = [f"--{name.replace('_', '-')}" for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if flags:
        raise InvalidInput([Fault(flag, "the file holds the whole request; write it there, or leave the file out") for flag in flags])


def _energy(
    *, start: str | None, end: str | None, total_kwh: float | None, kwh: str | None, power_w: str | None, step: str | None
) -> dict[str, Any]:
    """Gather the flags into one of the forms of `energy`. Raises InvalidInput when they are none or several of them."""
    forms = {"--total-kwh": total_kwh, "--kwh": kwh, "--power-w": power_w}
    given = [flag for flag, text in forms.items() if text is not None]
    if len(given) != 1 or start is None:
        raise InvalidInput([Fault("", "give --start and one of --total-kwh (with --end), --kwh or --power-w; or a JSON file")])
    if total_kwh is not None:
        if step is not None:
            raise InvalidInput([Fault("--step", "--total-kwh is spread evenly; leave --step out")])
        return {"start": start, "total_kwh": total_kwh} | ({"end": end} if end is not None else {})
    if end is not None:
        raise InvalidInput([Fault("--end", f"the end of {given[0]} follows from --step; leave --end out")])
    name = "kwh" if kwh is not None else "power_w"
    return {"start": start, "step": step or "PT1H", name: _numbers(given[0], kwh or power_w or "")}


def _numbers(flag: str, text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise InvalidInput([Fault(flag, f"{text[:40]!r} is not a list of numbers; write it like 1.2,0.8")]) from None


def _column_names(text: str) -> dict[str, str]:
    pairs = {pair: pair.partition("=")[::2] for pair in text.split(",") if pair}
    for pair, (ours, theirs) in pairs.items():
        if not (ours.strip() and theirs.strip()):
            raise InvalidInput([Fault("--columns", f"{pair[:40]!r} is no pair; write --columns g_per_kwh=g,start=utc")])
    return {ours.strip(): theirs.strip() for ours, theirs in pairs.values()}
