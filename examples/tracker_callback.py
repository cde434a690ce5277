"""A tracker's callback: what the kWh of a piece of work emitted, as figures for a log. Needs nothing but Python.

tracker = GridgramCallback("FR")
...                                    # the work; its energy is measured by whatever you measure it with
run.log(tracker.figures(energy_kwh=1.7))
"""

from __future__ import annotations

import json
import urllib.request
from datetime import datetime, timezone


class GridgramCallback:
    """Starts to count when it is made; `figures` tells what the energy since then emitted."""

    def __init__(self, location: str, address: str = "http://127.0.0.1:8080", key: str = "") -> None:
        self.location, self.start = location, datetime.now(timezone.utc)
        self.url, self.headers = f"{address}/v1/emissions", {"Content-Type": "application/json", **({"X-API-Key": key} if key else {})}

    def figures(self, energy_kwh: float) -> dict[str, float]:
        """Emissions [gCO2e] of so much energy [kWh] since the start, its mean intensity [gCO2e/kWh], and the share that is measured."""
        span = {"start": self.start.isoformat(), "end": datetime.now(timezone.utc).isoformat(), "total_kwh": energy_kwh}
        body = json.dumps({"location": self.location, "energy": span}).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url, body, self.headers), timeout=10) as reply:
            answer = json.load(reply)
        names = ("emissions_g", "emissions_low_g", "emissions_high_g", "energy_kwh", "intensity_g_per_kwh")
        return {f"gridgram/{name}": answer[name] for name in names} | {"gridgram/measured_share": answer["coverage"].get("measured", 0.0)}
