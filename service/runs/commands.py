"""`gridgram runs`: what is kept of runs, on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.command import Exit, Json, errors, fail, print_json, run, settings_of_command

if TYPE_CHECKING:
    from service.usecases import Gridgram


def runs(
    name: Annotated[str | None, typer.Argument(metavar="[ID]", help="The id of a run; all runs without it.")] = None,
    limit: Annotated[int, typer.Option(help="How many runs, newest first.")] = 20,
    step: Annotated[str, typer.Option(help="Steps of one run over time: PT1H or P1D.")] = "P1D",
    key: Annotated[str, typer.Option(help="The name of the key whose runs they are, where the service has keys.")] = "",
    is_json: Json = False,
) -> None:
    """List the runs that trackers told of, or tell one over time. Reads the records where the service keeps them."""
    with errors(is_json=is_json):
        from service.runs.records import UnknownRun  # noqa: PLC0415 - loaded where it is used, for a quick start

        try:
            answer = _answer(name, limit, step, key)
        except UnknownRun as error:
            fail(str(error), Exit.NO_DATA)
        if is_json:
            print_json(answer)
            return
        from service.runs.terminal import print_run, print_runs  # noqa: PLC0415

        if name is None:
            print_runs(answer)
        else:
            print_run(answer)


def _answer(name: str | None, limit: int, step: str, key: str) -> Any:  # noqa: ANN401 - a JSON answer
    from service.app import build_records  # noqa: PLC0415 - as above
    from service.requests import read_request  # noqa: PLC0415
    from service.runs.requests import RunQuery, RunsQuery  # noqa: PLC0415
    from service.runs.usecase import Runs  # noqa: PLC0415

    async def work(gridgram: Gridgram) -> Any:  # noqa: ANN401 - as above
        kept = Runs(gridgram, build_records(settings_of_command()))
        try:
            if name is None:
                return await kept.page(read_request(RunsQuery, {"limit": limit}, gridgram.now()), key)
            query = read_request(RunQuery, {"step": step}, gridgram.now())
            return await kept.run(name, key, query.step)
        finally:
            await kept.close()

    return run(work)
