"""What every request passes through: who asks and whether they may, what it cost, and that whatever goes wrong is a problem document.

One middleware and one hook, built once from what the operator set; what they need is looked up beforehand.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import hdrs, web
from aiohttp.web_response import ContentCoding
from multidict import CIMultiDict

from gridgram.errors import GridgramError
from providers.spending import SPENDER
from service.keys import find_key, key_text
from service.logs import Access
from service.metrics.counts import UNMATCHED, RequestCounts
from service.problems import problem_document, problem_of, problem_of_http, problem_response
from service.refusals import Forbidden, Refused, Unauthorized
from service.tracing import REQUEST_ID, TRACE, trace_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from service.cors import Cors
    from service.keys import Key
    from service.logs import AccessLog
    from service.metrics.counts import OperationCounts
    from service.operation import Operation
    from service.quota import Allowance
    from service.tracing import Trace

log = structlog.get_logger()

COMPRESSED_BYTES = 8 * 1024
"""A shorter answer is sent plain: packing it costs more than sending it."""
ABANDONED: Final = 499
"""Counted for a request that was broken off before it had a status."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_FULL_HEADERS = CIMultiDict(HEADERS)
_POLICY = "Content-Security-Policy"
REFUSED_KEY: Final = {"electricity-maps": "Invalid auth-token"}
"""What `error` says of a key that is none under a facade, by the tag of its operations: the words that its clients know."""
_PASSAGE: Final = "passage"
"""Under this name a request holds what the guard knows of it."""


def key_name_of(request: web.Request) -> str:
    """The name of the key that a request brought; empty where no keys are set."""
    passage: Passage | None = request.get(_PASSAGE)
    return "" if passage is None or passage.allowance is None else passage.allowance.key.name


