"""Requests counted: plain numbers without locks, as one event loop alone writes them. Under a microsecond a request."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

BUCKETS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a histogram's buckets, included; the last bucket has none. [s]"""
UNMATCHED: Final = "none"
"""The operation of a request that no path or method matched."""


@dataclass(slots=True)
class Durations:
    """How often something took how long: one count a bucket, and the sum. [s]"""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_SECONDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self.seconds += seconds


@dataclass(slots=True)
class OperationCounts:
    """The requests of one operation, by status."""

    statuses: Counter[int] = field(default_factory=Counter)
    durations: Durations = field(default_factory=Durations)


@dataclass(slots=True)
class RequestCounts:
    """All requests of this process."""

    operations: dict[str, OperationCounts] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0

    def of(self, operation: str) -> OperationCounts:
        """The counts of one operation, by its name."""
        return self.operations.setdefault(operation, OperationCounts())
