"""The application as a whole: made by a function, as often as wanted, with nothing done at import."""

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from pydantic import SecretStr

from app import cli, create_app
from config.loader import ConfigurationError
from config.reload import UNGUARDED
from config.settings import AccessSettings, ApiKeySettings, LoggingSettings, ProviderSettings, ServerSettings, Settings
from core.store.embedded import EmbeddedStore
from middleware.base import LayeredFlask

ROOT = Path(__file__).resolve().parents[2]
HELD_BACK = (
    "api",
    "core.transport",
    "flask",
    "gevent",
    "jwt",
    "middleware",
    "redis",
    "requests",
    "services",
    "ssl",
    "urllib3",
)
Make = Callable[..., LayeredFlask]

IMPORT_APP = "import sys, app; print([name for name in sys.argv[1:] if name in sys.modules])"
IMPORT_EVERYTHING = """
import importlib, os, sys, threading
for name in sys.argv[1:]:
    importlib.import_module(name)
print(sorted(os.listdir()), threading.active_count())
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes an application with a data directory and a log file of its own; closes them all in the end."""
    root, apps = logging.getLogger(), []
    handlers, level = list(root.handlers), root.level

    def make_one(name: str = "one", *, start: bool = False, **groups: Any) -> LayeredFlask:
        server = ServerSettings(data_dir=tmp_path / name)
        log = LoggingSettings(file=tmp_path / f"{name}.log")
        app = create_app(Settings(**{"server": server, "logging": log, **groups}), start=start).current
        app.testing = True
        apps.append(app)
        return app

    yield make_one
    for app in apps:
        app.extensions["gateway"].close()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def with_key(name: str, key: str) -> AccessSettings:
    return AccessSettings(keys=(ApiKeySettings(name=name, key=SecretStr(key), role="admin"),))


def with_glm(*keys: str) -> dict[str, ProviderSettings]:
    endpoint = "http://127.0.0.1:1/chat"
    return {"glm": ProviderSettings(kind="glm", base_url=endpoint, api_keys=tuple(map(SecretStr, keys)))}


# Nothing at import


def run(script: str, *arguments: str, cwd: Path = ROOT) -> str:
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_importing_the_application_imports_nothing_that_holds_sockets() -> None:
    assert run(IMPORT_APP, *HELD_BACK) == "[]\n"


def modules() -> list[str]:
    packages = ("api", "assembly", "config", "core", "middleware", "schemas", "services")
    files = [file for package in packages for file in sorted((ROOT / package).rglob("*.py"))]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return ["app", *names]


def test_importing_anything_does_nothing(tmp_path: Path) -> None:
    assert len(modules()) > 100
    assert run(IMPORT_EVERYTHING, *modules(), cwd=tmp_path) == "[] 1\n"


# Two applications in one process


def test_two_applications_with_different_settings_live_side_by_side(make: Make) -> None:
    one = make("one", access=with_key("alice", "k-one"), providers=with_glm("a.1"))
    two = make("two", access=with_key("bob", "k-two"), providers=with_glm("b.1", "b.2"))

    def tokens(app: LayeredFlask, key: str) -> Any:
        return app.test_client().get("/v1/tokens", headers={"Authorization": f"Bearer {key}"})

    assert len(tokens(one, "k-one").get_json()["data"]) == 1
    assert len(tokens(two, "k-two").get_json()["data"]) == 2
    assert tokens(one, "k-two").status_code == 401
    assert tokens(two, "k-one").status_code == 401


def test_each_application_counts_for_itself(make: Make) -> None:
    one, two = make("one"), make("two")
    one.test_client().get("/v1/models").close()
    assert 'endpoint="/v1/models"' in one.test_client().get("/v1/metrics").text
    assert 'endpoint="/v1/models"' not in two.test_client().get("/v1/metrics").text


def test_each_application_has_its_own_data(make: Make, tmp_path: Path) -> None:
    make("one")
    make("two")
    assert (tmp_path / "one" / "gateway.db").exists()
    assert (tmp_path / "two" / "gateway.db").exists()


# What it is made of


def test_the_chores_run_only_when_started(make: Make) -> None:
    idle, busy = make("one"), make("two", start=True)
    assert idle.extensions["gateway"].background._greenlets == {}
    greenlets = list(busy.extensions["gateway"].background._greenlets.values())
    assert len(greenlets) >= 3
    busy.extensions["gateway"].background.stop()
    for greenlet in greenlets:
        greenlet.join(10)
        assert greenlet.dead


def test_the_stack_is_whole(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr("config.log_outputs.access_writer", lambda settings, writer: lines.append)
    client = make(providers=with_glm("a.1")).test_client()
    response = client.post("/v1/chat/completions", data=b"{broken", headers={"X-Request-ID": "req-1"})
    response.close()
    body = response.get_json()
    assert response.status_code == 400
    assert body["error"]["code"] == "invalid_json"
    assert body["request_id"] == response.headers["X-Request-ID"] == "req-1"
    assert [(line["request_id"], line["status"], line["error"]) for line in lines] == [("req-1", 400, "invalid_json")]
    assert 'status="400"' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/static/x", 404, "not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", 400, "invalid_json"),
        ("GET", "/v1/models/nope", 404, "model_not_found"),
        ("POST", "/v1/tokens/nope/reset", 404, "not_found"),
    ],
)
def test_every_refusal_has_openais_shape(make: Make, method: str, path: str, status: int, code: str) -> None:
    response = make(providers=with_glm("a.1")).test_client().open(path, method=method)
    assert response.status_code == status
    body = response.get_json()
    assert body["error"]["code"] == code
    assert {"message", "type", "param"} <= body["error"].keys()
    assert {"request_id", "timestamp"} <= body.keys()


