"""What every provider says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridgram.quality import Scope, Signal


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """A source as `/v1/providers` shows it: what it offers, on which terms, and what to know before relying on it.

    `offers` holds words of "history", "recent", "forecast" and "yearly"; `scope` has more than one entry where zones differ.
    """

    name: str
    title: str
    offers: tuple[str, ...]
    signals: tuple[Signal, ...]
    scope: tuple[Scope, ...]
    needs_key: bool
    licence: str
    attribution: str
    url: str
    detail: str
