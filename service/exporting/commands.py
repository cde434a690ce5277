"""`gridgram export configmap`: the hours ahead for what runs in Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.command import errors, run

if TYPE_CHECKING:
    from service.usecases import Gridgram

AHEAD_HOURS = 72
LEAST_HOURS = 25
"""The map always covers the present hour and the day after it."""

export = typer.Typer(help="Write what others read without asking the API.", no_args_is_help=True)


@export.callback()
def about_export() -> None:
    """Write what others read without asking the API."""


@export.command()
def configmap(
    zone: Annotated[str, typer.Option(help="Any location; the operator finds its hours under this name.")],
    hours: Annotated[int, typer.Option(min=LEAST_HOURS, max=336, help="How many hours ahead, the present one included.")] = AHEAD_HOURS,
    name: Annotated[str, typer.Option(help="Name of the ConfigMap.")] = "carbon-intensity",
    namespace: Annotated[str, typer.Option(help="Its namespace.")] = "kube-system",
) -> None:
    """Print the ConfigMap that the carbon-aware operator for KEDA reads: gridgram export configmap --zone FR | kubectl apply -f -"""
    with errors(is_json=False):
        import yaml  # noqa: PLC0415 - loaded where it is used, for a quick start

        from service.exporting.configmap import config_map  # noqa: PLC0415

        async def work(gridgram: Gridgram) -> dict[str, Any]:
            return await config_map(gridgram, zone, hours, name, namespace)

        typer.echo(yaml.safe_dump(run(work), sort_keys=False, width=1_000_000), nl=False)
