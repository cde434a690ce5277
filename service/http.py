"""What handlers share: the parts they are given, reading a query, and writing an answer."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
from aiohttp import web

from service.body import read_query
from service.guard import accepts_gzip
from service.requests import NoQuery, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.keys import Key
    from service.metrics.collect import Metrics
    from service.requests import Model
    from service.usecases import Gridgram


@dataclass(slots=True)
class MadeOnce:
    """The bytes of an answer that never changes: made by the first who asks, in a thread."""

    make: Callable[[], bytes]
    _made: bytes = b""

    async def get(self) -> bytes:
        """The bytes; two who ask first at the same time make the same ones."""
        if not self._made:
            self._made = await asyncio.to_thread(self.make)
        return self._made


GRIDGRAM: web.AppKey[Gridgram] = web.AppKey("gridgram")
CONTRACT: web.AppKey[MadeOnce] = web.AppKey("contract")
"""The bytes of openapi.yaml, made when first asked for: writing it takes half a second."""
KEYS: web.AppKey[Mapping[str, Key]] = web.AppKey("keys")
"""The keys of the service; none where everybody may ask."""
FACTOR_TYPE: web.AppKey[str] = web.AppKey("factor_type")
"""The signal of who asks as a client of Electricity Maps and names none."""
METRICS: web.AppKey[Metrics] = web.AppKey("metrics")
"""What is counted, where it is told on this port."""

KEPT: Final = "public, max-age=31536000, immutable"
"""What was asked for by a name of its own version never changes."""
ALL_ZONES: web.AppKey[MadeOnce] = web.AppKey("all_zones")
"""The answer that lists all zones."""

_NO_QUERY = NoQuery()


def query_of(request: web.Request, model: type[Model]) -> Model:
    """Read the query as a model. Raises InvalidInput."""
    if model is NoQuery and not request.query_string:
        return _NO_QUERY  # type: ignore[return-value]  # the model was asked for
    return read_request(model, read_query(request), request.app[GRIDGRAM].now())


def json_response(answer: Any, headers: dict[str, str] | None = None) -> web.Response:  # noqa: ANN401 - one of the shapes of service.answers
    """Answer with JSON."""
    return web.Response(body=orjson.dumps(answer), content_type="application/json", headers=headers)


def cached_response(request: web.Request, body: bytes, content_type: str, max_age_seconds: int) -> web.Response:
    """Answer with an entity tag, or with 304 alone when the caller holds this body."""
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    headers = {
        "Cache-Control": f"public, max-age={max_age_seconds}, stale-if-error=86400",
        "ETag": f'W/"{tag}"',
        "Vary": "Accept, Accept-Encoding",
    }
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=content_type, headers=headers)


class Packed(Protocol):
    """A file to send: its bytes, and as gzip where that was made beforehand."""

    @property
    def body(self) -> bytes:
        """The file."""
        ...

    @property
    def packed(self) -> bytes | None:
        """The same as gzip, where that is shorter."""
        ...

    @property
    def content_type(self) -> str:
        """Its kind."""
        ...


def file_response(request: web.Request, file: Packed, max_age_seconds: int, *, is_kept: bool) -> web.Response:
    """As `cached_response`, packed where the caller takes that; `is_kept` for what was asked for by a name that never means another."""
    answer = cached_response(request, file.body, file.content_type, max_age_seconds)
    if is_kept:
        answer.headers["Cache-Control"] = KEPT
    if answer.content_type.startswith("text/"):
        answer.charset = "utf-8"
    if answer.body is not None and file.packed is not None and accepts_gzip(request):
        answer.body = file.packed
        answer.headers["Content-Encoding"] = "gzip"
    return answer
