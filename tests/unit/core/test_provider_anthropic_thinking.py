"""How the thinking that an OpenAI client asks for is said in Anthropic's words."""

import pytest

from schemas.chat import Sampling, ThinkingBlock, ThinkingOptions, ToolCall
from schemas.codec import loads
from tests.unit.core.anthropic_kit import assistant, built, chat, claude, result, target, user

SHOWN = {"display": "summarized"}


def asked(control, thinking, *, model="claude-opus-4-8", mode="hide", max_tokens=None, max_output=64_000):
    request = chat(thinking=thinking, thinking_mode=mode, sampling=Sampling(max_tokens=max_tokens))
    upstream = built(request, target(model, thinking=control, max_output=max_output))
    return loads(upstream.body), upstream.dropped


def said(*arguments, **options):
    """The switch, the effort, and the names of what was dropped."""
    sent, dropped = asked(*arguments, **options)
    return sent.get("thinking"), sent.get("output_config", {}).get("effort"), dropped


def effort(word):
    return ThinkingOptions(effort=word)


ON, OFF, NOTHING = ThinkingOptions(enabled=True), ThinkingOptions(enabled=False), ThinkingOptions()
DISABLED = {"type": "disabled"}


def budget(tokens):
    return {"type": "enabled", "budget_tokens": tokens}


@pytest.mark.parametrize(
    ("thinking", "switch"),
    [
        (NOTHING, None),
        (ON, budget(8192)),
        (OFF, DISABLED),
        (effort("none"), DISABLED),
        (effort("minimal"), DISABLED),
        (effort("low"), budget(2048)),
        (effort("medium"), budget(8192)),
        (effort("high"), budget(16_384)),
        (effort("xhigh"), budget(32_768)),
        (effort("max"), budget(32_768)),
        (ThinkingOptions(budget=5000), budget(5000)),
        (ThinkingOptions(budget=5), budget(1024)),
    ],
)
def test_models_with_a_budget_are_given_one(thinking, switch):
    assert said("budget", thinking) == (switch, None, ())


@pytest.mark.parametrize(
    ("max_tokens", "max_output", "thinks", "whole"),
    [
        (None, 64_000, 32_768, 36_864),
        (None, 0, 32_768, 36_864),
        (None, 20_000, 10_000, 20_000),
        (40_000, 64_000, 32_768, 40_000),
        (32_768, 64_000, 16_384, 32_768),
        (4000, 64_000, 2000, 4000),
        (1500, 64_000, 1024, 1500),
        (1025, 64_000, 1024, 1025),
    ],
)
def test_a_budget_leaves_room_for_the_answer(max_tokens, max_output, thinks, whole):
    sent, dropped = asked("budget", effort("max"), max_tokens=max_tokens, max_output=max_output)
    assert (sent["thinking"]["budget_tokens"], sent["max_tokens"], dropped) == (thinks, whole, ())


@pytest.mark.parametrize("max_tokens", [1, 1024])
def test_an_answer_too_short_for_any_budget_is_given_without_thinking(max_tokens):
    sent, dropped = asked("budget", effort("high"), max_tokens=max_tokens)
    assert (sent["thinking"], sent["max_tokens"], dropped) == (DISABLED, max_tokens, ("reasoning_effort",))


@pytest.mark.parametrize(
    ("thinking", "switch", "level"),
    [
        (NOTHING, None, None),
        (ON, {"type": "adaptive"}, None),
        (OFF, DISABLED, None),
        (effort("none"), DISABLED, None),
        (effort("minimal"), DISABLED, None),
        (effort("low"), {"type": "adaptive"}, "low"),
        (effort("xhigh"), {"type": "adaptive"}, "xhigh"),
        (effort("max"), {"type": "adaptive"}, "max"),
        (ThinkingOptions(budget=8000), {"type": "adaptive"}, "medium"),
    ],
)
def test_models_that_adapt_are_given_an_effort(thinking, switch, level):
    assert said("adaptive", thinking) == (switch, level, ())


def test_an_effort_that_a_model_lacks_is_the_next_lower_one():
    assert said("adaptive", effort("xhigh"), model="claude-opus-4-6")[1] == "high"


