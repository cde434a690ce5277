"""Models and issued forecasts as bytes and back: a version byte, a table in JSON, packed little-endian arrays; never a pickle.

The store that keeps them adds a checksum; what cannot be understood all the same is None, as if it were not there.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridgram.forecast import Method, Model
from gridgram.forecast_ridge import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VERSION: Final = 1
_LENGTH: Final = struct.Struct("<BI")


@dataclass(frozen=True, slots=True, eq=False)
class Issued:
    """A forecast as it went out: when, from which hour on nothing was known, and the hours from `first_hour` on. [gCO2e/kWh]

    `own` is what a source itself forecast at that time, NaN where it did not.
    """

    first_hour: int
    origin: int
    g_per_kwh: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    own: NDArray[np.float64]


def encode_model(model: Model) -> bytes:
    """Pack a model; coefficients as 32-bit numbers."""
    table = {
        "method": model.method,
        "first_hour": model.first_hour,
        "end_hour": model.end_hour,
        "days": model.days,
        "center": model.center,
        "offset_g": model.offset_g,
        "lowest": model.lowest,
        "highest": model.highest,
        "mape_percent": {name: mape for name, mape in model.mape_percent.items() if np.isfinite(mape)},
        "inputs": len(model.coefficients),
    }
    return _packed(table, [model.coefficients.ravel(), model.below, model.above])


def decode_model(packed: bytes) -> Model | None:
    """Unpack a model; None for bytes that are none of this version, or that hold no finite numbers."""
    try:
        table, numbers = _unpacked(packed)
        coefficients = numbers[: table["inputs"] * OUTPUTS].reshape(table["inputs"], OUTPUTS)
        below, above = numbers[table["inputs"] * OUTPUTS :].reshape(2, OUTPUTS)
        if not np.isfinite(numbers).all():
            return None
        return Model(
            Method(table["method"]),
            int(table["first_hour"]),
            int(table["end_hour"]),
            int(table["days"]),
            float(table["center"]),
            float(table["offset_g"]),
            float(table["lowest"]),
            float(table["highest"]),
            coefficients,
            below,
            above,
            {Method(name): float(mape) for name, mape in table["mape_percent"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None


def encode_issued(issued: Issued) -> bytes:
    """Pack an issued forecast."""
    table = {"first_hour": issued.first_hour, "origin": issued.origin}
    return _packed(table, [issued.g_per_kwh, issued.low, issued.high, issued.own])


def decode_issued(packed: bytes) -> Issued | None:
    """Unpack an issued forecast; None for bytes that are none of this version."""
    try:
        table, numbers = _unpacked(packed)
        g_per_kwh, low, high, own = numbers.reshape(4, -1)
        return Issued(int(table["first_hour"]), int(table["origin"]), g_per_kwh, low, high, own)
    except (ValueError, KeyError, TypeError, struct.error):
        return None


def _packed(table: dict[str, Any], columns: Sequence[NDArray[np.float64]]) -> bytes:
    header = json.dumps(table, separators=(",", ":"), allow_nan=False).encode()
    return b"".join([_LENGTH.pack(VERSION, len(header)), header, np.concatenate(columns).astype("<f4").tobytes()])


def _unpacked(packed: bytes) -> tuple[dict[str, Any], NDArray[np.float64]]:
    version, size = _LENGTH.unpack_from(packed)
    if version != VERSION:
        msg = f"version {version} is not {VERSION}"
        raise ValueError(msg)
    end = _LENGTH.size + size
    return json.loads(packed[_LENGTH.size : end]), np.frombuffer(packed[end:], "<f4").astype(np.float64)
