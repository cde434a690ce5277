"""On whose behalf a source is called: so that what one caller costs can be counted and bounded.

The one who takes a request in says it once, in `SPENDER`; tasks that the request starts inherit it, and the engine tells it of every call.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Spender(Protocol):
    """Somebody who may cause so many calls to sources."""

    async def spend(self, provider: str) -> None:
        """Count one call that is about to be made. Raises OverQuota when none is left."""
        ...

    @property
    def calls_left(self) -> float:
        """How many calls may still be made."""
        ...


SPENDER: ContextVar[Spender | None] = ContextVar("spender", default=None)
"""Who causes the calls that are made from here on; None where nobody counts them."""


def is_spent() -> bool:
    """Whether whoever causes the calls has none left."""
    spender = SPENDER.get()
    return spender is not None and spender.calls_left < 1


async def spend(provider: str) -> None:
    """Count one call to a source with whoever causes it. Raises OverQuota when none is left to them."""
    spender = SPENDER.get()
    if spender is not None:
        await spender.spend(provider)
