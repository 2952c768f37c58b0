"""What is refused ahead of the limits is counted, and told what is left."""

import pytest
from pydantic import SecretStr
from werkzeug.test import TestResponse

from config.settings import ApiKeySettings, CostBudgetSettings, RateLimitSettings
from core.store.memory import MemoryCounters
from middleware.auth import Auth
from middleware.body_limit import BodyLimit
from middleware.rate_limit import RateLimit
from middleware.unknown_callers import UnknownCallers
from schemas.caller import CallerRole
from services import access
from services.access import AccessService
from services.bounds import BoundTable
from services.key_book import KeyBook
from services.limits import LimitService
from services.roles import ADMINS
from tests.fakes import FakeClock
from tests.unit.middleware.layered_kit import Layers
from tests.unit.services.store_fake import DictRecords

LIMIT, LEFT = "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"
MAX_BYTES = 100


class House:
    """An application whose only route is for admins."""

    def __init__(self, *, exempt: bool = False, **rates: int) -> None:
        roles: tuple[CallerRole, ...] = ("admin", "user")
        known = [ApiKeySettings(name=role, key=SecretStr(f"key-of-{role}"), role=role) for role in roles]
        settings = RateLimitSettings(**rates)
        limits = LimitService(MemoryCounters(), BoundTable(settings, CostBudgetSettings()), FakeClock())
        self.layers = Layers(
            UnknownCallers(limits),
            BodyLimit(MAX_BYTES, 1.0),
            Auth(AccessService(known, KeyBook(DictRecords(), FakeClock()))),
            RateLimit(limits, frozenset({"thing"} if exempt else ())),
        )

    def ask(self, key: str | None, *, data: bytes | None = None) -> TestResponse:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.layers.ask(method="GET" if data is None else "POST", headers=headers, data=data)


@pytest.fixture(autouse=True)
def for_admins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "ROLES", {"thing": ADMINS})


@pytest.mark.parametrize("exempt", [False, True])
def test_who_tries_keys_has_as_many_tries_as_an_address_has_requests(exempt: bool) -> None:
    house = House(requests_per_minute_per_ip=3, exempt=exempt)
    answers = [house.ask(key) for key in (None, "wrong-1", "wrong-2", "wrong-3", "wrong-4")]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert [answer.headers[LEFT] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert "Retry-After" in answers[-1].headers
    assert "WWW-Authenticate" in answers[0].headers


def test_then_the_right_key_is_answered_like_any_other() -> None:
    house = House(requests_per_minute_per_ip=2, requests_per_minute=50, tokens_per_minute=5000)
    answers = [house.ask(key) for key in ("wrong-1", "wrong-2", "wrong-3", "key-of-admin", "key-of-user")]
    refused = answers[2:]
    assert [answer.status_code for answer in refused] == [429] * 3
    told = [{k: v for k, v in answer.headers.items() if k != "X-Request-ID"} for answer in refused]
    assert told[0] == told[1] == told[2]
    assert len({answer.get_json()["message"] for answer in refused}) == 1


def test_a_key_whose_role_is_not_enough_is_counted_and_told() -> None:
    house = House(requests_per_minute=2)
    answers = [house.ask("key-of-user") for _ in range(3)]
    assert [(answer.status_code, answer.headers[LEFT]) for answer in answers] == [(403, "1"), (403, "0"), (429, "0")]
    assert house.ask("key-of-admin").status_code == 200


def test_a_body_that_is_too_large_counts_for_the_address_that_sent_it() -> None:
    house = House(requests_per_minute_per_ip=2)
    answers = [house.ask("key-of-admin", data=b"x" * (MAX_BYTES + 1)) for _ in range(3)]
    assert [(answer.status_code, answer.headers[LEFT]) for answer in answers] == [(413, "1"), (413, "0"), (429, "0")]


def test_what_came_past_the_limits_is_counted_once() -> None:
    house = House(requests_per_minute=5, requests_per_minute_per_ip=9)
    assert [house.ask("key-of-admin").headers[LEFT] for _ in range(2)] == ["4", "3"]
    assert house.layers.ask("/nowhere", headers={"Authorization": "Bearer key-of-admin"}).headers[LEFT] == "2"


def test_where_addresses_have_no_limit_nothing_is_known_of_who_is_unknown() -> None:
    house = House(requests_per_minute=1)
    answers = [house.ask("wrong") for _ in range(3)]
    assert [(answer.status_code, LIMIT in answer.headers) for answer in answers] == [(401, False)] * 3
