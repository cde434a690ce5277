"""Commands about keys: `gridgram keys new NAME`."""

from __future__ import annotations

from typing import Annotated

import typer

from service.command import Json, errors, print_json

keys = typer.Typer(help="Make keys for who may ask the service.", no_args_is_help=True)


@keys.callback()
def about_keys() -> None:
    """Make keys for who may ask the service."""


@keys.command()
def new(
    name: Annotated[str, typer.Argument(help="Who the key is for; it stands in logs and metrics.")],
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="How many requests a minute it may send.")] = None,
    upstream_calls_per_day: Annotated[
        int | None, typer.Option(min=0, help="How many calls to sources its requests may cause a day.")
    ] = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="It may read /metrics.")] = False,
    is_json: Json = False,
) -> None:
    """Make a key: print it, this once, and the line that the service is to know."""
    from service.keys import new_key  # noqa: PLC0415 - loaded when a key is made

    with errors(is_json=is_json):
        text, key = new_key(
            name, requests_per_minute=requests_per_minute, upstream_calls_per_day=upstream_calls_per_day, may_read_metrics=metrics
        )
        if is_json:
            print_json({"key": text, "line": key.line})
            return
        typer.echo(text)
        typer.echo(key.line)
        typer.echo(
            "The first line is the key, shown this once: give it to who asks. The second goes into GRIDGRAM_API_KEYS_FILE.", err=True
        )
