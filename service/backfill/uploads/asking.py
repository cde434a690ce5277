"""Calls to sources that a converting process makes, counted where the key's allowance is: in the process that serves.

Both sides speak over pipes, a line each: the child says `spend PROVIDER` or `left`, and is told how many calls are left, before the call
("refused" for none). The pipe is also the child's life line: it ends when its parent is gone.
"""

from __future__ import annotations

import math
import os
import queue
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from providers.errors import OverQuota

if TYPE_CHECKING:
    from service.quota import Allowance

REFUSED = "refused"
FREE, METERED, NEVER = "free", "metered", "never"
"""How calls are counted: not, by the key's allowance, or by one that allows none on any day."""


class Asking:
    """The child's side, a `providers.spending.Spender`. `refused`: a call was not made since none was left."""

    def __init__(self) -> None:
        self.refused = False
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def listen(self) -> None:
        """Take in what the parent says, in a thread of its own; end the process when the parent is gone."""
        for line in sys.stdin:
            self._answers.put(line.strip())
        os._exit(0)

    async def spend(self, provider: str) -> None:
        """Count one call that is about to be made. Raises OverQuota when none is left."""
        if self._ask(f"spend {provider}") == REFUSED:
            self.refused = True
            raise OverQuota(f"{provider} is not asked: the key has caused as many calls as it may today.")

    @property
    def calls_left(self) -> float:
        """How many calls may still be made. None means that work goes on without: it is remembered as refused."""
        left = float(self._ask("left"))
        self.refused = self.refused or left < 1
        return left

    def _ask(self, question: str) -> str:
        with self._lock:
            sys.stdout.write(f"{question}\n")
            sys.stdout.flush()
            return self._answers.get()


async def answer(question: str, allowance: Allowance) -> str:
    """The parent's side: what a line of the child is answered."""
    what, _, provider = question.strip().partition(" ")
    if what == "spend":
        with suppress(OverQuota):
            await allowance.spend(provider)
            return "spent"
        return REFUSED
    left = allowance.calls_left
    return "inf" if math.isinf(left) else str(left)
