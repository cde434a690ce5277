"""`openapi.yaml` from the table of operations and the models: OpenAPI 3.1, the same text every time."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from service import PACKAGE_VERSION
from service.answers import ProblemAnswer
from service.formats import JSON_TYPE
from service.operation import NDJSON_TYPE, Operation
from service.operations import OPERATIONS
from service.problems import CONTENT_TYPE, PROBLEM_TYPES
from service.requests import NoQuery, Request

REFERENCE = "#/components/schemas/{model}"
HEADER_REFERENCE = "#/components/headers/{header}"
TOO_MANY = 429
ITEMS = "x-item-schema"
"""The schema of one line of NDJSON; OpenAPI 3.2 calls it itemSchema, 3.1 has no word for it."""
ALIASES = "x-aliases"
"""The other paths of an operation."""
ALWAYS = ("bad-request", "invalid-input", "internal-error", "overloaded")
WITH_A_KEY = ("unauthorized", "rate-limited", "quota-exhausted")
"""What may be answered besides, where keys are set."""
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of this service, where it wants one."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key, for who cannot send a bearer token."},
    "authToken": {
        "type": "apiKey",
        "in": "header",
        "name": "auth-token",
        "description": "The same key, as clients of other services send it.",
    },
}
HEADERS = {
    "X-Request-ID": "The request's own, when it has up to 64 letters, digits, dots, dashes and underscores; else a new one.",
    "ETag": "Changes whenever the answer does; send it back in If-None-Match.",
    "Cache-Control": "How long the answer may be reused.",
}
KEY_HEADERS = {
    "RateLimit-Policy": "The limit of the key, where it has one: so many requests (q) in so many seconds (w).",
    "RateLimit": "What is left of it (r), and in how many seconds it is whole again (t).",
    "Retry-After": "After how many seconds it is worth asking again.",
}
CACHE_HEADERS = ("ETag", "Cache-Control")
TAGS = {
    "backfills": "Files of past jobs, converted one after the other.",
    "emissions": "Energy and a place become emissions.",
    "forecast": "What the next hours will be, and what such forecasts were worth.",
    "intensity": "Hourly intensity of a place.",
    "schedule": "Where and when a job emits least.",
    "runs": "Runs that trackers tell of, kept and followed.",
    "electricity-maps": "For clients of Electricity Maps; the same numbers as the operations above.",
    "watttime": "For clients of WattTime; the same numbers in lb/MWh.",
    "carbon-aware-sdk": "For clients of the Carbon Aware SDK; the same numbers.",
    "scheduler": "For clients of the carbon-aware scheduler; the same numbers.",
    "mix": "What was generated, by fuel, where a source told it.",
    "places": "Zones, locations and where the numbers come from.",
    "service": "The service itself.",
}


class _Schema(GenerateJsonSchema):
    """Plain names for the components, as the models are called."""

    def get_title_from_name(self, name: str) -> str:
        return name


def openapi_yaml() -> str:
    """The contract as YAML. Made from code alone."""
    import yaml  # noqa: PLC0415 - only this needs it, and the command line need not wait for it

    return yaml.safe_dump(openapi_document(), sort_keys=False, allow_unicode=True, width=120)


def openapi_document() -> dict[str, Any]:
    """The contract as an object."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    _component(ProblemAnswer, schemas, "serialization")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gridgram",
            "version": PACKAGE_VERSION,
            "summary": "Carbon intensity of electricity by the hour, and the emissions of what used it.",
            "description": (
                "Times are RFC 3339 with an offset in and UTC out; spans include their start and exclude their end; "
                "an hour is named by its start. Intensity is in gCO2e/kWh, energy in kWh, mass in g. "
                "Every answer with numbers names its sources. Errors are RFC 9457 problem documents."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{}, *({name: []} for name in SECURITY_SCHEMES)],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "headers": {
                name: {"description": text, "required": name in HEADERS, "schema": {"type": "string"}}
                for name, text in (HEADERS | KEY_HEADERS).items()
            },
            "securitySchemes": SECURITY_SCHEMES,
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {"operationId": operation.name, "summary": operation.summary, "tags": [operation.tag]}
    if parameters := [*_path_parameters(operation), *_query_parameters(operation), *_header_parameters(operation)]:
        document["parameters"] = parameters
    if operation.body is not None:
        document["requestBody"] = {"required": True, "content": {operation.consumes: _body(operation, schemas)}}
    if operation.uploads:
        document["requestBody"] = {"required": True, "content": {kind: _upload(operation) for kind in operation.uploads}}
    document["responses"] = _responses(operation, schemas)
    if operation.is_open:
        document["security"] = []
    if operation.aliases:
        document[ALIASES] = list(operation.aliases)
    return document


