"""The operations of the life-cycle footprint."""

from __future__ import annotations

from service.footprint.answers import FootprintAnswer
from service.footprint.handlers import footprint
from service.footprint.requests import FootprintRequest
from service.operation import BODY_PROBLEMS, Example, Operation

_MODEL = {
    "name": "a small model",
    "training": [
        {"location": "FR", "start": "2022-03-11T00:00:00Z", "end": "2022-03-18T00:00:00Z", "gpu_hours": 1344, "power_w": 400, "pue": 1.2}
    ],
    "hardware": [{"device": "a100-80gb", "device_hours": 1344}],
    "deployment": [
        {"intensity_g_per_kwh": 394, "intensity_source": "provider's annual figure, 2022", "energy_kwh": 48, "days": 1, "requests": 13000}
    ],
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/footprint",
        "footprint",
        "A model's life becomes emissions: training, idle machines, hardware and deployment, each apart, with the arithmetic spelled out.",
        footprint,
        FootprintAnswer,
        body=FootprintRequest,
        problems=(*BODY_PROBLEMS, "unknown-location", "no-data"),
        example=Example(body=_MODEL),
        tag="emissions",
    ),
)
