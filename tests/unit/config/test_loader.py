"""Where settings come from, and what is said about mistakes."""

import os
from pathlib import Path

import pytest

from config.environment import VARIABLES
from config.loader import ConfigurationError, describe, load, process_environment
from config.settings import Settings
from config.vendors import VENDORS

SECRET = "0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp"


@pytest.fixture
def folder(tmp_path: Path):
    def write(yaml: str = "", dotenv: str = "", name: str = "gateway.yaml") -> Path:
        if yaml:
            (tmp_path / name).write_text(yaml, encoding="utf-8")
        if dotenv:
            (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
        return tmp_path

    return write


def problems(environ: dict[str, str], directory: Path) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load(environ, directory)
    return "\n".join(raised.value.problems)


def keys(settings: Settings, provider: str = "glm") -> list[str]:
    return [key.get_secret_value() for key in settings.providers[provider].api_keys]


def test_nothing_given_means_the_defaults(folder):
    assert load({}, folder()) == Settings()


def test_environment_wins_over_dotenv_over_yaml_over_defaults(folder):
    directory = folder("server: {port: 1, workers: 1, host: a}", "PORT=2\nHOST=b\n")
    server = load({"PORT": "3"}, directory).server
    assert (server.port, server.host, server.workers, server.data_dir) == (3, "b", 1, Path("data"))


def test_an_empty_variable_counts_as_unset(folder):
    assert load({"PORT": "", "GLM_API_KEY": "  "}, folder(dotenv="PORT=9")).server.port == 9


def test_every_promised_variable_sets_something(folder):
    values = {
        "HOST": "::1",
        "PORT": "1",
        "WORKERS": "1",
        "DATA_DIR": "d",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "Console",
        "LOG_FILE": "l",
        "REDIS_URL": "redis://h",
        "GLM_API_KEY": "a.b, c.d",
        "GLM_ENDPOINT": "https://e",
        "GLM_WEB_ENDPOINT": "https://w",
        "TOKEN_FILE": "t",
        "GLM_TIMEOUT": "7",
        "CACHE_FAILOVER_ENABLED": "true",
        "CACHE_FAILOVER_LOSS_THRESHOLD": "2.5",
        "CACHE_FAILOVER_COOLDOWN_MINUTES": "5",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_SERVICE_NAME": "our-gateway",
    }
    assert set(VARIABLES) - set(values) == {
        variable
        for vendor in VENDORS.values()
        for variable in (vendor.key_variable, vendor.address_variable)
        if variable
    } - {"GLM_API_KEY", "GLM_ENDPOINT", "GLM_WEB_ENDPOINT"}
    settings = load(values, folder())
    glm, web = settings.providers["glm"], settings.providers["glm-web"]
    assert (settings.server.host, settings.server.port, settings.server.workers) == ("::1", 1, 1)
    assert (settings.server.data_dir, settings.logging.file, web.token_file) == (Path("d"), Path("l"), Path("t"))
    assert (settings.logging.level, settings.logging.format) == ("DEBUG", "console")
    assert settings.store.redis_url is not None
    assert settings.store.redis_url.get_secret_value() == "redis://h"
    assert (keys(settings), glm.base_url, web.base_url) == (["a.b", "c.d"], "https://e", "https://w")
    assert (glm.timeout, web.timeout) == (7, 7)
    failover = settings.failover
    assert (failover.enabled, failover.loss_threshold, failover.cooldown_minutes) == (True, 2.5, 5)


def test_names_that_are_none_of_ours_are_left_alone(folder):
    assert load({"COHERE_API_KEY": "x", "CACHE_FAILOVER": "true", "PATH": "/"}, folder()) == Settings()


def test_any_setting_has_a_variable_in_any_case(folder):
    directory = folder("providers: {z-ai: {kind: glm}}")
    environ = {
        "GATEWAY__SERVER__TRUSTED_PROXIES": "1",
        "gateway__tokens__strategy": "least_loaded",
        "GATEWAY__LOGGING__PROMPTS": "true",
        "GATEWAY__PROVIDERS__GLM_WEB__ENABLED": "false",
        "GATEWAY__PROVIDERS__Z_AI__API_KEY": "12345",
        "GATEWAY__PROVIDERS__GLM-WEB__TIMEOUT": "3",
        "GATEWAY__PROVIDERS__GLM__MODELS": '["glm-5"]',
        "GATEWAY__RETRY": '{"max_attempts": 5}',
        "GATEWAY__DEFAULT_MODEL": "glm-5",
    }
    settings = load(environ, directory)
    assert settings.server.trusted_proxies == 1
    assert settings.tokens.strategy == "least_loaded"
    assert settings.logging.prompts is True
    assert (settings.providers["glm-web"].enabled, settings.providers["glm-web"].timeout) == (False, 3)
    assert keys(settings, "z-ai") == ["12345"]
    assert settings.providers["glm"].models == ("glm-5",)
    assert (settings.retry.max_attempts, settings.default_model) == (5, "glm-5")


def test_a_variable_that_is_no_setting_is_a_mistake(folder):
    said = problems({"GATEWAY__SERVER__PROT": "1"}, folder())
    assert "GATEWAY__SERVER__PROT (server.prot): is no setting (did you mean port?); allowed here: host, port" in said


def test_caller_keys_are_named_or_numbered_and_have_a_role(folder):
    found = load({"GATEWAY_API_KEYS": "k-one, bob:k-two:admin, eve:k-three, k-four"}, folder()).access.keys
    assert [(key.name, key.key.get_secret_value(), key.role) for key in found] == [
        ("key1", "k-one", "user"),
        ("bob", "k-two", "admin"),
        ("eve", "k-three", "user"),
        ("key2", "k-four", "user"),
    ]


@pytest.mark.parametrize("entry", ["a:b:c:d", "a:", ":sekret", "sekret:admin", "a:sekret:boss"])
def test_a_caller_key_in_no_known_form_is_a_mistake_that_shows_no_key(folder, entry):
    said = problems({"GATEWAY_API_KEYS": f"ok:fine,{entry}"}, folder())
    assert "GATEWAY_API_KEYS (access.keys): entry 2" in said
    assert "sekret" not in said


def test_yaml_may_stand_under_llmproxy_with_its_short_names(folder):
    text = 'llmproxy:\n  listen_addr: "127.0.0.1:81"\n  log_level: warning\n  rate_limits: {requests_per_minute: 5}\n'
    settings = load({}, folder(text))
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 81)
    assert (settings.logging.level, settings.rate_limits.requests_per_minute) == ("WARNING", 5)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [(":8080", "0.0.0.0", 8080), ("[::1]:1", "::1", 1), ("example.org:0", "example.org", 0)],
)
def test_listen_addr_is_host_and_port(folder, address, host, port):
    server = load({}, folder(f'listen_addr: "{address}"')).server
    assert (server.host, server.port) == (host, port)


