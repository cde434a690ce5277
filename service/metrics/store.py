"""A store whose every call is timed and whose failures are counted."""

from __future__ import annotations

import inspect
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from gridgram.errors import StoreError
from service.metrics.counts import Durations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cache.contract import SeriesStore


class MeasuredStore:
    """Does what the store does, method by method, and keeps `durations` and `errors` by method."""

    def __init__(self, store: SeriesStore) -> None:
        self._store = store
        self.durations: dict[str, Durations] = {}
        self.errors: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        attribute = getattr(self._store, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute
        measured = self._measured(name)
        setattr(self, name, measured)  # found without this function from now on
        return measured

    def _measured(self, name: str) -> Callable[..., Awaitable[Any]]:
        durations = self.durations.setdefault(name, Durations())

        async def measured(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as the method
            started = time.perf_counter()
            try:
                return await getattr(self._store, name)(*arguments, **named)
            except StoreError:
                self.errors[name] += 1
                raise
            finally:
                durations.add(time.perf_counter() - started)

        return measured
