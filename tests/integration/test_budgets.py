"""Limits and budgets over HTTP: two gateways of two workers each, on one redis."""

import csv
import io
import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
import requests

from tests.gateway import Gateway, eventually
from tests.integration.conftest import FAST
from tests.integration.pair_kit import two_gateways
from tests.redis_server import RedisServer
from tests.upstreams.openai_answers import openai_body, openai_error, openai_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import AwaitClose, Head, Hold, Send, Step, whole

USED = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
PRICE = {"since": "2020-01-01", "input": 10, "output": 50}
CHEAP = {**PRICE, "output": 1}
COST = 0.002
"""Of 100 tokens at 10 and 20 at 50 dollars a million."""
CALLERS = (
    "ops",
    "req",
    "tok",
    "ten",
    "gone",
    "soft",
    "strm",
    "prov",
    "spend",
    "other",
    "land",
    "few",
    "full",
    "odd",
    "left",
    "gave-up",
    "named",
    "vectors",
)
LIMITED = {
    "keys": {
        "ten": {"daily_limit": 0.02},
        "gone": {"daily_limit": 0.1},
        "soft": {"daily_limit": 0.01},
        "land": {"daily_limit": 0.005},
        "few": {"daily_limit": 0.005},
        "odd": {"daily_limit": 0.0015},
        "left": {"daily_limit": 1},
        "gave-up": {"daily_limit": 1},
        "vectors": {"daily_limit": 1},
    }
}


@dataclass
class Pair:
    """Two gateways that share a redis, and the provider behind them."""

    gateways: tuple[Gateway, Gateway]
    upstream: Upstream
    redis: RedisServer

    def ask(self, number: int, name: str, model: str = "dear", **fields: Any) -> requests.Response:
        body = {"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": "word " * 80}], **fields}
        streamed = bool(fields.get("stream"))
        return self.gateways[number % 2].post("/v1/chat/completions", body, headers=key(name), stream=streamed)

    def begin(self, name: str, **fields: Any) -> socket.socket:
        """A request that is sent, and whose answer is not read."""
        return self.send(name, "chat/completions", messages=[{"role": "user", "content": "word " * 80}], **fields)

    def send(self, name: str, path: str, **fields: Any) -> socket.socket:
        body, gateway = json.dumps({"model": "dear", **fields}).encode(), self.gateways[0]
        head = f"POST /v1/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-{name}\r\n"
        connection = socket.create_connection(("127.0.0.1", gateway.port), 10)
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return connection

    def ask_often(self, times: int, name: str, threads: int = 40, **fields: Any) -> list[requests.Response]:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda number: self.ask(number, name, **fields), range(times)))

    def usage(self, name: str = "ops", **query: str) -> Any:
        response = self.gateways[0].get("/v1/usage", headers=key(name), params=query)
        assert response.status_code == 200, response.text
        return response.json()