@pytest.mark.parametrize("address", ["8080", ":http", ":65536", "h:", ":²"])
def test_a_listen_addr_without_a_port_is_a_mistake(folder, address):
    assert f"gateway.yaml: listen_addr: '{address}' is not" in problems({}, folder(f'listen_addr: "{address}"'))


def test_a_setting_s_own_name_wins_over_its_short_one(folder):
    settings = load({}, folder('listen_addr: "h:4"\nserver: {port: 5}\nlog_level: debug\nlogging: {level: error}'))
    assert (settings.server.host, settings.server.port, settings.logging.level) == ("h", 5, "ERROR")


def test_a_variable_wins_over_a_short_name_in_yaml(folder):
    assert load({"PORT": "5"}, folder('listen_addr: ":4"')).server.port == 5


def test_yaml_strings_are_filled_in(folder):
    text = "providers: {glm: {api_key: '${A}.${B:-b}'}}\ndefault_model: '$${A}'\nstore: {redis_url: '${NONE:-}'}\n"
    settings = load({"A": "a"}, folder(text, "A=never\n"))
    assert keys(settings) == ["a.b"]
    assert (settings.default_model, settings.store.redis_url) == ("${A}", None)


def test_dotenv_fills_yaml_strings_too(folder):
    assert load({}, folder("default_model: ${M}", "M=glm-5\n")).default_model == "glm-5"


def test_an_unset_variable_without_default_is_named_with_its_place(folder):
    said = problems({}, folder("access:\n  keys:\n  - {name: a, key: '${NOPE}'}\n"))
    assert "gateway.yaml: access.keys[0].key: the variable NOPE is not set" in said


def test_a_known_provider_needs_only_what_differs(folder):
    settings = load({}, folder("providers: {glm: {api_key: x.y}, glm-web: }"))
    standing = Settings().providers
    assert settings.providers["glm-web"] == standing["glm-web"]
    assert settings.providers["glm"].base_url == standing["glm"].base_url
    assert keys(settings) == ["x.y"]


def test_another_provider_needs_its_kind(folder):
    said = problems({}, folder("providers: {other: {api_key: x}, empty: {}}"))
    assert "gateway.yaml (providers.other.kind): is required, and must be one of glm, glm-web" in said
    assert "gateway.yaml: providers.empty.kind: is required" in said


