"""The providers with caches keep to the rules that the real ones have published."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import requests

from tests.fakes import FakeClock
from tests.upstreams.caching import CachingProvider, Mood
from tests.upstreams.server import PATIENCE, Upstream
from tests.upstreams.steps import Hold

OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-4-5"
LONG = "word " * 4000
"""5,000 tokens."""
MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
HOUR: dict[str, Any] = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


class House:
    """One provider on a socket, whose clock moves when told."""

    def __init__(self, upstream: Upstream) -> None:
        self.clock, self.upstream = FakeClock(), upstream
        self.provider = CachingProvider(self.clock.now)
        upstream.reset()
        upstream.behave(self.provider.play)

    def messages(self, *blocks: dict[str, Any], key: str = "k-1", system: Any = "", **fields: Any) -> dict[str, Any]:
        """What Anthropic tells of a prompt: input, written, read."""
        said = {"messages": [{"role": "user", "content": list(blocks)}], "system": system}
        response = self.post("/v1/messages", {"model": OPUS, **said, **fields}, {"x-api-key": key})
        usage: dict[str, Any] = response.json()["usage"]
        return usage

    def chat(self, path: str = "/v1", key: str = "o-1", **body: Any) -> dict[str, Any]:
        """What OpenAI and GLM tell of one."""
        response = self.post(f"{path}/chat/completions", body, {"Authorization": f"Bearer {key}"})
        usage: dict[str, Any] = response.json()["usage"]
        return usage

    def post(self, path: str, body: Any, headers: dict[str, str]) -> requests.Response:
        return requests.post(self.upstream.url + path, json=body, headers=headers, timeout=PATIENCE)


@pytest.fixture(scope="module")
def running() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def house(running: Upstream) -> House:
    return House(running)


def text(said: str, **mark: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **mark}


def read_and_written(usage: dict[str, Any]) -> tuple[bool, bool]:
    return usage["cache_read_input_tokens"] > 0, usage["cache_creation_input_tokens"] > 0


# Anthropic


def test_what_is_marked_is_written_and_then_read_and_the_sum_stays_the_prompt(house: House) -> None:
    first = house.messages(text(LONG, **MARK), text("a"))
    again = house.messages(text(LONG, **MARK), text("b"))
    assert first["cache_creation_input_tokens"] == again["cache_read_input_tokens"] > 5000
    assert first["cache_creation"] == {
        "ephemeral_5m_input_tokens": first["cache_creation_input_tokens"],
        "ephemeral_1h_input_tokens": 0,
    }
    assert first["input_tokens"] == again["input_tokens"] > 0
    assert again["cache_creation_input_tokens"] == 0


def test_without_a_mark_nothing_is_cached(house: House) -> None:
    for _ in range(2):
        assert read_and_written(house.messages(text(LONG))) == (False, False)


@pytest.mark.parametrize("changes", [{"key": "k-2"}, {"model": HAIKU}, {"system": "other"}, {"speed": "fast"}])
def test_another_account_model_or_beginning_reads_nothing(house: House, changes: dict[str, Any]) -> None:
    house.messages(text(LONG, **MARK))
    assert read_and_written(house.messages(text(LONG, **MARK), **changes)) == (False, True)


def test_keys_of_one_account_share_its_cache(house: House) -> None:
    house.provider.accounts = {"k-1": "x", "k-2": "x"}
    house.messages(text(LONG, **MARK))
    assert read_and_written(house.messages(text(LONG, **MARK), key="k-2")) == (True, False)


@pytest.mark.parametrize(
    ("mark", "seconds", "is_read"), [(MARK, 299, True), (MARK, 300, False), (HOUR, 3599, True), (HOUR, 3600, False)]
)
def test_a_life_is_counted_from_the_start(house: House, mark: dict[str, Any], seconds: float, is_read: bool) -> None:
    house.messages(text(LONG, **mark))
    house.clock.advance(seconds)
    assert read_and_written(house.messages(text(LONG, **mark))) == (is_read, not is_read)


def test_reading_lets_a_life_begin_anew(house: House) -> None:
    house.messages(text(LONG, **MARK))
    for _ in range(4):
        house.clock.advance(200)
        assert read_and_written(house.messages(text(LONG, **MARK))) == (True, False)


@pytest.mark.parametrize(("model", "words", "is_kept"), [(OPUS, 500, True), (OPUS, 300, False), (HAIKU, 500, False)])
def test_what_is_too_short_is_not_kept(house: House, model: str, words: int, is_kept: bool) -> None:
    house.messages(text("word " * words, **MARK), model=model)
    assert read_and_written(house.messages(text("word " * words, **MARK), model=model)) == (is_kept, False)


@pytest.mark.parametrize(("between", "is_read"), [(18, True), (19, True), (20, False)])
def test_a_mark_finds_what_ended_at_most_twenty_blocks_ahead(house: House, between: int, is_read: bool) -> None:
    house.messages(text(LONG, **MARK))
    more = [text(f"block {number}") for number in range(between - 1)]
    usage = house.messages(text(LONG), *more, text("end", **MARK))
    assert read_and_written(usage)[0] is is_read


def test_each_ttl_is_told_apart(house: House) -> None:
    usage = house.messages(text(LONG, **HOUR), text(LONG, **MARK))
    told = usage["cache_creation"]
    assert min(told.values()) > 5000
    assert sum(told.values()) == usage["cache_creation_input_tokens"]


def test_there_is_nothing_to_read_before_the_first_answer_begins(house: House) -> None:
    def held(request: Any) -> Any:
        return [Hold(), *house.provider.play(request)]

    house.upstream.behave(held, times=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(house.messages, text(LONG, **MARK))
        assert house.upstream.wait_held()
        assert read_and_written(house.messages(text(LONG, **MARK))) == (False, True)
        house.upstream.release()
        assert read_and_written(first.result()) == (False, True)


# OpenAI and GLM


def turns(*said: str) -> list[dict[str, Any]]:
    return [{"role": "user" if number % 2 == 0 else "assistant", "content": one} for number, one in enumerate(said)]


@pytest.mark.parametrize(
    ("path", "model", "step"), [("/v1", "gpt-5.5", 128), ("/api/paas/v4", "glm-4.7", 64)], ids=["openai", "glm"]
)
def test_an_automatic_cache_reads_in_steps_and_tells_no_writes(house: House, path: str, model: str, step: int) -> None:
    first = house.chat(path, model=model, messages=turns(LONG))
    again = house.chat(path, model=model, messages=turns(LONG, "yes", "more"))
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    read = again["prompt_tokens_details"]["cached_tokens"]
    assert first["prompt_tokens"] - step < read <= first["prompt_tokens"] < again["prompt_tokens"]
    assert read % step == 0
    assert "cache_write_tokens" not in again["prompt_tokens_details"]
    house.clock.advance(300)
    assert house.chat(path, model=model, messages=turns(LONG))["prompt_tokens_details"]["cached_tokens"] == 0


def test_from_5_6_on_openai_tells_what_it_writes(house: House) -> None:
    first = house.chat(model="gpt-5.6", messages=turns(LONG))
    house.clock.advance(1799)
    again = house.chat(model="gpt-5.6", messages=turns(LONG, "yes", "more"))
    told = again["prompt_tokens_details"]
    assert first["prompt_tokens_details"]["cache_write_tokens"] == first["prompt_tokens"] == told["cached_tokens"]
    assert told["cache_write_tokens"] == again["prompt_tokens"] - told["cached_tokens"] > 0


# What it can be told


@pytest.mark.parametrize(
    ("mood", "told"),
    [("well", (True, False)), ("forgetful", (False, True)), ("silent", (False, False)), ("lying", (False, False))],
)
def test_it_can_stop_caching_and_lie(house: House, mood: Mood, told: tuple[bool, bool]) -> None:
    house.messages(text(LONG, **MARK))
    house.provider.mood = mood
    assert read_and_written(house.messages(text(LONG, **MARK))) == told
    assert (house.provider.read > 0) == (mood in ("well", "lying")), "who lies reads in secret"
    assert house.provider.ideal > 0
    house.provider.mood = "well"
    assert read_and_written(house.messages(text(LONG, **MARK))) == (True, False)


def test_it_can_keep_silent_about_its_cache(house: House) -> None:
    house.provider.mood = "mute"
    assert set(house.messages(text(LONG, **MARK))) == {"input_tokens", "output_tokens"}
    assert "prompt_tokens_details" not in house.chat(model="gpt-5.5", messages=turns(LONG))


def test_it_can_lose_the_cache_of_one_account_or_all(house: House) -> None:
    for key in ("k-1", "k-2"):
        house.messages(text(LONG, **MARK), key=key)
    house.provider.forget("k-1")
    assert read_and_written(house.messages(text(LONG, **MARK), key="k-2")) == (True, False)
    assert read_and_written(house.messages(text(LONG, **MARK), key="k-1")) == (False, True)
    house.provider.forget()
    assert read_and_written(house.messages(text(LONG, **MARK), key="k-2")) == (False, True)


@pytest.mark.parametrize(
    ("path", "mood", "status", "word"),
    [
        ("/v1/messages", "throttled", 429, "rate_limit_error"),
        ("/v1/messages", "poor", 402, "billing_error"),
        ("/v1/messages", "broken", 500, "api_error"),
        ("/v1/chat/completions", "throttled", 429, "rate_limit_exceeded"),
        ("/v1/chat/completions", "poor", 429, "insufficient_quota"),
        ("/v1/chat/completions", "broken", 500, "server_error"),
        ("/api/paas/v4/chat/completions", "throttled", 429, "1302"),
        ("/api/paas/v4/chat/completions", "poor", 429, "1113"),
        ("/api/paas/v4/chat/completions", "broken", 500, "500"),
    ],
)
def test_it_refuses_in_the_words_of_the_provider(house: House, path: str, mood: Mood, status: int, word: str) -> None:
    house.provider.mood = mood
    response = house.post(path, {"model": "m", "messages": turns("Hi")}, {"Authorization": "Bearer o-1"})
    assert response.status_code == status
    assert word in response.text
    assert response.headers.get("Retry-After") == ("30" if mood == "throttled" else None)


def test_who_comes_ahead_of_the_time_that_was_told_is_noticed(house: House) -> None:
    house.provider.moods["o-1"] = "throttled"
    body, headers = {"model": "gpt-5.5", "messages": turns("Hi")}, {"Authorization": "Bearer o-1"}
    house.post("/v1/chat/completions", body, headers)
    del house.provider.moods["o-1"]
    house.clock.advance(29)
    assert house.post("/v1/chat/completions", body, headers).ok
    house.clock.advance(1)
    assert house.post("/v1/chat/completions", body, headers).ok
    assert [call.early for call in house.provider.log] == [False, True, False]


def test_limits_fill_up_all_the_time_and_are_told_in_openais_way(house: House) -> None:
    house.provider.limit(["o-1"], requests=2, tokens=60_000)
    body, headers = {"model": "gpt-5.5", "messages": turns(LONG)}, {"Authorization": "Bearer o-1"}
    first = house.post("/v1/chat/completions", body, headers)
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert first.headers["x-ratelimit-reset-requests"] == "30s"
    assert 54_000 < int(first.headers["x-ratelimit-remaining-tokens"]) < 55_000
    assert house.post("/v1/chat/completions", body, headers).headers["x-ratelimit-reset-requests"] == "1m0s"
    refused = house.post("/v1/chat/completions", body, headers)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    house.clock.advance(30)
    assert house.post("/v1/chat/completions", body, headers).ok


def test_limits_are_told_in_anthropics_way_and_what_is_read_is_free(house: House) -> None:
    house.provider.limit(["k-1"], requests=60, tokens=6000)
    body = {"model": OPUS, "messages": [{"role": "user", "content": [text(LONG, **MARK)]}]}
    first = house.post("/v1/messages", body, {"x-api-key": "k-1"})
    left = int(first.headers["anthropic-ratelimit-input-tokens-remaining"])
    assert 0 < left < 1000
    reset = datetime.fromisoformat(first.headers["anthropic-ratelimit-input-tokens-reset"]).timestamp()
    assert reset - house.clock.now() == pytest.approx((6000 - left) / 100, abs=1)
    again = house.post("/v1/messages", body, {"x-api-key": "k-1"})
    assert int(again.headers["anthropic-ratelimit-input-tokens-remaining"]) == left