@pytest.mark.parametrize(
    ("thinking", "level", "dropped"),
    [
        (NOTHING, None, ()),
        (ON, None, ()),
        (effort("high"), "high", ()),
        (OFF, "low", ("thinking",)),
        (effort("none"), "low", ("reasoning_effort",)),
    ],
)
def test_models_that_cannot_but_think_are_given_the_least_effort(thinking, level, dropped):
    assert said("forced", thinking) == (None, level, dropped)


@pytest.mark.parametrize(
    ("thinking", "dropped"),
    [
        (NOTHING, ()),
        (OFF, ()),
        (effort("none"), ()),
        (ON, ("thinking",)),
        (effort("high"), ("reasoning_effort",)),
        (ThinkingOptions(budget=2000), ("thinking",)),
        (ThinkingOptions(clear=False), ("clear_thinking",)),
        (ThinkingOptions(clear=True), ()),
    ],
)
def test_models_that_do_not_think_are_asked_nothing(thinking, dropped):
    assert said("none", thinking) == (None, None, dropped)


@pytest.mark.parametrize("mode", ["tags", "field", "blocks"])
def test_a_client_that_wants_to_read_the_thinking_gets_it(mode):
    assert said("adaptive", ON, mode=mode)[0] == {"type": "adaptive", **SHOWN}
    assert said("budget", effort("low"), mode=mode)[0] == {**budget(2048), **SHOWN}
    assert said("forced", NOTHING, mode=mode, model="claude-opus-5-5")[0] == {"type": "adaptive", **SHOWN}
    assert said("adaptive", OFF, mode=mode)[0] == DISABLED


def test_nobody_is_made_to_think_for_being_readable():
    assert said("adaptive", NOTHING, mode="tags", model="claude-opus-4-8")[0] is None
    assert said("adaptive", NOTHING, mode="tags", model="claude-opus-5")[0] == {"type": "adaptive", **SHOWN}
    assert said("adaptive", NOTHING, mode="hide", model="claude-opus-5")[0] is None


def test_other_models_are_not_asked_to_show_what_they_show_anyway():
    assert said("switch", ON, mode="tags", model="glm-4.6") == (budget(8192), None, ())
    assert said("effort", effort("high"), mode="tags", model="glm-5.2") == (budget(16_384), "high", ())
    assert said("forced", effort("high"), mode="tags", model="glm-5.3") == (None, "high", ())


@pytest.mark.parametrize(("model", "thinks"), [("claude-opus-4-5", False), ("glm-4.6", True)])
def test_anthropics_models_do_not_think_by_budget_behind_a_call_made_without(model, thinks):
    messages = (user(), assistant("", ToolCall("c1", "f", "{}")), result("c1"))
    upstream = built(chat(*messages, thinking=effort("low")), target(model, thinking="budget"))
    assert (loads(upstream.body)["thinking"]["type"] == "enabled") == thinks
    assert upstream.dropped == (() if thinks else ("reasoning_effort",))


def test_a_call_made_with_thinking_can_be_followed_by_more():
    signed = assistant("", ToolCall("c1", "f", "{}"), thinking=(ThinkingBlock("a", "sig", issuer="anthropic"),))
    upstream = built(chat(user(), signed, result("c1"), thinking=effort("low")), target(thinking="budget"))
    assert loads(upstream.body)["thinking"]["type"] == "enabled"
    again = chat(user(), signed, result("c1"), thinking=effort("low"), omit=frozenset({"thinking_replay"}))
    assert loads(built(again, target(thinking="budget")).body)["thinking"] == DISABLED


@pytest.mark.parametrize("max_output", [0, 8_000, 64_000])
@pytest.mark.parametrize("control", ["none", "switch", "effort", "budget", "adaptive", "forced"])
@pytest.mark.parametrize(
    "thinking",
    [
        ThinkingOptions(),
        ThinkingOptions(enabled=True),
        ThinkingOptions(enabled=False),
        ThinkingOptions(budget=50_000, enabled=True),
    ],
)
def test_the_limit_that_is_told_ahead_is_the_one_that_is_sent(max_output, control, thinking):
    request, to = chat(thinking=thinking), target(max_output=max_output, thinking=control)
    assert claude().answer_limit(request, to) == loads(built(request, to).body)["max_tokens"]
