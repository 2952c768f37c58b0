"""A plan's key and metered keys in one instance, each asked at its own address."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.timed_house import House, anew, house_in
from tests.upstreams.answers import glm_error
from tests.upstreams.wire import Request

PLAN, METERED = "plan.secret", "metered.secret"


def providers(url: str) -> dict[str, Any]:
    keys = [
        {"key": PLAN, "name": "plan", "base_url": f"{url}/zai/api/coding/paas/v4/chat/completions"},
        {"key": METERED, "name": "metered", "priority": 1},
    ]
    address = f"{url}/zai/api/paas/v4/chat/completions"
    twin = {"kind": "glm", "base_url": address, "api_key": METERED, "models": ["glm-4.5-air"]}
    return {"glm": {"base_url": address, "strategy": "priority", "keys": keys}, "twin": twin}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_in(tmp_path_factory.mktemp("house"), 1, None, providers) as house:
        yield house


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield anew(running)
    (gateway,) = running.gateways
    gateway.post("/v1/providers/glm/reset", None)
    for token in gateway.get("/v1/tokens").json()["data"]:
        gateway.post(f"/v1/tokens/{token['id']}/reset", None)


def asked(house: House) -> list[tuple[str, str]]:
    """The key and the path of each request."""
    return [(request.bearer, request.path.removeprefix("/zai/api/")) for request in house.upstream.requests]


def is_for_plan(request: Request) -> bool:
    return "/coding/" in request.path


def test_each_key_is_used_at_its_own_address_and_what_it_costs_is_told(house: House) -> None:
    (gateway,) = house.gateways
    assert gateway.chat(model="glm-4.6").headers["X-Gateway-Cost-Note"] == "notional"
    house.upstream.script(glm_error("1308", 429), times=None, when=is_for_plan)
    answer = gateway.chat(model="glm-4.6")
    assert answer.ok
    assert "X-Gateway-Cost-Note" not in answer.headers
    plan = (PLAN, "coding/paas/v4/chat/completions")
    assert asked(house) == [plan, plan, (METERED, "paas/v4/chat/completions")]
    assert gateway.chat(model="glm-4.6").ok
    assert asked(house)[3:] == [(METERED, "paas/v4/chat/completions")]


def test_the_addresses_are_shown(house: House) -> None:
    (gateway,) = house.gateways
    shown = gateway.get("/v1/providers/glm").json()
    (own,) = shown["key_base_urls"].items()
    assert shown["base_url"].endswith("/zai/api/paas/v4/chat/completions")
    assert own[1].endswith("/zai/api/coding/paas/v4/chat/completions")
    assert own[0] == gateway.get("/v1/tokens").json()["data"][0]["id"]


def test_a_health_check_asks_where_the_key_is_used(house: House) -> None:
    (gateway,) = house.gateways
    house.upstream.script(glm_error("1000", 401), times=1, when=is_for_plan)
    gateway.chat(model="glm-4.6")
    house.upstream.reset()
    house.pass_time(6 * 3600)
    assert asked(house) == [(PLAN, "coding/paas/v4/models")]


def test_a_key_that_is_too_fast_in_one_instance_rests_in_the_other(house: House) -> None:
    (gateway,) = house.gateways
    house.upstream.script(glm_error("1308", 429), times=1, when=is_for_plan)
    house.upstream.script(glm_error("1302", 429), times=1, when=lambda request: not is_for_plan(request))
    assert gateway.chat(model="glm/glm-4.6").status_code == 429
    refused = gateway.chat(model="twin/glm-4.5-air")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "credentials_exhausted")
    assert [key for key, _ in asked(house)] == [PLAN, METERED]
    house.pass_time(2)
    assert gateway.chat(model="twin/glm-4.5-air").ok


def test_an_address_that_fails_opens_no_circuit_for_keys_that_are_used_elsewhere(house: House) -> None:
    (gateway,) = house.gateways
    house.upstream.script(glm_error("500", 500), times=None, when=is_for_plan)
    for _ in range(8):
        assert gateway.chat(model="glm-4.6").ok
    shown = gateway.get("/v1/providers/glm").json()
    assert {shown["circuit"]["state"], *(one["circuit"]["state"] for one in shown["targets"])} == {"closed"}
