"""What the guard costs a request: the middleware and the hook around a handler that does nothing, in microseconds.

python bench/guard.py
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from service.guard import Guard
from service.keys import find_key, new_key
from service.logs import Access, AccessLog, access_line
from service.metrics.counts import RequestCounts
from service.operations import OPERATIONS
from service.quota import Allowance
from service.tracing import Trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS, REPEATS = 1_000, 60
EMISSIONS = next(operation for operation in OPERATIONS if operation.name == "emissions")


async def microseconds(work: Callable[[], Awaitable[object]]) -> float:
    """The best of several rounds, each long. [us]"""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        for _ in range(ROUNDS):
            await work()
        best = min(best, time.perf_counter() - started)
    return 1e6 * best / ROUNDS


async def of_guard(guard: Guard, headers: dict[str, str]) -> float:
    """What a guard adds to a handler and to the sending of its answer. [us]"""
    body = b"{}"

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    route = app.router.add_post("/v1/emissions", handler)
    guard.watch(app.router.routes(), EMISSIONS)
    request = make_mocked_request("POST", "/v1/emissions", headers=headers, match_info={})
    request._match_info = match_info = web.UrlMappingMatchInfo({}, route)  # type: ignore[assignment]  # noqa: SLF001 - as the router sets it
    match_info.add_app(app)
    middleware = guard.middleware()

    async def guarded() -> None:
        await guard.dress(request, await middleware(request, handler))

    return await microseconds(guarded) - await microseconds(lambda: handler(request))


async def main() -> None:
    """Print the table."""
    text, key = new_key("tracker", requests_per_minute=10**8)
    _, other = new_key("other")
    log = AccessLog(write=lambda _: None)
    allowance = Allowance(key, time.monotonic, time.time)
    cases = {
        "counts alone": (Guard(RequestCounts()), {}),
        "and a line in the log": (Guard(RequestCounts(), log), {}),
        "and a traceparent": (Guard(RequestCounts(), log), {"traceparent": f"00-{'4b' * 16}-{'f0' * 8}-01"}),
        "and a key with a limit": (
            Guard(RequestCounts(), log, {"tracker": key, "other": other}, {"tracker": allowance}),
            {"Authorization": f"Bearer {text}"},
        ),
    }
    for name, (guard, headers) in cases.items():
        print(f"guard, {name}: {await of_guard(guard, headers):.2f} us")
    keys = {"tracker": key, "other": other}
    counts = RequestCounts().of("emissions")

    async def find() -> None:
        find_key(keys, text)

    async def count() -> None:
        counts.statuses[200] += 1
        counts.durations.add(0.0003)

    access = Access(time.time(), "emissions", 200, 0.0004, 600, None, Trace("9f86d081884c7d65"))

    async def line() -> None:
        access_line(access)

    async def nothing() -> None:
        return

    empty = await microseconds(nothing)
    for name, work in {"finding a key": find, "counting": count, "writing one line (in a thread)": line}.items():
        print(f"of that, {name}: {await microseconds(work) - empty:.2f} us")
    await log.close()


if __name__ == "__main__":
    asyncio.run(main())
