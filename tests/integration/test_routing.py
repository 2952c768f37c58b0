"""Where requests go by the rules, and that what is explained is what happens."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.routing_kit import BROKEN, CHAIN, House, running
from tests.upstreams.openai_answers import openai_error

NEVER_OPEN = {"failures": 1000, "min_calls": 1000}
RULES: list[dict[str, Any]] = [
    {"name": "strict", "match": {"headers": {"x-strict": "yes"}}, "targets": [{"model": "m-a"}], "strict": True},
    {
        "name": "shared",
        "match": {"models": ["shared*"]},
        "targets": [{"model": "m-b", "weight": 70}, {"model": "m-c", "weight": 30}],
    },
    {"name": "tools", "match": {"tools": True}, "targets": [{"model": "m-c"}]},
    {
        "name": "default",
        "match": {"models": ["any", "m-*"]},
        "targets": [{"model": "m-a"}],
        "fallbacks": ["m-c"],
        "context_fallback": "m-b",
    },
]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with several rules, whose circuits never open."""
    with running(tmp_path_factory.mktemp("ruled"), RULES, circuit=NEVER_OPEN) as one:
        yield one


@pytest.fixture
def house(ruled: House) -> House:
    """The same without memory of the test before."""
    ruled.forget()
    for token in ruled.gateway.get("/v1/tokens").json()["data"]:
        ruled.gateway.post(f"/v1/tokens/{token['id']}/reset", None)
    return ruled


def test_fallbacks_are_tried_in_their_order(tmp_path: Path) -> None:
    with running(tmp_path, CHAIN, circuit=NEVER_OPEN, retry={"max_attempts": 5}) as house:
        assert house.answered() == "a"
        house.breaks("a")
        assert house.answered() == "b"
        house.breaks("b")
        response = house.ask()
        assert (response.headers["X-Gateway-Provider"], response.headers["X-Gateway-Attempts"]) == ("c", "3")
        assert response.headers["X-Gateway-Upstream-Model"] == "m-c"
        assert house.asked == {"a": 3, "b": 2, "c": 1}


def test_rules_look_at_the_request(house: House) -> None:
    assert house.answered() == "a"
    assert house.answered(tools=[TOOL]) == "c"
    assert house.answered("m-b") == "a", "the default route is for every model that it matches"
    assert house.answered("b/m-b") == "b", "who names an instance goes there"
    assert house.answered("common") == "a", "no rule matches"


def test_a_streamed_request_goes_the_same_way(house: House) -> None:
    response = house.ask(tools=[TOOL], stream=True)
    assert response.headers["X-Gateway-Provider"] == "c"
    assert response.text.rstrip().endswith("data: [DONE]")


def test_conversations_are_shared_out_by_weight_and_stay_where_they_are(house: House) -> None:
    first = {f"s{number}": house.answered("shared-1", f"s{number}") for number in range(200)}
    counts = Counter(first.values())
    assert set(counts) == {"b", "c"}
    assert 0.60 < counts["b"] / 200 < 0.80
    again = {session: house.answered("shared-1", session, stream=True) for session in list(first)[:40]}
    assert again == {session: first[session] for session in again}


def test_a_conversation_whose_target_fails_goes_to_the_other_and_stays_there(house: House) -> None:
    before = house.answered("shared", "one-conversation")
    house.breaks(before)
    after = house.answered("shared", "one-conversation")
    assert {before, after} == {"b", "c"}
    house.forget()
    assert house.answered("shared", "one-conversation") == after, "where its prompt is cached now"
    request = {"model": "shared", "messages": [{"role": "user", "content": "Hi"}]}
    told = house.gateway.post("/v1/route/explain", request, headers={"x-session-id": "one-conversation"}).json()
    assert told["targets"][0]["provider"] == after
    assert "answered last by it" in told["targets"][0]["why"]


def test_a_prompt_that_does_not_fit_is_not_sent_to_the_small_model(house: House) -> None:
    long = [{"role": "user", "content": "word " * 4000}]
    assert house.answered(messages=long) == "b"
    assert house.asked == {"b": 1}


