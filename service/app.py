"""Where everything concrete is built and wired: the parts of the house, and the web application over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from cache.memory import ChunkMemory
from cache.sqlite import SqliteStore
from gridgram.locations import Locator
from gridgram.zones import Zones
from providers.reference import Reference
from service.guard import guard
from service.handlers import CONTRACT, GRIDGRAM
from service.intensity import Intensity
from service.limits import MAX_BODY_BYTES
from service.openapi import openapi_yaml
from service.operations import OPERATIONS
from service.usecases import Gridgram

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.settings import Settings


def build_gridgram(settings: Settings) -> Gridgram:
    """Build all parts. Nothing is opened yet; close `intensity.store` when done."""
    zones = Zones.load()
    intensity = Intensity(SqliteStore(settings.store_path), Reference.load(zones), ChunkMemory(settings.memory_mib * 1024 * 1024))
    return Gridgram(zones, Locator.load(zones), intensity)


def build_app(gridgram: Gridgram) -> web.Application:
    """Build the web application over the use cases."""
    app = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
    app[GRIDGRAM] = gridgram
    app[CONTRACT] = openapi_yaml()
    for operation in OPERATIONS:
        route = web.get if operation.method == "GET" else web.post  # web.get answers HEAD too
        app.add_routes([route(operation.path, operation.handler)])

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        yield
        await gridgram.intensity.store.close()

    app.cleanup_ctx.append(lifetime)
    return app
