"""Where everything concrete is built and wired: the parts of the house, and the web application over them."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, cast

from aiohttp import web
from prometheus_client.process_collector import ProcessCollector

from cache.memory import ChunkMemory
from cache.sqlite import SqliteStore
from gridgram.errors import SettingsError
from gridgram.locations import Locator
from gridgram.zones import Zones
from providers.engine import Engine, Options
from providers.reference import Reference
from providers.registry import load_providers
from service.cors import Cors
from service.fetching import Fetcher
from service.guard import Guard
from service.http import CONTRACT, GRIDGRAM, METRICS
from service.intensity import Intensity
from service.load import LOAD, Load
from service.logs import AccessLog
from service.metrics.collect import Metrics, load_samples, process_samples, provider_samples, request_samples, store_samples
from service.metrics.counts import RequestCounts
from service.metrics.exposition import metrics_port, publishing
from service.metrics.store import MeasuredStore
from service.openapi import openapi_yaml
from service.operations import OPERATIONS
from service.quota import Allowance
from service.redaction import redactor
from service.refreshing import Refresher
from service.settings import PREFIX, ProviderSettings
from service.usecases import Gridgram, utc_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from cache.contract import SeriesStore
    from providers.base import Provider
    from service.metrics.collect import Samples
    from service.metrics.sharing import Share
    from service.settings import Settings


def build_gridgram(settings: Settings) -> Gridgram:
    """Build all parts. Nothing is opened yet; close `intensity` when done."""
    zones = Zones.load()
    providers = load_providers()
    if unknown := sorted({*settings.providers, *settings.provider_order} - providers.keys()):
        raise SettingsError(f"{PREFIX}PROVIDERS names {unknown[0]!r}, which is no source; the sources are {', '.join(sorted(providers))}")
    if unknown := [zone for zone in settings.refresh_zones if zone not in zones]:
        raise SettingsError(f"{PREFIX}REFRESH_ZONES names {unknown[0]!r}, which is no zone; `gridgram zones` lists them")
    set_for = {name: settings.providers.get(name, ProviderSettings()) for name in providers}
    engine = Engine({name: _options(provider, set_for) for name, provider in providers.items()}, utc_now)

    def why_off(provider: Provider) -> str:
        name = provider.info.name
        if settings.offline:
            return f"{PREFIX}OFFLINE is set"
        if not set_for[name].enabled:
            return f"{PREFIX}PROVIDERS__{name.upper()}__ENABLED is false"
        held = engine.options[name].secrets
        missing = [setting for setting in provider.needed_settings if setting not in held]
        return f"needs {PREFIX}PROVIDERS__{provider.settings_name.upper()}__{missing[0].upper()}" if missing else ""

    fetcher = Fetcher(engine, providers, why_off, utc_now, settings.upstream_seconds, settings.provider_order)
    store, memory = _store(settings), ChunkMemory(settings.memory_mib * 1024 * 1024)
    intensity = Intensity(cast("SeriesStore", MeasuredStore(store)), Reference.load(zones), memory, zones, fetcher)
    refresher = Refresher(intensity, settings.refresh_zones) if settings.refresh else None
    return Gridgram(zones, Locator.load(zones), intensity, refresher=refresher)


def _store(settings: Settings) -> SeriesStore:
    place = settings.redis_place
    if place is None:
        return SqliteStore(settings.store_path)
    from cache.redis_link import RedisLink  # noqa: PLC0415 - the library takes 0.1 s to import, and not everyone needs it
    from cache.redis_store import RedisStore  # noqa: PLC0415

    link = RedisLink(place, ca_file=settings.redis_ca_file, cert_file=settings.redis_cert_file, key_file=settings.redis_key_file)
    return RedisStore(link, settings.redis_prefix)


def _options(provider: Provider, set_for: Mapping[str, ProviderSettings]) -> Options:
    account = set_for[provider.settings_name]
    return Options(account.secrets, set_for[provider.info.name].url or account.url)


def build_app(gridgram: Gridgram, settings: Settings, share: Share | None = None) -> web.Application:
    """Build the web application over the use cases; `share` is the place of this process among several of one service."""
    guard, metrics, load = build_guard(settings, settings.workers), Metrics(), Load()
    app = web.Application(middlewares=[guard.middleware()])
    app.on_response_prepare.append(guard.dress)
    app[GRIDGRAM] = gridgram
    app[CONTRACT] = openapi_yaml()
    app[LOAD] = load
    if settings.metrics_port is None:
        app[METRICS] = metrics
    for operation in OPERATIONS:
        route = web.get if operation.method == "GET" else web.post  # web.get answers HEAD too
        app.add_routes([route(operation.path, operation.handler)])
        guard.watch(app.router.routes(), operation)
    metrics.readers += _readers(gridgram, guard, load)

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(gridgram.intensity.close)
            if guard.access_log is not None:
                stack.push_async_callback(guard.access_log.close)
            if share is not None:
                metrics.others = share.others
                await stack.enter_async_context(publishing(metrics, share))
            if settings.metrics_port is not None:
                listening = metrics_port(metrics, settings.metrics_host, settings.metrics_port, is_shared=share is not None)
                await stack.enter_async_context(listening)
            gridgram.intensity.answers_first = True
            if gridgram.refresher:
                refreshing = asyncio.create_task(gridgram.refresher.run())
                stack.push_async_callback(_ended, refreshing)
            yield

    app.cleanup_ctx.append(lifetime)
    return app


def build_guard(settings: Settings, processes: int = 1) -> Guard:
    """Build what every request passes through; a day's calls to sources are divided among so many processes."""
    keys, secrets = settings.keys, settings.secrets
    share = settings.access_log_share if settings.log_level in {"debug", "info"} else 0.0
    return Guard(
        RequestCounts(),
        AccessLog(share, secrets),
        keys,
        {name: Allowance(key, time.monotonic, time.time, processes) for name, key in keys.items()},
        Cors(frozenset(settings.cors_origins)) if settings.cors_origins else None,
        redactor(secrets),
    )


def _readers(gridgram: Gridgram, guard: Guard, load: Load) -> list[Callable[[], Samples]]:
    intensity, process = gridgram.intensity, ProcessCollector(registry=None)
    readers = [
        lambda: request_samples(guard.counts, guard.allowances),
        lambda: load_samples(load),
        lambda: process_samples(process),
    ]
    if isinstance(store := cast("object", intensity.store), MeasuredStore):
        readers.append(lambda: store_samples(intensity, store))
    if (fetcher := intensity.fetcher) is not None:
        readers.append(lambda: provider_samples(fetcher.engine.health))
    return readers


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
