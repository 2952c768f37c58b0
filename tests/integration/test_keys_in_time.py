"""Which key is asked next, which one rests for how long, and what the client is told meanwhile: all by a clock."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.integration.timed_house import KEYS, OPUS, House, anew, house_in

GPT = "gpt-5.5"
MINUTE = 60.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_in(tmp_path_factory.mktemp("house"), 1, None) as house:
        yield house


@pytest.fixture
def house(running: House) -> Iterator[House]:
    """The same without memory of the test before, and with every key in use again afterwards."""
    yield anew(running)
    (gateway,) = running.gateways
    for token in gateway.get("/v1/tokens").json()["data"]:
        gateway.post(f"/v1/tokens/{token['id']}/reset", None)


@pytest.mark.parametrize(("throttled", "wait"), [(("k-1", "k-2"), "1"), (("k-1", "k-2", "k-3"), "20")])
def test_when_the_tries_are_used_up_the_time_told_is_that_of_the_soonest_key_the_untried_ones_included(
    house: House, throttled: tuple[str, ...], wait: str
) -> None:
    (gateway,) = house.gateways
    if "k-3" in throttled:
        house.provider.moods = {"k-3": "throttled"}
        house.provider.retry_after = 20
        while "k-3" not in house.provider.calls:
            assert gateway.chat(model=OPUS).ok
    house.provider.retry_after = 600
    house.provider.moods = dict.fromkeys(throttled, "throttled")
    while len(set(house.provider.calls) & set(throttled)) < len(throttled):
        answer = gateway.chat(model=OPUS)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == wait
    until = datetime.fromisoformat(answer.json()["error"]["details"]["until"])
    assert until.timestamp() == pytest.approx(house.clock.now() + int(wait), abs=1)
    house.provider.moods = {"k-1": "throttled", "k-2": "throttled"}
    house.pass_time(int(wait))
    assert gateway.chat(model=OPUS).ok
    assert not house.provider.early


@pytest.mark.parametrize("model", [OPUS, GPT])
def test_an_account_without_money_stays_out_however_short_a_wait_it_speaks_of(house: House, model: str) -> None:
    keys = KEYS if model == OPUS else ("o-1", "o-2")
    (gateway,) = house.gateways
    for key in keys[1:]:
        house.provider.moods[key], before = "teasing", len(house.provider.calls)
        for _ in range(6):
            assert gateway.chat(model=model).status_code == 200
            house.pass_time(MINUTE)
        assert house.provider.calls[before:].count(key) == 1
    house.provider.moods[keys[0]] = "teasing"
    refused = gateway.chat(model=model)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
    assert "Retry-After" not in refused.headers
    assert gateway.chat(model=model).json()["error"]["code"] == "no_credentials"
