"""`gridgram forecast` and `gridgram backtest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import check_range, hour_of, parse_time
from gridgram.quality import Signal
from service.command import Exit, Json, LocationArgument, SignalChoice, SignalOption, errors, fail, print_json, run

if TYPE_CHECKING:
    from datetime import datetime

    from service.usecases import Gridgram

HORIZON_HOURS = 96


def forecast(
    location: LocationArgument,
    hours: Annotated[int, typer.Option(help="How many hours ahead.")] = HORIZON_HOURS,
    as_of: Annotated[str | None, typer.Option(help="Forecast as it would have been made then: RFC 3339 with an offset.")] = None,
    signal: SignalOption = SignalChoice.LIFECYCLE,
    is_json: Json = False,
) -> None:
    """Print the hours ahead of a place, with p10-p90 bands; trains first where a year of hours is held."""
    with errors(is_json=is_json):
        from service.forecasting.issuing import forecast as issue  # noqa: PLC0415 - loaded where it is used, for a quick start
        from service.forecasting.requests import ForecastQuery  # noqa: PLC0415
        from service.requests import read_request  # noqa: PLC0415

        members = {"location": location, "hours": hours, "signal": signal.value} | ({"as_of": as_of} if as_of is not None else {})

        async def work(gridgram: Gridgram) -> Any:  # noqa: ANN401 - a JSON answer
            query = read_request(ForecastQuery, members, gridgram.now())
            if query.as_of is None:
                await gridgram.forecaster.train_if_old(gridgram.locator.resolve(location).zone.key, Signal(query.signal), gridgram.now())
            return (await issue(gridgram, query))[0]

        answer = run(work)
        if is_json:
            print_json(answer)
        else:
            from service.tables import print_series  # noqa: PLC0415

            print_series(answer)


def backtest(
    zones: Annotated[str, typer.Option(help="Zones, with commas between: FR,DE.")],
    start: Annotated[str, typer.Option("--from", help="The first origin: RFC 3339 with an offset.")],
    end: Annotated[str, typer.Option("--to", help="The end of the hours, excluded.")],
    horizon: Annotated[int, typer.Option(help="How many hours ahead.")] = HORIZON_HOURS,
    signal: SignalOption = SignalChoice.LIFECYCLE,
    is_json: Json = False,
) -> None:
    """Forecast every midnight (UTC) of a span from the hours held before it, and tell how good that was."""
    with errors(is_json=is_json):
        from service.forecasting.backtesting import back_test  # noqa: PLC0415 - as above

        names = [name.strip() for name in zones.split(",") if name.strip()]
        if not names:
            raise InvalidInput([Fault("--zones", "name at least one zone; write --zones FR,DE")])

        async def work(gridgram: Gridgram) -> Any:  # noqa: ANN401 - a JSON answer
            first_hour, end_hour = _hour("--from", start, gridgram.now()), _hour("--to", end, gridgram.now())
            return await back_test(gridgram, names, Signal(signal.value), first_hour, end_hour, horizon)

        answer = run(work)
        if is_json:
            print_json(answer)
        else:
            from service.forecasting.terminal import print_backtest  # noqa: PLC0415

            print_backtest(answer)
        if not answer["zones"]:
            fail("; ".join(skipped["reason"] for skipped in answer["skipped"]), Exit.NO_DATA)


def _hour(flag: str, text: str, now: datetime) -> int:
    """The hour that a flag names. Raises InvalidInput that names the flag."""
    try:
        return hour_of(check_range(parse_time(text), now))
    except ValueError as error:
        raise InvalidInput([Fault(flag, str(error))]) from None
