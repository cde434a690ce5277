"""What the tests of the page do over and over: open a view, read the commands that it shows, run them."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.chromium import Page
    from tests.running import RunningService

ENTER, TAB = 13, 9
SAVED_LOOKS = 200


async def shown(page: Page, service: RunningService, path: str, selector: str) -> None:
    """Open a view and wait for what it is about."""
    await page.open(f"{service.address}/#/{path}")
    await page.see(selector)


async def commands(page: Page) -> list[str]:
    """The commands that the page says repeat its calls."""
    told: list[str] = await page.run("[...document.querySelectorAll('.repeat code')].map((it) => it.textContent)")
    return told


def run_command(command: str) -> Any:
    """What a command shown on the page answers, run as it stands."""
    return json.loads(in_shell(command))


def in_shell(command: str) -> str:
    """What a command prints in the shell that people paste it into."""
    return subprocess.run(["/bin/bash", "-c", command], check=True, capture_output=True, text=True, timeout=20).stdout


async def saved(file: Path) -> bytes:
    """What the browser has saved under a name."""
    for _ in range(SAVED_LOOKS):
        if file.exists() and file.stat().st_size:  # noqa: ASYNC240 - a look at a local file
            break
        await asyncio.sleep(0.02)
    return file.read_bytes()  # noqa: ASYNC240 - as above