class BareResponse(web.Response):
    """An answer outside of the application, where no hook runs: without the Server header that aiohttp adds."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.pop(hdrs.SERVER, None)


@dataclass(frozen=True, slots=True)
class Watched:
    """An operation as the guard sees it."""

    name: str
    is_open: bool
    counts: OperationCounts
    refused_key: str = Unauthorized.code


class Passage:
    """One request on its way through."""

    __slots__ = ("allowance", "trace", "unsent")

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.allowance: Allowance | None = None
        self.unsent: tuple[Watched, float] | None = None
        """Of a file, whose status (a part? changed?) is known when it is sent: what is to be noted then, and the seconds so far."""


@dataclass(slots=True)
class Guard:
    """What is known of callers and operations. Without `keys` everybody may ask; `allowances` has one entry a key."""

    counts: RequestCounts = field(default_factory=RequestCounts)
    access_log: AccessLog | None = None
    keys: Mapping[str, Key] = field(default_factory=dict)
    allowances: Mapping[str, Allowance] = field(default_factory=dict)
    cors: Cors | None = None
    redact: Callable[[bytes], bytes] = bytes
    _watched: dict[web.AbstractRoute, Watched] = field(default_factory=dict)

    def watch(self, routes: Iterable[web.AbstractRoute], operation: Operation) -> None:
        """Know those routes that are new as ones of an operation, HEAD beside GET too."""
        for route in routes:
            refused_key = REFUSED_KEY.get(operation.tag, Unauthorized.code)
            self._watched.setdefault(route, Watched(operation.name, operation.is_open, self.counts.of(operation.name), refused_key))

    def _unknown(self, route: web.AbstractRoute) -> Watched:
        """Of a path or method that there is not everybody may know so; a route that nobody told of is closed."""
        return Watched(UNMATCHED, route.resource is None, self.counts.of(UNMATCHED))

    def middleware(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """The middleware."""
        counts, watched_routes, has_keys, has_cors = self.counts, self._watched, bool(self.keys), self.cors is not None

        @web.middleware
        async def guard(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
            started = time.perf_counter()
            route = request.match_info.route
            watched = watched_routes.get(route) or self._unknown(route)
            trace = trace_of(request.headers)
            passage = request[_PASSAGE] = Passage(trace)
            TRACE.set(trace)
            response: web.StreamResponse | None = None
            counts.in_flight += 1
            try:
                if has_keys:
                    await self._admit(request, watched, passage)
                if has_cors and request.method == hdrs.METH_OPTIONS:
                    response = self._preflight(request)
                if response is None:
                    response = await handler(request)
            except Exception as error:  # noqa: BLE001 - each becomes a problem document, and what nobody foresaw is logged
                response = self._problem(request, error, watched, trace.request_id)
            finally:
                counts.in_flight -= 1
                self._note(response, watched, passage, time.perf_counter() - started)
            if not response.prepared:
                _compress(request, response)
            return response

        return guard

    async def dress(self, request: web.Request, response: web.StreamResponse) -> None:
        """Complete the headers of an answer just before they are sent (a hook of aiohttp, which has put in its own by now)."""
        headers = response.headers
        headers.pop(hdrs.SERVER, None)
        if _POLICY not in headers:
            headers.extend(_FULL_HEADERS)
        else:
            for name, text in HEADERS.items():
                headers.setdefault(name, text)
        passage: Passage | None = request.get(_PASSAGE)
        if passage is not None:
            if passage.unsent is not None:
                self._count(response, passage.unsent[0], passage, passage.unsent[1], response.content_length)
            headers[REQUEST_ID] = passage.trace.request_id
            if passage.allowance is not None:
                headers.update(passage.allowance.rate_headers())
                if "Cache-Control" in headers:  # what a key was asked for is not for a cache that others share
                    headers["Cache-Control"] = headers["Cache-Control"].replace("public", "private")
        if self.cors is not None:
            self.cors.allow(request, headers)

    async def _admit(self, request: web.Request, watched: Watched, passage: Passage) -> None:
        """Let the caller of an operation in. Raises Unauthorized, Forbidden and RateLimited."""
        SPENDER.set(None)
        if watched.is_open:
            return
        text = key_text(request.headers)
        if not text:
            raise Unauthorized("This service wants a key: send it as Authorization: Bearer KEY, as X-API-Key: KEY or as auth-token: KEY.")
        key = find_key(self.keys, text)
        if key is None:
            raise Unauthorized("The key is not one of this service.")
        allowance = passage.allowance = self.allowances[key.name]
        await allowance.admitted()
        if watched.name == "metrics" and not key.may_read_metrics:
            raise Forbidden(f"The key {key.name!r} may not read metrics.")
        SPENDER.set(allowance)

    def _preflight(self, request: web.Request) -> web.Response | None:
        return self.cors.preflight(request) if self.cors is not None else None

    def _problem(self, request: web.Request, error: Exception, watched: Watched, request_id: str) -> web.Response:
        """Any error as a problem document; nothing of our inside and no secret gets out with it."""
        headers = None
        match error := _told(error):
            case Unauthorized():
                self.counts.refusals[error.code] += 1
                document, headers = {**problem_of(error), "error": watched.refused_key}, error.headers
            case Refused():
                self.counts.refusals[error.code] += 1
                document, headers = problem_of(error), error.headers
            case GridgramError():
                document = problem_of(error)
            case web.HTTPException():
                document = problem_of_http(error)
                headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            case _:
                document = _failure(request, error)
        response = problem_response({**document, "request_id": request_id}, headers)
        response.body = self.redact(response.body)  # type: ignore[arg-type]  # problem_response writes bytes
        return response

    def _note(self, response: web.StreamResponse | None, watched: Watched, passage: Passage, seconds: float) -> None:
        """Count a request and log it: now, or when the file that answers it is sent."""
        if isinstance(response, web.FileResponse):
            passage.unsent = watched, seconds
        else:
            self._count(response, watched, passage, seconds, _sent_bytes(response))

    def _count(
        self, response: web.StreamResponse | None, watched: Watched, passage: Passage, seconds: float, sent_bytes: int | None
    ) -> None:
        status = ABANDONED if response is None else response.status
        watched.counts.statuses[status] += 1
        watched.counts.durations.add(seconds)
        if self.access_log is not None:
            key = None if passage.allowance is None else passage.allowance.key.name
            self.access_log.note(Access(time.time(), watched.name, status, seconds, sent_bytes, key, passage.trace))


def _sent_bytes(response: web.StreamResponse | None) -> int | None:
    """How long an answer is; None while that is not known."""
    if isinstance(response, web.Response):
        body = response.body
        return len(body) if isinstance(body, bytes) else 0
    return response.body_length if response is not None and response.prepared else None


def _told(error: Exception) -> Exception:
    """What to tell of an error: of several that ended work side by side the first, if all are the house's own."""
    if not isinstance(error, ExceptionGroup) or error.split(GridgramError)[1] is not None:
        return error
    first: Exception = error
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return first


def _failure(request: web.Request, error: Exception) -> dict[str, Any]:
    """Log what nobody expected, and tell the caller no more than that it happened. A caller who has gone is no failure."""
    facts = {"method": request.method, "path": request.path}
    if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
        log.info("request.abandoned", **facts)
        return problem_document("bad-request", "The request broke off.")
    log.error("request.failed", exc_info=error, **facts)
    return problem_document("internal-error", "The service failed; the fault is ours.")


def _compress(request: web.Request, response: web.StreamResponse) -> None:
    if (
        isinstance(response, web.Response)
        and response.body is not None
        and hdrs.CONTENT_ENCODING not in response.headers
        and len(response.body) >= COMPRESSED_BYTES  # type: ignore[arg-type]  # ours are always bytes
        and accepts_gzip(request)
    ):
        response.enable_compression(ContentCoding.gzip)


def accepts_gzip(request: web.Request) -> bool:
    """Whether the caller takes an answer packed with gzip."""
    for entry in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, weight = entry.replace(" ", "").partition(";q=")
        if coding in {"gzip", "*"}:
            return weight.strip("0.") != "" or not weight
    return False
