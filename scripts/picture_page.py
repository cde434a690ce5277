"""Make docs/page.png, the picture in the README: the page of a running service, as Chromium draws it.

python scripts/picture_page.py http://127.0.0.1:8080      (from the checkout; needs Chromium)
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.chromium import chromium, chromium_path  # noqa: E402 - the checkout is not installed

PICTURE = ROOT / "docs" / "page.png"
WIDTH, HEIGHT = 1200, 1010


async def draw(address: str) -> None:
    """Open the page at the address and write what the window shows."""
    path = chromium_path()
    if path is None:
        raise SystemExit("no Chromium is installed; name one in CHROMIUM")
    with tempfile.TemporaryDirectory() as profile:
        async with chromium(path, Path(profile)) as page:
            await page.size(WIDTH, HEIGHT)
            await page.scheme("light")
            await page.open(address)
            await page.see(".list tbody tr")
            await page.picture(PICTURE, is_whole=False)
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    asyncio.run(draw(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"))
