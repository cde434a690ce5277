"""What the service keeps, on the page: runs and backfills, done as a user does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.steps import commands, run_command, saved, shown
from tests.wire import get

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.chromium import Page
    from tests.running import RunningService

pytestmark = pytest.mark.asyncio(loop_scope="session")


# --- runs and backfills


async def test_a_run_that_a_tracker_sent_is_shown_with_its_figure(page: Page, held: RunningService) -> None:
    identity = "5b0fa12a-3dd7-45bb-9766-cc326314d9f1"
    energy = {"location": "FR", "name": "bloom", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}}
    assert held.post(f"/v1/runs/{identity}/energy", energy)[0] == 201
    await shown(page, held, "runs", ".view.runs table")
    assert "bloom" in await page.text("table")
    await page.click(".view.runs table a")
    await page.see(".coverage-bar")
    run = run_command((await commands(page))[0])

    assert await page.text(".headline strong") == f"{run['emissions_g']:.0f} g"
    assert await page.count(".view.runs tbody tr") == len(run["over_time"]) + len(run["revisions"])


async def test_a_file_of_jobs_is_sent_followed_and_fetched(page: Page, held: RunningService, tmp_path: Path) -> None:
    file = tmp_path / "jobs.csv"
    file.write_text("location,start,end,energy_kwh\nFR,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5\nnowhere,2022-03-11T00:10:00Z,,1\n")
    await page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    await shown(page, held, "backfills", "main form")
    document = await page.call("DOM.getDocument")
    node = await page.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector="main input[type=file]")
    await page.call("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file)])
    await page.run("document.querySelector('main select').value = 'csv'")
    await page.click("main form button")
    await page.until("document.querySelector('.headline strong')?.textContent === 'done'", 60)
    told = run_command((await commands(page))[-1])

    assert f"{told['summary']['emissions_g'] / 1000:.2f} kg" in await page.text("main")
    assert "1 row without numbers" in await page.text("main")

    await page.run("[...document.querySelectorAll('main button')].find((it) => it.textContent === 'Save the result').click()")
    file = tmp_path / f"backfill-{told['id']}.csv"
    assert await saved(file) == get(held, f"/v1/backfills/{told['id']}/result").body

    await page.run("[...document.querySelectorAll('main button')].find((it) => it.textContent === 'Delete').click()")
    await page.see(".view.backfills form")
    assert get(held, f"/v1/backfills/{told['id']}").status == 404
