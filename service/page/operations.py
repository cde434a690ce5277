"""The operations of the page, and the one behind its map."""

from __future__ import annotations

from service.operation import Example, Operation
from service.page import answers, handlers
from service.page.requests import NowQuery

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/intensity/now",
        "all_now",
        "The newest hour of every zone in one call, of what is held and typical; no source is asked for it.",
        handlers.all_now,
        answers.AllNowAnswer,
        query=NowQuery,
        example=Example(query={"signal": "lifecycle"}),
    ),
    Operation(
        "GET",
        "/",
        "page",
        "The page people look at; works offline.",
        handlers.page,
        produces=("text/html",),
        tag="service",
        is_open=True,
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/page/{edition}/{asset}",
        "page_asset",
        "What the page at / is made of.",
        handlers.page_asset,
        produces=("text/javascript", "text/css", "image/svg+xml"),
        problems=("not-found",),
        example=Example(path={"edition": "any", "asset": "app.js"}),
        path_parameters={"edition": "What the page calls its edition.", "asset": "The name of a file."},
        tag="service",
        is_open=True,
        may_be_unchanged=True,
    ),
)
