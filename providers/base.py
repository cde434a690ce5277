"""What a provider is: what it says about itself, what it asks, and what it makes of an answer.

A provider module holds `PROVIDER`, a `Provider` of two functions that neither wait nor look at the clock. `providers.engine` does the
waiting: it asks what `plan` says, hands each answer to `parse`, follows the further requests that an answer points to, checks the
points, and makes hours of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from gridgram.quality import MIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from gridgram.fuels import Fuel
    from gridgram.interval import Interval
    from gridgram.mix_series import MixUnit
    from gridgram.quality import Quality, Scope, Signal, Told


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """A source as `/v1/providers` shows it: what it offers, on which terms, and what to know before relying on it.

    `offers` holds words of "history", "recent", "forecast" and "yearly"; `scope` has more than one entry where zones differ.
    """

    name: str
    title: str
    offers: tuple[str, ...]
    signals: tuple[Signal, ...]
    scope: tuple[Scope, ...]
    needs_key: bool
    licence: str
    attribution: str
    url: str
    detail: str


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret of a source: the setting that holds it, and where it goes in a request.

    `place` is "query" or "header"; `field` the name of the parameter or header; `template` what goes there, with `{}` for the secret.
    """

    setting: str
    place: Literal["query", "header"]
    field: str
    template: str = "{}"


@dataclass(frozen=True, slots=True)
class Login:
    """How a source gives a token: one GET to `url` with HTTP Basic; the engine fills the secret `token` with what `read_token` finds.

    `lasts`: how long a token is used. `settings`: the settings that hold the user's name and password.
    """

    url: str
    read_token: Callable[[bytes], str]
    lasts: timedelta
    settings: tuple[str, str] = ("username", "password")


@dataclass(frozen=True, slots=True)
class Request:
    """One GET to a source. `url` is absolute, without query; a setting may replace its scheme and host, never its path.

    `zone` and `interval` say what is wanted, so that `parse` can trim and label; `part` says which of the source's answers this is,
    where it has several kinds. Secrets are never here: the engine adds them when it sends.
    """

    url: str
    zone: str
    interval: Interval
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    part: str = ""


@dataclass(frozen=True, slots=True)
class MixPoint:
    """Mean generation by fuel over [start, start + minutes). [microseconds since 1970, minutes, MW]

    A fuel that the source did not report is absent, never 0. `own_g_per_kwh` is the source's own number for the same span, kept as a
    cross-check.
    """

    start: int
    minutes: int
    mw: Mapping[Fuel, float]
    quality: Quality
    own_g_per_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class IntensityPoint:
    """The source's own intensity over [start, start + minutes). [microseconds since 1970, minutes, gCO2e/kWh]

    `model` names the version of the source's model as the source does, where it does.
    """

    start: int
    minutes: int
    g_per_kwh: float
    signal: Signal
    quality: Quality
    model: str = ""


@dataclass(frozen=True, slots=True)
class PointFault:
    """One row of an answer that could not be used: where it stands, and what surprised us."""

    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one answer held: its points in time order, the rows that were dropped, and the requests that it points to (pages, files)."""

    points: Sequence[MixPoint | IntensityPoint] = ()
    faults: Sequence[PointFault] = ()
    following: Sequence[Request] = ()


@dataclass(frozen=True, slots=True)
class OwnNumber:
    """The intensity that a source states itself beside its mix: a cross-check of ours, never an answer.

    `signal` is the one of ours that it is compared with, `basis` says what it counts. `plan` and `parse` are those of the answer that it
    comes in, None where it comes with the mix (`MixPoint.own_g_per_kwh`).
    """

    signal: Signal
    basis: str
    plan: Callable[[str, Interval, datetime], list[Request]] | None = None
    parse: Callable[[Request, bytes], Batch] | None = None


def nothing_is_empty(status: int, body: bytes) -> bool:
    """Take no error status of a source for its way to say that it holds nothing."""
    del status, body
    return False


@dataclass(frozen=True, slots=True)
class Provider:
    """A source of hours.

    `zones` maps our zone keys to the source's own codes. `plan(zone, interval, now)` gives the requests for a span, each no longer
    than `longest_span`; `parse(request, body)` reads one answer or raises `UpstreamError`. `is_empty(status, body)` tells an error
    status that only means "no data". `lag`: how late the newest point usually is. `settles_after`: when an hour no longer changes.
    `history_from`: the first hour worth asking for. `max_bytes`: of one answer, inflated. `is_model`: its hours are computed by a model
    of its own, not told by those who run the grid. `mix_unit`: the unit of the generation by fuel that it tells, None where it tells none,
    only intensities. `requests_per_day`: how many requests a
    day of hours costs. `account`: the provider whose settings hold the secrets, where several share them. `own_number`: what it states
    itself beside its mix.
    """

    info: ProviderInfo
    zones: Mapping[str, str]
    plan: Callable[[str, Interval, datetime], list[Request]]
    parse: Callable[[Request, bytes], Batch]
    resolution_minutes: int
    lag: timedelta
    settles_after: timedelta
    longest_span: timedelta
    requests_per_minute: float
    history_from: datetime | None = None
    forecast_span: timedelta = timedelta(0)
    secrets: tuple[Secret, ...] = ()
    max_bytes: int = 8 * 1024 * 1024
    is_model: bool = False
    mix_unit: MixUnit | None = None
    requests_per_day: int = 1
    login: Login | None = None
    account: str = ""
    own_number: OwnNumber | None = None

    def tells(self, told: Told) -> bool:
        """Whether its answers give hours of this signal, or a mix."""
        return self.mix_unit is not None if told == MIX else told in self.info.signals

    @property
    def needed_settings(self) -> tuple[str, ...]:
        """The settings without which the source cannot be asked."""
        return self.login.settings if self.login else tuple(secret.setting for secret in self.secrets)

    @property
    def settings_name(self) -> str:
        """The name under which the source is set."""
        return self.account or self.info.name

    is_empty: Callable[[int, bytes], bool] = field(default=nothing_is_empty)
