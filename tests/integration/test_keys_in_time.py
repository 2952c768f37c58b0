"""Which key is asked next, which one rests for how long, and what the client is told meanwhile: all by a clock."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.integration.timed_house import KEYS, MEDIUM, OPUS, House, Talk, anew, house_in
from tests.upstreams.steps import JSON, whole

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


def test_a_provider_that_has_had_enough_of_counts_answers_chats_as_before(house: House) -> None:
    (gateway,) = house.gateways
    limited = {**JSON, "Retry-After": "600", "anthropic-ratelimit-requests-remaining": "0"}
    house.upstream.script(whole(b"{}", 429, limited), times=None, when=lambda request: "count" in request.path)
    body = {"model": OPUS, "messages": [{"role": "user", "content": "Hi"}]}
    counts = [gateway.post("/v1/messages/count_tokens", body) for _ in range(5)]
    assert all(count.json()["input_tokens"] > 0 for count in counts)
    asked = [request.path for request in house.upstream.requests]
    assert 1 <= sum("count" in path for path in asked) <= len(KEYS), "none more within the time that was told"
    for _ in KEYS:
        answer = gateway.chat(model=OPUS)
        assert (answer.status_code, answer.headers["X-Gateway-Capacity-Keys"]) == (200, str(len(KEYS)))


@pytest.mark.parametrize(("throttled", "wait"), [(("k-1", "k-2"), "1"), (("k-1", "k-2", "k-3"), "20")])
def test_when_the_tries_are_used_up_the_time_told_is_that_of_the_soonest_key_the_untried_ones_included(
    house: House, throttled: tuple[str, ...], wait: str
) -> None:
    (gateway,) = house.gateways
    if "k-3" in throttled:
        house.provider.moods = {"k-3": "throttled"}
        house.provider.retry_after = 20
    while "k-3" not in house.provider.calls[-2:]:  # the last one, or ahead of another that answered in its place
        assert gateway.chat(model=OPUS).ok
    house.provider.retry_after = 600
    house.provider.moods = dict.fromkeys(throttled, "throttled")
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


# The way home


def ranked(url: str) -> dict[str, Any]:
    keys = [{"key": f"r-{number}", "priority": number} for number in range(2)]
    return {"anthropic": {"base_url": f"{url}/anthropic", "strategy": "priority", "keys": keys}}


@pytest.fixture(scope="module")
def running_ranked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_in(tmp_path_factory.mktemp("ranked"), 1, None, ranked) as house:
        yield house


@pytest.fixture
def ladder(running_ranked: House) -> House:
    """A house whose first key goes before the second, and a conversation that had to fall to that."""
    return anew(running_ranked)


def fallen(house: House, seconds: int) -> Talk:
    """A conversation that was at the first key, which is out for so long."""
    talk = Talk(house, OPUS, MEDIUM)
    talk.ask()
    house.provider.moods["r-0"], house.provider.retry_after = "throttled", seconds
    talk.ask()
    house.provider.moods.clear()
    assert house.provider.calls == ["r-0", "r-0", "r-1"]
    return talk


def test_a_conversation_is_home_as_soon_as_its_key_is_well_and_still_warm(ladder: House) -> None:
    talk = fallen(ladder, 60)
    ladder.pass_time(30)
    talk.ask()
    ladder.pass_time(30)
    read = ladder.provider.read
    for _ in range(3):
        talk.ask()
    assert ladder.provider.calls[3:] == ["r-1", "r-0", "r-0", "r-0"]
    assert ladder.provider.read - read >= 3 * 0.9 * MEDIUM
    assert not ladder.provider.early


def test_it_stays_where_only_the_other_cache_is_warm_until_that_is_cold_too(ladder: House) -> None:
    talk = fallen(ladder, 600)
    for _ in range(5):
        ladder.pass_time(200)
        talk.ask()
    assert ladder.provider.calls[3:] == ["r-1"] * 5
    assert ladder.provider.read >= 5 * 0.9 * MEDIUM
    ladder.pass_time(400)
    talk.ask()
    assert ladder.provider.calls[-1] == "r-0"


def test_it_does_not_stay_longer_than_an_hour(ladder: House) -> None:
    talk = fallen(ladder, 600)
    for _ in range(20):
        ladder.pass_time(200)
        talk.ask()
    assert ladder.provider.calls.count("r-1") == pytest.approx(18, abs=1)
    assert ladder.provider.calls[-2:] == ["r-0", "r-0"]
