"""No spelling of a path, and no header, opens a route to a role that may not use it."""

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from app import create_app
from config.settings import ServerSettings, Settings
from services.roles import PUBLIC, ROLES
from tests.gateway import Gateway
from tests.integration.conftest import environment
from tests.upstreams.server import Upstream

KEYS = {"admin": "key-of-admin", "operator": "key-of-operator", "user": "key-of-user"}
TRICKS = {
    "plain": lambda path: path,
    "upper case": lambda path: path.upper(),
    "doubled slash": lambda path: path.replace("/", "//", 1),
    "doubled inside": lambda path: path.replace("/v1/", "/v1//"),
    "dot": lambda path: path.replace("/v1/", "/v1/./"),
    "detour": lambda path: path.replace("/v1/", "/v1/models/../"),
    "encoded detour": lambda path: path.replace("/v1/", "/v1/models/%2e%2e/"),
    "encoded slash": lambda path: path.replace("/v1/", "/v1%2f"),
    "encoded letter": lambda path: path.replace("/v1/", "/%761/"),
    "slash behind": lambda path: path + "/",
    "semicolon": lambda path: path + ";/v1/models",
    "query": lambda path: path + "?/v1/models",
    "zero byte": lambda path: path + "%00",
    "absolute": lambda path: "http://models.example" + path,
}
HEADERS = (
    {},
    {"Host": "127.0.0.1/v1/models"},
    {"X-HTTP-Method-Override": "GET", "X-Method-Override": "GET"},
    {"X-Original-URL": "/v1/models", "X-Rewrite-URL": "/v1/models"},
    {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Forwarded-Prefix": "/v1/models"},
    {"X-Forwarded-Host": "localhost", "X-Forwarded-Proto": "https", "Forwarded": "for=127.0.0.1"},
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("tricks")
    keys = ",".join(f"{role}:{key}:{role}" for role, key in KEYS.items())
    with Upstream() as upstream, Gateway(directory, **environment(upstream, GATEWAY_API_KEYS=keys)) as running:
        yield running


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str]]:
    """Each method, path and endpoint of the application."""
    settings = Settings(server=ServerSettings(data_dir=tmp_path_factory.mktemp("app")))
    found = []
    for rule in create_app(settings, start=False).url_map.iter_rules():
        path = rule.rule.replace("<path:model>", "m").replace("<model>", "m")
        for name in rule.arguments:
            path = path.replace(f"<{name}>", "x")
        found += [(method, path, rule.endpoint) for method in sorted((rule.methods or set()) - {"OPTIONS"})]
    return found


def ask(connection: HTTPConnection, method: str, path: str, headers: dict[str, str]) -> int:
    body = b"{}" if method in ("POST", "PUT", "PATCH") else None
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Content-Type", "application/json")
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.read()
    return answer.status


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_opens_a_route(gateway: Gateway, rules: list[tuple[str, str, str]], trick: str) -> None:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    for method, path, endpoint in rules:
        if endpoint in PUBLIC:
            continue
        for role in (*KEYS, None):
            may = role is not None and (role in ROLES.get(endpoint, frozenset({"admin"})))
            if may:
                continue
            key = {"Authorization": f"Bearer {KEYS[role]}"} if role is not None else {}
            for extra in HEADERS if trick == "plain" else ({},):
                status = ask(connection, method, TRICKS[trick](path), {**key, **extra})
                wanted = (401,) if role is None else (403, 404, 405, 400)
                assert status in (*wanted, 400, 404), (role, method, path, extra, status)
                if trick == "plain":
                    assert status in (401, 403), (role, method, path, extra, status)


def test_a_route_that_is_not_in_the_table_is_the_admins_alone(
    gateway: Gateway, rules: list[tuple[str, str, str]]
) -> None:
    assert {endpoint for _, _, endpoint in rules} <= ROLES.keys() | PUBLIC


@pytest.mark.parametrize("path", ["/v1/health/live", "/v1/health/ready"])
def test_probes_need_no_key_and_say_nothing_of_the_inside(gateway: Gateway, path: str) -> None:
    answer = gateway.get(path)
    assert answer.status_code == 200
    assert "glm" not in answer.text
