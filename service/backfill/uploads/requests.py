"""How an upload of jobs is to be read and converted: the options of `gridgram backfill`, as parameters of a query."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from gridgram.errors import Fault, InvalidInput
from service.backfill.device_watts import watts_of
from service.limits import MAX_LOCATION_CHARACTERS, MAX_PUE
from service.requests import QualityName, Request, SignalName

if TYPE_CHECKING:
    from aiohttp import web

UPLOAD_TYPES: Final = (
    "text/csv",
    "text/tab-separated-values",
    "application/x-ndjson",
    "application/json",
    "application/vnd.apache.parquet",
    "application/gzip",
    "application/octet-stream",
)
"""Types that an upload may say it is; its bytes tell which it is really."""
IDEMPOTENCY_KEY: Final = "Idempotency-Key"
_KEY = re.compile(r"[!-~]{1,255}")
_NUMBER = re.compile(r"\d{1,4}(\.\d{1,17})?")
_TEXT: Final = 200
_COLUMNS: Final = 2_000


def _number(text: object) -> object:
    """A query holds texts; one that writes a number is that number, everything else is left to be refused."""
    return float(text) if isinstance(text, str) and _NUMBER.fullmatch(text, re.ASCII) else text


class BackfillQuery(Request):
    """What a file of jobs does not say itself, and how its result is written."""

    output: Annotated[Literal["parquet", "csv", "ndjson"], Field(description="Format of the result.")] = "parquet"
    format: Annotated[
        str | None, Field(min_length=1, max_length=_TEXT, description="Format of the upload, when its header does not tell.")
    ] = None
    columns: Annotated[
        str | None,
        Field(max_length=_COLUMNS, description="The upload's names for our columns: location=site,start=begin,end=finish,energy_kwh=kwh."),
    ] = None
    location: Annotated[
        str | None, Field(min_length=1, max_length=MAX_LOCATION_CHARACTERS, description="Where the jobs ran, for rows that do not say.")
    ] = None
    tz: Annotated[
        str | None, Field(min_length=1, max_length=_TEXT, description="The zone of times without an offset, such as Europe/Paris.")
    ] = None
    pue: Annotated[
        float,
        BeforeValidator(_number),
        Field(ge=1, le=MAX_PUE, allow_inf_nan=False, description="Facility energy / computer energy, for rows that do not say."),
    ] = 1.0
    power_from_tdp: Annotated[
        str | None, Field(max_length=_TEXT, description="Model energy that was not metered from W per core and GPU: cpu=7.5,gpu=300.")
    ] = None
    signal: SignalName = "lifecycle"
    min_quality: QualityName = "annual"

    def column_names(self) -> dict[str, str]:
        """`columns` as a table. Raises InvalidInput."""
        pairs = [pair.partition("=") for pair in (self.columns or "").split(",") if pair]
        for ours, _, theirs in pairs:
            if not (ours.strip() and theirs.strip()):
                raise InvalidInput([Fault("/columns", f"{ours[:40]!r} is no pair; write columns=location=site,energy_kwh=kwh")])
        return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}

    def device_watts(self) -> dict[str, float]:
        """`power_from_tdp` as a table. Raises InvalidInput. [W]"""
        try:
            return watts_of(self.power_from_tdp or "")
        except ValueError as error:
            raise InvalidInput([Fault("/power_from_tdp", str(error))]) from error


def idempotency_key(request: web.Request) -> str | None:
    """The Idempotency-Key of a request. Raises InvalidInput for one that is none."""
    told = request.headers.getall(IDEMPOTENCY_KEY, [])
    if not told:
        return None
    if len(told) > 1 or not _KEY.fullmatch(told[0]):
        raise InvalidInput([Fault(f"/{IDEMPOTENCY_KEY}", "give the header once, with 1 to 255 visible ASCII characters")])
    return told[0]
