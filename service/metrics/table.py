"""Every metric there is: its name with its unit, its kind, its labels, and what it says. The page about metrics is made from this."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from service.metrics.counts import BUCKETS_SECONDS


class Kind(StrEnum):
    """What a metric does over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Together(StrEnum):
    """How the numbers of several processes of one service become one."""

    SUM = "sum"
    MOST = "max"
    LEAST = "min"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    together: Together = Together.SUM


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str, together: Together = Together.SUM) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels, together)


def _histogram(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, text, labels)


METRICS = {
    metric.name: metric
    for metric in (
        _gauge("gridgram_build_info", "Always 1; the label tells which Gridgram this is.", "version", together=Together.MOST),
        _counter(
            "gridgram_requests_total",
            "Requests that were answered, by operation (its operationId in openapi.yaml; `none` for a path that there is not) and status; "
            "499 counts those broken off before.",
            "operation",
            "status",
        ),
        _histogram(
            "gridgram_request_duration_seconds", "From a request's headers to its answer, without the time to send it.", "operation"
        ),
        _gauge("gridgram_requests_in_flight", "Requests under way."),
        _counter(
            "gridgram_requests_refused_total", "Requests refused for want of a key, a right or an allowance, by problem code.", "code"
        ),
        _counter("gridgram_key_requests_total", "Requests let in, by the name of their key.", "key"),
        _counter("gridgram_key_upstream_calls_total", "Calls to sources that the requests of a key caused.", "key"),
        _counter("gridgram_key_upstream_calls_refused_total", "Calls to sources not made, as the key had used up those of its day.", "key"),
        _gauge(
            "gridgram_event_loop_lag_seconds",
            "How late the event loop was at most in the last ten seconds.",
            together=Together.MOST,
        ),
        _gauge("gridgram_connections", "Connections that are open."),
        _gauge("gridgram_connections_resting", "Of them those that are not read for a moment, as they were refused and many are."),
        _counter("gridgram_connections_refused_total", "Connections that were closed at once, or after a 503, as too many were open."),
        _counter(
            "gridgram_connections_cut_total", "Connections that were closed as too slow, by what was slow: head, body or answer.", "part"
        ),
        _counter(
            "gridgram_requests_shed_total",
            "Requests refused with 503 as more waited than could be answered in time; gridgram_requests_total knows nothing of them.",
        ),
        _gauge("gridgram_store_up", "1 while the store can be used, 0 while answers go on without it.", together=Together.LEAST),
        _histogram("gridgram_store_duration_seconds", "How long the store took, failures included, by its method.", "method"),
        _counter("gridgram_store_errors_total", "Failures of the store, by its method.", "method"),
        _counter("gridgram_store_refusals_total", "What the store refused to keep while it was there: it is full, or may not be written."),
        _gauge("gridgram_memory_bytes", "Hours held in memory, ready to compute with."),
        _gauge("gridgram_memory_limit_bytes", "How much of them is held at most (GRIDGRAM_MEMORY_MIB)."),
        _gauge("gridgram_memory_months", "Months held in memory, one for each zone and signal."),
        _counter("gridgram_memory_hits_total", "Months that were looked for in memory and were there."),
        _counter("gridgram_memory_misses_total", "Months that were looked for in memory and were not there."),
        _counter("gridgram_flights_total", "Fetches begun for requests and for the refresh in the background."),
        _counter("gridgram_history_pieces_total", "Pieces of the past of zones in use that were asked for, to forecast from."),
        _gauge("gridgram_history_open", "Zones in use, by signal, whose past is still being filled in.", together=Together.MOST),
        _counter("gridgram_flights_joined_total", "Requests that found what they need being fetched already."),
        _counter("gridgram_flights_early_total", "Fetches begun before their time, so that nobody waits later."),
        _counter("gridgram_refresh_rounds_total", "Rounds of the refresh in the background; one is begun every five seconds."),
        _counter(
            "gridgram_refresh_failures_total", "Failures of the refresh in the background, which are bugs; those of sources are theirs."
        ),
        _counter("gridgram_claims_lost_total", "Fetches left to another process that shares the store."),
        _counter("gridgram_stale_served_total", "Answers given from what is held while newer hours were being fetched."),
        _counter("gridgram_provider_fetches_total", "Spans that a source was asked for; one may take several calls.", "provider"),
        _counter("gridgram_provider_retries_total", "Requests that were sent to a source again.", "provider"),
        _counter("gridgram_provider_errors_total", "Failures of a source, by kind.", "provider", "kind"),
        _gauge(
            "gridgram_provider_last_duration_seconds",
            "How long the last sound answer of a source took.",
            "provider",
            together=Together.MOST,
        ),
        _gauge(
            "gridgram_provider_last_success_timestamp_seconds",
            "When a source last answered soundly, in seconds since 1970; not there before it has.",
            "provider",
            together=Together.MOST,
        ),
        _gauge(
            "gridgram_provider_left_alone_seconds",
            "For how long a source will not be asked: it failed five times in a row, or asked for a pause; 0 when it may be asked.",
            "provider",
            together=Together.MOST,
        ),
        _gauge("gridgram_provider_failures_in_a_row", "Failures of a source since it last answered.", "provider", together=Together.MOST),
        _counter("gridgram_records_total", "Samples of energy that were kept, by what told them.", "tracker"),
        _counter("gridgram_records_repeated_total", "Samples that were kept already when they came, by what told them.", "tracker"),
        _gauge(
            "gridgram_run_energy_kwh",
            "Energy of a run; the twenty that were worked out last, by their ids.",
            "run",
            together=Together.MOST,
        ),
        _gauge(
            "gridgram_run_emissions_grams",
            "Emissions of a run (lifecycle), by the hours known when it was worked out last; the same twenty.",
            "run",
            together=Together.MOST,
        ),
        _gauge(
            "grid_intensity_carbon_average",
            "The newest hour of a zone by the signal `lifecycle`, as `/v1/intensity/latest` tells it, in gCO2e/kWh; named and labelled as "
            "grid-intensity-go does, `node` and `region` always empty. Of the zones of `gridgram_zone_in_use`.",
            "location",
            "node",
            "provider",
            "region",
            "units",
            "is_estimated",
            together=Together.MOST,
        ),
        _gauge(
            "grid_intensity_carbon_marginal",
            "The same by the signal `marginal`, where it is held.",
            "location",
            "node",
            "provider",
            "region",
            "units",
            "is_estimated",
            together=Together.MOST,
        ),
        _gauge(
            "gridgram_data_age_seconds",
            "How long ago the newest hour of a zone and signal ended, and its quality; 0 while it is not over.",
            "location",
            "signal",
            "quality",
            together=Together.LEAST,
        ),
        _gauge(
            "gridgram_zone_in_use",
            "1 for each zone and signal whose recent hours were asked for within a day, and for the zones of GRIDGRAM_REFRESH_ZONES.",
            "location",
            "signal",
            together=Together.MOST,
        ),
        _gauge("process_virtual_memory_bytes", "Virtual memory."),
        _gauge("process_resident_memory_bytes", "Resident memory."),
        _gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", together=Together.LEAST),
        _counter("process_cpu_seconds_total", "Processor time, user and system."),
        _gauge("process_open_fds", "Open files and connections."),
        _gauge("process_max_fds", "How many there may be.", together=Together.LEAST),
    )
}

