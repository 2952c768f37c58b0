"""How the address of a redis is read, and that a wrong one says what is wrong and nothing else."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from config.loader import load
from config.problems import ConfigurationError
from config.redis_address import RedisAddress, read_address
from config.settings import StoreSettings

PASSWORD = "hunter2-and-more"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", RedisAddress("one", (("localhost", 6379),))),
        ("redis://h:1/7", RedisAddress("one", (("h", 1),), db=7)),
        ("redis://h?db=7", RedisAddress("one", (("h", 6379),), db=7)),
        ("redis://[::1]:6380/0", RedisAddress("one", (("::1", 6380),))),
        ("redis://:p%40ss@h", RedisAddress("one", (("h", 6379),), password="p@ss")),
        ("rediss://u:p@h/0", RedisAddress("one", (("h", 6379),), tls=True, username="u", password="p")),
        ("unix:///run/redis.sock?db=1", RedisAddress("one", path="/run/redis.sock", db=1)),
        (
            "rediss://h?ssl_ca_certs=/ca&ssl_check_hostname=false",
            RedisAddress("one", (("h", 6379),), tls=True, options={"ssl_ca_certs": "/ca", "ssl_check_hostname": False}),
        ),
        (
            "redis+sentinel://u:p@a:1,b,[::1]:3/mymaster/2",
            RedisAddress(
                "sentinel", (("a", 1), ("b", 26379), ("::1", 3)), service="mymaster", db=2, username="u", password="p"
            ),
        ),
        ("rediss+sentinel://a/m", RedisAddress("sentinel", (("a", 26379),), service="m", tls=True)),
        ("redis+cluster://a:7000,b", RedisAddress("cluster", (("a", 7000), ("b", 6379)))),
        ("rediss+cluster://:p@a/0", RedisAddress("cluster", (("a", 6379),), tls=True, password="p")),
    ],
)  # fmt: skip
def test_each_form_is_read(url: str, address: RedisAddress) -> None:
    assert read_address(url) == address


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("http://:{}@h", "its scheme is none of these"),
        (":{}@h:6379", "its scheme is none of these"),
        ("redis://:{}@[h", "it cannot be read"),
        ("redis://:{}@", "a host is missing"),
        ("unix://{}", "the path of the socket is missing"),
        ("redis://:{}@h:port", "a host or a port cannot be read"),
        ("redis://:{}@h:99999999", "a host or a port cannot be read"),
        ("redis://:{}@h:0", "a host is missing"),
        ("redis://:{}@h/{}", "the database is no number"),
        ("redis://:{}@h/0/1", "there is too much behind the hosts"),
        ("redis://:{}@a,b", "several hosts need redis+sentinel or redis+cluster"),
        ("redis://:{}@h?socket_timeout={}", "its options may be db, ssl_ca_certs"),
        ("redis://:{}@h?ssl_ca_certs={}", "options that begin with ssl_ need rediss"),
        ("rediss://:{}@h?ssl_cert_reqs={}", "the value of ssl_cert_reqs is not allowed"),
        ("rediss://:{}@h?ssl_check_hostname={}", "the value of ssl_check_hostname is not allowed"),
        ("redis+sentinel://:{}@a,b", "the name of the master that the sentinels watch is missing"),
        ("redis+sentinel://:{}@a,/m", "a host is missing"),
        ("redis+sentinel://:{}@a/m/0/{}", "there is too much behind the hosts"),
        ("redis+cluster://:{}@a,b/1", "a cluster has the database 0 only"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_forms_and_without_the_address(rest: str, reason: str) -> None:
    with pytest.raises(ValueError, match="is no address of a redis") as caught:
        read_address(rest.replace("{}", PASSWORD))
    assert reason in str(caught.value)
    assert "redis+sentinel://host:26379" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_wrong_address_is_a_mistake_of_the_configuration_among_others(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({"REDIS_URL": f"redis+sentinel://:{PASSWORD}@a,b", "PORT": "x"}, tmp_path)
    first, second = sorted(caught.value.problems)
    assert "PORT" in first
    assert "REDIS_URL" in second
    assert "the name of the master" in second
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "two words", "{tag}", "a*", "x" * 65, "line\n"])
def test_a_prefix_is_one_plain_word(prefix: str) -> None:
    with pytest.raises(ValidationError):
        StoreSettings(prefix=prefix)


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("redis://h", {"ca_file": Path("ca.pem")}),
        (None, {"ca_file": Path("ca.pem")}),
        ("redis://h", {"sentinel_password": SecretStr(PASSWORD)}),
        ("rediss+cluster://h", {"sentinel_username": "u"}),
    ],
)
def test_settings_that_do_nothing_for_an_address_are_mistakes(url: str | None, more: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"is for|are for") as caught:
        StoreSettings.model_validate({"redis_url": url, **more})
    assert PASSWORD not in str(caught.value)
