"""Reading a request's body and query: bounded, strict, and off the event loop when it is long.

The server does not inflate (`service.server`): here alone it is known how much may come out, and whether the packed bytes were whole.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from aiohttp import web

from gridgram.errors import Fault, InputError, InvalidInput
from service.limits import INLINE_BODY_BYTES, MAX_BODY_BYTES, MAX_FIELDS, MAX_OBJECTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

Outcome = TypeVar("Outcome")

JSON_TYPES = frozenset({"application/json"})
BROKEN_OFF = "the body broke off, or its chunks are not as HTTP wants them"
INFLATED_PIECE_BYTES = 64 * 1024
MAX_GZIP_MEMBERS = 1_024
_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_DEFLATED = 8
"""The low half of the first byte of a zlib stream; "deflate" is sent without that header too."""


class UnreadableBody(InputError):
    """The bytes are not what they say they are: no JSON, not UTF-8, a repeated key, broken compression."""

    code = "invalid-body"


class SlowBody(UnreadableBody):
    """The body came in too slowly to be waited for (`service.connections`)."""

    code = "request-timeout"


class BodyTooLarge(InputError):
    """The body is longer than the operation takes."""

    code = "body-too-large"


class UnsupportedMediaType(InputError):
    """The body has a type that the operation does not read."""

    code = "unsupported-media-type"


def check_media_type(request: web.Request, expected: frozenset[str]) -> None:
    """Raise UnsupportedMediaType unless the body says that it is one of the expected types, in an encoding that is read here."""
    if request.headers.get("Content-Type") in expected and "Content-Encoding" not in request.headers:
        return
    wanted = " or ".join(sorted(expected))
    if "Content-Type" not in request.headers:
        raise UnsupportedMediaType(f"the request does not say what its body is; send Content-Type: {wanted}")
    if request.content_type not in expected:
        raise UnsupportedMediaType(f"the body is {request.content_type[:40]!r}; send {wanted}")
    encoding = _encoding(request)
    if encoding not in {"identity", "gzip", "deflate"}:
        raise UnsupportedMediaType(f"the body is encoded with {encoding[:40]!r}; send it plain, or with gzip or deflate")


def _encoding(request: web.Request) -> str:
    return ", ".join(request.headers.getall("Content-Encoding", ["identity"])).strip().lower()


async def read_body(request: web.Request) -> bytes:
    """Read a whole body, at most MAX_BODY_BYTES of it after inflation."""
    check_media_type(request, JSON_TYPES)
    if request.content_length is not None and request.content_length <= INLINE_BODY_BYTES and "Content-Encoding" not in request.headers:
        try:
            return await request.read()
        except web.RequestPayloadError as error:
            raise UnreadableBody(BROKEN_OFF) from error
    return b"".join([piece async for piece in read_pieces(request, MAX_BODY_BYTES)])


async def read_pieces(request: web.Request, most_bytes: int) -> AsyncIterator[bytes]:
    """Give the body as it comes in, inflated if it was compressed, in pieces of some 64 KiB.

    Raises BodyTooLarge when more than `most_bytes` come in or come out, and UnreadableBody, both after what was sound.
    """
    encoding = _encoding(request)
    inflater = _Inflater(encoding) if encoding != "identity" else None
    size_in = size_out = 0
    try:
        async for packed in request.content.iter_any():
            size_in += len(packed)
            for piece in inflater.feed(packed) if inflater else (packed,):
                size_out += len(piece)
                if max(size_in, size_out) > most_bytes:
                    raise BodyTooLarge(f"the body is longer than {most_bytes} bytes, inflated if it was compressed")
                yield piece
        if inflater and size_in and not inflater.is_whole:
            raise UnreadableBody(f"the {encoding} body is cut short")
    except zlib.error as error:
        raise UnreadableBody("the body is not what its Content-Encoding says") from error
    except web.RequestPayloadError as error:
        raise UnreadableBody(BROKEN_OFF) from error


class _Inflater:
    """Inflates gzip (any number of members up to MAX_GZIP_MEMBERS) or deflate, a bounded piece at a time. Raises zlib.error."""

    def __init__(self, encoding: str) -> None:
        self._is_gzip = encoding == "gzip"
        self._members = 0
        self._stream: zlib._Decompress | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the last stream has ended, its checksum right."""
        return self._stream is not None and self._stream.eof

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Give what these bytes inflate to."""
        piece = b""
        while packed or len(piece) == INFLATED_PIECE_BYTES:  # a full piece: more may wait inside, though all was read
            if self._stream is None or (self._stream.eof and packed):
                self._stream = self._next(packed)
            piece = self._stream.decompress(packed, INFLATED_PIECE_BYTES)
            if piece:
                yield piece
            packed = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def _next(self, packed: bytes) -> zlib._Decompress:
        self._members += 1
        if self._members > (MAX_GZIP_MEMBERS if self._is_gzip else 1):
            raise zlib.error("too many members, or bytes after the end")
        if self._is_gzip:
            return zlib.decompressobj(_GZIP_BITS)
        return zlib.decompressobj(_ZLIB_BITS if packed[0] & 0x0F == _DEFLATED else _RAW_BITS)


async def off_the_loop(body: bytes, work: Callable[[bytes], Outcome]) -> Outcome:
    """Run `work(body)` at once when the body is short, in a thread when it is long."""
    if len(body) <= INLINE_BODY_BYTES:
        return work(body)
    return await asyncio.to_thread(work, body)


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - JSON can be anything
    """Read JSON strictly: no NaN, no Infinity, no lone surrogates, no byte order mark, no repeated keys.

    Raises UnreadableBody, and InvalidInput for an object with so many fields that naming each as unknown would cost seconds.
    """
    if len(body) > INLINE_BODY_BYTES and body.count(b"{") + body.count(b"[") > MAX_OBJECTS:
        raise UnreadableBody(f"the body has more than {MAX_OBJECTS} objects and lists")
    if b"\\u" in body:  # an escaped key can repeat one that is written plainly
        _check_repeats(body)  # before the real reading, so that only one of the two is in memory
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnreadableBody(f"the body is not JSON: {error}") from None
    # A repeated key vanished in parsing, and a colon with it. Only then is it worth looking for.
    if b"\\u" not in body and body.count(b":") != orjson.dumps(members).count(b":"):
        _check_repeats(body)
    if len(body) > INLINE_BODY_BYTES:
        _check_width(members)
    return members


def _check_repeats(body: bytes) -> None:
    """Raise UnreadableBody for an object with a repeated key; what else is wrong is not looked at."""
    try:
        json.loads(body, object_pairs_hook=_refuse_repeats)
    except RecursionError:
        raise UnreadableBody("the body is nested too deeply") from None
    except ValueError:  # not JSON, or a number of more digits than Python reads
        return


def _check_width(members: object) -> None:
    pending = [members]
    while pending:
        inner = pending.pop()
        if isinstance(inner, dict):
            if len(inner) > MAX_FIELDS:
                raise InvalidInput([Fault("", f"an object has {len(inner)} fields; none of ours has more than {MAX_FIELDS}")])
            pending += inner.values()
        elif isinstance(inner, list):
            pending += [item for item in inner if isinstance(item, dict | list)]


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise UnreadableBody(f"the key {repeated[:40]!r} stands twice in one object")
    return members


def read_query(request: web.Request) -> dict[str, str]:
    """Read the parameters of a query as names and texts. Raises InvalidInput for one that is repeated."""
    if not request.query_string:
        return {}
    query = request.query
    repeated = sorted({name for name in query if len(query.getall(name)) > 1})
    if repeated:
        raise InvalidInput([Fault(f"/{name}", "this parameter stands twice; give it once") for name in repeated])
    return dict(query)
