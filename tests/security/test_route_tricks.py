"""No spelling of a path, and no header, opens a route to a role that may not use it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
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
    "mixed case": lambda path: path.title(),
    "encoded dot": lambda path: path.replace("/v1/", "/v1/%2e/"),
    "twice encoded": lambda path: path.replace("/v1/", "/v1/models/%252e%252e/"),
    "backslash": lambda path: path.replace("/v1/", "/v1/models/..\\"),
    "semicolon detour": lambda path: path.replace("/v1/", "/v1/models/..;/"),
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
    {"Host": "localhost"},
    {"X-HTTP-Method-Override": "GET", "X-HTTP-Method": "GET", "X-Method-Override": "GET"},
    {"X-HTTP-Method-Override": "OPTIONS"},
    {"X-Original-URL": "/v1/models", "X-Rewrite-URL": "/v1/models"},
    {"X-Original-URL": "/v1/health/live", "X-Rewrite-URL": "/v1/health/live", "X-Forwarded-Uri": "/v1/health/live"},
    {"X-Forwarded-User": "admin", "X-Remote-User": "admin", "Remote-User": "admin", "X-Role": "admin"},
    {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Forwarded-Prefix": "/v1/models"},
    {"X-Forwarded-Host": "localhost", "X-Forwarded-Proto": "https", "Forwarded": "for=127.0.0.1"},
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("tricks")
    keys = ",".join(f"{role}:{key}:{role}" for role, key in KEYS.items())
    with Upstream() as upstream, Gateway(directory, **environment(upstream, GATEWAY_API_KEYS=keys)) as running:
        yield running


@dataclass(frozen=True)
class Entry:
    """One way to ask for one route."""

    method: str
    path: str
    endpoint: str

    def may(self, role: str | None) -> bool:
        """As the table of roles has it."""
        return role in ROLES.get(self.endpoint, frozenset({"admin"}))


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """Every method of every route of the application, the methods included that Flask adds; public ones left out."""
    settings = Settings(server=ServerSettings(data_dir=tmp_path_factory.mktemp("app")))
    app = create_app(settings, start=False).current
    app.extensions["gateway"].close()
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        methods = sorted(rule.methods or ())
        found += [Entry(method, path, rule.endpoint) for method in methods if rule.endpoint not in PUBLIC]
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


def key_of(role: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[role]}"} if role is not None else {}


def test_every_role_gets_where_it_may_and_nowhere_else(gateway: Gateway, entries: list[Entry]) -> None:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    assert len({entry.endpoint for entry in entries}) > 30
    for entry in entries:
        for role in (*KEYS, None):
            status = ask(connection, entry.method, entry.path, key_of(role))
            refused = 401 if role is None else 403
            assert (status == refused) != entry.may(role), (role, entry, status)


@pytest.mark.parametrize("trick", [name for name in TRICKS if name != "plain"])
def test_no_spelling_of_a_path_opens_a_route(gateway: Gateway, entries: list[Entry], trick: str) -> None:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    for entry in entries:
        path = TRICKS[trick](entry.path)
        if entry.method == "OPTIONS" and path.startswith("/v1/models/"):
            continue  # it asks about a model of that name, which everybody may
        for role in [role for role in (*KEYS, None) if not entry.may(role)]:
            status = ask(connection, entry.method, path, key_of(role))
            wanted = (400, 401) if role is None else (400, 403, 404, 405)
            assert status in wanted, (role, entry, status)


@pytest.mark.parametrize("extra", HEADERS, ids=lambda extra: ",".join(extra) or "none")
def test_no_header_opens_a_route(gateway: Gateway, entries: list[Entry], extra: dict[str, str]) -> None:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    for entry in entries:
        for role in [role for role in (*KEYS, None) if not entry.may(role)]:
            status = ask(connection, entry.method, entry.path, {**key_of(role), **extra})
            assert status in ((400, 401) if role is None else (400, 403)), (role, entry, status)


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "PUT", "CONNECT", "get"])
def test_no_other_method_opens_a_route(gateway: Gateway, entries: list[Entry], method: str) -> None:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    for path in sorted({entry.path for entry in entries}):
        for role in ("user", None):
            assert 400 <= ask(connection, method, path, key_of(role)) < 500, (role, path)


def test_a_route_that_is_not_in_the_table_is_the_admins_alone(entries: list[Entry]) -> None:
    assert {entry.endpoint for entry in entries} == set(ROLES)
    assert [Entry("GET", "/new", "new.thing").may(role) for role in (*KEYS, None)] == [True, False, False, False]


@pytest.mark.parametrize("path", ["/v1/health/live", "/v1/health/ready"])
def test_probes_need_no_key_and_say_nothing_of_the_inside(gateway: Gateway, path: str) -> None:
    answer = gateway.get(path)
    assert answer.status_code == 200
    assert "glm" not in answer.text