def test_a_key_of_the_environment_replaces_those_of_the_file(folder):
    assert keys(load({"GLM_API_KEY": "e"}, folder("providers: {glm: {api_keys: [a, b]}}"))) == ["e"]


def test_one_key_and_several_at_once_are_a_mistake(folder):
    assert "has both api_key and api_keys" in problems({}, folder("providers: {glm: {api_key: a, api_keys: [b]}}"))


def test_the_same_name_twice_is_a_mistake_that_names_the_line(folder):
    said = problems({}, folder(f"server:\n  port: 1\nproviders:\n  glm:\n    api_key: {SECRET}\nserver: {{}}\n"))
    assert said == "gateway.yaml, line 6: the name server stands here twice"


def test_broken_yaml_names_the_line(folder):
    assert problems({}, folder("server:\n  port: [1\n")).startswith("gateway.yaml, line 3: is not valid YAML")


@pytest.mark.parametrize("text", ["- a", "just text", "llmproxy: 5"])
def test_yaml_that_is_no_mapping_is_a_mistake(folder, text):
    assert "must be a mapping" in problems({}, folder(text))


def test_an_empty_section_counts_as_not_given(folder):
    assert load({}, folder("server:\nproviders:\n")) == Settings()


def test_a_named_file_must_exist(folder):
    assert problems({"CONFIG_FILE": "no.yaml"}, folder()) == "CONFIG_FILE: there is no file 'no.yaml'"


def test_a_named_file_takes_the_place_of_the_usual_one(folder):
    folder("server: {port: 1}")
    assert load({"CONFIG_FILE": "b.yaml"}, folder("server: {port: 2}", name="b.yaml")).server.port == 2


