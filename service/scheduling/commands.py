"""The commands that place jobs: `when` tells the best start, `wait` sleeps until it, `rank` compares regions."""

from __future__ import annotations

import re
import time
from datetime import datetime  # noqa: TC003 - typer reads the annotations at run time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridgram.errors import Fault, InvalidInput
from service.command import Exit, Json, LocationArgument, SignalChoice, SignalOption, errors, fail, print_json, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.scheduling.usecase import Schedule
    from service.usecases import Gridgram

LOOK_SECONDS = 30.0
"""How often the clock is looked at while waiting: a machine that slept, or whose clock was set, is late by no more than this."""

_SHORT_LENGTH = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?", re.ASCII | re.IGNORECASE)


class WhenFormat(StrEnum):
    """`--format` of `when`."""

    TABLE = "table"
    JSON = "json"
    SBATCH = "sbatch"
    AT = "at"
    CRON = "cron"


class RankedBy(StrEnum):
    """`--by`."""

    NOW = "now"
    NEXT_24_HOURS = "next_24_hours"
    LAST_12_MONTHS = "last_12_months"


Locations = Annotated[list[str], typer.Argument(help="Where the job may run: FR, US-CA, aws:eu-west-3, geo:48.85,2.35 ...")]
Length = Annotated[str | None, typer.Option("--duration", help="How long the job runs: 8h, 1d12h, 90m or PT8H.")]
TotalKwh = Annotated[float, typer.Option(help="Energy of the whole job in kWh; 1 when it is not known, the best start is the same.")]
Kwh = Annotated[str | None, typer.Option(help="Energy of each --kwh-step in kWh, with commas between, in place of --duration.")]
KwhStep = Annotated[str, typer.Option(help="Length of a step of --kwh.")]
Within = Annotated[str | None, typer.Option(help="How long after the earliest start it must be done: 48h, 7d.")]
Latest = Annotated[str | None, typer.Option(help="When it must be done, in place of --within: RFC 3339 with an offset.")]
Pue = Annotated[list[str] | None, typer.Option(help="Facility energy / computer energy: 1.2 for all, or FR=1.1, once a location.")]
StartupKwh = Annotated[list[str] | None, typer.Option(help="kWh that the computers use at the start, as --pue.")]
TransferKwh = Annotated[list[str] | None, typer.Option(help="kWh that networks use to bring the job there, as --pue.")]
Step = Annotated[str, typer.Option(help="From one possible start to the next, five minutes at least.")]
MinQuality = Annotated[str, typer.Option(help="The worst quality of an hour that is accepted.")]


def when(
    locations: Locations,
    duration: Length = None,
    total_kwh: TotalKwh = 1.0,
    kwh: Kwh = None,
    kwh_step: KwhStep = "1h",
    earliest: Annotated[str | None, typer.Option(help="When it may start; the next full step without it.")] = None,
    latest: Latest = None,
    within: Within = None,
    interruptible: Annotated[bool, typer.Option("--interruptible", help="The job may be paused.")] = False,
    min_chunk: Annotated[str | None, typer.Option(help="The shortest run between pauses.")] = None,
    resume_kwh: Annotated[float, typer.Option(help="kWh that the computers use at each start after a pause.")] = 0.0,
    pue: Pue = None,
    startup_kwh: StartupKwh = None,
    transfer_kwh: TransferKwh = None,
    step: Step = "5m",
    signal: SignalOption = SignalChoice.LIFECYCLE,
    min_quality: MinQuality = "annual",
    top: Annotated[int, typer.Option(help="How many options are told.")] = 5,
    as_of: Annotated[str | None, typer.Option(help="Use nothing that was not known then.")] = None,
    output: Annotated[
        WhenFormat, typer.Option("--format", help="For people, for machines, or one start for a batch system.")
    ] = WhenFormat.TABLE,
    timezone: Annotated[
        str | None, typer.Option(help="Time zone of the batch system, like Europe/Paris; this machine's without it.")
    ] = None,
    is_json: Json = False,
) -> None:
    """Tell where and when a job emits least."""
    with errors(is_json=is_json):
        members = _members(locations, duration, total_kwh, kwh, kwh_step, step, signal, min_quality)
        members |= {name: table for name, table in _tables(locations, pue, startup_kwh, transfer_kwh).items() if table}
        members |= {"interruptible": interruptible, "top": top}
        members |= {"min_chunk": read_length("--min-chunk", min_chunk)} if min_chunk is not None else {}
        members |= {"resume_kwh": resume_kwh} if resume_kwh else {}
        members |= {name: text for name, text in (("earliest", earliest), ("as_of", as_of)) if text is not None}
        batch = output if output in {WhenFormat.SBATCH, WhenFormat.AT, WhenFormat.CRON} else None
        if batch and (interruptible or len(locations) > 1):
            raise InvalidInput([Fault("--format", f"{batch} takes one start in one place: give one location, without --interruptible")])
        made, now = run(_work(members, latest, within or "48h"))
        if batch:
            _print_start(made, batch, timezone, now)
        elif is_json or output is WhenFormat.JSON:
            print_json(made.answer)
        else:
            from service.scheduling.terminal import print_schedule  # noqa: PLC0415

            print_schedule(made)
    if not made.answer["options"]:
        raise typer.Exit(Exit.NO_DATA)