def test_a_prompt_that_the_provider_finds_too_long_goes_where_it_fits(house: House) -> None:
    too_long = openai_error(400, "invalid_request_error", "context_length_exceeded", "too long")
    house.breaks("a", steps=too_long)
    assert house.answered() == "b"
    assert house.asked == {"a": 1, "b": 1}


def test_a_strict_route_refuses_rather_than_leave_something_out(house: House) -> None:
    body = {"model": "any", "max_tokens": 5, "top_k": 3, "messages": [{"role": "user", "content": "Hi"}]}
    assert house.gateway.post("/v1/messages", body).headers["X-Gateway-Dropped"] == "top_k"
    house.forget()
    response = house.gateway.post("/v1/messages", body, headers={"x-strict": "yes"})
    assert response.status_code == 400
    assert "top_k" in response.json()["error"]["message"]
    assert house.asked == {}
    explained = house.gateway.get(f"/v1/route/explain/{response.headers['X-Request-ID']}").json()
    assert (explained["rule"], explained["strict"]) == ("strict", True)
    assert explained["targets"][0]["result"] == "failed: unsupported_parameter"


def test_an_unknown_model_is_a_404_with_near_names_unless_a_rule_takes_it(house: House) -> None:
    response = house.ask("comon")
    assert response.status_code == 404
    assert response.json()["error"]["details"]["near"] == ["common"]
    assert house.explain("comon")["error"]["details"]["near"] == ["common"]
    assert house.answered("m-unheard-of") == "a"


# Explained


@pytest.mark.parametrize("session", [f"s{number}" for number in range(6)])
def test_what_is_explained_is_what_happens_and_nothing_is_asked_for_it(house: House, session: str) -> None:
    headers = {"x-session-id": session}
    body = {"model": "shared", "messages": [{"role": "user", "content": "Hi"}]}
    told = house.gateway.post("/v1/route/explain", body, headers=headers).json()
    assert house.asked == {}
    assert told["rule"] == "shared"
    order = [one["provider"] for one in told["targets"]]
    house.breaks(order[0])
    response = house.ask("shared", session)
    assert response.headers["X-Gateway-Provider"] == order[1]
    after = house.gateway.get(f"/v1/route/explain/{response.headers['X-Request-ID']}").json()
    assert [one["provider"] for one in after["targets"]] == order
    assert [one["result"] for one in after["targets"]] == ["failed: upstream_server_error", "answered"]
    assert [one["reason"] for one in after["rules"]] == ["there is no header x-strict", None]


def test_an_explanation_takes_anthropics_form_as_well(house: House) -> None:
    body = {"model": "any", "max_tokens": 5, "system": "s", "messages": [{"role": "user", "content": "Hi"}]}
    told = house.gateway.post("/v1/route/explain", body, headers={"anthropic-version": "2023-06-01"}).json()
    assert [one["provider"] for one in told["targets"]] == ["a", "c"]
    assert [one["provider"] for one in told["if_too_long"]] == ["b"]


def test_what_nobody_remembers_is_not_found(house: House) -> None:
    assert house.gateway.get("/v1/route/explain/nobody").status_code == 404


def test_a_body_that_is_wrong_is_refused_as_the_request_would_be(house: House) -> None:
    response = house.gateway.post("/v1/route/explain", {"messages": []})
    assert response.status_code == 400


# Retries


def test_an_outage_does_not_multiply_the_load(tmp_path: Path) -> None:
    patient = {"error_threshold": 1000, "max_errors": 1000}
    with running(tmp_path, CHAIN, {}, circuit=NEVER_OPEN, tokens=patient) as house:
        house.breaks("a", "b", "c", steps=BROKEN)
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            statuses = Counter(pool.map(lambda _: house.ask().status_code, range(200)))
        stretches = 1 + int((time.monotonic() - began) / 10)
        assert statuses == {502: 200}
        assert 200 < len(house.upstream.requests) <= 200 * 1.2 + 10 * stretches