def test_dotenv_is_taken_as_written_and_its_broken_lines_are_named(folder):
    assert load({}, folder(dotenv="export GATEWAY__DEFAULT_MODEL='a${HOME}b'")).default_model == "a${HOME}b"
    assert ".env, line 2: is not NAME=value" in problems({}, folder(dotenv="PORT=1\nnot a line\n"))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"PORT": "abc"}, "PORT (server.port): 'abc' is not a whole number between 0 and 65535"),
        ({"PORT": "70000"}, "PORT (server.port): '70000' is not a whole number between 0 and 65535"),
        ({"GATEWAY__STREAM__KEEP_ALIVE": "20"}, "'20' is not a number, above 0 and at most 15"),
        ({"GLM_TIMEOUT": "0"}, "GLM_TIMEOUT (providers.glm-web.timeout): '0' is not a number, above 0"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT (logging.format): 'xml' is not one of auto, json, console"),
        ({"GATEWAY__LOGGING__PROMPTS": "maybe"}, "'maybe' is not true or false"),
        ({"GATEWAY__ACCESS__KEYS": "x"}, "is not a list"),
        ({"GATEWAY__SERVER": "x"}, "GATEWAY__SERVER (server): 'x' is not a group with the settings host, port"),
        ({"GLM_ENDPOINT": "ftp://x"}, "'ftp://x' is not a URL that starts with http:// or https://"),
        ({"WORKERS": "3"}, "WORKERS is 3, but more than one worker needs REDIS_URL"),
        ({"GATEWAY__TOKENS__MAX_ERRORS": "1"}, "(tokens): max_errors must not be below error_threshold"),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_what_is_allowed(folder, environ, said):
    assert said in problems(environ, folder())


def test_a_wrong_value_in_a_file_is_told_with_its_name_there(folder):
    text = "llmproxy:\n  log_level: loud\n  server: {port: x}\n"
    said = problems({}, folder(text, "WORKERS=none\n"))
    assert "gateway.yaml: llmproxy.log_level (logging.level): 'LOUD' is not one of DEBUG" in said
    assert "gateway.yaml: llmproxy.server.port (server.port): 'x' is not a whole number" in said
    assert "WORKERS in .env (server.workers): 'none' is not a whole number" in said


@pytest.mark.parametrize("section", ["tracing", "cache"])
def test_a_section_that_does_not_exist_is_told_with_those_that_do(folder, section):
    said = problems({}, folder(f"{section}: {{a: 1}}"))
    assert f"({section}): is no setting" in said
    assert "server, stream, retry, access, rate_limits" in said


def test_all_mistakes_are_told_at_once(folder):
    directory = folder("server: {port: x}\nlisten_addr: y\ncache: 1\nstore: {redis_url: '${NOPE}'}", "broken line\n")
    with pytest.raises(ConfigurationError) as raised:
        load({"WORKERS": "none", "GATEWAY_API_KEYS": "a:b:c:d"}, directory)
    assert len(raised.value.problems) == 7
    assert str(raised.value).startswith("The configuration has 7 mistakes:\n  - ")


def test_a_single_value_and_a_group_in_the_same_place_are_a_mistake(folder):
    said = problems({"GATEWAY__SERVER__PORT": "1"}, folder("server: 5"))
    assert said == "gateway.yaml: server: must be a group of settings"


def test_no_mistake_shows_a_secret(folder):
    text = (
        f"providers:\n  glm: {{api_key: {{a: {SECRET}}}, token: {SECRET}, auth: {SECRET}}}\n"
        f"  x: {{kind: glm, base_url: 'ftp://u:{SECRET}@h'}}\n"
        f"access: {{keys: [{{name: a, key: [{SECRET}]}}, {SECRET}]}}\n"
    )
    said = problems({"REDIS_URL": SECRET, "GATEWAY__STORE__REDIS_URL": f'["{SECRET}"]', "PORT": SECRET}, folder(text))
    assert "AbCdEf" not in said
    assert "4711" not in problems({}, folder("providers: {glm: {api_keys: 4711}}\nstore: {redis_url: 4711}"))
    assert "PORT (server.port): '********' is not a whole number" in said


def test_describe_shows_every_setting_in_order_with_secrets_masked(folder):
    environ = {"GLM_API_KEY": SECRET, "REDIS_URL": "redis://user:hush@h/0", "GATEWAY_API_KEYS": "bob:hush-hush"}
    text = describe(load(environ, folder()))
    assert "hush" not in text
    assert "AbCdEf" not in text
    assert "redis_url: redis://user:********@h/0" in text
    assert [line.rstrip(":") for line in text.splitlines() if line.endswith(":") and line[0] != " "] == [
        name for name in Settings.model_fields if name not in ("default_model", "models", "routes")
    ]


def test_what_describe_shows_can_be_loaded_again(folder):
    settings = load({"PORT": "5", "GATEWAY__LOGGING__LEVEL": "debug"}, folder())
    assert load({}, folder(describe(settings))) == settings


def test_several_workers_share_a_fresh_metrics_directory(folder):
    settings = load({"REDIS_URL": "redis://h", "WORKERS": "2"}, folder())
    stale = {"PATH": "/bin", "PROMETHEUS_MULTIPROC_DIR": "/stale"}
    first, second = (process_environment(settings, stale) for _ in range(2))
    found = [Path(one["PROMETHEUS_MULTIPROC_DIR"]) for one in (first, second)]
    assert found[0] != found[1]
    for directory in found:
        assert list(directory.iterdir()) == []
        directory.rmdir()
    assert first["PATH"] == "/bin"
    assert first["GATEWAY_NAME"] != second["GATEWAY_NAME"]


def test_one_worker_shares_no_metrics_directory(folder):
    base = {"A": "b", "PROMETHEUS_MULTIPROC_DIR": "/stale"}
    environment = process_environment(load({}, folder()), base)
    assert environment.pop("GATEWAY_NAME")
    assert environment == {"A": "b"}
    assert process_environment(load({}, folder()))["PATH"] == os.environ["PATH"]


def test_without_arguments_the_process_s_own_environment_is_read(folder, monkeypatch):
    monkeypatch.chdir(folder())
    monkeypatch.setitem(os.environ, "PORT", "77")
    assert load().server.port == 77


@pytest.mark.parametrize(
    "text",
    [
        "models: {m: {prices: [{since: 2026-11-31, input: 1}]}}",
        "log_level: !!int x",
        "log_level: !!float abc",
        f"log_level: {'1' * 5000}",
        "a: " + "[" * 5000,
        "a: &a [*a]",
    ],
    ids=["date", "int", "float", "long", "deep", "itself"],
)
def test_a_value_that_cannot_be_made_is_a_mistake_like_any_other(tmp_path, text):
    (tmp_path / "gateway.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load({}, tmp_path)
    assert "gateway.yaml" in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ("models:", "  m:", "    prices:", "      - since: 2026-02-30"),
            "line 4: models.m.prices[0].since",
        ),
        (("log_level: INFO", "", "x: [1, 2026-13-01]"), "line 3: x[1]"),
    ],
)
def test_a_day_that_there_is_not_is_told_by_line_and_field(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    (tmp_path / "gateway.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigurationError) as told:
        load({}, tmp_path)
    (problem,) = told.value.problems
    assert problem.startswith(f"gateway.yaml, {said}: the value makes no sense (")
