"""Redis URLs are read as they are meant, or refused without repeating a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cache.redis_url import RedisKind, RedisPlace, read_redis_url
from gridgram.errors import SettingsError
from service.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "place", "name"),
    [
        ("redis://cache", RedisPlace(RedisKind.SINGLE, False, (("cache", 6379),)), "redis://cache:6379/0"),
        ("rediss://cache:6380/3", RedisPlace(RedisKind.SINGLE, True, (("cache", 6380),), 3), "rediss://cache:6380/3"),
        ("redis://[::1]:6380", RedisPlace(RedisKind.SINGLE, False, (("::1", 6380),)), "redis://[::1]:6380/0"),
        (
            "redis://gridgram:p%40ss%2Fword@cache/1",
            RedisPlace(RedisKind.SINGLE, False, (("cache", 6379),), 1, "", "gridgram", "p@ss/word"),
            "redis://cache:6379/1",
        ),
        ("redis://:only@cache", RedisPlace(RedisKind.SINGLE, False, (("cache", 6379),), 0, "", None, "only"), "redis://cache:6379/0"),
        (
            "redis+cluster://a,b:7001",
            RedisPlace(RedisKind.CLUSTER, False, (("a", 6379), ("b", 7001))),
            "redis+cluster://a:6379,b:7001",
        ),
        (
            "rediss+sentinel://u:p@a,b:26380/grid/2",
            RedisPlace(RedisKind.SENTINEL, True, (("a", 26379), ("b", 26380)), 2, "grid", "u", "p"),
            "rediss+sentinel://a:26379,b:26380/grid/2",
        ),
    ],
)
def test_a_url_is_read_and_named_without_user_and_password(url: str, place: RedisPlace, name: str) -> None:
    assert read_redis_url(url) == place
    assert read_redis_url(url).name == name
    assert place.password is None or place.password not in repr(place)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis:cache", "it is not a Redis URL"),
        ("redis://u:hunter2@", "it is not a Redis URL"),
        ("redis://u:hunter2@cache?db=1", "it is not a Redis URL"),
        ("redis+ring://u:hunter2@cache", "it is not a Redis URL"),
        ("redis://u:hunter2@a,b", "it names 2 servers"),
        ("redis://u:hunter2@cache:99999", "99999 is no port"),
        ("redis://u:hunter2@cache:http", "'cache:http' is no host and port"),
        ("redis://u:hunter2@cache/zero", "'/zero' is no database"),
        ("redis+cluster://u:hunter2@cache/1", "'/1' is no database"),
        ("redis+sentinel://u:hunter2@cache", "does not name the sentinels' service"),
    ],
)
def test_a_wrong_url_is_refused_with_an_example_and_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(SettingsError, match="GRIDGRAM_STORE: ") as refusal:
        _ = load_settings(store=url).redis_place

    assert reason in str(refusal.value)
    assert "write it like redis://user@host:6379/0" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_settings_do_not_show_the_password_of_the_store() -> None:
    assert "hunter2" not in repr(load_settings(store="redis://u:hunter2@cache"))


def test_a_password_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")

    place = load_settings(store="redis://u@cache", redis_password_file=tmp_path / "password").redis_place

    assert place is not None
    assert (place.username, place.password) == ("u", "hunter2")


@pytest.mark.parametrize(
    ("store", "files", "reason"),
    [
        ("redis://u:p@cache", ["password"], "holds a password already"),
        ("redis://cache", ["ca"], "GRIDGRAM_REDIS_CA_FILE is set, but GRIDGRAM_STORE is not inside TLS"),
        ("rediss://cache", ["key"], "without the certificate that it belongs to"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path: Path, store: str, files: list[str], reason: str) -> None:
    (tmp_path / "file").write_text("text")

    with pytest.raises(SettingsError, match=reason):
        _ = load_settings(store=store, **{f"redis_{name}_file": tmp_path / "file" for name in files}).redis_place
