"""From an HTTP request to a run and back. What is answered 201 is on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from gridgram.errors import Fault, InvalidInput
from service.body import off_the_loop, parse_json, read_body
from service.guard import key_name_of
from service.http import GRIDGRAM, json_response, query_of
from service.requests import NoQuery, read_request
from service.runs.requests import CodeCarbonDelta, CodeCarbonQuery, CodeCarbonRun, CodeCarbonTotal, RunEnergyRequest, RunQuery, RunsQuery

if TYPE_CHECKING:
    from service.requests import Model
    from service.runs.usecase import Runs

RUNS: web.AppKey[Runs] = web.AppKey("runs")
MAX_KEY_CHARACTERS = 200


async def codecarbon_total(request: web.Request) -> web.Response:
    """Answer POST /v1/ingest/codecarbon."""
    query = query_of(request, CodeCarbonQuery)
    total, raw = await _body(request, CodeCarbonTotal)
    return _created(await request.app[RUNS].keep_total(total, raw, key_name_of(request), query.location))


async def codecarbon_run(request: web.Request) -> web.Response:
    """Answer POST /runs and POST /at/{location}/runs."""
    query_of(request, NoQuery)
    begun, raw = await _body(request, CodeCarbonRun)
    return _created(await request.app[RUNS].begin(begun, raw, key_name_of(request), request.match_info.get("location")))


async def codecarbon_delta(request: web.Request) -> web.Response:
    """Answer POST /emissions and POST /at/{location}/emissions."""
    query_of(request, NoQuery)
    delta, raw = await _body(request, CodeCarbonDelta)
    return _created(await request.app[RUNS].keep_delta(delta, raw, key_name_of(request)))


async def run_energy(request: web.Request) -> web.Response:
    """Answer POST /v1/runs/{id}/energy."""
    query_of(request, NoQuery)
    energy, _ = await _body(request, RunEnergyRequest)
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_KEY_CHARACTERS:
        raise InvalidInput([Fault("Idempotency-Key", f"the header has more than {MAX_KEY_CHARACTERS} characters; send a UUID")])
    return _created(await request.app[RUNS].keep_energy(request.match_info["id"], energy, key_name_of(request), key))


async def runs(request: web.Request) -> web.Response:
    """Answer GET /v1/runs."""
    query = query_of(request, RunsQuery)
    return json_response(await request.app[RUNS].page(query, key_name_of(request)))


async def run(request: web.Request) -> web.Response:
    """Answer GET /v1/runs/{id}."""
    query = query_of(request, RunQuery)
    return json_response(await request.app[RUNS].run(request.match_info["id"], key_name_of(request), query.step))


async def _body(request: web.Request, model: type[Model]) -> tuple[Model, dict[str, Any]]:
    now = request.app[GRIDGRAM].now()

    def read(body: bytes) -> tuple[Model, dict[str, Any]]:
        members = parse_json(body)
        return read_request(model, members, now), members

    return await off_the_loop(await read_body(request), read)


def _created(answer: Any) -> web.Response:  # noqa: ANN401 - one of the shapes of service.runs.answers
    response = json_response(answer)
    response.set_status(201)
    return response
