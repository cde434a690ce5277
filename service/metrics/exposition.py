"""Numbers as Prometheus reads them, and the port of their own that they may have."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from gridgram.errors import SettingsError
from service.metrics.counts import BUCKETS_SECONDS, Durations
from service.metrics.sharing import PUBLISH_SECONDS, merged
from service.metrics.table import METRICS, Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from prometheus_client.metrics_core import Metric as Family

    from service.metrics.collect import Metrics, Samples
    from service.metrics.sharing import Share
    from service.metrics.table import Metric


async def metrics_response(metrics: Metrics) -> web.Response:
    """Answer with the numbers of all processes of this service. The own ones are read at once, the others' files in a thread."""
    own, share = metrics.read(), metrics.share

    def gather() -> Samples:
        if share is None:
            return own
        share.publish(own)  # first: what was told once must stay counted, should this process be killed now
        return merged([own, *share.others()])

    samples = await asyncio.to_thread(gather)
    if metrics.further is not None:
        samples = {**samples, **await metrics.further(samples)}
    body = await asyncio.to_thread(metrics_text, samples)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})


def metrics_text(samples: Samples) -> bytes:
    """Write numbers in Prometheus' text format, in the order of METRICS."""
    return generate_latest(_Families(samples))


class _Families(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        for name, metric in METRICS.items():
            if self._samples.get(name):
                yield _family(metric, self._samples[name])


def _family(metric: Metric, values: Mapping[tuple[str, ...], float | Durations]) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.text, labels=metric.labels)
        for labels, durations in sorted(values.items(), key=lambda item: item[0]):
            if isinstance(durations, Durations):
                histogram.add_metric(labels, buckets=_cumulative(durations), sum_value=durations.seconds)
        return histogram
    family = (CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily)(metric.name, metric.text, labels=metric.labels)
    for labels, number in sorted(values.items(), key=lambda item: item[0]):
        if not isinstance(number, Durations):
            family.add_metric(labels, number)
    return family


def _cumulative(durations: Durations) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(repr, BUCKETS_SECONDS), "+Inf"), durations.buckets, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets


@asynccontextmanager
async def metrics_port(metrics: Metrics, host: str, port: int, *, is_shared: bool) -> AsyncIterator[None]:
    """Answer /metrics on a port of its own; where processes share the service they share this port too. Raises SettingsError."""

    async def answer(_: web.Request) -> web.Response:
        return await metrics_response(metrics)

    async def bare(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.pop("Server", None)

    app = web.Application()
    app.router.add_get("/metrics", answer)
    app.on_response_prepare.append(bare)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=75.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, reuse_port=is_shared or None).start()
        except OSError as error:
            raise SettingsError(f"GRIDGRAM_METRICS_PORT: cannot listen on {host}:{port}: {error.strerror or error}") from error
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def publishing(metrics: Metrics, share: Share) -> AsyncIterator[None]:
    """Let the other processes know this one's numbers: now, once a second, and a last time at the end."""

    async def publish() -> None:
        while True:
            await asyncio.sleep(PUBLISH_SECONDS)
            await asyncio.to_thread(share.publish, metrics.read())

    await asyncio.to_thread(share.publish, metrics.read())
    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(share.publish, metrics.read())
