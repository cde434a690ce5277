"""Settings: which source counts first, what a wrong value says, and that the page about them is complete."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from gridgram.errors import SettingsError
from service.settings import PREFIX, Settings, cache_folder, load_settings

DOCUMENT = (Path(__file__).resolve().parents[1] / "docs" / "settings.md").read_text()


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file that sets two things."""
    path = tmp_path / "gridgram.toml"
    path.write_text('port = 9001\nlog_level = "error"\n')
    monkeypatch.setenv("GRIDGRAM_CONFIG", str(path))
    return path


def test_without_anything_set_the_defaults_work_on_a_laptop(tmp_path: Path) -> None:
    settings = load_settings()

    assert (settings.host, settings.port, settings.memory_mib, settings.log_level) == ("127.0.0.1", 8080, 64, "info")
    assert settings.store_path == tmp_path / ".cache" / "gridgram" / "series.sqlite"


def test_every_secret_that_can_be_set_is_known_to_what_strikes_them_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("key", "password", "redis"):
        (tmp_path / name).write_text(f"{name}-in-a-file\n")
    told = {
        "STORE": "redis://user:in%2Dthe-store@localhost:6379/0",
        "REDIS_PASSWORD_FILE": str(tmp_path / "redis"),
        "PROVIDERS__EIA__KEY": "plain-key",
        "PROVIDERS__ENTSOE__KEY_FILE": str(tmp_path / "key"),
        "PROVIDERS__WATTTIME__USERNAME": "somebody",
        "PROVIDERS__WATTTIME__PASSWORD_FILE": str(tmp_path / "password"),
        "PROVIDERS__RTE__URL": "https://me:at-the-mirror@mirror.example",
        "API_KEYS": f"tracker sha256:{'ab' * 32}",
    }
    for name, text in told.items():
        monkeypatch.setenv(f"{PREFIX}{name}", text)

    assert load_settings().secrets == {
        "in%2Dthe-store",
        "in-the-store",
        "redis-in-a-file",
        "plain-key",
        "key-in-a-file",
        "password-in-a-file",
        "at-the-mirror",
        "ab" * 32,
    }


@pytest.mark.usefixtures("config")
def test_the_file_counts_before_the_default() -> None:
    assert (load_settings().port, load_settings().log_level, load_settings().memory_mib) == (9001, "error", 64)


@pytest.mark.usefixtures("config")
def test_the_environment_counts_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDGRAM_PORT", "9002")

    assert (load_settings().port, load_settings().log_level) == (9002, "error")


@pytest.mark.usefixtures("config")
def test_a_flag_counts_before_the_environment_and_a_flag_not_given_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDGRAM_PORT", "9002")

    assert load_settings(port=9003, host=None).port == 9003
    assert load_settings(port=None, host=None).port == 9002


@pytest.mark.parametrize("name", [f"{PREFIX}{field.upper()}" for field in Settings.model_fields])
def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")

    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "wrong", "reason"),
    [
        ("GRIDGRAM_PORT", "http", "valid integer"),
        ("GRIDGRAM_PORT", "tcp://10.0.0.1:8080", "valid integer"),
        ("GRIDGRAM_PORT", "65536", "less than or equal to 65535"),
        ("GRIDGRAM_PORT", "-1", "greater than or equal to 0"),
        ("GRIDGRAM_MEMORY_MIB", "0", "greater than or equal to 1"),
        ("GRIDGRAM_MEMORY_MIB", "1.5", "valid integer"),
        ("GRIDGRAM_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_what_it_may_hold(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: str, reason: str
) -> None:
    monkeypatch.setenv(name, wrong)

    with pytest.raises(SettingsError, match=f"^{name} is {re.escape(repr(wrong))}: .*{re.escape(reason)}"):
        load_settings()


@pytest.mark.parametrize("text", ['api_keys = ["hunter2"]', 'store = ["redis://:hunter2@host"]', "records = {password = 'hunter2'}"])
def test_a_setting_of_a_wrong_type_that_may_be_a_secret_is_not_repeated(config: Path, text: str) -> None:
    config.write_text(text)

    with pytest.raises(SettingsError, match=f"GRIDGRAM_{text.split(maxsplit=1)[0].upper()}: ") as refusal:
        load_settings()
    assert "hunter2" not in str(refusal.value)


def test_a_password_that_is_an_option_of_a_url_is_a_secret() -> None:
    settings = load_settings(records="postgresql://host/gridgram?user=gridgram&password=hunter%402")

    assert settings.secrets >= {"hunter%402", "hunter@2"}
    with pytest.raises(SettingsError) as refusal:
        _ = load_settings(records="mysql://host/gridgram?password=hunter2").records_path
    assert "hunter2" not in str(refusal.value)


def test_an_address_of_no_letters_is_refused_since_it_would_listen_everywhere() -> None:
    with pytest.raises(SettingsError, match="GRIDGRAM_HOST is ''"):
        load_settings(host="")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prot = 9000", "where 'prot' is no setting; try port"),
        ("[provider]\nkey = 1", "where 'provider' is no setting"),
        ("port = ", "which is not TOML"),
        ('port = "http"', "GRIDGRAM_PORT is 'http'"),
        ("host = 1", "GRIDGRAM_HOST is 1"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong_in_it(config: Path, text: str, reason: str) -> None:
    config.write_text(text)

    with pytest.raises(SettingsError, match=re.escape(reason)) as caught:
        load_settings()
    assert str(config) in str(caught.value) or "GRIDGRAM_" in reason


def test_a_file_that_is_no_text_is_refused(config: Path) -> None:
    config.write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match="which is not TOML"):
        load_settings()


@pytest.mark.parametrize("path", ["nowhere.toml", "."])
def test_a_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str) -> None:
    monkeypatch.setenv("GRIDGRAM_CONFIG", str(tmp_path / path))

    with pytest.raises(SettingsError, match=r"GRIDGRAM_CONFIG names .* which is not a file"):
        load_settings()