INTRODUCTION = """# Metrics

Made from `service/metrics/table.py`. `/metrics` tells them in Prometheus' text format: on the service's own port, where it needs a key
that may read metrics once keys are set ([security.md](security.md)), or on a port of its own, `GRIDGRAM_METRICS_PORT`, without a key.
A provider is there once it was asked. No label ever holds a path or anything else that a caller sent; a `location` is the key of a
zone, a `run` the id of one of twenty runs at most, 32 hexadecimal digits each.

With `gridgram serve --workers N` any process answers for all of them: each writes its numbers once a second to a file that the others
read, so those of the others are at most that old. The column *together* tells how they become one number; what a process that has ended
counted stays counted.

A Grafana dashboard, Prometheus rules and an example of a scrape lie in [deploy](../deploy/prometheus/prometheus.yml);
[observability.md](observability.md) tells how to use them.

| metric | kind | labels | together | what it says |
|---|---|---|---|---|
"""


def metrics_page() -> str:
    """The page about metrics."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} | {metric.together} | {metric.text} |\n"
        for metric in METRICS.values()
    ]
    bounds = ", ".join(f"{bound:g}" for bound in BUCKETS_SECONDS)
    return f"{INTRODUCTION}{''.join(rows)}\nThe buckets of every histogram end at {bounds} and infinitely many seconds.\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(metrics_page())
