"""The yardstick: an aiohttp handler that reads the body and gives back fixed bytes.

python bench/baseline.py PORT FILE answers every POST with the bytes of FILE.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvloop
from aiohttp import web

if __name__ == "__main__":
    port, answer = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()

    async def constant(request: web.Request) -> web.Response:
        """Read, and answer."""
        await request.read()
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/emissions", constant)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, loop=uvloop.new_event_loop())