def key(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer key-of-{name}"}


def settings(upstream: Upstream, redis: RedisServer) -> dict[str, Any]:
    models = {name: {"prices": [PRICE]} for name in ("dear", "costly", "grand", "noble", "one-model")}
    models["cheap"] = {"prices": [CHEAP]}
    one = {"kind": "openai-compatible", "base_url": f"{upstream.url}/one/v1", "api_key": "k1", "models": [*models]}
    two = {**one, "base_url": f"{upstream.url}/two/v1", "models": ["one-model"]}
    return {
        "providers": {"one": one, "two": two},
        "models": models,
        "routes": [
            {
                "name": "both",
                "match": {"models": ["one-model"]},
                "targets": [{"model": "one/one-model"}],
                "fallbacks": ["two/one-model"],
            }
        ],
        "access": {"keys": [*map(caller, CALLERS)]},
        "rate_limits": {"concurrent_streams": 2, "models": {"costly": {"tokens_per_minute": 12_000}}},
        "cost_budget": {
            **LIMITED,
            "providers": {"one": {"daily_limit": 1000}},
            "models": {"noble": {"daily_limit": 0.01}},
            "soft_landing": {"share": 0.5, "models": {"grand": "cheap", "noble": "cheap", "dear": "gpt-4o"}},
        },
        "store": {"redis_url": redis.url},
        "server": {"workers": 2},
    }


def caller(name: str) -> dict[str, Any]:
    own: dict[str, Any] = {"limits": {"requests_per_minute": 100}} if name == "req" else {}
    if name == "gone":
        # A place is given back a moment after its stream has been closed.
        own["limits"] = {"concurrent_streams": 20}
    if name == "few":
        own["models"] = ["grand"]
    return {"name": name, "key": f"key-of-{name}", "role": "operator" if name == "ops" else "user", **own}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with two_gateways(tmp_path_factory, settings, FAST) as parts:
        yield Pair(*parts)


@pytest.fixture
def pair(running: Pair) -> Pair:
    running.upstream.reset()
    running.upstream.script(*whole(openai_body(usage=USED)), times=None)
    return running


def statuses(answers: list[requests.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def test_of_a_thousand_requests_at_once_exactly_the_limit_passes(pair: Pair) -> None:
    def ask(number: int) -> requests.Response:
        return pair.gateways[number % 2].get("/v1/models/dear", headers=key("req"))

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(ask, range(1000)))
    assert statuses(answers) == {200: 100, 429: 900}
    left = sorted(int(one.headers["x-ratelimit-remaining-requests"]) for one in answers if one.status_code == 200)
    assert left == list(range(100)), "what is shown is what is enforced"


def test_against_a_budget_for_ten_calls_no_more_than_ten_reach_the_provider(pair: Pair) -> None:
    answers = pair.ask_often(200, "ten")
    assert statuses(answers)[200] <= 10
    assert len(pair.upstream.requests) == statuses(answers)[200]
    while pair.ask(0, "ten").status_code == 200:
        assert len(pair.upstream.requests) <= 10
    assert len(pair.upstream.requests) >= 9, "what was reserved and not used came back"
    refused = pair.ask(1, "ten")
    error = refused.json()["error"]
    assert (refused.status_code, error["type"], error["code"]) == (429, "insufficient_quota", "budget_exceeded")
    assert refused.headers["x-should-retry"] == "false"
    assert int(refused.headers["Retry-After"]) <= 86_400
    details = error["details"]
    assert (details["scope"], details["name"], details["window"], details["limit_usd"]) == ("key", "ten", "daily", 0.02)
    assert details["spent_usd"] == pytest.approx(COST * len(pair.upstream.requests))


@pytest.mark.parametrize("model", ["one/mystery", "one/dear-2026-03-01", " dear", "dear\n", "two/unheard-of"])
def test_no_name_of_a_model_passes_a_budget_that_has_no_room(pair: Pair, model: str) -> None:
    before = len(pair.upstream.requests)
    answer = pair.ask(0, "odd", model)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "budget_exceeded")
    assert len(pair.upstream.requests) == before


@pytest.mark.parametrize("model", ["one/dear\u200b", "one/de ar", "one/dear\u0000"])
def test_a_name_that_looks_like_a_models_is_sent_to_nobody(pair: Pair, model: str) -> None:
    before = len(pair.upstream.requests)
    assert pair.ask(0, "odd", model).status_code == 404
    assert len(pair.upstream.requests) == before


def test_openais_sdk_raises_its_own_error_and_does_not_repeat(pair: Pair) -> None:
    pair.ask_often(12, "ten")
    before = len(pair.upstream.requests)
    client = openai.OpenAI(api_key="key-of-ten", base_url=f"{pair.gateways[0].url}/v1", max_retries=5)
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="dear", max_tokens=20, messages=[{"role": "user", "content": "Hi"}] * 50)
    assert refused.value.type == "insufficient_quota"
    assert len(pair.upstream.requests) == before


def test_anthropics_sdk_raises_its_own_error_and_does_not_repeat(pair: Pair) -> None:
    pair.ask_often(12, "ten")
    before = len(pair.upstream.requests)
    assert eventually(lambda: _limited(pair, "budget") == _refused(pair))
    refused_before = _refused(pair)
    with (
        anthropic.Anthropic(auth_token="key-of-ten", base_url=pair.gateways[0].url, max_retries=5) as client,
        pytest.raises(anthropic.RateLimitError) as refused,
    ):
        client.messages.create(model="dear", max_tokens=20, messages=[{"role": "user", "content": "Hi " * 500}])
    body: Any = refused.value.body
    assert (body["type"], body["error"]["type"], body["error"]["details"]["scope"]) == (
        "error",
        "rate_limit_error",
        "key",
    )
    assert body["error"]["details"]["error_code"] == "enforced_spend_limit_reached"
    assert body["request_id"] == refused.value.response.headers["request-id"]
    assert len(pair.upstream.requests) == before
    assert eventually(lambda: _limited(pair, "budget") == refused_before + 1), "it was asked once"


