"""Every error as an RFC 9457 problem document. Only this module knows HTTP statuses.

Besides the members of the RFC each document has `error` and `message` strings, which clients of other carbon-intensity APIs read, and
`errors` with one JSON pointer (or parameter name) and one sentence for each thing that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from gridgram.errors import GridgramError, InvalidInput, NoData, SettingsError, StoreError, UnknownLocation, UpstreamError

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem: its stable code, HTTP status, title, and what the caller can do about it."""

    code: str
    status: int
    title: str
    mend: str


PROBLEM_TYPES = {
    problem.code: problem
    for problem in (
        ProblemType("invalid-body", 400, "The body cannot be read", "Send UTF-8 JSON without NaN, Infinity or repeated keys."),
        ProblemType(
            "bad-request", 400, "The request is not valid HTTP", "Check the request line, the headers and the encoding of the body."
        ),
        ProblemType(
            "unauthorized",
            401,
            "The service wants a key",
            "Send a key of this service in the Authorization, X-API-Key or auth-token header.",
        ),
        ProblemType("forbidden", 403, "The key may not do this", "Use a key that may; whoever runs the service makes them."),
        ProblemType(
            "unknown-location", 404, "The location names no zone", "Use one of the suggestions, or look the location up with /v1/locate."
        ),
        ProblemType(
            "no-data",
            404,
            "Hours are not held at the quality asked for",
            "Allow a lower min_quality, another signal or span, or import hours.",
        ),
        ProblemType("not-found", 404, "There is nothing at this path", "The operations are listed at /docs and in /openapi.yaml."),
        ProblemType("no-result", 409, "The backfill has no result", "Ask for its progress until it is done, or send the jobs anew."),
        ProblemType("method-not-allowed", 405, "The path does not know this method", "Use one of the methods in the Allow header."),
        ProblemType(
            "not-acceptable",
            406,
            "No format that the request accepts",
            "Accept application/json, text/csv or application/vnd.apache.parquet.",
        ),
        ProblemType("request-timeout", 408, "The request came too slowly", "Send the whole request, and do not pause within it."),
        ProblemType("body-too-large", 413, "The body is too large", "Split the request, or send many jobs to /v1/emissions/batch."),
        ProblemType(
            "unsupported-media-type",
            415,
            "The body has a type that the operation does not read",
            "Send application/json, or NDJSON to a batch.",
        ),
        ProblemType("range-not-satisfiable", 416, "The file is shorter than the range asked for", "Ask for a range inside the file."),
        ProblemType("expectation-failed", 417, "The Expect header cannot be met", "Send Expect: 100-continue or none."),
        ProblemType("invalid-input", 422, "One or more fields are wrong", "Each entry of errors says which field, and how to mend it."),
        ProblemType(
            "idempotency-key-reused", 422, "The Idempotency-Key stands for another request", "Take a new one for each new request."
        ),
        ProblemType("rate-limited", 429, "The key asks too often", "Wait as long as Retry-After says; send many jobs in one batch."),
        ProblemType(
            "quota-exhausted",
            429,
            "The key has caused its calls to sources of today",
            "Ask for hours that are held, or wait as long as Retry-After says.",
        ),
        ProblemType("backfills-exhausted", 429, "The caller has as many backfills as one may", "Wait for one to end, or delete one."),
        ProblemType("upstream-error", 503, "A source of data does not answer", "Try again later."),
        ProblemType("store-error", 503, "The store cannot be used", "Call whoever runs the service."),
        ProblemType(
            "overloaded",
            503,
            "The service has more to do than it can",
            "Try again after the seconds in Retry-After, or ask another replica.",
        ),
        ProblemType("draining", 503, "The service is about to stop", "Ask another replica."),
        ProblemType("settings-error", 500, "The service is not set up rightly", "Call whoever runs the service."),
        ProblemType("internal-error", 500, "The service failed", "It is our fault; report it with the request id."),
        ProblemType(
            "insufficient-storage", 507, "The service cannot keep the upload", "Try again later, or call whoever runs the service."
        ),
        ProblemType("http-error", 400, "The request was refused", "See the detail."),
    )
}

_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 416: "range-not-satisfiable", 417: "expectation-failed"}


def problem_document(code: str, detail: str, *, status: int | None = None, **members: object) -> dict[str, Any]:
    """Make the members of one problem document."""
    kind = PROBLEM_TYPES[code]
    return {
        "type": f"/problems/{code}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": detail,
        "hint": kind.mend,
        "error": code,
        "message": detail,
        "errors": [],
        **members,
    }


def problem_of(error: GridgramError) -> dict[str, Any]:
    """Turn an error of the house into its problem document."""
    members: dict[str, Any] = {}
    match error:
        case InvalidInput():
            members["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults]
        case UnknownLocation():
            members |= {"location": error.location, "suggestions": list(error.suggestions)}
        case NoData():
            members |= {
                "zone": error.zone,
                "hours_missing": error.hours_missing,
                "missing": [{"start": start, "end": end} for start, end in error.missing],
            }
        case UpstreamError() | StoreError() | SettingsError():
            pass
    code = error.code if error.code in PROBLEM_TYPES else "internal-error"
    return problem_document(code, str(error), **members)


def problem_of_http(error: web.HTTPException) -> dict[str, Any]:
    """Turn an answer that aiohttp gives by itself (404, 405, 413 ...) into a problem document."""
    code = _BY_STATUS.get(error.status, "http-error")
    phrase = HTTPStatus(error.status).phrase
    detail = PROBLEM_TYPES[code].title if code != "http-error" else phrase
    if isinstance(error, web.HTTPMethodNotAllowed):
        detail = f"{error.method} is not among the methods of this path: {', '.join(sorted(error.allowed_methods))}"
    return problem_document(code, f"{detail}.", status=error.status)


def problem_response(
    document: dict[str, Any], headers: dict[str, str] | None = None, kind: type[web.Response] = web.Response
) -> web.Response:
    """Write a problem document as an HTTP answer."""
    return kind(
        body=orjson.dumps(document),
        status=document["status"],
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
