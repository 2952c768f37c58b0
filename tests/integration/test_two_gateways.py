"""Two gateways on one redis, in front of a provider that caches prompts for each key."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import anthropic
import openai
import pytest
import requests

from tests.gateway import Gateway, eventually
from tests.integration.conftest import FAST
from tests.integration.pair_kit import two_gateways
from tests.redis_server import RedisServer
from tests.upstreams import forms
from tests.upstreams.caching import CachingProvider, Mood
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Events, Head, Hold

OPUS, SONNET, GPT = "claude-opus-5-5", "claude-sonnet-5-5", "gpt-5.5"
LONG = "S" * 100_000
"""25,000 tokens, so that a loss of Opus costs 0.12 USD and more."""
THRESHOLD = 0.2
PATIENT = {**FAST, "GATEWAY__RETRY__MAX_ATTEMPTS": "5"}
SYNCED = 3.0
"""Seconds after which all workers know what one has learned, on a busy machine."""
KEYS = ("k-1", "k-2", "k-3")


@dataclass
class Pair:
    """The gateways, and what is behind them."""

    gateways: tuple[Gateway, Gateway]
    upstream: Upstream
    provider: CachingProvider

    def ask(self, gateway: int, session: str, turn: int = 0, model: str = OPUS, **fields: Any) -> requests.Response:
        """The next turn of a conversation of Anthropic's form, marked as Claude Code does."""
        said = [{"role": "assistant", "content": "I am Claude."}, {"role": "user", "content": "Go on"}]
        messages = [{"role": "user", "content": f"Hello from {session}"}, *said * turn]
        last = {"type": "text", "text": messages[-1]["content"], "cache_control": {"type": "ephemeral"}}
        body = {
            "model": model,
            "max_tokens": 64,
            "system": [{"type": "text", "text": f"{session} {LONG}", "cache_control": {"type": "ephemeral"}}],
            "messages": [*messages[:-1], {"role": "user", "content": [last]}],
            **fields,
        }
        return self.gateways[gateway].post("/v1/messages", body, headers={"x-claude-code-session-id": session})

    def answered_by(self, *arguments: Any, **fields: Any) -> str:
        response = self.ask(*arguments, **fields)
        assert response.status_code == 200, response.text
        assert response.json()["model"] == fields.get("model", OPUS)
        return str(response.headers["X-Gateway-Provider"])

    def is_moved(self, gateway: int, model: str = OPUS) -> bool:
        return bool(self.gateways[gateway].get(f"/v1/failover/{model}").json()["active"])

    def all_say(self, moved: bool, model: str = OPUS) -> bool:
        """True when every worker of both gateways says so; which one answers is chance, so each is asked often."""
        return all(self.is_moved(number % 2, model) is moved for number in range(24))

    def loses_until_it_moves(self, session: str, model: str = OPUS) -> int:
        """How many turns were asked of a provider that reads nothing any more, until the model has moved."""
        for turn in range(1, 12):
            self.ask(turn % 2, session, turn, model)
            if eventually(lambda: self.is_moved(0, model), 0.5):
                return turn
        raise AssertionError(f"{model} has not moved")


