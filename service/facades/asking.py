"""What the facades share in reading: queries as the clients write them, times in their spellings, places under their names."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, cast

from pydantic import Field, PlainValidator, StringConstraints, ValidationInfo
from pydantic import WithJsonSchema as JsonSchema

from gridgram.errors import Fault, InvalidInput, UnknownLocation
from gridgram.interval import check_range, parse_time, to_microseconds
from service.forecasting.issuing import place_of
from service.limits import MAX_FAULTS, MAX_LOCATION_CHARACTERS, MAX_TIME_CHARACTERS
from service.requests import Request, read_request

if TYPE_CHECKING:
    from aiohttp import web

    from gridgram.locations import Place
    from service.requests import Model
    from service.usecases import Gridgram

CLOUDS: Final = {
    "aws": "aws",
    "amazon": "aws",
    "amazon web services": "aws",
    "gcp": "gcp",
    "google": "gcp",
    "google cloud": "gcp",
    "google cloud platform": "gcp",
    "azure": "azure",
    "microsoft": "azure",
    "microsoft azure": "azure",
    "ovh": "ovh",
    "ovhcloud": "ovh",
}
"""Cloud providers as clients write them, and as a location does."""
NOWHERE: Final = (
    "no place is given: send zone, zoneKey or countryCode, or lat and lon, or dataCenterProvider and dataCenterRegion; "
    "the caller's address is never looked at"
)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?([Zz]|[+ -]\d\d:?\d\d)", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def _read_time(text: object, info: ValidationInfo) -> int:
    if not isinstance(text, str) or len(text) > MAX_TIME_CHARACTERS:
        raise ValueError("a time is a short string, like 2022-03-11T00:00:00Z")
    now = cast("dict[str, Any]", info.context)["now"]
    return to_microseconds(check_range(parse_time(usual_spelling(text)), now))


def usual_spelling(text: str) -> str:
    """A time as RFC 3339 writes it: clients put a blank for the T, and a `+` in a query arrives as a blank too. Other texts stay."""
    match = _TIME.fullmatch(text)
    if match is None:
        return text
    date, clock, offset = match.groups()
    if offset not in {"Z", "z"}:
        offset = f"{offset[0].replace(' ', '+')}{offset[1:3]}:{offset[-2:]}"
    return f"{date}T{clock}{offset}"


def _read_flag(text: object) -> bool:
    flag = text if isinstance(text, bool) else _FLAGS.get(str(text).lower())
    if flag is None:
        raise ValueError("this is true or false")
    return flag


def _read_number(text: object) -> float:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("this is a number, like 48.85")
    return float(text)


def read_whole(text: object) -> int:
    """The whole number that a query writes, as 24 or 24.0. Raises ValueError."""
    number = _read_number(text)
    if not number.is_integer():
        raise ValueError("this is a whole number")
    return int(number)


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LOCATION_CHARACTERS)]
Instant = Annotated[
    int,
    PlainValidator(_read_time),
    JsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "With an offset; a blank may stand for the T, and for the + of the offset.",
            "examples": ["2022-03-11T00:00:00Z"],
        }
    ),
]
Flag = Annotated[bool, PlainValidator(_read_flag), JsonSchema({"type": "string", "enum": ["true", "false", "True", "False", "1", "0"]})]
Degrees = Annotated[float, PlainValidator(_read_number), JsonSchema({"type": "number", "minimum": -180, "maximum": 180})]


class PlaceQuery(Request):
    """A place under any of the names that clients give it; exactly one way of naming it."""

    zone: Annotated[Text | None, Field(description="A zone key or any other location, in any case, with - or _.", examples=["FR"])] = None
    zoneKey: Annotated[Text | None, Field(description="The same.")] = None
    countryCode: Annotated[Text | None, Field(description="The same; ISO 3166-1, two letters or three.")] = None
    lat: Annotated[Degrees | None, Field(description="Latitude; with lon.")] = None
    lon: Annotated[Degrees | None, Field(description="Longitude; with lat.")] = None
    dataCenterProvider: Annotated[Text | None, Field(description="A cloud provider: aws, gcp, azure, ovh or its full name.")] = None
    dataCenterRegion: Annotated[Text | None, Field(description="The provider's name of its region.")] = None
    disableCallerLookup: Annotated[Flag | None, Field(description="Taken and of no effect: the caller's address is never looked at.")] = (
        None
    )

    def location(self) -> str:
        """The one location that is given. Raises InvalidInput for none, for half of one, and for several."""
        if (self.lat is None) != (self.lon is None):
            raise InvalidInput([Fault("/lat", "lat and lon go together; one of them is missing")])
        if (self.dataCenterProvider is None) != (self.dataCenterRegion is None):
            raise InvalidInput([Fault("/dataCenterRegion", "dataCenterProvider and dataCenterRegion go together; one of them is missing")])
        given = [name for name in (self.zone, self.zoneKey, self.countryCode) if name is not None]
        if self.lat is not None and self.lon is not None:
            given.append(point(self.lat, self.lon))
        if self.dataCenterProvider is not None and self.dataCenterRegion is not None:
            given.append(cloud_region(self.dataCenterProvider, self.dataCenterRegion))
        if not given:
            raise InvalidInput([Fault("/zone", NOWHERE)])
        if len({name.upper() for name in given}) > 1:
            raise InvalidInput([Fault("/zone", f"several places are given, {' and '.join(given)[:120]}; send one")])
        return given[0]


def point(latitude: float, longitude: float) -> str:
    """A point as a location; to a tenth of a millimetre, without exponents."""
    return f"geo:{latitude:.9f},{longitude:.9f}"


def cloud_region(provider: str, region: str) -> str:
    """A cloud region as a location. Raises InvalidInput for a provider that is not known."""
    cloud = CLOUDS.get(provider.strip().lower())
    if cloud is None:
        raise InvalidInput(
            [Fault("/dataCenterProvider", f"{provider[:40]!r} is none of the providers that are known: {', '.join(CLOUDS)}")]
        )
    return f"{cloud}:{region}"


async def place_called(gridgram: Gridgram, name: str) -> Place:
    """The place of that name: any location, a zone with _ for -, or a cloud region by its bare name. Raises UnknownLocation."""
    try:
        return await place_of(gridgram, name)
    except UnknownLocation:
        if ":" in name:
            raise
        if "_" in name:
            with suppress(UnknownLocation):
                return await place_of(gridgram, name.replace("_", "-"))
        regions = [region for region in gridgram.locator.cloud_regions if region.region == name.lower() and region.zone]
        if len({region.zone for region in regions}) != 1:
            raise
    return await place_of(gridgram, f"{regions[0].provider}:{regions[0].region}")


class RepeatedQuery(Request):
    """A query in which the parameters of `LISTS` may stand several times."""

    LISTS: ClassVar[frozenset[str]] = frozenset()


def facade_query(request: web.Request, model: type[Model], now: Any) -> Model:  # noqa: ANN401 - a datetime
    """Read a query as a model. Raises InvalidInput, for a parameter that stands twice and is no list too."""
    lists = model.LISTS if issubclass(model, RepeatedQuery) else frozenset[str]()
    members: dict[str, Any] = {}
    repeated = []
    for name in dict.fromkeys(request.query):
        texts = request.query.getall(name)
        members[name] = texts if name in lists else texts[0]
        if len(texts) > 1 and name not in lists:
            repeated.append(Fault(f"/{name[:60]}", "this parameter stands twice; give it once"))
    if repeated:
        raise InvalidInput(repeated[:MAX_FAULTS])
    return read_request(model, members, now)


def renamed(error: InvalidInput, names: dict[str, str]) -> InvalidInput:
    """The same faults under the names that the caller used."""
    return InvalidInput([Fault(names.get(fault.pointer, fault.pointer), fault.detail) for fault in error.faults])
