"""`gridgram mix`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridgram.interval import format_hour, from_microseconds, hour_of
from service.command import Json, LocationArgument, errors, print_json, run

if TYPE_CHECKING:
    from service.usecases import Gridgram

DEFAULT_SPAN = timedelta(hours=24)


def mix(
    location: LocationArgument,
    start: Annotated[str | None, typer.Option(help="Start: RFC 3339 with an offset. Without it, a day before the end.")] = None,
    end: Annotated[str | None, typer.Option(help="End, excluded. Without it, the present hour.")] = None,
    is_json: Json = False,
) -> None:
    """Print the hourly generation by fuel of a place, as its sources told it."""
    with errors(is_json=is_json):
        from service.mixes.requests import MixQuery  # noqa: PLC0415 - loaded where it is used, for a quick start
        from service.mixes.usecase import mix_of_span  # noqa: PLC0415
        from service.requests import read_request  # noqa: PLC0415

        async def work(gridgram: Gridgram) -> Any:  # noqa: ANN401 - a JSON answer
            until = end or format_hour(hour_of(gridgram.now()))
            members = {"location": location, "start": start or until, "end": until}
            if start is None:
                query = read_request(MixQuery, members, gridgram.now())
                members["start"] = format_hour(hour_of(from_microseconds(query.end) - DEFAULT_SPAN))
            return await mix_of_span(gridgram, read_request(MixQuery, members, gridgram.now()))

        answer = run(work)
        if is_json:
            print_json(answer)
        else:
            from service.mixes.terminal import print_mix  # noqa: PLC0415

            print_mix(answer)
