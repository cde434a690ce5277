"""Commands about sources: `gridgram providers` lists them, `gridgram providers check` asks one of them, or all, for real."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridgram.errors import UpstreamError
from service.command import Exit, Json, errors, fail, print_json, run

if TYPE_CHECKING:
    from service.answers import CheckAnswer
    from service.usecases import Gridgram

providers = typer.Typer(help="List the sources of hours, or ask one.", invoke_without_command=True)


@providers.callback()
def list_providers(context: typer.Context, is_json: Json = False) -> None:
    """List the sources of hours: what they offer, whether they are asked, and why not."""
    if context.invoked_subcommand is not None:
        return
    with errors(is_json=is_json):

        async def work(gridgram: Gridgram) -> Any:  # noqa: ANN401 - a JSON answer
            return await gridgram.providers()

        answer = run(work)
        if is_json:
            print_json(answer)
        else:
            from service.tables import print_providers  # noqa: PLC0415 - rich is loaded only to print

            print_providers(answer)


@providers.command()
def check(
    name: Annotated[str | None, typer.Argument(help="A source, as `gridgram providers` lists it; without it all that are on.")] = None,
    zone: Annotated[str | None, typer.Option(help="The zone to ask for; the source's first without it.")] = None,
    is_json: Json = False,
) -> None:
    """Ask a source for its newest whole day, and tell what came and how it was read."""
    with errors(is_json=is_json):
        from service.auditing.checking import check_source  # noqa: PLC0415 - loaded once it is needed

        async def one(gridgram: Gridgram) -> CheckAnswer:
            return await check_source(gridgram, name or "", zone)

        if name is None and zone is None:
            _check_all(is_json=is_json)
            return
        answer = run(one)
        if is_json:
            print_json(answer)
        else:
            from service.tables import print_check  # noqa: PLC0415

            print_check(answer)


def _check_all(*, is_json: bool) -> None:
    """Check every source that is on, and fail when one did not answer."""
    from service.auditing.checking import check_source  # noqa: PLC0415

    async def checked(gridgram: Gridgram, name: str) -> CheckAnswer | UpstreamError:
        try:
            return await check_source(gridgram, name, None)
        except UpstreamError as error:
            return error

    async def work(gridgram: Gridgram) -> dict[str, CheckAnswer | UpstreamError]:
        on = [source["name"] for source in (await gridgram.providers())["providers"] if source["health"] != "off"]
        names = [name for name in on if gridgram.intensity.fetcher and name in gridgram.intensity.fetcher.providers]
        return dict(zip(names, await asyncio.gather(*(checked(gridgram, name) for name in names)), strict=True))

    answers = run(work)
    if not answers:
        fail("no source is on; `gridgram providers` says why", Exit.NO_DATA)
    came = [answer for answer in answers.values() if not isinstance(answer, UpstreamError)]
    failed = [{"provider": name, "detail": str(answer)} for name, answer in answers.items() if isinstance(answer, UpstreamError)]
    if is_json:
        print_json({"checks": came, "failed": failed})
    else:
        from service.tables import print_check  # noqa: PLC0415

        for answer in came:
            print_check(answer)
    if failed:
        fail("; ".join(f"{source['provider']}: {source['detail']}" for source in failed), Exit.SOME_ROWS_FAILED)
