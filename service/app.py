"""Where the parts of the house are built and wired; `service.web_app` puts the web application over them, for who serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cache.memory import ChunkMemory
from cache.sqlite import SqliteStore
from gridgram.errors import SettingsError
from gridgram.locations import Locator
from gridgram.zones import Zones
from providers.engine import Engine, Options
from providers.reference import Reference
from providers.registry import load_providers
from service.fetching import Fetcher
from service.forecasting.ahead import KnownAhead
from service.forecasting.forecaster import Forecaster
from service.history import History
from service.intensity import Intensity
from service.levels import MonthlyLevels
from service.metrics.store import MeasuredStore
from service.refreshing import Refresher
from service.runs.sqlite_records import SqliteRecords
from service.settings import PREFIX, ProviderSettings
from service.usecases import Gridgram, utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cache.contract import SeriesStore
    from providers.base import Provider
    from service.runs.records import Records
    from service.settings import Settings


def build_gridgram(settings: Settings) -> Gridgram:
    """Build all parts. Nothing is opened yet; close `intensity` when done."""
    zones = Zones.load()
    providers = load_providers()
    if unknown := sorted({*settings.providers, *settings.provider_order} - providers.keys()):
        raise SettingsError(f"{PREFIX}PROVIDERS names {unknown[0]!r}, which is no source; the sources are {', '.join(sorted(providers))}")
    if unknown := [zone for zone in settings.refresh_zones if zone not in zones]:
        raise SettingsError(f"{PREFIX}REFRESH_ZONES names {unknown[0]!r}, which is no zone; `gridgram zones` lists them")
    set_for = {name: settings.providers.get(name, ProviderSettings()) for name in providers}
    engine = Engine({name: _options(provider, set_for) for name, provider in providers.items()}, utc_now)

    def why_off(provider: Provider) -> str:
        name = provider.info.name
        if settings.offline:
            return f"{PREFIX}OFFLINE is set"
        if not set_for[name].enabled:
            return f"{PREFIX}PROVIDERS__{name.upper()}__ENABLED is false"
        held = engine.options[name].secrets
        missing = [setting for setting in provider.needed_settings if setting not in held]
        return f"needs {PREFIX}PROVIDERS__{provider.settings_name.upper()}__{missing[0].upper()}" if missing else ""

    fetcher = Fetcher(engine, providers, why_off, utc_now, settings.upstream_seconds, settings.provider_order)
    store, memory = _store(settings), ChunkMemory(settings.memory_mib * 1024 * 1024)
    measured, ember = cast("SeriesStore", MeasuredStore(store)), providers["ember"]
    levels = MonthlyLevels(engine, ember, measured, zones, lambda: not why_off(ember))
    intensity = Intensity(measured, Reference.load(zones), memory, zones, fetcher, levels)
    refresher = Refresher(intensity, settings.refresh_zones) if settings.refresh else None
    forecaster = Forecaster(intensity)
    days = settings.refresh_history_days
    history = History(intensity, refresher.wanted, forecaster.may_train, days) if refresher and days else None
    ahead = KnownAhead(intensity, forecaster)
    return Gridgram(zones, Locator.load(zones), intensity, refresher=refresher, history=history, ahead=ahead)


def build_records(settings: Settings) -> Records:
    """Build where runs are kept. Nothing is opened yet; close it when done. Raises SettingsError."""
    if settings.records_path is not None:
        return SqliteRecords(settings.records_path)
    from service.runs.postgres_records import PostgresRecords  # noqa: PLC0415 - its library is an extra

    return PostgresRecords(settings.records, settings.records_name)


def _store(settings: Settings) -> SeriesStore:
    place = settings.redis_place
    if place is None:
        return SqliteStore(settings.store_path)
    from cache.redis_link import RedisLink  # noqa: PLC0415 - the library takes 0.1 s to import, and not everyone needs it
    from cache.redis_store import RedisStore  # noqa: PLC0415
    from cache.redis_tls import tls_context  # noqa: PLC0415

    tls = tls_context(settings.redis_ca_file, settings.redis_cert_file, settings.redis_key_file) if place.is_tls else None
    return RedisStore(RedisLink(place, tls), settings.redis_prefix)


def _options(provider: Provider, set_for: Mapping[str, ProviderSettings]) -> Options:
    account = set_for[provider.settings_name]
    return Options(account.secrets, set_for[provider.info.name].url or account.url)