def test_a_file_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    unreadable = "/proc/self/mem"  # a regular file whose first byte nobody may read, whoever runs this
    if not Path(unreadable).is_file():
        pytest.skip("needs Linux's /proc")
    monkeypatch.setenv("GRIDGRAM_CONFIG", unreadable)

    with pytest.raises(SettingsError, match="which cannot be read"):
        load_settings()


@pytest.mark.parametrize(
    ("store", "path"),
    [
        ("sqlite:////var/cache/gridgram/series.sqlite", "/var/cache/gridgram/series.sqlite"),
        ("sqlite:///series.sqlite", "series.sqlite"),
        ("sqlite:///a folder/series.sqlite", "a folder/series.sqlite"),
        ("sqlite:///~/series.sqlite", "HOME/series.sqlite"),
    ],
)
def test_a_store_is_a_url_with_a_path(tmp_path: Path, store: str, path: str) -> None:
    assert load_settings(store=store).store_path == Path(path.replace("HOME", str(tmp_path)))


@pytest.mark.parametrize(
    "store", ["/var/cache/series.sqlite", "sqlite:", "sqlite:///", "sqlite://host/x", "http://u:hunter2@host", "SQLITE:///x"]
)
def test_any_other_store_is_refused_with_an_example(store: str) -> None:
    with pytest.raises(SettingsError, match=r"GRIDGRAM_STORE is .*; write it like sqlite:////") as refusal:
        _ = load_settings(store=store).store_path
    assert "hunter2" not in str(refusal.value)


def test_a_store_in_the_home_of_nobody_is_refused() -> None:
    with pytest.raises(SettingsError, match="GRIDGRAM_STORE"):
        _ = load_settings(store="sqlite:///~no-such-user-here/series.sqlite").store_path


def test_the_cache_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))

    assert cache_folder() == tmp_path / "elsewhere" / "gridgram"


def test_records_lie_in_the_data_folder_in_a_file_or_in_postgresql(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    assert load_settings().records_path == tmp_path / "data" / "gridgram" / "records.sqlite"
    assert load_settings(records="sqlite:////var/lib/gridgram/records.sqlite").records_path == Path("/var/lib/gridgram/records.sqlite")
    server = load_settings(records="postgresql://gridgram:hid%20den@db.example:5432/gridgram?sslmode=require")
    assert server.records_path is None
    assert server.records_name == "postgresql://db.example:5432/gridgram"
    assert {"hid%20den", "hid den"} <= server.secrets
    assert "hid" not in repr(server)


@pytest.mark.parametrize("records", ["redis://:hidden@127.0.0.1/0", "sqlite:///", "records.sqlite", "mysql://root:hidden@db/x"])
def test_records_elsewhere_are_refused_with_an_example(records: str) -> None:
    with pytest.raises(SettingsError, match="GRIDGRAM_RECORDS") as refused:
        _ = load_settings(records=records).records_path
    assert "hidden" not in str(refused.value)


def test_the_page_about_settings_lists_exactly_the_settings() -> None:
    rows = [
        f"| `{PREFIX}{name.upper()}` | {f'`{field.default}`' if field.default != '' else ''} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]

    assert [line for line in DOCUMENT.splitlines() if line.startswith(f"| `{PREFIX}")] == rows


def test_the_file_on_the_page_about_settings_is_one(config: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert example
    config.write_text(example[1])

    settings = load_settings()

    assert (settings.port, settings.store_path) == (9000, Path("/var/cache/gridgram/series.sqlite"))