def test_a_client_that_leaves_early_pays_for_what_came_and_gets_the_rest_back(pair: Pair) -> None:
    chunks = openai_stream("word " * 10, usage=USED)
    pair.upstream.script(*_held(chunks), times=None)
    for number in range(20):
        with pair.ask(number, "gone", max_tokens=600, stream=True) as stream:
            assert stream.status_code == 200, stream.text
            next(stream.iter_content(None))
        assert pair.upstream.wait_closed()
    assert eventually(lambda: _row(pair, "gone")["requests"] == 20)
    row = _row(pair, "gone")
    assert (row["failures"], row["estimated_requests"]) == (20, 20)
    assert 0 < row["cost_usd"] < 0.05, "reserved were 0.03 and more each time"


@pytest.mark.parametrize(("steps", "name"), [([AwaitClose()], "left"), ([Head(), AwaitClose()], "gave-up")], ids=str)
def test_a_whole_answer_that_nobody_waits_for_costs_what_was_reserved(pair: Pair, steps: list[Step], name: str) -> None:
    pair.upstream.script(*steps)
    connection = pair.begin(name, max_tokens=1000)
    assert pair.upstream.wait_requests(1)
    connection.close()
    assert pair.upstream.wait_closed()
    assert eventually(lambda: _row(pair, name)["requests"] == 1)
    row = _row(pair, name)
    assert (row["failures"], row["estimated_requests"], row["output_tokens"]) == (1, 1, 1000)
    assert 0.05 < row["cost_usd"] < 0.055
    whose = row["key"]
    (own,) = [one for one in pair.usage(key=whose)["budgets"] if one["scope"] == "key"]
    assert own["spent_usd"] == pytest.approx(row["cost_usd"])


def test_vectors_that_nobody_waits_for_cost_what_was_reserved(pair: Pair) -> None:
    pair.upstream.script(AwaitClose())
    connection = pair.send("vectors", "embeddings", input="word " * 800)
    assert pair.upstream.wait_requests(1)
    connection.close()
    assert pair.upstream.wait_closed()
    assert eventually(lambda: _row(pair, "vectors")["requests"] == 1)
    row = _row(pair, "vectors")
    assert (row["failures"], row["estimated_requests"], row["cost_usd"]) == (1, 1, pytest.approx(0.01001))
    (own,) = [one for one in pair.usage(key=row["key"])["budgets"] if one["scope"] == "key"]
    assert own["spent_usd"] == pytest.approx(0.01001)


def _held(chunks: list[bytes]) -> list[Step]:
    return [Head(), *(Send(chunk) for chunk in chunks[:6]), Hold()]


def _row(pair: Pair, name: str) -> Any:
    rows = pair.usage(group_by="key")["data"]
    return next((row for row in rows if row.get("key_name") == name), {"requests": 0})


def test_tokens_of_a_model_are_counted_over_all_workers_within_five_percent(pair: Pair) -> None:
    answers = pair.ask_often(300, "tok", model="costly", max_tokens=20)
    passed = statuses(answers)[200]
    for number in range(100):
        if pair.ask(number, "tok", model="costly").status_code != 200:
            break
        passed += 1
    assert 0.95 * 12_000 <= passed * 120 <= 1.05 * 12_000
    refused = pair.ask(0, "tok", model="costly").json()["error"]["details"]
    assert (refused["scope"], refused["name"], refused["unit"]) == ("model", "costly", "tokens")