def test_a_body_over_the_limit_is_refused(make: Make, tmp_path: Path) -> None:
    app = make(server=ServerSettings(data_dir=tmp_path, max_body_bytes=1024))
    response = app.test_client().post("/v1/chat/completions", data=b" " * 2000)
    assert (response.status_code, response.get_json()["error"]["code"]) == (413, "request_too_large")


def test_probes_are_answered_without_a_key_and_nothing_else_is(make: Make) -> None:
    client = make(access=with_key("alice", "k-one"), providers=with_glm("a.1")).test_client()
    for path, status in [("/v1/health/live", 200), ("/v1/health/ready", 200), ("/v1/health", 401), ("/metrics", 401)]:
        assert client.get(path).status_code == status, path


# What cannot be used


def test_a_store_that_cannot_be_opened_is_an_error_that_names_the_place(tmp_path: Path, make: Make) -> None:
    (tmp_path / "a-file").write_text("")
    with pytest.raises(ValueError, match="a-file"):
        make("a-file")


def test_without_settings_those_of_the_environment_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "many")
    monkeypatch.setenv("WORKERS", "none")
    with pytest.raises(ConfigurationError) as raised:
        create_app(start=False)
    assert "PORT" in str(raised.value)
    assert "WORKERS" in str(raised.value)


# The command line


def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str) -> Any:
    monkeypatch.chdir(tmp_path)
    return CliRunner().invoke(cli, arguments, env=environment)


def test_check_prints_the_configuration_without_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = command(tmp_path, monkeypatch, "check", GLM_API_KEY="very.secret", PORT="9123")
    assert result.exit_code == 0
    assert "9123" in result.output
    assert "very.secret" not in result.output


def test_check_says_of_a_configuration_without_keys_what_a_gateway_with_keys_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = command(tmp_path, monkeypatch, "check")
    assert (bare.exit_code, UNGUARDED in bare.stderr) == (0, True)
    assert command(tmp_path, monkeypatch, "check", GATEWAY_API_KEYS="me:a-long-enough-key").stderr == ""


def test_check_tells_every_mistake_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = command(tmp_path, monkeypatch, "check", PORT="many", LOG_LEVEL="LOUD")
    assert result.exit_code == 2
    assert "PORT" in result.output
    assert "LOG_LEVEL" in result.output


RULE = '[{"name": "air", "match": {"tools": true}, "targets": [{"model": "glm-4.5-air"}]}]'


def test_route_prints_where_a_model_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = command(tmp_path, monkeypatch, "route", "glm-4.6", GLM_API_KEY="very.secret", GATEWAY__ROUTES=RULE)
    assert result.exit_code == 0
    assert "no route matches" in result.output
    assert "1.  glm       glm-4.6  serves the model" in result.output
    assert "air: there are no tools" in result.output
    assert "very.secret" not in result.output


@pytest.mark.parametrize("options", [[], ["--anthropic"]], ids=["openai", "anthropic"])
def test_route_takes_a_body_from_a_file_or_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    function = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    claude = {"name": "f", "input_schema": function["parameters"]}
    tool = claude if options else {"type": "function", "function": function}
    body = {"model": "glm-4.6", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]}
    (tmp_path / "body.json").write_text(json.dumps(body))
    environment = {"GLM_API_KEY": "a.b", "GATEWAY__ROUTES": RULE}
    given = command(tmp_path, monkeypatch, "route", "--file", "body.json", *options, **environment)
    piped = CliRunner().invoke(cli, ["route", "-f", "-", *options], input=json.dumps(body), env=environment)
    for result in (given, piped):
        assert result.exit_code == 0, result.output
        assert "route air" in result.output
        assert "1.  glm       glm-4.5-air" in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["glm-46"], "Did you mean"), (["glm-4.6", "--caller", "nobody"], "nobody is called 'nobody'")],
)
def test_route_tells_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    result = command(tmp_path, monkeypatch, "route", *arguments, GLM_API_KEY="a.b")
    assert result.exit_code == 2
    assert told in result.output


def serve(tmp_path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """In a process of its own, as it changes how the process waits."""
    command = [sys.executable, str(ROOT / "app.py"), "serve"]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)


def test_a_port_that_is_taken_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = serve(tmp_path, HOST="127.0.0.1", PORT=port, GLM_API_KEY="a.1")
    assert result.returncode == 2
    assert f"Port {port}" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_store_that_cannot_be_used_is_told_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    result = serve(tmp_path, PORT="0", DATA_DIR="a-file", GLM_API_KEY="a.1")
    assert result.returncode == 2
    assert "a-file" in result.stderr
    assert "Traceback" not in result.stderr


def test_keys_take_limits_away_with_zero_when_they_are_changed_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ids() -> list[str]:
        found = command(tmp_path, monkeypatch, "keys", "list").output.splitlines()
        return [line.split()[0] for line in found if line.startswith("key_")]

    assert command(tmp_path, monkeypatch, "keys", "create", "ann", "--daily-usd", "0").exit_code == 2
    assert command(tmp_path, monkeypatch, "keys", "create", "ann", "--daily-usd", "5", "--streams", "3").exit_code == 0
    (ident,) = ids()
    assert command(tmp_path, monkeypatch, "keys", "change", ident, "--daily-usd", "0").exit_code == 0
    store = EmbeddedStore(tmp_path / "data")
    (kept,) = store.records.all("keys").values()
    store.close()
    assert (kept["budget"], kept["limits"]["concurrent_streams"]) == ({"hourly": None, "daily": None}, 3)
