"""From an HTTP request to a page of the documents."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from service.documents.requests import FileQuery
from service.documents.site import NoSuchFile, NotBuilt, Site
from service.http import file_response, query_of
from service.problems import problem_document, problem_response
from service.requests import NoQuery

SITE: web.AppKey[Site] = web.AppKey("site", Site)
PAGE_MAX_AGE_SECONDS: Final = 60
POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
NOT_BUILT: Final = (
    "The documents were not built with this service. In a checkout `make site` builds them; they are also to be read in docs/ of its source"
)
LOST: Final = "The documents have no such page"
PLAIN_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>{title}</title>
<main><h1>{title}</h1><p>{detail}.</p>
<p><a href="/">The page of this service</a>, <a href="/docs/">the documents</a>, <a href="/openapi.yaml">the contract</a></p></main>
</html>
"""


async def docs(request: web.Request) -> web.Response:
    """Answer GET /docs: the site begins at /docs/, so that its links lead within it wherever it stands."""
    query_of(request, NoQuery)
    return web.Response(status=308, headers={"Location": "docs/", "Cache-Control": f"public, max-age={PAGE_MAX_AGE_SECONDS}"})


async def docs_file(request: web.Request) -> web.Response:
    """Answer GET /docs/{file}: a page of the site or what it is made of. One asked for by its very version is for keeping."""
    query = query_of(request, FileQuery)
    try:
        file = await asyncio.to_thread(request.app[SITE].read, request.match_info["file"])
    except NotBuilt:
        return _absent(request, "Not built here", NOT_BUILT)
    except NoSuchFile:
        return _absent(request, "Nothing here", LOST)
    answer = file_response(request, file, PAGE_MAX_AGE_SECONDS, is_kept=bool(query.v) and query.v == file.version)
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


def _absent(request: web.Request, title: str, detail: str) -> web.Response:
    """A page for people, for all others a problem."""
    if "text/html" in request.headers.get("Accept", ""):
        text = PLAIN_PAGE.format(title=title, detail=detail)
        return web.Response(status=404, text=text, content_type="text/html", headers={"Vary": "Accept"})
    return problem_response(problem_document("not-found", f"{detail}."), {"Vary": "Accept"})