def _body(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = _component(operation.body, schemas, "validation")
    if operation.consumes == NDJSON_TYPE:
        lines = "".join(f"{orjson.dumps(item).decode()}\n" for item in operation.example.body)
        text = {"type": "string", "description": "One object a line, each as in /v1/emissions."}
        return {"schema": text, ITEMS: schema, "example": lines}
    return {"schema": schema, "example": operation.example.body}


def _upload(operation: Operation) -> dict[str, Any]:
    return {"schema": {"type": "string", "minLength": 1, "description": "The file as it is."}, "example": operation.example.body}


def _header_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"}}
        for name, text in operation.headers.items()
    ]


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text,
            "schema": {"type": "string", "minLength": 1},
            "example": operation.example.path[name],
        }
        for name, text in operation.path_parameters.items()
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is NoQuery:
        return []
    schema = _inline(operation.query)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": member,
            **({"example": operation.example.query[name]} if name in operation.example.query else {}),
        }
        for name, member in schema["properties"].items()
    ]


def _inline(model: type[Request]) -> dict[str, Any]:
    """The schema of a query, without null: a parameter that is not there is left out."""
    schema = model.model_json_schema(schema_generator=_Schema)
    for name, member in schema["properties"].items():
        kinds = [kind for kind in member.pop("anyOf", ()) if kind != {"type": "null"}]
        schema["properties"][name] = {**(kinds[0] if kinds else {}), **{key: value for key, value in member.items() if value is not None}}
        schema["properties"][name].pop("title", None)
    return schema


def _responses(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    content = {}
    for media_type in operation.produces:
        if media_type == JSON_TYPE:
            content[media_type] = {"schema": _component(operation.answer, schemas, "serialization")}
        elif media_type == NDJSON_TYPE and not operation.is_file:
            item = {"oneOf": [_component(model, schemas, "serialization") for model in (operation.answer, ProblemAnswer)]}
            content[media_type] = {"schema": {"type": "string", "description": "One object a line."}, ITEMS: item}
        else:
            content[media_type] = {"schema": {"type": "string"}}
    caching = CACHE_HEADERS if operation.may_be_unchanged else ()
    answer = {"description": "The answer.", "headers": _headers("X-Request-ID", *caching), "content": content}
    responses: dict[str, Any] = {str(operation.status): answer}
    if operation.is_file:
        responses["206"] = answer | {"description": "The part of it that Range asks for."}
    if operation.may_be_unchanged:
        unchanged = "What the caller holds (If-None-Match) is still true."
        responses["304"] = {"description": unchanged, "headers": _headers("X-Request-ID", *caching)}
    by_status: dict[int, list[str]] = {}
    with_a_key = () if operation.is_open else WITH_A_KEY
    for code in sorted({*operation.problems, *ALWAYS, *with_a_key}, key=lambda code: (PROBLEM_TYPES[code].status, code)):
        by_status.setdefault(PROBLEM_TYPES[code].status, []).append(code)
    for status, codes in by_status.items():
        responses[str(status)] = {
            "description": " ".join(f"{code}: {PROBLEM_TYPES[code].title}." for code in codes),
            **({"headers": _headers(*KEY_HEADERS)} if status == TOO_MANY else {}),
            "content": {CONTENT_TYPE: {"schema": {"$ref": REFERENCE.format(model="ProblemAnswer")}}},
        }
    return responses


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": HEADER_REFERENCE.format(header=name)} for name in names}


def _component(model: Any, schemas: dict[str, Any], mode: Any) -> dict[str, Any]:  # noqa: ANN401 - a model or a TypedDict
    """Put the schema of a model, and of all that it names, among the components, and refer to it."""
    schema = TypeAdapter(model).json_schema(ref_template=REFERENCE, mode=mode, schema_generator=_Schema)
    for name, part in {**schema.pop("$defs", {}), model.__name__: schema}.items():
        if schemas.setdefault(name, part) != part:
            raise ValueError(f"two models are called {name}; one would silently stand for both in the contract")
    return {"$ref": REFERENCE.format(model=model.__name__)}
