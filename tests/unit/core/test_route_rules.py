"""Which rule matches which request, and how weights share out conversations."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from config.settings import MatchSettings
from core.estimating import estimate_request
from core.route_rules import Facts, by_weight, mismatch
from schemas.caller import Caller
from schemas.chat import ChatRequest, HostedTool, ImagePart, Message, Native, TextPart, Tool

ALICE = Caller("id-1", "alice", "operator")


def facts(caller: Caller | None = ALICE, headers: Mapping[str, str] | None = None, **fields: Any) -> Facts:
    native = Native("openai_chat", {}, headers=headers or {})
    messages = fields.pop("messages", (Message("user", (TextPart("x" * 400),)),))
    return Facts(ChatRequest("glm", messages, native, **fields), caller, ("glm", "GLM-4.6"))


def says(match: dict[str, Any], one: Facts) -> str | None:
    return mismatch(MatchSettings.model_validate(match), one)


IMAGE = (Message("user", (TextPart("x"), ImagePart("data:image/png;base64,AAAA"))),)
SIZE = estimate_request(ChatRequest("m", (Message("user", (TextPart("x" * 400),)),), Native("openai_chat", {})))


@pytest.mark.parametrize(
    ("match", "one"),
    [
        ({}, facts()),
        ({"models": ["glm-*"]}, facts()),
        ({"models": ["GPT-*", "GLM"]}, facts()),
        ({"callers": ["alice"]}, facts()),
        ({"callers": ["bob", "operator"]}, facts()),
        ({"headers": {"X-Team": "red*"}}, facts(headers={"x-team": "Red-1"})),
        ({"tools": True}, facts(tools=(Tool("f"),))),
        ({"tools": True}, facts(tools=(HostedTool("web_search", {}),))),
        ({"tools": False}, facts()),
        ({"images": True}, facts(messages=IMAGE)),
        ({"images": False}, facts()),
        ({"stream": True}, facts(stream=True)),
        ({"stream": False}, facts()),
        ({"prompt_tokens": {"above": SIZE - 1}}, facts()),
        ({"prompt_tokens": {"below": SIZE + 1}}, facts()),
        ({"prompt_tokens": {"above": 0, "below": SIZE + 1}}, facts()),
        ({"models": ["glm*"], "stream": True, "callers": ["alice"]}, facts(stream=True)),
    ],
)
def test_a_rule_matches_when_all_it_says_holds(match: dict[str, Any], one: Facts) -> None:
    assert says(match, one) is None


def test_a_token_is_matched_by_its_id_or_its_role_and_never_by_the_name_it_says() -> None:
    token = facts(Caller("jwt_1", "alice", "user", signed=True))
    assert says({"callers": ["alice"]}, token) == "the caller is none of alice"
    assert says({"callers": ["jwt_1"]}, token) is None
    assert says({"callers": ["user"]}, token) is None


@pytest.mark.parametrize(
    ("match", "one", "reason"),
    [
        ({"models": ["gpt-*"]}, facts(), "the model is none of gpt-*"),
        ({"models": ["lm-*"]}, facts(), "the model is none of lm-*"),
        ({"callers": ["bob", "admin"]}, facts(), "the caller is none of bob, admin"),
        ({"callers": ["bob"]}, facts(caller=None), "the caller is none of bob"),
        ({"headers": {"X-Team": "*"}}, facts(), "there is no header X-Team"),
        ({"headers": {"X-Team": "red"}}, facts(headers={"x-team": "redder"}), "the header X-Team is not red"),
        ({"tools": True}, facts(), "there are no tools"),
        ({"tools": False}, facts(tools=(Tool("f"),)), "there are tools"),
        ({"images": True}, facts(), "there is no image"),
        ({"images": False}, facts(messages=IMAGE), "there are images"),
        ({"stream": True}, facts(), "the answer is not streamed"),
        ({"stream": False}, facts(stream=True), "the answer is streamed"),
        ({"prompt_tokens": {"above": SIZE}}, facts(), f"the prompt of about {SIZE} tokens is not above {SIZE}"),
        ({"prompt_tokens": {"below": SIZE}}, facts(), f"the prompt of about {SIZE} tokens is not below {SIZE}"),
        ({"models": ["glm*"], "stream": True}, facts(), "the answer is not streamed"),
    ],
)
def test_a_rule_that_does_not_match_says_why(match: dict[str, Any], one: Facts, reason: str) -> None:
    assert says(match, one) == reason


def test_the_size_is_estimated_only_when_somebody_asks() -> None:
    one = facts()
    says({"models": ["glm*"], "tools": False}, one)
    assert one.estimate is None
    says({"prompt_tokens": {"above": 1}}, one)
    assert one.estimate == SIZE


# Weights


@pytest.mark.parametrize("weights", [{"a": 1, "b": 1}, {"a": 70, "b": 20, "c": 10}, {"a": 0.5, "b": 9.5}])
def test_conversations_are_shared_out_by_weight_within_two_percent(weights: dict[str, float]) -> None:
    sessions = 20_000
    first = Counter(by_weight(weights, f"route\0session-{number}")[0] for number in range(sessions))
    total = sum(weights.values())
    for name, weight in weights.items():
        assert abs(first[name] / sessions - weight / total) < 0.02


def test_when_the_first_fails_the_others_share_its_conversations_by_their_weights() -> None:
    orders = [by_weight({"a": 1, "b": 3, "c": 1}, f"session-{number}") for number in range(20_000)]
    second = Counter(order[1] for order in orders if order[0] == "a")
    assert abs(second["b"] / sum(second.values()) - 0.75) < 0.02


def test_a_conversation_stays_where_it_is() -> None:
    weights = {"a": 1.0, "b": 1.0, "c": 1.0}
    assert {tuple(by_weight(weights, "route\0s")) for _ in range(10)} == {tuple(by_weight(weights, "route\0s"))}
    assert by_weight(dict(reversed(weights.items())), "route\0s") == by_weight(weights, "route\0s")


def test_only_conversations_of_a_target_that_is_taken_away_move() -> None:
    for number in range(500):
        before = by_weight({"a": 1, "b": 1, "c": 1}, f"s{number}")
        assert by_weight({"a": 1, "b": 1}, f"s{number}") == [name for name in before if name != "c"]


def test_what_has_no_weight_is_never_tried() -> None:
    assert by_weight({"a": 0, "b": 1}, "s") == ["b"]