def settings(upstream: Upstream, redis: RedisServer) -> dict[str, Any]:
    claude = {"base_url": f"{upstream.url}/anthropic", "api_keys": list(KEYS), "models": [OPUS, SONNET]}
    gpt = {"base_url": f"{upstream.url}/openai/v1", "api_keys": ["o-1", "o-2"], "models": [GPT]}
    glm = {"base_url": f"{upstream.url}/zai/api/paas/v4/chat/completions", "keys": [{"key": "id.secret", "slots": 1}]}
    return {
        "providers": {"anthropic": claude, "openai": gpt, "glm": glm},
        "failover": {"enabled": True, "loss_threshold": THRESHOLD},
        "store": {"redis_url": redis.url},
        "server": {"workers": 2},
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with two_gateways(tmp_path_factory, settings, PATIENT) as (gateways, upstream, _):
        yield Pair(gateways, upstream, CachingProvider(time.monotonic))


@pytest.fixture
def pair(running: Pair) -> Pair:
    """Nothing moved, nothing cached. What is held against keys stays, so the tests that break some stand last."""
    running.provider = CachingProvider(time.monotonic)
    running.upstream.reset()
    for path, play in (
        ("/anthropic", running.provider.play),
        ("/openai", running.provider.play),
        ("/zai", lambda request: forms.GLM.answer(request, "I am GLM.")),
    ):
        running.upstream.behave(play, when=lambda request, path=path: request.path.startswith(path))
    for model in (OPUS, SONNET, GPT):
        # What was lost before counts no more once a move has ended.
        running.gateways[0].post(f"/v1/failover/{model}", None)
        running.gateways[0].delete(f"/v1/failover/{model}")
    assert eventually(lambda: running.all_say(moved=False))
    return running


def test_ten_conversations_through_both_gateways_read_nearly_all_that_one_key_would(pair: Pair) -> None:
    for turn, number in product(range(12), range(10)):
        assert pair.answered_by((turn + number) % 2, f"ten-{number}", turn) == "anthropic"
    assert pair.provider.read >= 0.9 * pair.provider.ideal > 0
    assert len(set(pair.provider.calls)) == len(KEYS), "conversations are spread over the keys"


def test_openais_cache_is_kept_warm_as_well(pair: Pair) -> None:
    for turn, number in product(range(6), range(4)):
        said: list[Any] = [{"role": "assistant", "content": "I am GPT."}, {"role": "user", "content": "Go on"}]
        client = openai.OpenAI(api_key="any", base_url=f"{pair.gateways[turn % 2].url}/v1", max_retries=0)
        client.chat.completions.create(
            model=GPT,
            messages=[
                {"role": "system", "content": f"{number} {LONG}"},
                {"role": "user", "content": "Hi"},
                *said * turn,
            ],
            extra_headers={"x-session-id": f"gpt-{number}"},
        )
    assert pair.provider.read >= 0.9 * pair.provider.ideal > 0


@pytest.mark.parametrize("mood", ["forgetful", "silent", "lying"])
def test_a_cache_that_stops_working_moves_the_model_at_both_gateways_and_others_stay(pair: Pair, mood: Mood) -> None:
    session = f"stops-{mood}"
    pair.answered_by(0, session)
    assert pair.answered_by(1, session, 1) == "anthropic"
    pair.provider.mood = mood
    turns = pair.loses_until_it_moves(session)
    assert turns <= 4, "above the threshold after a few turns"
    assert eventually(lambda: pair.all_say(moved=True)), "the other gateway knows"
    assert {pair.answered_by(number % 2, session, 6) for number in range(8)} == {"glm"}
    assert pair.answered_by(0, session, 6, model=SONNET) == "anthropic"
    assert pair.answered_by(1, session, 6, model=SONNET) == "anthropic"
    named = pair.ask(1, session, 6, model=f"anthropic/{OPUS}")
    assert named.headers["X-Gateway-Provider"] == "anthropic"


def test_within_two_seconds_the_other_gateway_knows_and_its_status_says_so(pair: Pair) -> None:
    pair.answered_by(0, "status")
    pair.provider.mood = "forgetful"
    for turn in range(1, 12):
        pair.ask(0, "status", turn)
        if eventually(lambda: pair.is_moved(0), 0.2):
            break
    assert eventually(lambda: all(pair.is_moved(1) for _ in range(8)), SYNCED), "two seconds, on a busy machine"
    (moved,) = [one for one in pair.gateways[1].get("/v1/failover").json()["data"] if one["active"]]
    assert (moved["model"], moved["reason"], moved["stand_in"]) == (OPUS, "cache_loss", "glm-4.7")
    asked = len(pair.provider.calls)
    assert {pair.answered_by(1, "status", 12) for _ in range(4)} == {"glm"}
    assert len(pair.provider.calls) == asked


def test_what_is_lost_once_and_cheaper_than_the_threshold_moves_nothing(pair: Pair) -> None:
    pair.answered_by(0, "evicted-once")
    pair.provider.forget()
    pair.answered_by(1, "evicted-once", 1)
    assert eventually(lambda: pair.gateways[1].get(f"/v1/failover/{OPUS}").json()["loss_usd"] > 0.1)
    assert pair.answered_by(0, "evicted-once", 2) == "anthropic"
    assert not pair.is_moved(0)
    assert not pair.is_moved(1)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("short", {"system": [{"type": "text", "text": "short", "cache_control": {"type": "ephemeral"}}]}),
        ("unmarked", {"system": LONG, "messages": [{"role": "user", "content": "Hi"}]}),
    ],
)
def test_what_could_not_be_cached_is_no_loss(pair: Pair, name: str, fields: dict[str, Any]) -> None:
    pair.provider.mood = "silent"
    for number in range(6):
        pair.ask(number % 2, name, **fields)
    assert not pair.is_moved(0)
    assert not pair.is_moved(1)


