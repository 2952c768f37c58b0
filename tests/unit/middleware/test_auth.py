"""Callers are let in by their key, and only where their role may go."""

from typing import Any

import jwt
import pytest
from flask import Response, request
from pydantic import SecretStr

from config.settings import ApiKeySettings, JwtSettings
from core.jwt_verifier import JwtVerifier, OneKey
from middleware.auth import Auth
from middleware.base import context_of
from services import access
from services.access import AccessService
from services.jwt_callers import JwtCallers
from services.key_book import KeyBook
from services.roles import EVERYONE
from tests.fakes import FakeClock
from tests.unit.middleware.layered_kit import Layers
from tests.unit.services.store_fake import DictRecords

KEY = {"Authorization": "Bearer k-user"}


class House:
    """An application with one caller, whose role may use the only route when `allowed`."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, keys: bool = True, allowed: bool = True, public: bool = False
    ) -> None:
        if allowed:
            monkeypatch.setattr(access, "ROLES", {"thing": EVERYONE})
        if public:
            monkeypatch.setattr(access, "PUBLIC", {"thing"})
        self.callers: list[str | None] = []
        known = [ApiKeySettings(name="alice", key=SecretStr("k-user"), role="user")] if keys else []
        self.layers = Layers(Auth(AccessService(known, KeyBook(DictRecords(), FakeClock()))), view=self._view)

    def _view(self, name: str) -> Response:
        caller = context_of(request).caller
        self.callers.append(caller.name if caller else None)
        return Response("ok")

    def ask(
        self, headers: dict[str, str] | None = None, peer: str = "127.0.0.1", path: str = "/thing/a"
    ) -> tuple[int, str | None]:
        """Status and error code."""
        response = self.layers.ask(path, headers=headers or {}, environ_overrides={"REMOTE_ADDR": peer})
        return response.status_code, (response.get_json(silent=True) or {}).get("code")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer k-user"},
        {"Authorization": "bearer  k-user "},
        {"X-Api-Key": "k-user"},
        {"Authorization": "Basic abc", "X-Api-Key": "k-user"},
        {"Authorization": "Bearer ", "X-Api-Key": "k-user"},
    ],
)
def test_a_key_is_taken_from_either_header(monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]) -> None:
    house = House(monkeypatch)
    assert house.ask(headers)[0] == 200
    assert house.callers == ["alice"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"Authorization": "k-user"}, "missing_api_key"),
        ({"Authorization": "Bearer"}, "missing_api_key"),
        ({"Authorization": "Basic k-user"}, "missing_api_key"),
        ({"X-Api-Key": ""}, "missing_api_key"),
        ({"Authorization": "Bearer nope"}, "invalid_api_key"),
        ({"Authorization": "Bearer nope", "X-Api-Key": "k-user"}, "invalid_api_key"),
    ],
)
def test_without_a_known_key_nobody_is_let_in(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], code: str
) -> None:
    house = House(monkeypatch)
    assert house.ask(headers) == (401, code)
    assert house.callers == []


def test_a_role_that_may_not_go_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(monkeypatch, allowed=False)
    assert house.ask(KEY) == (403, "insufficient_permissions")
    assert house.callers == []


def test_a_path_that_does_not_exist_is_told_to_known_callers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(monkeypatch)
    assert house.ask(KEY, path="/nowhere") == (404, "not_found")
    assert house.ask(path="/nowhere") == (401, "missing_api_key")


def test_a_public_route_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(monkeypatch, public=True)
    assert house.ask(peer="8.8.8.8")[0] == 200
    assert house.ask({"Authorization": "Bearer nope"})[0] == 200
    assert house.callers == [None, None]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.5.5.5", "::1", "::ffff:127.0.0.1", ""])
def test_without_keys_this_machine_is_let_in(monkeypatch: pytest.MonkeyPatch, peer: str) -> None:
    house = House(monkeypatch, keys=False)
    assert house.ask(peer=peer)[0] == 200
    assert house.callers == ["anonymous"]


@pytest.mark.parametrize("peer", ["10.0.0.1", "8.8.8.8", "2001:db8::1", "::ffff:10.0.0.1", "nonsense", "127.0.0.1x"])
def test_without_keys_nobody_else_is_let_in(monkeypatch: pytest.MonkeyPatch, peer: str) -> None:
    assert House(monkeypatch, keys=False).ask(peer=peer) == (401, "no_keys_configured")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_proxy_on_this_machine_speaks_for_others(monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    assert House(monkeypatch, keys=False).ask({header: "127.0.0.1"}) == (401, "no_keys_configured")


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Via", "True-Client-IP"]
)
def test_whatever_a_proxy_adds_shows_that_it_speaks_for_others(monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    assert House(monkeypatch, keys=False).ask({header: "x"}) == (401, "no_keys_configured")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8976", "127.0.0.1:8976", "[::1]:8976", "0.0.0.0:8976", "app.localhost", "my-machine", ""],
)
def test_this_machine_may_be_called_by_its_own_names(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert House(monkeypatch, keys=False).ask({"Host": host})[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8976", "localhost.evil.example", "127.0.0.1.evil.example", "x.localhost.", "[1"],
)
def test_a_name_that_others_can_give_to_this_machine_opens_nothing(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert House(monkeypatch, keys=False).ask({"Host": host})[0] in (400, 401)


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        ({"Origin": "http://127.0.0.1:8976"}, True),
        ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": "http://[::1]:8976"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "http://192.168.1.1"}, False),
        ({"Origin": "http://localhost.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Origin": "file://"}, False),
        ({"Origin": "http://[x"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, False),
    ],
)
def test_web_pages_of_others_are_not_this_machine(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], may: bool
) -> None:
    assert House(monkeypatch, keys=False).ask(headers)[0] == (200 if may else 401)


def test_with_a_key_it_does_not_matter_where_a_request_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {**KEY, "Origin": "https://app.example", "Host": "gateway.example", "Via": "x"}
    assert House(monkeypatch).ask(headers, peer="8.8.8.8")[0] == 200


# Keys of the caller's own


def kept(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], *, keys: bool = True, passes: bool = True
) -> dict[str, str]:
    """What is kept for providers that take the caller's own key."""
    monkeypatch.setattr(access, "ROLES", {"thing": EVERYONE})
    known = [ApiKeySettings(name="alice", key=SecretStr("k-user"), role="user")] if keys else []
    seen: list[dict[str, str]] = []

    def view(name: str) -> Response:
        seen.append(dict(context_of(request).own))
        return Response(name)

    answer = Layers(Auth(AccessService(known, KeyBook(DictRecords(), FakeClock())), passes_keys=passes), view=view).ask(
        headers=headers
    )
    assert answer.status_code == 200
    return seen[0]


