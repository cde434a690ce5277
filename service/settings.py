"""What an operator can set: environment (`GRIDGRAM_*`) before file (`GRIDGRAM_CONFIG`, TOML) before default."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, unquote_plus, urlsplit

from pydantic import BaseModel, ConfigDict, Field, FilePath, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from pydantic_settings import SettingsError as PydanticSettingsError

from cache.redis_keys import DEFAULT_PREFIX, PREFIX_PATTERN
from cache.redis_url import RedisPlace, is_redis_url, read_redis_url
from gridgram.errors import SettingsError
from service.keys import Key, read_keys

PREFIX = "GRIDGRAM_"
SQLITE = "sqlite:///"
POSTGRES = "postgresql://"
MAY_BE_SECRET = {"api_keys", "store", "records", "providers"}
"""Settings that are or hold secrets."""


class ProviderSettings(BaseModel):
    """What can be set for one source: GRIDGRAM_PROVIDERS__EIA__KEY, or a file that holds it: GRIDGRAM_PROVIDERS__EIA__KEY_FILE."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(True, description="Whether the source is used at all.")
    key: SecretStr | None = Field(None, description="Its key or token.")
    key_file: FilePath | None = Field(None, description="A file that holds the key.")
    username: str | None = Field(None, description="The user name, where it asks for one.")
    password: SecretStr | None = Field(None, description="The password that belongs to it.")
    password_file: FilePath | None = Field(None, description="A file that holds the password.")
    url: str = Field("", pattern=r"^(https?://[^/?#]+/?)?$", description="Scheme and host to ask instead of its own: a mirror, a test.")

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets that are set, by name; a file is read now. Raises SettingsError for a file that holds no text."""
        found = {"username": self.username or ""}
        for name, value, path in (("key", self.key, self.key_file), ("password", self.password, self.password_file)):
            if value is not None:
                found[name] = value.get_secret_value()
            elif path is not None:
                found[name] = _read_secret(path)
        return {name: secret for name, secret in found.items() if secret}


def _shown(url: str) -> str:
    """A URL without what may be secret in it."""
    return re.sub(r"\?.+", "?***", re.sub(r"//.*@", "//***@", url))


def _passwords(url: str) -> set[str]:
    """The passwords in a URL, beside the user and as an option, as they stand there and as they are meant."""
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:  # no URL; whoever uses it says so
        return set()
    options = (option.partition("=") for option in parts.query.split("&"))
    found = {password or "", *(text for name, _, text in options if unquote(name).lower() in {"password", "sslpassword"})}
    return {form for text in found if text for form in (text, unquote(text), unquote_plus(text))}


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the secret in {str(path)!r} cannot be read: {type(error).__name__}") from None


class Settings(BaseSettings):
    """One field a setting; the variable is the field's name in capitals behind `GRIDGRAM_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; loopback unless told otherwise.")
    port: int = Field(8080, ge=0, le=65_535, description="TCP port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=256, description="Processes that serve; one for each core that is to be used.")
    drain_notice_seconds: float = Field(
        1.0, ge=0, le=300, description="How long /readyz says no, and all else goes on, before no new connection is taken at the end. [s]"
    )
    connections: int = Field(10_000, ge=1, description="Connections a process keeps open at most, or as many as it may open files.")
    head_seconds: float = Field(10.0, gt=0, le=3_600, description="How long the head of a request may take, from its first byte. [s]")
    body_seconds: float = Field(30.0, gt=0, le=3_600, description="How long a body may bring less than 500 bytes a second. [s]")
    answer_seconds: float = Field(60.0, gt=0, le=3_600, description="How long less than 500 bytes a second of an answer may be read. [s]")
    idle_seconds: float = Field(75.0, gt=0, le=86_400, description="How long a connection stays open without a request. [s]")
    queue_requests: int = Field(64, ge=1, description="Requests that may wait for their turn when the burst is over.")
    burst_seconds: float = Field(1.0, ge=0, le=60, description="How long more may wait, before the excess is refused with 503. [s]")
    store: str = Field(
        "",
        repr=False,  # it may hold a password
        description="Where hours are kept: sqlite:///PATH or a Redis URL. Default: gridgram/series.sqlite under the user's cache folder.",
    )
    records: str = Field(
        "",
        repr=False,  # it may hold a password
        description="Where runs are kept: sqlite:///PATH or postgresql://USER@HOST/DATABASE. "
        "Default: gridgram/records.sqlite under the user's data folder.",
    )
    redis_prefix: str = Field(DEFAULT_PREFIX, pattern=f"^{PREFIX_PATTERN}$", description="What the names of all keys in Redis begin with.")
    redis_password_file: FilePath | None = Field(None, description="A file that holds the password for Redis.")
    redis_ca_file: FilePath | None = Field(None, description="The authority that signed the Redis server's certificate, as PEM.")
    redis_cert_file: FilePath | None = Field(None, description="The certificate to show to the Redis server, as PEM.")
    redis_key_file: FilePath | None = Field(None, description="The private key of that certificate, as PEM.")
    memory_mib: int = Field(64, ge=1, le=65_536, description="Memory for hours that are kept ready to compute with. [MiB]")
    offline: bool = Field(False, description="Open no outgoing connection: answer from the store and the embedded reference alone.")
    upstream_seconds: float = Field(
        8.0, gt=0, le=300, description="How long one request waits for sources before it is answered without. [s]"
    )
    refresh: bool = Field(True, description="Fetch the newest hours of zones in use before they are asked for.")
    refresh_history_days: int = Field(
        400, ge=0, le=760, description="How much of the past of zones in use is filled in, slowly, to forecast from; 0 leaves it. [days]"
    )
    refresh_zones: tuple[str, ...] = Field((), description="Zones to keep fresh though nobody asks for them, as a JSON list of keys.")
    provider_order: tuple[str, ...] = Field((), description="Sources to ask first, as a JSON list of names.")
    providers: dict[str, ProviderSettings] = Field({}, description="What is set for single sources, see below.")
    backfill_folder: str = Field(
        "", description="Where uploads of jobs are kept. Default: gridgram/backfills under the user's data folder."
    )
    backfill_jobs: int = Field(
        4, ge=0, le=10_000, description="Backfills of one key, or of all callers where there are none, not yet finished."
    )
    backfill_upload_mib: int = Field(1_024, ge=1, description="The longest upload that is taken, inflated if it was compressed. [MiB]")
    backfill_stored_mib: int = Field(10_240, ge=1, description="What all files of one key's backfills may take. [MiB]")
    backfill_keep_hours: int = Field(168, ge=24, le=87_600, description="How long a finished backfill stays. [h]")
    emission_factor_type: Literal["lifecycle", "direct"] = Field(
        "lifecycle", description="What the clients of Electricity Maps get who do not say which emissions count."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least severe event that is logged.")
    access_log_share: float = Field(
        1.0, ge=0, le=1, description="Share of the requests that leave a line in the log at level info; failures (5xx) always do."
    )
    api_keys: SecretStr | None = Field(
        None, description="Who may ask: lines of `gridgram keys new NAME`, semicolons between them. Without any, everybody may."
    )
    api_keys_file: FilePath | None = Field(None, description="A file that holds these lines.")
    cors_origins: tuple[str, ...] = Field(
        (), description='Origins whose pages may read answers in a browser, as a JSON list: ["https://grafana.example"], or ["*"] for all.'
    )
    metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="A TCP port of its own for `/metrics`, without a key; the service's own port then has none."
    )
    metrics_host: str = Field("127.0.0.1", min_length=1, description="The address of that port.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the arguments of the command line first, then the environment, then the file; no .env file is looked for."""
        del dotenv_settings, file_secret_settings
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        config = os.environ.get(f"{PREFIX}CONFIG")
        return (*sources, TomlConfigSettingsSource(settings_cls, Path(config))) if config else sources

    @property
    def keys(self) -> dict[str, Key]:
        """The API keys by name, none if none are set; a file is read now. Raises SettingsError for what is no key, or no key at all."""
        if self.api_keys is not None:
            return read_keys(self.api_keys.get_secret_value(), f"{PREFIX}API_KEYS")
        if self.api_keys_file is not None:
            return read_keys(_read_secret(self.api_keys_file), str(self.api_keys_file))
        return {}

    @property
    def secrets(self) -> set[str]:
        """Every secret that is set, for what must never tell one. Raises SettingsError for a file that cannot be read."""
        found = {secret for source in self.providers.values() for name, secret in source.secrets.items() if name != "username"}
        found |= {key.digest.hex() for key in self.keys.values()}
        if self.redis_password_file:
            found.add(_read_secret(self.redis_password_file))
        return found.union(*map(_passwords, (self.store, self.records, *(source.url for source in self.providers.values()))))

    @property
    def store_path(self) -> Path:
        """The file that holds the series. Raises SettingsError for a kind of store that there is not."""
        if not self.store:
            return cache_folder() / "series.sqlite"
        if not self.store.startswith(SQLITE) or self.store == SQLITE:
            raise SettingsError(
                f"{PREFIX}STORE is {_shown(self.store)!r}; write it like sqlite:////var/cache/gridgram/series.sqlite or redis://host:6379/0"
            )
        return _at_home(Path(self.store.removeprefix(SQLITE)))

    @property
    def backfill_path(self) -> Path:
        """The folder that holds uploads. Raises SettingsError."""
        return _at_home(Path(self.backfill_folder)).absolute() if self.backfill_folder else data_folder().absolute() / "backfills"

    @property
    def records_path(self) -> Path | None:
        """The file that holds the runs; None where a PostgreSQL server does. Raises SettingsError for what is neither."""
        if not self.records:
            return data_folder() / "records.sqlite"
        if self.records.startswith(SQLITE) and self.records != SQLITE:
            return _at_home(Path(self.records.removeprefix(SQLITE)), "RECORDS")
        if not self.records.startswith(POSTGRES):
            raise SettingsError(
                f"{PREFIX}RECORDS is {_shown(self.records)!r}; write it like sqlite:////var/lib/gridgram/records.sqlite or postgresql://gridgram@host/gridgram"
            )
        if importlib.util.find_spec("asyncpg") is None:
            raise SettingsError(f"{PREFIX}RECORDS names PostgreSQL, which needs the extra: pip install 'gridgram[postgres]'")
        return None

    @property
    def records_name(self) -> str:
        """Where runs are kept, without user, password and options."""
        path = self.records_path
        return f"{SQLITE}{path}" if path is not None else re.sub(r"//(.*@)?([^?]*).*", r"//\2", self.records)

    @property
    def redis_place(self) -> RedisPlace | None:
        """The Redis store, or None when the store is a file; its password is read now. Raises SettingsError."""
        if not is_redis_url(self.store):
            return None
        try:
            place = read_redis_url(self.store)
        except ValueError as error:
            raise SettingsError(f"{PREFIX}STORE: {error}") from None
        files = {"CA": self.redis_ca_file, "CERT": self.redis_cert_file, "KEY": self.redis_key_file}
        if not place.is_tls and (unused := [name for name, path in files.items() if path]):
            raise SettingsError(f"{PREFIX}REDIS_{unused[0]}_FILE is set, but {PREFIX}STORE is not inside TLS; write it as rediss://")
        if self.redis_key_file and not self.redis_cert_file:
            raise SettingsError(f"{PREFIX}REDIS_KEY_FILE is set without the certificate that it belongs to, {PREFIX}REDIS_CERT_FILE")
        if not self.redis_password_file:
            return place
        if place.password:
            raise SettingsError(f"{PREFIX}REDIS_PASSWORD_FILE is set, but {PREFIX}STORE holds a password already; take one of them away")
        return replace(place, password=_read_secret(self.redis_password_file))

    @property
    def store_name(self) -> str:
        """The store's URL, without user and password."""
        place = self.redis_place
        return place.name if place else f"{SQLITE}{self.store_path}"


def data_folder() -> Path:
    """Gridgram's folder under the user's data folder (XDG_DATA_HOME, else ~/.local/share)."""
    return _at_home(Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share"), "RECORDS") / "gridgram"


def cache_folder() -> Path:
    """Gridgram's folder under the user's cache folder (XDG_CACHE_HOME, else ~/.cache)."""
    return _at_home(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")) / "gridgram"


def _at_home(path: Path, setting: str = "STORE") -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # a user without a home folder, as in many containers
        raise SettingsError(f"{PREFIX}{setting} is needed, as {str(path)!r} names no home folder: {error}") from error


def load_settings(**overrides: object) -> Settings:
    """Read the settings; `overrides` come from the command line and count first. Raises SettingsError that names the variable."""
    config = os.environ.get(f"{PREFIX}CONFIG")
    if config and not Path(config).is_file():
        raise SettingsError(f"{PREFIX}CONFIG names {config!r}, which is not a file")
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # checked by the model
    except ValidationError as error:
        raise SettingsError(_complaint(error.errors(include_url=False)[0], config)) from None
    except PydanticSettingsError as error:  # a list or table that is not JSON; its text names the field
        raise SettingsError(f'{PREFIX}*: {error}; write it as JSON, such as ["rte"]') from None
    except ValueError as error:  # the TOML reader's own
        raise SettingsError(f"{PREFIX}CONFIG names {config!r}, which is not TOML: {error}") from error
    except OSError as error:
        raise SettingsError(f"{PREFIX}CONFIG names {config!r}, which cannot be read: {error.strerror}") from error


def _complaint(fault: Any, config: str | None) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    """One line on one wrong setting. What was set is repeated only where it cannot be or hold a secret."""
    place = [str(part) for part in fault["loc"]]
    name = f"{PREFIX}{'__'.join(place).upper()}"
    if fault["type"] == "extra_forbidden":
        fields = (ProviderSettings if len(place) > 1 else Settings).model_fields
        close = get_close_matches(place[-1], fields, n=1) or list(fields)
        where = f"{PREFIX}CONFIG names {config!r}, where {'.'.join(place)!r}" if config else name
        return f"{where} is no setting; try {', '.join(close)}"
    is_secret = len(place) > 1 or place[0] in MAY_BE_SECRET
    return f"{name}: {fault['msg']}" if is_secret else f"{name} is {fault['input']!r}: {fault['msg']}"
