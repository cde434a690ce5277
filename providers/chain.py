"""Which sources may answer a zone and a signal, or its mix, in which order, and why: pure.

Measured before modelled, keyless before keyed, finer before coarser, few requests before many; the operator's order comes before all
that. The first that may answer sets the scope: a source that counts something else is refused, never converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gridgram.quality import Told
    from providers.base import Provider


HOURLY = frozenset({"history", "recent", "forecast"})
"""A source that offers none of these tells of months and years, not of hours."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source that knows the zone and tells what is asked for; `refusal` says why it may not answer, and is empty when it may."""

    provider: Provider
    refusal: str

    @property
    def may_answer(self) -> bool:
        """Whether the source is asked."""
        return not self.refusal


def candidates(
    zone: str, told: Told, providers: Iterable[Provider], why_off: Callable[[Provider], str], order: Sequence[str] = ()
) -> list[Candidate]:
    """The sources of a zone's signal or mix in the order of asking. `why_off` tells why a source is not used, "" when it is.

    `order` names sources that the operator wants first.
    """

    def rank(provider: Provider) -> tuple[int, bool, bool, int, int, str]:
        info = provider.info
        wanted = order.index(info.name) if info.name in order else len(order)
        return wanted, provider.is_model, info.needs_key, provider.resolution_minutes, provider.requests_per_day, info.name

    knowing = (provider for provider in providers if zone in provider.zones and provider.tells(told))
    ranked = sorted((provider for provider in knowing if HOURLY & set(provider.info.offers)), key=rank)
    found: list[Candidate] = []
    for provider in ranked:
        refusal = why_off(provider)
        leader = next((candidate.provider for candidate in found if candidate.may_answer), None)
        if not refusal and leader is not None and leader.info.scope[0] is not provider.info.scope[0]:
            refusal = f"it counts {provider.info.scope[0]}, while {leader.info.name} counts {leader.info.scope[0]}"
        found.append(Candidate(provider, refusal))
    return found
