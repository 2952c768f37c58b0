"""Secrets that stand in files."""

from pathlib import Path

import pytest

from config.loader import ConfigurationError, load
from config.secrets import secrets_of
from config.settings import Settings
from config.vendors import VENDORS


def redis_url(settings: Settings) -> str:
    assert settings.store.redis_url is not None
    return settings.store.redis_url.get_secret_value()


def keys(settings: Settings, provider: str = "glm") -> list[str]:
    return [key.get_secret_value() for key in settings.providers[provider].api_keys]


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS.values() if vendor.key_variable], ids=lambda v: v.kind)
def test_every_provider_s_key_may_stand_in_a_file(tmp_path: Path, vendor) -> None:
    (tmp_path / "key").write_text("\nthe.key\n")
    assert keys(load({f"{vendor.key_variable}_FILE": "key"}, tmp_path), vendor.kind) == ["the.key"]


def test_several_keys_stand_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a.1\r\n b.2 \n\n")
    assert keys(load({"GLM_API_KEY_FILE": "keys"}, tmp_path)) == ["a.1", "b.2"]


def test_the_mark_that_some_editors_begin_a_file_with_belongs_to_no_value(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a.1\r\nb.2\r\n", encoding="utf-8-sig")
    assert keys(load({"GLM_API_KEY_FILE": "keys"}, tmp_path)) == ["a.1", "b.2"]
    (tmp_path / ".env").write_text("OPENAI_API_KEY=the.key\r\n", encoding="utf-8-sig")
    assert keys(load({}, tmp_path), "openai") == ["the.key"]


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("redis://redis:6379/0", "redis://:p%40ss%2F@redis:6379/0"),
        ("rediss://someone@redis/1", "rediss://someone:p%40ss%2F@redis/1"),
        ("redis://:own@redis/1", "redis://:own@redis/1"),
        ("redis+sentinel://one,two:2/master/1", "redis+sentinel://:p%40ss%2F@one,two:2/master/1"),
        ("rediss+cluster://user@one,two", "rediss+cluster://user:p%40ss%2F@one,two"),
    ],
)
def test_the_password_of_redis_goes_into_an_address_that_has_none(tmp_path: Path, url: str, whole: str) -> None:
    (tmp_path / "password").write_text("p@ss/\n")
    settings = load({"REDIS_URL": url, "REDIS_PASSWORD_FILE": "password"}, tmp_path)
    assert redis_url(settings) == whole
    assert redis_url(load({"REDIS_URL": url, "REDIS_PASSWORD": "p@ss/"}, tmp_path)) == whole


def test_a_password_is_hidden_in_either_spelling(tmp_path: Path) -> None:
    secrets = set(secrets_of(load({"REDIS_URL": "redis://h", "REDIS_PASSWORD": "p@ss/"}, tmp_path)))
    assert {"p@ss/", "p%40ss%2F"} <= secrets


def test_what_the_yaml_file_asks_for_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("access: {jwt: {secret: '${JWT_SECRET}'}}")
    (tmp_path / "jwt").write_text("0123456789abcdef0123456789abcdef\n")
    secret = load({"JWT_SECRET_FILE": "jwt"}, tmp_path).access.jwt.secret
    assert secret is not None
    assert secret.get_secret_value() == "0123456789abcdef0123456789abcdef"


def test_the_environment_wins_over_dotenv_whichever_of_the_two_has_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of.file")
    (tmp_path / ".env").write_text("GLM_API_KEY=of.dotenv\n")
    assert keys(load({"GLM_API_KEY_FILE": "key"}, tmp_path)) == ["of.file"]
    (tmp_path / ".env").write_text("GLM_API_KEY_FILE=key\n")
    assert keys(load({}, tmp_path)) == ["of.file"]
    assert keys(load({"GLM_API_KEY": "of.environment"}, tmp_path)) == ["of.environment"]


def test_a_value_and_a_file_at_once_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of.file")
    with pytest.raises(ConfigurationError) as raised:
        load({"GLM_API_KEY_FILE": "key", "GLM_API_KEY": "of.environment"}, tmp_path)
    assert "GLM_API_KEY_FILE; set one of them" in str(raised.value)
    assert "of.file" not in str(raised.value)


def test_a_file_that_is_not_there_is_a_mistake_that_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load({"REDIS_PASSWORD_FILE": "nowhere"}, tmp_path)
    told = "REDIS_PASSWORD_FILE: 'nowhere' cannot be read: No such file or directory"
    assert list(raised.value.problems) == [told]


def test_files_that_are_no_secrets_are_left_alone(tmp_path: Path) -> None:
    assert load({"SSL_CERT_FILE": "nowhere", "AWS_WEB_IDENTITY_TOKEN_FILE": "nowhere"}, tmp_path) == load({}, tmp_path)