def test_a_provider_that_has_no_room_is_passed_over_for_the_next(pair: Pair) -> None:
    pair.upstream.script(*openai_error(500, "server_error", None, "simulated failure"), times=None,
                         when=lambda request: request.path.startswith("/one/"))  # fmt: skip
    answer = pair.ask(0, "prov", model="one-model")
    assert (answer.status_code, answer.headers["X-Gateway-Provider"]) == (200, "two")
    budget = [one for one in pair.usage("prov")["budgets"] if one["scope"] == "provider"]
    assert budget == [], "budgets of providers are no caller's business"


def test_near_the_end_of_a_budget_a_cheaper_model_answers_under_the_name_that_was_asked_for(pair: Pair) -> None:
    first = pair.ask(0, "soft", model="grand")
    assert first.headers["X-Gateway-Upstream-Model"] == "grand"
    for _ in range(2):
        assert pair.ask(0, "soft", model="dear").status_code == 200

    def landed() -> bool:
        answer = pair.ask(0, "soft", model="grand", max_tokens=1)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == "grand"
        return answer.headers["X-Gateway-Upstream-Model"] == "cheap"

    pair.upstream.script(*whole(openai_body(usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2})),
                         times=None)  # fmt: skip
    assert any(landed() for _ in range(20))
    assert pair.ask(0, "soft", model="one/grand").headers["X-Gateway-Upstream-Model"] == "grand", "by name"


def test_what_a_budget_has_no_room_for_is_answered_by_the_cheaper_model(pair: Pair) -> None:
    fields = {"max_tokens": 200, "messages": [{"role": "user", "content": "word"}]}
    landed = pair.ask(0, "land", model="grand", **fields)
    assert landed.status_code == 200, landed.text
    assert (landed.headers["X-Gateway-Upstream-Model"], landed.json()["model"]) == ("cheap", "grand")
    refused = pair.ask(0, "land", model="dear", **fields)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "budget_exceeded"), "it has no cheaper one"
    refused = pair.ask(0, "land", model="grand", **{**fields, "max_tokens": 100_000})
    assert refused.json()["error"]["code"] == "budget_exceeded", "not even the cheaper one"


def test_who_may_use_the_dear_model_lands_on_the_cheaper_one(pair: Pair) -> None:
    fields = {"max_tokens": 200, "messages": [{"role": "user", "content": "word"}]}
    landed = pair.ask(0, "few", model="grand", **fields)
    assert (landed.status_code, landed.headers.get("X-Gateway-Upstream-Model")) == (200, "cheap"), landed.text
    assert pair.ask(0, "few", model="cheap").status_code == 403, "which it may not ask for by itself"
    # Every worker tells the metric a moment later.
    assert eventually(lambda: _limited(pair, "budget") == _refused(pair)), "who was refused, and nobody who landed"
    assert not _refused(pair, "few")


def test_a_models_own_budget_lands_softly_too_and_operators_see_how_it_stands(pair: Pair) -> None:
    fields = {"max_tokens": 300, "messages": [{"role": "user", "content": "word"}]}
    landed = pair.ask(0, "full", model="noble", **fields)
    assert (landed.status_code, landed.headers.get("X-Gateway-Upstream-Model")) == (200, "cheap"), landed.text
    names = [pair.ask(0, "full", model="noble").headers["X-Gateway-Upstream-Model"] for _ in range(12)]
    assert (names[0], names[-1]) == ("noble", "cheap"), "from its share on"
    (seen,) = [one for one in pair.usage()["budgets"] if one["scope"] == "model"]
    assert (seen["name"], seen["limit_usd"]) == ("noble", 0.01)
    assert seen["spent_usd"] == pytest.approx(COST * names.count("noble"))
    assert [one for one in pair.usage("full")["budgets"] if one["scope"] == "model"] == []
    refused = pair.ask(0, "full", model="one/noble", **{**fields, "stream": True})
    assert (refused.status_code, refused.json()["error"]["details"]["scope"]) == (429, "model"), "by name"


def _limited(pair: Pair, scope: str) -> float:
    found = [gateway.get("/metrics", headers=key("ops")).text for gateway in pair.gateways]
    lines = [line for text in found for line in text.splitlines() if line.startswith("glm_rate_limited_total{")]
    return sum(float(line.split()[-1]) for line in lines if f'"{scope}"' in line)


