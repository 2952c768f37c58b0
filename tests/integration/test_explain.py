"""What is explained ahead of a request is what becomes of it, limits, budgets and conversations included."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from tests.gateway import Gateway
from tests.integration.conftest import FAST
from tests.upstreams.openai_answers import openai_body
from tests.upstreams.server import Upstream
from tests.upstreams.steps import whole

Json = dict[str, Any]
USED = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
"""At 10 and 50 dollars a million: 0.0015."""
LONG = "word " * 400
"""About 500 tokens."""
CALLERS = ("ops", "lands", "poor", "often", "streams", "talks")
NAMES = ("a", "b", "c", "d")
PAIRS = {
    "rated": {"name": "rated", "match": {"models": ["rated"]}, "targets": [{"model": "m-a"}], "fallbacks": ["m-b"]},
    "bought": {"name": "bought", "match": {"models": ["bought"]}, "targets": [{"model": "m-c"}], "fallbacks": ["m-b"]},
    "sized": {"name": "sized", "match": {"models": ["sized"]}, "targets": [{"model": "m-d"}], "fallbacks": ["s-b"]},
    "long": {
        "name": "long",
        "match": {"models": ["by-size"], "prompt_tokens": {"above": 300}},
        "targets": [{"model": "s-b"}],
    },
    "short": {"name": "short", "match": {"models": ["by-size"]}, "targets": [{"model": "m-b"}]},
}


def settings(upstream: Upstream) -> Json:
    priced = {"context": 100_000, "prices": [{"since": "2020-01-01", "input": 10, "output": 50}]}
    models = [f"{kind}-{name}" for kind in ("m", "s") for name in NAMES]
    return {
        "providers": {name: provider(upstream, name) for name in NAMES},
        "models": dict.fromkeys(models, priced),
        "routes": list(PAIRS.values()),
        "access": {"keys": [caller(name) for name in CALLERS]},
        "rate_limits": {"models": {"m-a": {"requests_per_minute": 2}}},
        "cost_budget": {
            "keys": {"lands": {"daily_limit": 0.1}, "poor": {"daily_limit": 0.003}},
            "providers": {"c": {"daily_limit": 0.0018}},
            "soft_landing": {"share": 0.04, "models": {"s-a": "s-b"}},
        },
    }


def provider(upstream: Upstream, name: str) -> Json:
    limited = {"input_tokens_per_minute": 550} if name == "d" else {}
    return {
        "kind": "openai-compatible",
        "base_url": f"{upstream.url}/{name}/v1",
        "keys": [{"key": f"key-of-{name}", **limited}],
        "models": [f"m-{name}", f"s-{name}"],
    }


def caller(name: str) -> Json:
    limits = {"often": {"requests_per_minute": 2}, "streams": {"concurrent_streams": 1}}.get(name)
    return {
        "name": name,
        "key": f"key-of-{name}",
        "role": "operator" if name == "ops" else "user",
        **({"limits": limits} if limits else {}),
    }


class House:
    """The gateway, asked by anybody."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def ask(self, name: str, model: str, text: str = "Hi", **fields: Any) -> requests.Response:
        return self._post("/v1/chat/completions", name, model, text, **fields)

    def explain(self, name: str, model: str, text: str = "Hi", **fields: Any) -> Json:
        path = "/v1/route/explain" + ("" if name == "ops" else f"?caller={name}")
        response = self._post(path, "ops", model, text, **fields)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def both(self, name: str, model: str, text: str = "Hi") -> str:
        """Which provider was said to be tried first, and then answered."""
        first = self.explain(name, model, text)["targets"][0]
        answer = self.ask(name, model, text)
        assert answer.status_code == 200, answer.text
        assert answer.headers["X-Gateway-Attempts"] == "1"
        got = answer.headers["X-Gateway-Provider"], answer.headers["X-Gateway-Upstream-Model"]
        assert got == (first["provider"], first["model"])
        return got[0]

    def _post(self, path: str, name: str, model: str, text: str, **fields: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer key-of-{name}", **fields.pop("headers", {})}
        body = {"model": model, "max_tokens": 10, "messages": [{"role": "user", "content": text}], **fields}
        return self.gateway.post(path, body, headers=headers)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory: Path = tmp_path_factory.mktemp("explain")
    with Upstream() as upstream:
        upstream.script(*whole(openai_body(usage=USED)), times=None)
        with (directory / "gateway.yaml").open("w") as file:
            YAML(typ="safe").dump(settings(upstream), file)
        with Gateway(directory, **FAST) as gateway:
            yield House(gateway)


def test_a_model_that_has_no_requests_left_is_passed_over(house: House) -> None:
    assert [house.explain("ops", "rated")["targets"][0]["provider"] for _ in range(5)] == ["a"] * 5
    assert [house.both("ops", "rated") for _ in range(3)] == ["a", "a", "b"]
    (lost,) = [one for one in house.explain("ops", "rated")["lost"] if one["provider"] == "a"]
    assert lost["reason"].startswith("Rate limit reached for the model m-a: 2 requests per minute.")


def test_a_provider_whose_budget_is_spent_is_passed_over(house: House) -> None:
    assert [house.both("ops", "bought") for _ in range(2)] == ["c", "b"]
    (lost,) = [one for one in house.explain("ops", "bought")["lost"] if one["provider"] == "c"]
    assert lost["reason"].startswith("The daily budget of the provider c has no room for this request")


def test_a_key_without_room_for_the_prompt_is_passed_over_and_one_for_a_short_prompt_is_not(house: House) -> None:
    assert [house.both("ops", "sized", LONG) for _ in range(2)] == ["d", "b"]
    told = house.explain("ops", "sized", LONG)
    assert "have used up their limits" in next(one["reason"] for one in told["lost"] if one["provider"] == "d")
    assert house.both("ops", "sized") == "d"


def test_near_the_end_of_a_budget_the_cheaper_model_is_told_and_asked(house: House) -> None:
    before = house.explain("lands", "s-a")
    assert (before["landed_on"], before["targets"][0]["model"]) == (None, "s-a")
    for _ in range(3):
        assert house.ask("lands", "s-a").headers["X-Gateway-Upstream-Model"] == "s-a"
    told = house.explain("lands", "s-a")
    assert (told["model"], told["landed_on"], told["targets"][0]["model"]) == ("s-a", "s-b", "s-b")
    assert house.both("lands", "s-a") == "b"
    assert house.explain("ops", "s-a")["landed_on"] is None, "the budget is not everybody's"


def test_where_a_budget_of_the_callers_own_is_spent_nothing_would_be_tried(house: House) -> None:
    while (answer := house.ask("poor", "m-b")).status_code == 200:
        continue
    told = house.explain("poor", "m-b")
    assert (told["targets"], told["refused"]["status"]) == ([], answer.status_code)
    for name in ("code", "message"):
        assert told["refused"][name] == answer.json()["error"][name]
    assert told["refused"]["details"]["name"] == "poor"
    assert house.explain("ops", "m-b")["refused"] is None


def test_where_the_caller_has_no_requests_left_nothing_would_be_tried(house: House) -> None:
    assert [house.explain("often", "m-b")["refused"] for _ in range(4)] == [None] * 4
    assert [house.ask("often", "m-b").status_code for _ in range(3)] == [200, 200, 429]
    assert house.explain("often", "m-b")["refused"]["details"]["unit"] == "requests"


def test_the_history_of_a_conversation_counts(house: House) -> None:
    headers = {"Authorization": "Bearer key-of-ops"}
    items = [
        {"type": "message", "role": "user", "content": LONG},
        {"type": "message", "role": "assistant", "content": "Yes."},
    ]
    made = house.gateway.post("/v1/conversations", {"items": items}, headers=headers)
    conversation = made.json()["id"]
    alone = house.explain("ops", "by-size")
    assert (alone["rule"], alone["prompt_tokens"] < 50) == ("short", True)
    for named in ({"conversation": conversation}, {"headers": {"X-Conversation-ID": conversation}}):
        told = house.explain("ops", "by-size", **named)
        assert (told["rule"], told["prompt_tokens"] > 500) == ("long", True)
        answer = house.ask("ops", "by-size", **named)
        assert answer.headers["X-Gateway-Provider"] == told["targets"][0]["provider"] == "b"
    listed = house.gateway.get(f"/v1/conversations/{conversation}/items?limit=100", headers=headers).json()["data"]
    assert len(listed) == 2 + 2 * 2, "explaining adds nothing"


def test_a_conversation_is_nobody_elses_to_explain(house: House) -> None:
    made = house.gateway.post("/v1/conversations", {}, headers={"Authorization": "Bearer key-of-talks"}).json()
    body = {"model": "by-size", "messages": [{"role": "user", "content": "Hi"}], "conversation": made["id"]}
    response = house.gateway.post(
        "/v1/route/explain?caller=talks", body, headers={"Authorization": "Bearer key-of-ops"}
    )
    assert response.status_code == 404


def test_tokens_are_counted_with_the_conversation(house: House) -> None:
    headers = {"x-api-key": "key-of-talks", "anthropic-version": "2023-06-01"}
    body = {"model": "m-b", "messages": [{"role": "user", "content": "Hi"}]}
    items = [
        {"type": "message", "role": "user", "content": LONG},
        {"type": "message", "role": "assistant", "content": "Yes."},
    ]
    made = house.gateway.post("/v1/conversations", {"items": items}, headers=headers).json()

    def count(**more: str) -> int:
        response = house.gateway.post("/v1/messages/count_tokens", body, headers={**headers, **more})
        assert response.status_code == 200, response.text
        return int(response.json()["input_tokens"])

    assert count() < 20
    assert 400 < count(**{"X-Conversation-ID": made["id"]}) < 600
    unknown = house.gateway.post(
        "/v1/messages/count_tokens", body, headers={**headers, "X-Conversation-ID": "conv_" + "0" * 32}
    )
    assert unknown.status_code == 404