def test_a_model_that_was_moved_comes_back_and_may_move_again(pair: Pair) -> None:
    pair.answered_by(0, "again")
    pair.provider.mood = "forgetful"
    pair.loses_until_it_moves("again")
    assert pair.gateways[1].delete(f"/v1/failover/{OPUS}").status_code == 200
    assert eventually(lambda: pair.all_say(moved=False))
    pair.provider.mood = "well"
    assert pair.answered_by(0, "again", 3) == "anthropic"
    assert pair.answered_by(1, "again", 4) == "anthropic"
    pair.provider.mood = "forgetful"
    assert pair.loses_until_it_moves("again") >= 1


def test_both_sdks_hear_the_stand_in_under_the_name_they_asked_for_streamed_too(pair: Pair) -> None:
    pair.answered_by(0, "sdks")
    pair.provider.mood = "silent"
    pair.loses_until_it_moves("sdks")
    assert eventually(lambda: {pair.answered_by(1, "sdks", 2) for _ in range(12)} == {"glm"})
    claude = anthropic.Anthropic(api_key="any", base_url=pair.gateways[1].url, max_retries=0)
    with claude.messages.stream(model=OPUS, max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as stream:
        message = stream.get_final_message()
    assert (message.model, message.content[0].type == "text" and message.content[0].text) == (OPUS, "I am GLM.")
    gpt = openai.OpenAI(api_key="any", base_url=f"{pair.gateways[1].url}/v1", max_retries=0)
    chunks = list(gpt.chat.completions.create(model=OPUS, stream=True, messages=[{"role": "user", "content": "Hi"}]))
    assert {chunk.model for chunk in chunks} == {OPUS}
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "I am GLM."


def test_a_throttled_or_poor_key_is_known_at_both_gateways_and_the_conversation_goes_on(pair: Pair) -> None:
    pair.answered_by(0, "moves-on")
    first = pair.provider.calls[-1]
    pair.provider.moods[first] = "throttled"
    assert pair.answered_by(0, "moves-on", 1) == "anthropic"
    second = pair.provider.calls[-1]
    assert second != first
    assert eventually(lambda: cooling(pair, 1) >= 1)
    before = len(pair.provider.calls)
    assert pair.answered_by(1, "moves-on", 2) == "anthropic"
    assert pair.provider.calls[before:] == [second], "it is asked where it went, and the throttled key is left alone"
    pair.provider.moods[second] = "poor"
    assert pair.answered_by(1, "moves-on", 3) == "anthropic"
    assert pair.provider.calls[-1] not in (first, second)


def cooling(pair: Pair, gateway: int) -> int:
    tokens = pair.gateways[gateway].get("/v1/tokens").json()["data"]
    return sum(bool(token["cooldown_until"] or token["cooling_models"]) for token in tokens)


def test_two_hundred_clients_of_throttled_keys_ask_each_key_a_few_times_and_none_early(pair: Pair) -> None:
    pair.provider.mood = "throttled"

    def ask(number: int) -> requests.Response:
        body = {"model": GPT, "messages": [{"role": "user", "content": f"storm {number}"}]}
        return pair.gateways[number % 2].post("/v1/chat/completions", body)

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(ask, range(200)))
    assert Counter(answer.status_code for answer in answers) == {429: 200}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 30 for answer in answers)
    # The workers learn of it from each other within a second, and each may have a few requests under way.
    assert len(pair.provider.calls) <= 100
    began = pair.provider.log[0].at
    assert not [call for call in pair.provider.early if call.at > began + SYNCED], "no key is asked before its time"
    before = len(pair.provider.calls)
    assert eventually(lambda: time.monotonic() > began + SYNCED)
    assert {ask(number).status_code for number in range(20)} == {429}
    assert len(pair.provider.calls) == before


def test_a_slot_that_killed_workers_held_comes_back_at_the_other_gateway(pair: Pair) -> None:
    events = forms.GLM.events("I am GLM.")
    pair.upstream.script(Head(), Events(events[:1]), Hold(), times=1)
    body = {"model": "glm-4.6", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    lost = pair.gateways[0].post("/v2/chat/completions", body, stream=True)
    assert pair.upstream.wait_held()
    waiting = pair.gateways[1].post("/v2/chat/completions", body, stream=True)
    assert waiting.status_code == 200, "there are signs of life while it waits for the only slot"
    lines = waiting.iter_lines(chunk_size=1)
    assert next(lines) == b": keep-alive"
    assert len(pair.upstream.requests) == 1
    for worker in pair.gateways[0].workers():
        os.kill(worker, signal.SIGKILL)
    assert b"data: [DONE]" in list(lines), "it was asked once the slot was free, and answered"
    assert len(pair.upstream.requests) == 2
    lost.close()