def wait(
    location: LocationArgument,
    duration: Length = None,
    total_kwh: TotalKwh = 1.0,
    kwh: Kwh = None,
    kwh_step: KwhStep = "1h",
    latest: Latest = None,
    within: Within = None,
    step: Step = "5m",
    signal: SignalOption = SignalChoice.LIFECYCLE,
    min_quality: MinQuality = "annual",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the start and do not wait.")] = False,
) -> None:
    """Sleep until the start at which a job emits least: gridgram wait FR --duration 8h && ./train.sh."""
    with errors(is_json=False):
        members = _members([location], duration, total_kwh, kwh, kwh_step, step, signal, min_quality)
        start, text = run(_best_start(members, latest, within or "24h"))
    if dry_run:
        typer.echo(f"{start.isoformat().replace('+00:00', 'Z')} {text}")
        return
    typer.echo(f"gridgram: {text}", err=True)
    from service.usecases import utc_now  # noqa: PLC0415

    sleep_until(start, utc_now, time.sleep)


def rank(
    locations: Locations,
    signal: SignalOption = SignalChoice.LIFECYCLE,
    by: Annotated[RankedBy, typer.Option(help="Which of the means to sort by.")] = RankedBy.NEXT_24_HOURS,
    is_json: Json = False,
) -> None:
    """Rank locations by their intensity: now, in the next 24 hours, over the last 12 months."""
    with errors(is_json=is_json):

        async def work(gridgram: Gridgram) -> Any:  # noqa: ANN401 - a JSON answer
            from service.requests import read_request  # noqa: PLC0415
            from service.scheduling.ranking import rank as rank_regions  # noqa: PLC0415
            from service.scheduling.requests import RankQuery  # noqa: PLC0415

            members = {"locations": ",".join(locations), "signal": signal.value, "by": by.value}
            return await rank_regions(gridgram, read_request(RankQuery, members, gridgram.now()))

        answer = run(work)
        if is_json:
            print_json(answer)
        else:
            from service.scheduling.terminal import print_rank  # noqa: PLC0415

            print_rank(answer)
    if not answer["regions"]:
        raise typer.Exit(Exit.NO_DATA)


def read_length(flag: str, text: str) -> str:
    """A length of time as ISO 8601: 8h, 1d12h and 90m are read as PT8H, P1DT12H and PT90M. Raises InvalidInput."""
    if text[:1] in {"P", "p"}:
        return text.upper()
    match = _SHORT_LENGTH.fullmatch(text)
    if match is None or not any(match.groups()):
        raise InvalidInput([Fault(flag, f"{text[:40]!r} is no length of time; write it like 8h, 1d12h, 90m or PT8H")])
    days, hours, minutes = match.groups()
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number)
    return f"P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"


def sleep_until(start: datetime, now: Callable[[], datetime], sleep: Callable[[float], object]) -> None:
    """Sleep until the clock says so, looking at it again and again."""
    while (left := (start - now()).total_seconds()) > 0:
        sleep(min(left, LOOK_SECONDS))


def _members(
    locations: Sequence[str],
    duration: str | None,
    total_kwh: float,
    kwh: str | None,
    kwh_step: str,
    step: str,
    signal: SignalChoice,
    min_quality: str,
) -> dict[str, Any]:
    if (duration is None) == (kwh is None):
        raise InvalidInput([Fault("--duration", "give how long the job runs, or --kwh with the energy of each step; not both")])
    energy: dict[str, Any]
    if duration is not None:
        energy = {"duration": read_length("--duration", duration), "total_kwh": total_kwh}
    else:
        energy = {"step": read_length("--kwh-step", kwh_step), "kwh": [_number("--kwh", number) for number in (kwh or "").split(",")]}
    members = {"locations": list(locations), "energy": energy, "step": read_length("--step", step)}
    return members | {"signal": signal.value, "min_quality": min_quality}


