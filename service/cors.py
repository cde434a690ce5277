"""Which pages of other origins may read answers in a browser: none, unless the operator names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import MutableMapping

ANY: Final = "*"
READABLE_HEADERS: Final = (
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    "X-Request-ID"
)
"""What answers carry beside what every page may read."""
TAKEN_HEADERS: Final = (
    "Accept, Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-None-Match, If-Range, Range, X-API-Key, X-API-Token, "
    "X-Request-ID, auth-token, traceparent"
)
"""What requests may bring: whatever an operation reads."""
PREFLIGHT_SECONDS: Final = 600
"""How long a browser may remember what it was allowed."""


@dataclass(frozen=True, slots=True)
class Cors:
    """The origins that may read, or `*` for all. Cookies are never involved: a key is a header that the page itself sends."""

    origins: frozenset[str]

    def allow(self, request: web.BaseRequest, headers: MutableMapping[str, str]) -> None:
        """Put into an answer's headers that the asking page may read it, if it may."""
        if ANY in self.origins:
            headers["Access-Control-Allow-Origin"] = ANY
        else:
            headers["Vary"] = f"{headers['Vary']}, Origin" if "Vary" in headers else "Origin"
            origin = request.headers.get("Origin")
            if origin not in self.origins:
                return
            headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = READABLE_HEADERS

    def preflight(self, request: web.Request) -> web.Response | None:
        """Answer what a browser asks before the real request; None when this is no such question, or of nobody who may."""
        wanted = request.headers.get("Access-Control-Request-Method")
        origin = request.headers.get("Origin")
        if request.method != "OPTIONS" or wanted is None or origin is None or not {ANY, origin} & self.origins:
            return None
        error = request.match_info.http_exception
        if not isinstance(error, web.HTTPMethodNotAllowed):  # nothing is at this path
            return None
        headers = {
            "Access-Control-Allow-Methods": ", ".join(sorted(error.allowed_methods)),
            "Access-Control-Allow-Headers": TAKEN_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
        }
        return web.Response(status=204, headers=headers)
