"""The page about runs and the example beside it do what they say."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from service.runs import answers
from tests.running import running_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import RunningService

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "runs.md").read_text()
REQUEST, ANSWER = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
TOLD = ("RunAnswer", "RunSummaryAnswer", "RevisionAnswer", "KeptAnswer")


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("runs")) as service:
        yield service


def test_the_request_of_the_page_is_answered_as_the_page_says(sink: RunningService) -> None:
    status, answer = sink.post(f"/v1/runs/{ANSWER['run_id']}/energy", REQUEST)

    assert status == 201
    assert answer.keys() == ANSWER.keys()
    assert (answer["run_id"], answer["new_samples"]) == (ANSWER["run_id"], ANSWER["new_samples"])
    _, run = sink.get(f"/v1/runs/{ANSWER['run_id']}?step=PT1H")
    assert run["energy_kwh"] == pytest.approx(sum(REQUEST["energy"]["kwh"]))


def test_every_field_of_an_answer_stands_on_the_page() -> None:
    fields = {field for name in TOLD for field in get_type_hints(getattr(answers, name))}

    assert [field for field in sorted(fields) if f"`{field}`" not in PAGE and f'"{field}"' not in PAGE] == []


def test_the_example_tells_of_a_run_and_sends_again_what_did_not_arrive(sink: RunningService) -> None:
    spec = importlib.util.spec_from_file_location("track_run", ROOT / "examples" / "track_run.py")
    assert spec is not None
    assert spec.loader is not None
    example: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    meter = iter([10.0, 10.5, 11.0, 13.0])

    with example.Tracked(sink.address, "FR", lambda: next(meter), seconds=60) as run:
        url, run.url = run.url, "http://127.0.0.1:9/nobody"
        run.send()
        run.url = url
        run.send()

    _, told = sink.get(f"/v1/runs/{run.id}")
    assert (told["energy_kwh"], told["samples"], told["zone"]) == (3.0, 3, "FR")
