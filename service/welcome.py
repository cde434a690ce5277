"""What is said once the service answers: to the log, and to whoever started it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from service.settings import Settings

log = structlog.get_logger()

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def tell_ready(host: str, port: int, settings: Settings) -> None:
    """Say that the service answers, where, and how to try it."""
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if settings.host not in LOOPBACK and not settings.keys:
        told = f"anyone who reaches {address} can ask: set GRIDGRAM_API_KEYS_FILE, or let a proxy before it ask who they are"
        log.warning("serve.open", detail=told, host=host)
    log.info("serve.ready", address=address, store=settings.store_name, workers=settings.workers)
    sys.stderr.write(_invitation(address))


def _invitation(address: str) -> str:
    return f"""
Gridgram answers at {address} (reference: {address}/docs). Try:

curl -s {address}/v1/emissions -H 'Content-Type: application/json' -d '{{
  "location": "FR",
  "energy": {{"start": "2024-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}}
}}'
"""
