"""Who is let in, and where they may go."""

from hashlib import sha256

import pytest
from pydantic import SecretStr

from config.settings import ApiKeySettings, ServerSettings, Settings
from core.errors import Forbidden, Unauthorized
from schemas.caller import Caller, CallerRole
from services import access
from services.access import AccessService
from services.key_book import KeyBook
from services.roles import PUBLIC, ROLES, UNLIMITED
from tests.fakes import FakeClock
from tests.unit.services.store_fake import DictRecords

KEYS = [("root", "k-admin", "admin"), ("ops", "k-operator", "operator"), ("app", "k-user", "user")]
MAY: dict[str, set[str]] = {
    "chat.v1": {"admin", "operator", "user"},
    "messages.create": {"admin", "operator", "user"},
    "messages.count": {"admin", "operator", "user"},
    "embeddings.create": {"admin", "operator", "user"},
    "conversations.listing": {"admin", "operator", "user"},
    "conversations.create": {"admin", "operator", "user"},
    "conversations.retrieve": {"admin", "operator", "user"},
    "conversations.update": {"admin", "operator", "user"},
    "conversations.delete": {"admin", "operator", "user"},
    "conversations.turns": {"admin", "operator", "user"},
    "conversations.items": {"admin", "operator", "user"},
    "conversations.add_items": {"admin", "operator", "user"},
    "conversations.item": {"admin", "operator", "user"},
    "conversations.delete_item": {"admin", "operator", "user"},
    "conversation_copies.export": {"admin", "operator", "user"},
    "conversation_copies.import_one": {"admin", "operator", "user"},
    "conversation_copies.save": {"admin", "operator", "user"},
    "conversation_copies.load": {"admin", "operator", "user"},
    "chat.v2": {"admin", "operator", "user"},
    "models.listing": {"admin", "operator", "user"},
    "models.one": {"admin", "operator", "user"},
    "health.report": {"admin", "operator"},
    "metrics.scrape": {"admin", "operator"},
    "tokens.listing": {"admin", "operator"},
    "tokens.stats": {"admin", "operator"},
    "tokens.reset": {"admin", "operator"},
    "providers.listing": {"admin", "operator"},
    "providers.one": {"admin", "operator"},
    "providers.reset": {"admin", "operator"},
    "failover.listing": {"admin", "operator"},
    "failover.one": {"admin", "operator"},
    "failover.activate": {"admin", "operator"},
    "failover.clear": {"admin", "operator"},
    "usage.report": {"admin", "operator", "user"},
    "keys.listing": {"admin"},
    "keys.one": {"admin"},
    "keys.create": {"admin"},
    "keys.change": {"admin"},
    "keys.rotate": {"admin"},
    "keys.revoke": {"admin"},
    "route.explain": {"admin", "operator"},
    "route.explained": {"admin", "operator"},
    "configuration.shown": {"admin"},
    "configuration.reload": {"admin"},
    "something.new": {"admin"},
}


def service(keys: list[tuple[str, str, str]] = KEYS) -> AccessService:
    settings = [ApiKeySettings(name=name, key=SecretStr(key), role=role) for name, key, role in keys]  # type: ignore[arg-type] # a valid role
    return AccessService(settings, KeyBook(DictRecords(), FakeClock()))


@pytest.mark.parametrize(("name", "key", "role"), KEYS)
def test_a_known_key_is_its_caller(name: str, key: str, role: str) -> None:
    caller = service().authenticate(key, local=False)
    assert (caller.name, caller.role, caller.anonymous) == (name, role, False)
    assert caller.id == sha256(key.encode()).hexdigest()[:12]


@pytest.mark.parametrize("key", ["", "k", "k-admin ", "K-ADMIN", "k-admin\x00", "ключ"])
def test_an_unknown_key_is_refused_even_from_this_machine(key: str) -> None:
    for local in (True, False):
        with pytest.raises(Unauthorized) as raised:
            service().authenticate(key, local=local)
        assert raised.value.code == "invalid_api_key"
        assert not key or key not in raised.value.message.split()


def test_a_missing_key_is_refused_with_how_to_send_it() -> None:
    with pytest.raises(Unauthorized, match="Authorization: Bearer") as raised:
        service().authenticate(None, local=True)
    assert raised.value.code == "missing_api_key"


def test_keys_are_compared_in_constant_time_and_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(left: str, right: str) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(access, "compare_digest", compare)
    for key in ("k-admin", "k-user"):
        compared.clear()
        service().authenticate(key, local=False)
        assert [left for left, _ in compared] == [sha256(known.encode()).hexdigest() for _, known, _ in KEYS]


def test_keys_are_not_kept() -> None:
    kept = repr(vars(service()))
    assert not any(key in kept for _, key, _ in KEYS)


def test_without_keys_this_machine_alone_is_let_in() -> None:
    open_service = service([])
    assert open_service.is_open
    caller = open_service.authenticate(None, local=True)
    assert caller.anonymous
    assert caller.role == "admin"
    for key in (None, "any"):
        with pytest.raises(Unauthorized) as raised:
            open_service.authenticate(key, local=False)
        assert raised.value.code == "no_keys_configured"


def test_with_keys_it_is_not_open() -> None:
    assert not service().is_open


@pytest.mark.parametrize("endpoint", MAY)
@pytest.mark.parametrize("role", ["admin", "operator", "user"])
def test_a_role_may_go_where_its_row_says(role: CallerRole, endpoint: str) -> None:
    caller = Caller("id", "name", role)
    if role in MAY[endpoint]:
        service().authorize(caller, endpoint)
    else:
        with pytest.raises(Forbidden, match=role):
            service().authorize(caller, endpoint)


def test_what_is_not_a_route_is_everyones() -> None:
    service().authorize(Caller("id", "name", "user"), None)


def test_only_probes_need_no_key() -> None:
    assert {endpoint for endpoint in (*MAY, "health.live", "health.ready", None) if service().is_public(endpoint)} == {
        "health.live",
        "health.ready",
    }


def test_every_route_of_the_application_has_its_row(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def] # a Path
    from app import create_app

    monkeypatch.setattr("config.log_outputs.configure_logging", lambda settings, sink: None)
    app = create_app(Settings(server=ServerSettings(data_dir=tmp_path)), start=False).current
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    app.extensions["gateway"].close()
    assert endpoints == set(ROLES) | PUBLIC
    assert endpoints >= UNLIMITED
    assert set(ROLES) == set(MAY) - {"something.new"}
