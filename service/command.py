"""What the commands share: options, running a use case, and turning errors into one sentence and an exit code."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import sys
from contextlib import contextmanager, nullcontext
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import orjson
import typer

from gridgram.errors import Fault, GridgramError, InputError, InvalidInput, NoData, UnknownLocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from service.settings import Settings
    from service.usecases import Gridgram


class Exit(IntEnum):
    """What the exit code says."""

    SOME_ROWS_FAILED = 1
    WRONG_INPUT = 2
    NO_DATA = 3
    UNUSABLE = 4


class SignalChoice(StrEnum):
    """`--signal`."""

    LIFECYCLE = "lifecycle"
    DIRECT = "direct"
    MARGINAL = "marginal"


Json = Annotated[bool, typer.Option("--json", help="Print JSON, as the HTTP API answers.")]
LocationArgument = Annotated[str, typer.Argument(help="FR, US-CA, aws:eu-west-3, geo:48.85,2.35 ...")]
SignalOption = Annotated[SignalChoice, typer.Option(help="What the intensity counts.")]


def settings_of_command(**overrides: object) -> Settings:
    """The settings; what the command line says counts first. Raises SettingsError."""
    from service.settings import load_settings  # noqa: PLC0415 - pydantic is loaded once a command needs it

    return load_settings(**overrides)


def build(settings: Settings) -> Gridgram:
    """All parts of the house."""
    from service.app import build_gridgram  # noqa: PLC0415 - as above

    return build_gridgram(settings)


def run(work: Any, **overrides: object) -> Any:  # noqa: ANN401 - whatever the use case answers
    """Build the house, run a use case in a loop of its own, and let go of everything."""

    async def main() -> Any:  # noqa: ANN401 - as above
        settings = settings_of_command(**overrides)
        _log_for_people()
        gridgram = build(settings)
        try:
            return await work(gridgram)
        finally:
            await gridgram.intensity.close()

    return asyncio.run(main())


def read_request_file(file: Path) -> Any:  # noqa: ANN401 - JSON of any shape, checked by the use case
    """Read JSON from a file, or from standard input for `-`. Raises InvalidInput and UnreadableBody."""
    from service.body import BodyTooLarge, parse_json  # noqa: PLC0415
    from service.limits import MAX_BODY_BYTES  # noqa: PLC0415

    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as stream:
            body = stream.read(MAX_BODY_BYTES + 1)
    except (OSError, AttributeError) as error:  # standard input is None when it was closed
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        raise InvalidInput([Fault(str(file), f"this file cannot be read: {reason}")]) from error
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(f"{file} is longer than {MAX_BODY_BYTES} bytes; split it")
    return parse_json(body)


@contextmanager
def errors(*, is_json: bool) -> Iterator[None]:
    """Turn an error of the house into one sentence on standard error (or a problem document) and an exit code."""
    try:
        yield
    except GridgramError as error:
        if is_json:
            from service.problems import problem_of  # noqa: PLC0415 - only for machines

            # A name on the command line need not be UTF-8, which orjson refuses.
            typer.echo(json.dumps(problem_of(error), ensure_ascii=False).encode("utf-8", "replace"), err=True)
            raise typer.Exit(_exit_code(error)) from error
        if isinstance(error, InvalidInput):
            for fault in error.faults:
                typer.echo(f"gridgram: {fault.pointer}{': ' if fault.pointer else ''}{fault.detail}", err=True)
            raise typer.Exit(_exit_code(error)) from error
        fail(str(error), _exit_code(error))
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader has gone; typer ends without a word
            raise
        fail(f"input or output failed: {error}", Exit.UNUSABLE)


def _exit_code(error: GridgramError) -> Exit:
    if isinstance(error, NoData):
        return Exit.NO_DATA
    return Exit.WRONG_INPUT if isinstance(error, InputError | UnknownLocation) else Exit.UNUSABLE


def fail(text: str, code: Exit) -> NoReturn:
    """End with one sentence on standard error."""
    typer.echo(f"gridgram: {text}", err=True)
    raise typer.Exit(code)


def print_json(answer: Any) -> None:  # noqa: ANN401 - any answer
    """Print JSON, as the HTTP API answers."""
    typer.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))


def log_json_lines(settings: Settings) -> None:
    """Log as a service does: one JSON document a line."""
    from service.logs import log_json  # noqa: PLC0415 - structlog is loaded where it is used

    log_json(settings.log_level, settings.secrets)


def _log_for_people() -> None:
    """Let warnings, such as of a store that cannot be read, be one line each on standard error."""
    import structlog  # noqa: PLC0415 - as above

    structlog.configure(
        processors=[_warning_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _warning_line(_logger: object, _method: str, event: Mapping[str, Any]) -> str:
    facts = ", ".join(f"{name}: {fact}" for name, fact in event.items() if name != "event")
    return f"gridgram: warning {event['event']} ({facts})"
