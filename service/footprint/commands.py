"""`gridgram footprint`: a model's life from a file, as a table, JSON, a report or the snippet for a model card."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridgram.errors import Fault, InvalidInput
from service.command import Json, errors, print_json, read_request_file, run

if TYPE_CHECKING:
    from service.footprint.answers import FootprintAnswer
    from service.footprint.plan import Plan
    from service.usecases import Gridgram


class FootprintFormat(StrEnum):
    """`--format`."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    CARD = "card"


def footprint(
    file: Annotated[Path, typer.Argument(help="A JSON request as for POST /v1/footprint; - reads standard input.")],
    output_format: Annotated[FootprintFormat | None, typer.Option("--format", help="What to write; default table.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file; a table is Markdown there.")] = None,
    codecarbon: Annotated[Path | None, typer.Option(help="CodeCarbon's emissions.csv, counted as deployment.")] = None,
    codecarbon_timezone: Annotated[
        str | None, typer.Option(help="Time zone of the machine that wrote it, like Europe/Paris: its times do not say.")
    ] = None,
    tells_all: Annotated[
        bool, typer.Option("--all", help="Print the arithmetic too, and what each phase equals, not the total alone.")
    ] = False,
    is_json: Json = False,
) -> None:
    """Turn a model's life into emissions: training, idle machines, hardware, deployment."""
    chosen = output_format or (FootprintFormat.JSON if is_json else FootprintFormat.TABLE)
    with errors(is_json=is_json):
        if is_json and chosen is not FootprintFormat.JSON:
            raise InvalidInput([Fault("--format", "--json asks for another format; leave one of the two out")])
        if tells_all and (chosen is not FootprintFormat.TABLE or output is not None):
            raise InvalidInput([Fault("--all", "it is of the table on the terminal; every other form tells all; leave it out")])
        from service.footprint.plan import read_footprint  # noqa: PLC0415 - pydantic is loaded once a command needs it
        from service.footprint.usecase import Footprints  # noqa: PLC0415

        members = _with_codecarbon(read_request_file(file), codecarbon, codecarbon_timezone)

        async def work(gridgram: Gridgram) -> tuple[Plan, FootprintAnswer]:
            plan = read_footprint(members, gridgram.now())
            return plan, await Footprints(gridgram).footprint(plan)

        plan, answer = run(work)
        if output is None and chosen is FootprintFormat.TABLE:
            from service.footprint.tables import print_footprint  # noqa: PLC0415 - rich is loaded only to print

            print_footprint(answer, tells_all=tells_all)
        else:
            _write(chosen, output, plan, answer)


def _with_codecarbon(members: Any, file: Path | None, timezone: str | None) -> Any:  # noqa: ANN401 - JSON of any shape
    """The request with what CodeCarbon measured as a further deployment."""
    if file is None:
        if timezone is not None:
            raise InvalidInput([Fault("--codecarbon-timezone", "there is no --codecarbon file that it could be of")])
        return members
    if timezone is None:
        raise InvalidInput(
            [Fault("--codecarbon-timezone", "CodeCarbon writes local times without an offset; say whose, like Europe/Paris")]
        )
    from service.footprint.codecarbon import deployments_of  # noqa: PLC0415

    entries = members.get("deployment", []) if isinstance(members, dict) else None
    if not isinstance(entries, list):
        return members  # the use case says what is wrong with it
    return {**members, "deployment": [*entries, *deployments_of(file, timezone)]}


def _write(chosen: FootprintFormat, output: Path | None, plan: Plan, answer: FootprintAnswer) -> None:
    if output is None and chosen is FootprintFormat.JSON:
        print_json(answer)
    elif output is None:
        typer.echo(_text(chosen, plan, answer), nl=False)
    else:
        output.write_text(_text(chosen, plan, answer), encoding="utf-8")


def _text(chosen: FootprintFormat, plan: Plan, answer: FootprintAnswer) -> str:
    from service.footprint import report  # noqa: PLC0415 - as above

    match chosen:
        case FootprintFormat.HTML:
            return report.html(answer)
        case FootprintFormat.CARD:
            return report.card(answer, plan.request)
        case FootprintFormat.JSON:
            import orjson  # noqa: PLC0415

            return orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
        case _:
            return report.markdown(answer)
