"""What every request passes through: whatever goes wrong becomes a problem document, and every answer gets its headers."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web
from aiohttp.web_response import ContentCoding

from gridgram.errors import GridgramError
from service.problems import problem_document, problem_of, problem_of_http, problem_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()

REQUEST_ID = "X-Request-ID"
_SOUND_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
COMPRESSED_BYTES = 8 * 1024
"""A shorter answer is sent plain: packing it costs more than sending it."""
HEADERS = {
    "Server": "gridgram",  # and no versions, which aiohttp would tell
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@web.middleware
async def guard(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Answer any error of the house, of aiohttp or of our own making as a problem; nothing of its inside gets out."""
    given_id = request.headers.get(REQUEST_ID, "")
    request_id = given_id if _SOUND_ID.fullmatch(given_id) else secrets.token_hex(8)
    request[REQUEST_ID] = request_id
    try:
        response = await handler(request)
    except GridgramError as error:
        response = problem_response({**problem_of(error), "request_id": request_id})
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        response = problem_response({**problem_of_http(error), "request_id": request_id}, allow)
    except Exception as error:  # noqa: BLE001 - logged in _failure
        response = problem_response(_failure(request, error, request_id))
    if not response.prepared:
        _dress(request, response, request_id)
    return response


def _failure(request: web.Request, error: Exception, request_id: str) -> dict[str, Any]:
    """Log what nobody expected, and tell the caller no more than that it happened. A caller who has gone is no failure."""
    facts = {"method": request.method, "path": request.path, "request_id": request_id}
    if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
        log.info("request.abandoned", **facts)
        return problem_document("bad-request", "The request broke off.", request_id=request_id)
    log.error("request.failed", exc_info=error, **facts)
    return problem_document("internal-error", "The service failed; the fault is ours.", request_id=request_id)


def _dress(request: web.Request, response: web.StreamResponse, request_id: str) -> None:
    headers = response.headers
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers[REQUEST_ID] = request_id
    if (
        isinstance(response, web.Response)
        and response.body is not None
        and len(response.body) >= COMPRESSED_BYTES  # type: ignore[arg-type]  # ours are always bytes
        and _accepts_gzip(request)
    ):
        response.enable_compression(ContentCoding.gzip)


def _accepts_gzip(request: web.Request) -> bool:
    for entry in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, weight = entry.replace(" ", "").partition(";q=")
        if coding in {"gzip", "*"}:
            return weight.strip("0.") != "" or not weight
    return False
