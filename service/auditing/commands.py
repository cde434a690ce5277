"""`gridgram audit`: whether the sources of a zone still label their hours as they did, and what they state of them themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from service.command import Exit, Json, errors, fail, print_json, run

if TYPE_CHECKING:
    from service.auditing.usecase import AuditAnswer
    from service.usecases import Gridgram


def audit(zone: Annotated[str, typer.Argument(help="The key of a zone.")], is_json: Json = False) -> None:
    """Tell when the solar days of each source centre, and whether its labels slipped; and what it states itself beside what we make of it.

    From what was fetched, without asking.
    """
    with errors(is_json=is_json):
        from service.auditing.usecase import audit as audit_zone  # noqa: PLC0415 - loaded once it is needed

        async def work(gridgram: Gridgram) -> AuditAnswer:
            return await audit_zone(gridgram, zone)

        answer = run(work)
        if is_json:
            print_json(answer)
        else:
            for source in answer["sources"]:
                before = f", {source['before_minutes']:+.0f} before" if "before_minutes" in source else ""
                days = f"{source['days']} days to {source['newest_day'][:10]}, {source['held_days']} of them held"
                told = f"{source['newest_minutes']:+.0f} minutes from solar noon{before}; {days}"
                typer.echo(f"{source['provider']}: {told}")
            for own in answer["own_numbers"]:
                means = f"{own['own_mean_g_per_kwh']:.1f} g/kWh over {own['hours']} h to {own['newest_day'][:10]}"
                ours = f"ours ({own['signal']}) is {own['our_mean_g_per_kwh']:.1f}"
                typer.echo(f"{own['provider']}: states {means} itself, {ours}; {own['basis']}")
        if not answer["sources"] and not answer["own_numbers"]:
            fail(f"no whole day with sun of {answer['zone']} was fetched yet; `gridgram fetch` fetches some", Exit.NO_DATA)
        found = [*answer["sources"], *answer["levels"], *answer["own_numbers"]]
        if findings := [f"{source['provider']}: {source['finding']}" for source in found if "finding" in source]:
            fail("; ".join(findings), Exit.SOME_ROWS_FAILED)