def _refused(pair: Pair, name: str | None = None) -> int:
    """How often the log has refused anybody, or that caller, for a budget."""
    events = [event for gateway in pair.gateways for event in gateway.events("request")]
    refused = [event for event in events if event.get("error") == "budget_exceeded"]
    return sum(name in (None, event["caller"]) for event in refused)


def test_operators_see_how_a_callers_budgets_stand(pair: Pair) -> None:
    pair.ask(0, "gone")
    whose = next(row["key"] for row in pair.usage(group_by="key")["data"] if row["key_name"] == "gone")
    (own,) = [one for one in pair.usage(key=whose)["budgets"] if one["scope"] == "key"]
    assert (own["name"], own["limit_usd"]) == ("gone", 0.1)


def test_a_key_has_two_streams_at_a_time_wherever_they_are(pair: Pair) -> None:
    chunks = openai_stream("word " * 10, usage=USED)
    pair.upstream.script(*_held(chunks), times=None)
    with ExitStack() as open_ones:
        for number in range(2):
            assert open_ones.enter_context(pair.ask(number, "strm", stream=True)).status_code == 200
        refused = pair.ask(1, "strm", stream=True)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_streams")
    pair.upstream.script(*whole(openai_body(usage=USED)), times=None)
    assert eventually(lambda: pair.ask(1, "strm", stream=True).status_code == 200)


def test_usage_is_told_by_key_model_provider_hour_and_as_csv_and_only_their_own_to_users(pair: Pair) -> None:
    for number in range(6):
        assert pair.ask(number, "spend").status_code == 200
    pair.ask(0, "other")
    assert eventually(lambda: _row(pair, "spend")["requests"] == 6)
    row = _row(pair, "spend")
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (600, 120, 6 * COST)
    own = pair.usage("spend", group_by="model,provider")
    assert own["data"] == [{**row_of(own), "model": "dear", "provider": "one"}]
    assert (own["total"]["requests"], "cache" in own) == (6, False)
    assert pair.gateways[1].get("/v1/usage", headers=key("spend"), params={"key": "someone"}).status_code == 403
    text = pair.gateways[1].get("/v1/usage", headers=key("spend"), params={"format": "csv", "group_by": "hour"})
    assert text.headers["Content-Type"].startswith("text/csv")
    (line,) = csv.DictReader(io.StringIO(text.text))
    assert (line["requests"], line["cost_usd"]) == ("6", "0.012")


def row_of(usage: Any) -> Any:
    return usage["data"][0]


@pytest.mark.parametrize("query", [{"from": "x"}, {"group_by": "color"}, {"format": "xml"}, {"until": "now"}])
def test_a_wrong_question_is_told(pair: Pair, query: dict[str, str]) -> None:
    response = pair.gateways[0].get("/v1/usage", headers=key("ops"), params=query)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


def test_the_cost_of_an_answer_stands_in_its_headers_to_the_last_digit(pair: Pair) -> None:
    used = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    pair.upstream.script(*whole(openai_body(usage=used)), times=None)
    assert pair.ask(0, "other").headers["X-Gateway-Cost-USD"] == "0.00006"


def test_of_several_models_that_may_answer_the_one_is_paid_that_the_provider_names(pair: Pair) -> None:
    def cost(answered: str, **fields: Any) -> str:
        pair.upstream.script(*whole(openai_body(usage=USED, model=answered)))
        answer = pair.ask(0, "named", "cheap", models=["cheap", "dear"], **fields)
        return answer.headers["X-Gateway-Cost-USD"]

    assert [cost("cheap"), cost("dear"), cost("a-third")] == ["0.00102", "0.002", "0.002"]
    pair.upstream.script(*_sent(openai_stream("Hi", usage=USED, model="cheap")))
    with pair.ask(0, "named", "cheap", models=["cheap", "dear"], stream=True) as stream:
        assert stream.content.endswith(b"data: [DONE]\n\n")

    def spent() -> dict[str, float]:
        rows = pair.usage(group_by="key,model")["data"]
        return {row["model"]: row["cost_usd"] for row in rows if row.get("key_name") == "named"}

    assert eventually(lambda: spent() == {"cheap": pytest.approx(0.00404), "dear": pytest.approx(0.002)}), spent()


def _sent(chunks: list[bytes]) -> list[Step]:
    return [Head(), *map(Send, chunks)]