def _tables(
    locations: Sequence[str], pue: list[str] | None, startup_kwh: list[str] | None, transfer_kwh: list[str] | None
) -> dict[str, dict[str, float]]:
    given = {"pue": pue, "startup_kwh": startup_kwh, "transfer_kwh": transfer_kwh}
    return {name: _by_location(f"--{name.replace('_', '-')}", texts or [], locations) for name, texts in given.items()}


def _by_location(flag: str, texts: Sequence[str], locations: Sequence[str]) -> dict[str, float]:
    """Numbers by location; one without a location counts for all that have none of their own."""
    pairs = [text.rpartition("=") for text in texts]
    for_all = {place: _number(flag, number) for name, _, number in pairs if not name for place in locations}
    return for_all | {name: _number(flag, number) for name, _, number in pairs if name}


def _number(flag: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput([Fault(flag, f"{text[:40]!r} is no number")]) from None


def _work(members: dict[str, Any], latest: str | None, within: str) -> Callable[[Gridgram], Any]:
    """The use case behind `when`: its schedule, and the instant at which it was made."""
    if latest is None:
        length = read_length("--within", within)

    async def work(gridgram: Gridgram) -> tuple[Schedule, datetime]:
        from service.scheduling.usecase import read_task, schedule  # noqa: PLC0415

        complete = members | {"latest": latest if latest is not None else _end(members, length, gridgram.now())}
        return await schedule(gridgram, read_task(gridgram, complete)), gridgram.now()

    return work


def _end(members: dict[str, Any], length: str, now: datetime) -> str:
    """The latest end: so long after the earliest start. Raises InvalidInput."""
    from gridgram.interval import format_time, from_microseconds, parse_duration, parse_time, to_microseconds  # noqa: PLC0415

    try:
        within, grid = parse_duration(length), _grid(members["step"])
    except ValueError as error:
        raise InvalidInput([Fault("--within or --step", str(error))]) from None
    try:
        earliest = to_microseconds(parse_time(members["earliest"])) if "earliest" in members else -(-to_microseconds(now) // grid) * grid
    except ValueError as error:
        raise InvalidInput([Fault("/earliest", str(error))]) from None
    return format_time(from_microseconds(earliest + within))


def _step_before(step: str, now: datetime) -> str:
    """The last whole step before now, or full hour when steps are longer; a start there is a start now. Raises InvalidInput."""
    from gridgram.interval import format_time, from_microseconds, to_microseconds  # noqa: PLC0415

    try:
        grid = _grid(step)
    except ValueError as error:
        raise InvalidInput([Fault("--step", str(error))]) from None
    return format_time(from_microseconds(to_microseconds(now) // grid * grid))


def _grid(step: str) -> int:
    """How far apart the instants lie on which starts fall that nobody named: a step, an hour at most. Raises ValueError. [microseconds]"""
    from gridgram.interval import MICROSECONDS_PER_HOUR, parse_duration  # noqa: PLC0415

    return min(parse_duration(step), MICROSECONDS_PER_HOUR)


def _best_start(members: dict[str, Any], latest: str | None, within: str) -> Callable[[Gridgram], Any]:
    """The use case behind `wait`: the instant to start at, and a sentence why. Missing hours and a late deadline mean now."""

    async def work(gridgram: Gridgram) -> tuple[datetime, str]:
        from gridgram.interval import parse_time  # noqa: PLC0415

        now = gridgram.now()
        complete = members | {"earliest": _step_before(members["step"], now)}
        try:
            made, _ = await _work(complete, latest, within)(gridgram)
        except InvalidInput as error:
            if [fault.pointer for fault in error.faults] == ["/latest"]:
                return now, f"no room to wait: {error.faults[0].detail}; start now"
            raise
        options = made.answer["options"]
        if not options:
            return now, f"{made.answer['unavailable'][0]['reason']}; start now"
        best = options[0]
        start = parse_time(best["start"])
        if start <= now:
            return now, "no later start emits less; start now"
        share = f"{best['savings_percent']:.1f} % less than now" if "savings_percent" in best else "less than now"
        return start, f"start at {best['start']}: {share} ({best['quality']} hours)"

    return work


def _print_start(made: Schedule, batch: WhenFormat, timezone: str | None, now: datetime) -> None:
    from gridgram.interval import parse_time  # noqa: PLC0415
    from service.scheduling.clocks import WRITERS, read_timezone  # noqa: PLC0415

    if not made.answer["options"]:
        fail(made.answer["unavailable"][0]["reason"], Exit.NO_DATA)
    typer.echo(WRITERS[batch.value](parse_time(made.answer["options"][0]["start"]), read_timezone(timezone), now))
