"""The numbers of one process, read from where they are counted when somebody asks for them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service import PACKAGE_VERSION
from service.metrics.counts import Durations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from prometheus_client.process_collector import ProcessCollector

    from providers.health import Health
    from service.fetching import Fetcher
    from service.history import History
    from service.intensity import Intensity
    from service.load import Load
    from service.metrics.counts import RequestCounts
    from service.metrics.sharing import Share
    from service.metrics.store import MeasuredStore
    from service.quota import Allowance
    from service.refreshing import Refresher

Samples = dict[str, dict[tuple[str, ...], float | Durations]]
"""Numbers by metric and by the values of its labels; those of a histogram are durations."""


@dataclass(slots=True)
class Metrics:
    """All numbers of this process: what each reader tells, in turn. Other parts of the house may add readers of their own."""

    readers: list[Callable[[], Samples]] = field(default_factory=list)
    share: Share | None = None
    """Where the numbers of the other processes of this service are, if there are any."""
    further: Callable[[Samples], Awaitable[Samples]] | None = None
    """What is made of the numbers of all processes and of what is held, by whichever process is asked."""

    def read(self) -> Samples:
        """This process' numbers."""
        samples: Samples = {}
        for reader in self.readers:
            for name, values in reader().items():
                samples.setdefault(name, {}).update(values)
        return samples


def request_samples(counts: RequestCounts, allowances: Mapping[str, Allowance]) -> Samples:
    """What was asked, by whom, and what was refused."""
    operations = [(name, operation) for name, operation in counts.operations.items() if operation.statuses]
    return {
        "gridgram_build_info": {(PACKAGE_VERSION,): 1.0},
        "gridgram_requests_total": {
            (name, str(status)): float(count) for name, operation in operations for status, count in operation.statuses.items()
        },
        "gridgram_request_duration_seconds": {(name,): operation.durations for name, operation in operations},
        "gridgram_requests_in_flight": {(): float(counts.in_flight)},
        "gridgram_requests_refused_total": {(code,): float(count) for code, count in counts.refusals.items()},
        "gridgram_key_requests_total": {(name,): float(allowance.requests) for name, allowance in allowances.items()},
        "gridgram_key_upstream_calls_total": {(name,): float(allowance.upstream_calls) for name, allowance in allowances.items()},
        "gridgram_key_upstream_calls_refused_total": {(name,): float(allowance.calls_refused) for name, allowance in allowances.items()},
    }


def store_samples(intensity: Intensity, store: MeasuredStore) -> Samples:
    """How the store is doing, and the memory before it."""
    memory = intensity.memory
    return {
        "gridgram_store_up": {(): 0.0 if intensity.store_is_away else 1.0},
        "gridgram_store_duration_seconds": {(method,): durations for method, durations in store.durations.items()},
        "gridgram_store_errors_total": {(method,): float(count) for method, count in store.errors.items()},
        "gridgram_memory_bytes": {(): float(memory.nbytes)},
        "gridgram_memory_limit_bytes": {(): float(memory.max_bytes)},
        "gridgram_memory_months": {(): float(len(memory))},
        "gridgram_memory_hits_total": {(): float(memory.hits)},
        "gridgram_memory_misses_total": {(): float(memory.misses)},
    }


def provider_samples(health: Mapping[str, Health]) -> Samples:
    """How the sources that were asked are doing."""
    now = time.monotonic()
    known = {name: source for name, source in health.items() if source.calls}
    answered = {name: source for name, source in known.items() if source.last_success is not None}
    return {
        "gridgram_provider_fetches_total": {(name,): float(source.calls) for name, source in known.items()},
        "gridgram_provider_retries_total": {(name,): float(source.retries) for name, source in known.items()},
        "gridgram_provider_errors_total": {
            (name, kind): float(count) for name, source in known.items() for kind, count in source.errors.items()
        },
        "gridgram_provider_last_duration_seconds": {(name,): source.last_seconds for name, source in answered.items()},
        "gridgram_provider_last_success_timestamp_seconds": {
            (name,): source.last_success.timestamp() for name, source in answered.items() if source.last_success is not None
        },
        "gridgram_provider_left_alone_seconds": {(name,): source.left_alone_seconds(now) for name, source in known.items()},
        "gridgram_provider_failures_in_a_row": {(name,): float(source.failures_in_a_row) for name, source in known.items()},
    }


def fetch_samples(intensity: Intensity, fetcher: Fetcher) -> Samples:
    """How hours come from sources, and for how many requests at once."""
    counts = {
        "gridgram_flights_total": fetcher.flights,
        "gridgram_flights_joined_total": fetcher.joined,
        "gridgram_flights_early_total": fetcher.early,
        "gridgram_claims_lost_total": fetcher.asker.claims_lost,
        "gridgram_stale_served_total": intensity.stale_served,
        "gridgram_store_refusals_total": intensity.store_refusals,
    }
    return {name: {(): float(count)} for name, count in counts.items()}


def refresh_samples(refresher: Refresher) -> Samples:
    """What the refresh in the background has done."""
    return {
        "gridgram_refresh_rounds_total": {(): float(refresher.rounds)},
        "gridgram_refresh_failures_total": {(): float(refresher.failures)},
    }


def history_samples(history: History) -> Samples:
    """How the past of zones in use is filled in."""
    return {"gridgram_history_pieces_total": {(): float(history.pieces)}, "gridgram_history_open": {(): float(history.open_walks)}}


def load_samples(load: Load) -> Samples:
    """How busy the event loop and the connections are."""
    return {
        "gridgram_event_loop_lag_seconds": {(): load.worst_lag_seconds},
        "gridgram_connections": {(): float(load.connections)},
        "gridgram_connections_resting": {(): float(load.connections_resting)},
        "gridgram_connections_refused_total": {(): float(load.connections_refused)},
        "gridgram_connections_cut_total": {(part,): float(count) for part, count in load.connections_cut.items()},
        "gridgram_requests_shed_total": {(): float(load.requests_refused)},
    }


def process_samples(collector: ProcessCollector) -> Samples:
    """What the system knows of this process; nothing where there is no /proc."""
    return {sample.name: {(): float(sample.value)} for metric in collector.collect() for sample in metric.samples}
