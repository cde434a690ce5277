"""How a source is doing: counts, a circuit breaker, a retry budget, and the pauses that it asked for.

Knows no clock: `now` is monotonic seconds. The public attributes of `Health` are what metrics are made of; they keep their names.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from providers.errors import KeyRefused, OverQuota, OverRate, RateLimited, Unreachable, kind_of

if TYPE_CHECKING:
    from datetime import datetime

    from gridgram.errors import UpstreamError

log = structlog.get_logger()

FAILURES_TO_OPEN: Final = 5
"""So many failures in a row, and the source is left alone."""
OPEN_SECONDS: Final = 30.0
"""Then one probe at a time is let through this often."""
KEY_PAUSE_SECONDS: Final = 900.0
"""A refused key is not shown again before a quarter of an hour has passed."""
RATE_PAUSE_SECONDS: Final = 60.0
"""For a 429 that does not say how long."""
LONGEST_PAUSE_SECONDS: Final = 3_600.0
MOST_RETRIES: Final = 4.0
"""What may be tried again in a row without one sound answer: more would load a source that is in trouble already."""
RETRIES_A_SUCCESS: Final = 0.2
"""What a sound answer adds to that: in the long run one call in five may be a retry."""


@dataclass(slots=True)
class Health:
    """What is known of one source since the process started.

    `calls` counts fetches that were let through, `retries` requests that were sent again, `refused` fetches that were not let through;
    `errors` is by kind (`providers.errors`), `last_seconds` what the last sound fetch took.
    """

    name: str
    calls: int = 0
    retries: int = 0
    refused: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    failures_in_a_row: int = 0
    last_success: datetime | None = None
    last_error: str = ""
    last_seconds: float = 0.0
    is_down: bool = False
    _open_until: float = float("-inf")
    _paused_until: float = float("-inf")
    _retries_left: float = MOST_RETRIES

    def is_admitted(self, now: float) -> bool:
        """Whether the source may be asked at this moment."""
        return now >= max(self._open_until, self._paused_until)

    def left_alone_seconds(self, now: float) -> float:
        """How long the source will not be asked from this moment on; 0 when it may be. [s]"""
        return max(0.0, self._open_until - now, self._paused_until - now)

    def admit(self, now: float) -> None:
        """Count a call, or raise Unreachable when the source is to be left alone; of a source that is down, one probe is let through."""
        if not self.is_admitted(now):
            seconds = max(self._open_until, self._paused_until) - now
            self.refused += 1
            raise Unreachable(f"{self.name} is left alone for {seconds:.0f} s: {self.last_error}")
        if self.failures_in_a_row >= FAILURES_TO_OPEN:
            self._open_until = now + OPEN_SECONDS
        self.calls += 1

    def succeeded(self, seconds: float, at: datetime) -> None:
        """Note a sound answer; a pause that the source asked for meanwhile stays."""
        self.failures_in_a_row = 0
        self._open_until = float("-inf")
        self._retries_left = min(MOST_RETRIES, self._retries_left + RETRIES_A_SUCCESS)
        self.last_success, self.last_seconds = at, seconds
        if self.is_down:
            self.is_down = False
            log.info("source.back", provider=self.name)

    def failed(self, error: UpstreamError, now: float) -> None:
        """Note a failure, and how long the source is left alone for it. Our own rate or quota running out is no failure of the source."""
        if isinstance(error, OverRate | OverQuota):
            return
        self.errors[kind_of(error)] += 1
        self.failures_in_a_row += 1
        self.last_error = str(error)
        if isinstance(error, RateLimited):
            self._pause(now, RATE_PAUSE_SECONDS if error.pause_seconds is None else error.pause_seconds)
        elif isinstance(error, KeyRefused):
            self._pause(now, KEY_PAUSE_SECONDS)
        elif self.failures_in_a_row >= FAILURES_TO_OPEN:
            self._open_until = now + OPEN_SECONDS
        if not self.is_down and not self.is_admitted(now):
            self.is_down = True
            log.warning("source.down", provider=self.name, kind=kind_of(error), detail=self.last_error)

    def may_retry(self) -> bool:
        """Whether the budget allows to send a request once more; if so, that is counted."""
        if self._retries_left < 1:
            return False
        self._retries_left -= 1
        self.retries += 1
        return True

    def paused_seconds(self, now: float) -> float:
        """For how long the source still wants to be left alone; 0 when it does not. What the breaker says is not counted. [s]"""
        return max(0.0, self._paused_until - now)

    def heed(self, now: float, seconds: float) -> None:
        """Leave the source alone for so long, because another process was told to. [s]"""
        self._pause(now, seconds)
        self.last_error = self.last_error or f"{self.name} told another process to wait."

    def _pause(self, now: float, seconds: float) -> None:
        self._paused_until = max(self._paused_until, now + min(seconds, LONGEST_PAUSE_SECONDS))
