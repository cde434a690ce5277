"""Where the web application over the use cases is built: its routes, what every request passes through, and what runs beside it."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

import orjson
from aiohttp import web
from prometheus_client.process_collector import ProcessCollector

from service.app import build_records
from service.backfill.uploads.handlers import BACKFILLS
from service.backfill.uploads.runner import Runner
from service.backfill.uploads.shelf import Bounds, Shelf
from service.backfill.uploads.usecase import Backfills
from service.cors import Cors
from service.documents.handlers import SITE
from service.documents.site import Site
from service.exporting.grid import IN_USE, grid_samples, in_use_samples
from service.guard import Guard
from service.http import ALL_ZONES, CONTRACT, FACTOR_TYPE, GRIDGRAM, KEYS, METRICS, MadeOnce
from service.load import LOAD, Load
from service.logs import AccessLog
from service.metrics.collect import (
    Metrics,
    fetch_samples,
    history_samples,
    load_samples,
    process_samples,
    provider_samples,
    refresh_samples,
    request_samples,
    store_samples,
)
from service.metrics.counts import RequestCounts
from service.metrics.exposition import metrics_port, publishing
from service.metrics.store import MeasuredStore
from service.openapi import openapi_yaml
from service.operations import OPERATIONS
from service.quota import Allowance
from service.redaction import redactor
from service.runs.counts import run_samples
from service.runs.handlers import RUNS
from service.runs.usecase import Runs
from service.short_way import SHORT_WAY, ShortWay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cache.contract import SeriesStore
    from service.metrics.collect import Samples
    from service.metrics.sharing import Share
    from service.settings import Settings
    from service.usecases import Gridgram


def build_app(gridgram: Gridgram, settings: Settings, share: Share | None = None, worker: int = 0) -> web.Application:
    """Build the web application over the use cases; `share` and `worker` are the place of this process among several of one service."""
    shared = gridgram.intensity.store if settings.workers > 1 or settings.redis_place is not None else None
    guard, metrics, load = build_guard(settings, settings.workers, worker, shared), Metrics(), Load(worker)
    app = web.Application(middlewares=[guard.middleware()])
    app.on_response_prepare.append(guard.dress)
    app[GRIDGRAM] = gridgram
    app[CONTRACT] = MadeOnce(lambda: openapi_yaml().encode())
    app[ALL_ZONES] = MadeOnce(lambda: orjson.dumps(gridgram.all_zones()))
    app[LOAD] = load
    app[SITE] = Site(Path(__file__).with_name("static") / "docs")
    if not guard.keys and guard.cors is None:
        app[SHORT_WAY] = ShortWay(guard, gridgram)
    backfills = app[BACKFILLS] = _backfills(settings, guard)
    runs = app[RUNS] = Runs(gridgram, build_records(settings))
    app[KEYS] = guard.keys
    app[FACTOR_TYPE] = settings.emission_factor_type
    if settings.metrics_port is None:
        app[METRICS] = metrics
    _add_operations(app, guard)
    metrics.readers += _readers(gridgram, guard, load)
    metrics.readers.append(lambda: run_samples(runs))
    metrics.further = lambda samples: grid_samples(gridgram, samples.get(IN_USE, {}))

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(gridgram.intensity.close)
            stack.push_async_callback(runs.close)
            for allowance in guard.allowances.values():
                stack.push_async_callback(allowance.close)
            if guard.access_log is not None:
                stack.push_async_callback(guard.access_log.close)
            if share is not None:
                metrics.share = share
                await stack.enter_async_context(publishing(metrics, share))
            if settings.metrics_port is not None:
                listening = metrics_port(metrics, settings.metrics_host, settings.metrics_port, is_shared=share is not None)
                await stack.enter_async_context(listening)
            gridgram.intensity.answers_first = True
            if gridgram.refresher:
                refreshing = asyncio.create_task(gridgram.refresher.run())
                stack.push_async_callback(_ended, refreshing)
            if gridgram.history:
                stack.push_async_callback(_ended, asyncio.create_task(gridgram.history.run()))
            stack.push_async_callback(_ended, asyncio.create_task(backfills.runner.run()))
            stack.push_async_callback(_ended, asyncio.create_task(runs.follow()))
            yield

    app.cleanup_ctx.append(lifetime)
    return app


def build_guard(settings: Settings, processes: int = 1, number: int = 0, shared: SeriesStore | None = None) -> Guard:
    """Build what every request passes through; what a key may is counted in the shared store, if there is one, by so many processes."""
    keys, secrets = settings.keys, settings.secrets
    share = settings.access_log_share if settings.log_level in {"debug", "info"} else 0.0
    return Guard(
        RequestCounts(),
        AccessLog(share, secrets),
        keys,
        {name: Allowance(key, time.monotonic, time.time, processes, number, shared) for name, key in keys.items()},
        Cors(frozenset(settings.cors_origins)) if settings.cors_origins else None,
        redactor(secrets),
    )


def _add_operations(app: web.Application, guard: Guard) -> None:
    for operation in OPERATIONS:
        route = {"GET": web.get, "POST": web.post, "DELETE": web.delete}[operation.method]  # web.get answers HEAD too
        app.add_routes([route(pattern, operation.handler) for pattern in operation.patterns])
        guard.watch(app.router.routes(), operation)


def _backfills(settings: Settings, guard: Guard) -> Backfills:
    bounds = Bounds(
        settings.backfill_jobs,
        settings.backfill_upload_mib << 20,
        settings.backfill_stored_mib << 20,
        settings.backfill_keep_hours * 3_600.0,
    )
    shelf = Shelf(settings.backfill_path, bounds, time.time)
    return Backfills(shelf, Runner(shelf, guard.allowances))


def _readers(gridgram: Gridgram, guard: Guard, load: Load) -> list[Callable[[], Samples]]:
    intensity, process = gridgram.intensity, ProcessCollector(registry=None)
    readers = [
        lambda: request_samples(guard.counts, guard.allowances),
        lambda: load_samples(load),
        lambda: process_samples(process),
        lambda: in_use_samples(gridgram),
    ]
    if isinstance(store := cast("object", intensity.store), MeasuredStore):
        readers.append(lambda: store_samples(intensity, store))
    if (fetcher := intensity.fetcher) is not None:
        readers.append(lambda: provider_samples(fetcher.engine.health))
        readers.append(lambda: fetch_samples(intensity, fetcher))
    if (refresher := gridgram.refresher) is not None:
        readers.append(lambda: refresh_samples(refresher))
    if (history := gridgram.history) is not None:
        readers.append(lambda: history_samples(history))
    return readers


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
