"""The operations of the documents."""

from __future__ import annotations

from service.documents import handlers
from service.documents.requests import FileQuery
from service.operation import Example, Operation

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/docs",
        "docs",
        "The documents begin at /docs/; this leads there.",
        handlers.docs,
        produces=(),
        status=308,
        tag="service",
        is_open=True,
    ),
    Operation(
        "GET",
        "/docs/{file}",
        "docs_file",
        "A page of the documents, which work offline, or what it is made of. Paths below folders are files too; none is the start page.",
        handlers.docs_file,
        query=FileQuery,
        produces=("text/html", "text/css", "text/javascript", "application/yaml", "image/svg+xml", "image/png", "text/plain"),
        problems=("not-found",),
        example=Example(path={"file": "index.html"}),
        path_parameters={"file": "The path of a file; slashes may stand in it as they are."},
        tag="service",
        is_open=True,
        may_be_unchanged=True,
        is_deep=True,
    ),
)