def test_the_gateways_key_has_a_header_of_its_own_so_that_the_callers_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"Authorization": "Bearer  sk-own", "X-Api-Key": "other"}
    assert kept(monkeypatch, {"X-Gateway-Key": "k-user", **own}) == own


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key"])
def test_the_gateways_own_key_never_passes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    value = "Bearer k-user" if name == "Authorization" else "k-user"
    other = {"Authorization": "Bearer sk-own", "X-Api-Key": "sk-own"}
    assert name not in kept(monkeypatch, {**other, name: value, "X-Gateway-Key": "k-user"})


def test_an_open_gateway_passes_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept(monkeypatch, {"X-Api-Key": "sk-own"}, keys=False) == {"X-Api-Key": "sk-own"}


def test_nothing_is_kept_where_no_provider_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept(monkeypatch, {"X-Gateway-Key": "k-user", "X-Api-Key": "sk-own"}, passes=False) == {}


def test_a_wrong_key_for_the_gateway_is_not_made_good_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "ROLES", {"thing": EVERYONE})
    known = [ApiKeySettings(name="alice", key=SecretStr("k-user"), role="user")]
    layers = Layers(Auth(AccessService(known, KeyBook(DictRecords(), FakeClock())), passes_keys=True))
    assert layers.ask(headers={"X-Gateway-Key": "wrong", **KEY}).status_code == 401


SIGNING = "a secret of more than thirty-two characters"


class Signed:
    """Takes tokens signed with one secret, beside no key at all."""

    def __init__(self) -> None:
        clock, settings = FakeClock(), JwtSettings(secret=SecretStr(SIGNING))
        callers = JwtCallers(settings, JwtVerifier(settings, OneKey(SIGNING), clock))
        self.access = AccessService((), KeyBook(DictRecords(), clock), callers)
        self.now = clock.now()

    def token(self, secret: str = SIGNING, **claims: Any) -> str:
        return jwt.encode({"sub": "u1", "exp": self.now + 60, **claims}, secret, "HS256")

    def own(self, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]) -> dict[str, str]:
        monkeypatch.setattr(access, "ROLES", {"thing": EVERYONE})
        seen: list[dict[str, str]] = []

        def view(name: str) -> Response:
            seen.append(dict(context_of(request).own))
            return Response(name)

        assert Layers(Auth(self.access, passes_keys=True), view=view).ask(headers=headers).status_code == 200
        return seen[0]


def test_a_token_for_the_gateway_never_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    house = Signed()
    token, other = house.token(), house.token(sub="u2")
    assert house.own(monkeypatch, {"Authorization": f"Bearer {token}", "X-Api-Key": "sk-own"}) == {
        "X-Api-Key": "sk-own"
    }
    assert house.own(monkeypatch, {"X-Gateway-Key": token, "Authorization": f"Bearer {other}"}) == {}
    foreign = {"Authorization": f"Bearer {house.token('another secret of more than thirty-two')}"}
    assert house.own(monkeypatch, {"X-Gateway-Key": token, **foreign}) == foreign
