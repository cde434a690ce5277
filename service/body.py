"""Reading a request's body and query: bounded, strict, and off the event loop when it is long."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from aiohttp import ClientError, web

from gridgram.errors import Fault, InputError, InvalidInput
from service.limits import INLINE_BODY_BYTES, MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

Outcome = TypeVar("Outcome")


class UnreadableBody(InputError):
    """The bytes are not what they say they are: no JSON, not UTF-8, a repeated key, broken compression."""

    code = "invalid-body"


class BodyTooLarge(InputError):
    """The body is longer than the operation takes."""

    code = "body-too-large"


class UnsupportedMediaType(InputError):
    """The body has a type that the operation does not read."""

    code = "unsupported-media-type"


def check_media_type(request: web.Request, expected: frozenset[str]) -> None:
    """Raise UnsupportedMediaType unless the body says that it is one of the expected types, in an encoding that is read here."""
    if request.content_type not in expected:
        raise UnsupportedMediaType(f"the body is {request.content_type!r}; send {' or '.join(sorted(expected))}")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "deflate"}:
        raise UnsupportedMediaType(f"the body is encoded with {encoding[:40]!r}; send it plain, or with gzip or deflate")


async def read_body(request: web.Request) -> bytes:
    """Read a whole body, at most MAX_BODY_BYTES of it after inflation."""
    check_media_type(request, frozenset({"application/json"}))
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge(f"the body is longer than {MAX_BODY_BYTES} bytes, inflated if it was compressed") from None
    except (ClientError, web.RequestPayloadError, ValueError) as error:
        raise UnreadableBody("the body is not what its Content-Encoding says") from error


async def off_the_loop(body: bytes, work: Callable[[bytes], Outcome]) -> Outcome:
    """Run `work(body)` at once when the body is short, in a thread when it is long."""
    if len(body) <= INLINE_BODY_BYTES:
        return work(body)
    return await asyncio.to_thread(work, body)


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - JSON can be anything
    """Read JSON strictly: no NaN, no Infinity, no lone surrogates, no byte order mark, no repeated keys. Raises UnreadableBody."""
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnreadableBody(f"the body is not JSON: {error}") from None
    # A repeated key vanished in parsing, and a colon with it. Only then is it worth looking for.
    if b"\\u" in body or body.count(b":") != orjson.dumps(members).count(b":"):
        try:
            json.loads(body, object_pairs_hook=_refuse_repeats)
        except RecursionError:
            raise UnreadableBody("the body is nested too deeply") from None
    return members


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise UnreadableBody(f"the key {repeated[:40]!r} stands twice in one object")
    return members


def read_query(request: web.Request) -> dict[str, str]:
    """Read the parameters of a query as names and texts. Raises InvalidInput for one that is repeated."""
    query = request.query
    repeated = sorted({name for name in query if len(query.getall(name)) > 1})
    if repeated:
        raise InvalidInput([Fault(f"/{name}", "this parameter stands twice; give it once") for name in repeated])
    return dict(query)
