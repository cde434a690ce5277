"""What an operation is: the one description that routes, `openapi.yaml` and tests are made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from service.formats import JSON_TYPE
from service.requests import NoQuery, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web
    from pydantic import BaseModel

NDJSON_TYPE = "application/x-ndjson"
BODY_PROBLEMS = ("invalid-body", "body-too-large", "unsupported-media-type", "request-timeout")


@dataclass(frozen=True, slots=True)
class Example:
    """A request that works: what fills the path, the query or the body. The tests execute every one of them."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its route, what it reads, what it answers, and the problems that it may answer instead.

    `answer` is the shape of a JSON answer, None where there is none; `produces` lists the media types of a success.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    answer: Any = None
    query: type[Request] = NoQuery
    body: type[BaseModel] | None = None
    consumes: str = JSON_TYPE
    produces: tuple[str, ...] = (JSON_TYPE,)
    problems: tuple[str, ...] = ()
    example: Example = field(default_factory=Example)
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    tag: str = "intensity"
    may_be_unchanged: bool = False
    status: int = 200
    """The status of a success."""
    uploads: tuple[str, ...] = ()
    """The media types of a body that is a file, not a model."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers that it reads beyond those that all do."""
    is_file: bool = False
    """Whether the answer is a file, of which a range may be asked for."""
    is_open: bool = False
    """Whether it needs no key where keys are set."""
    aliases: tuple[str, ...] = ()
    """Other paths of the same operation, for clients that know it by them."""
    is_deep: bool = False
    """Whether the last parameter of the path takes in all that follows, slashes too, and may be empty."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The paths as the router reads them."""
        paths = (self.path, *self.aliases)
        return tuple(f"{path.removesuffix('}')}:.*}}" for path in paths) if self.is_deep else paths
