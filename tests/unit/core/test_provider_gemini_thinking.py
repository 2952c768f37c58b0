"""What the Gemini provider promises of thinking: how it is steered, and when it is shown."""

import pytest

from schemas.chat import ThinkingOptions
from tests.unit.core.gemini_kit import sent, target

EFFORT, SWITCH = ("reasoning_effort",), ("thinking",)


def config(control, model, *, mode="hide", abilities=(), omit=(), **asked):
    body, dropped = sent(
        to=target(model, control, abilities),
        thinking=ThinkingOptions(**asked),
        thinking_mode=mode,
        omit=frozenset(omit),
    )
    return body.get("generationConfig", {}).get("thinkingConfig"), dropped


PRO, FLASH, LITE = "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite"


@pytest.mark.parametrize(
    ("model", "asked", "budget", "dropped"),
    [
        (FLASH, {}, None, ()),
        (FLASH, {"enabled": True}, -1, ()),
        (FLASH, {"enabled": False}, 0, ()),
        (FLASH, {"effort": "none"}, 0, ()),
        (FLASH, {"effort": "low"}, 2048, ()),
        (FLASH, {"effort": "medium"}, 8192, ()),
        (FLASH, {"effort": "high"}, 16_384, ()),
        (FLASH, {"effort": "max"}, 24_576, ()),
        (FLASH, {"budget": 5000}, 5000, ()),
        (FLASH, {"enabled": True, "budget": 5000}, 5000, ()),
        (FLASH, {"budget": 100_000}, 24_576, ()),
        (FLASH, {"budget": -1}, -1, ()),
        (FLASH, {"enabled": False, "effort": "high"}, 0, ()),
        (PRO, {"effort": "max"}, 32_768, ()),
        (PRO, {"budget": 1}, 128, ()),
        (PRO, {"effort": "none"}, 128, EFFORT),
        (PRO, {"enabled": False}, 128, SWITCH),
        (LITE, {"budget": 10}, 512, ()),
        (LITE, {"enabled": False}, 0, ()),
    ],
)
def test_a_model_of_2_5_is_given_a_budget_within_its_bounds(model, asked, budget, dropped):
    assert config("budget", model, **asked) == (None if budget is None else {"thinkingBudget": budget}, dropped)


@pytest.mark.parametrize(
    ("control", "asked", "level", "dropped"),
    [
        ("effort", {}, None, ()),
        ("effort", {"enabled": True}, None, ()),
        ("effort", {"effort": "minimal"}, "MINIMAL", ()),
        ("effort", {"effort": "none"}, "MINIMAL", EFFORT),
        ("effort", {"enabled": False}, "MINIMAL", SWITCH),
        ("effort", {"effort": "low"}, "LOW", ()),
        ("effort", {"effort": "medium"}, "MEDIUM", ()),
        ("effort", {"effort": "high"}, "HIGH", ()),
        ("effort", {"effort": "xhigh"}, "HIGH", ()),
        ("effort", {"effort": "max"}, "HIGH", ()),
        ("effort", {"effort": "odd"}, None, EFFORT),
        ("effort", {"budget": 2000}, "LOW", ()),
        ("effort", {"budget": 8000}, "MEDIUM", ()),
        ("effort", {"budget": 50_000}, "HIGH", ()),
        ("adaptive", {"effort": "low"}, "LOW", ()),
        ("forced", {"effort": "minimal"}, "LOW", ()),
        ("forced", {"effort": "none"}, "LOW", EFFORT),
        ("forced", {"enabled": False, "effort": "high"}, "LOW", SWITCH),
    ],
)
def test_a_model_of_3_is_given_a_level_and_never_a_budget(control, asked, level, dropped):
    assert config(control, "gemini-3.1-pro", **asked) == (None if level is None else {"thinkingLevel": level}, dropped)


@pytest.mark.parametrize(
    ("asked", "dropped"),
    [
        ({}, ()),
        ({"enabled": False}, ()),
        ({"effort": "none"}, ()),
        ({"enabled": True}, SWITCH),
        ({"budget": 5000}, SWITCH),
        ({"effort": "high"}, EFFORT),
    ],
)
def test_a_model_that_does_not_think_is_told_nothing(asked, dropped):
    assert config("none", "gemini-2.0-flash", mode="tags", **asked) == (None, dropped)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-2.5-flash", {"thinkingBudget": 2048}),
        ("gemini-3-flash", {"thinkingLevel": "LOW"}),
        ("gemini-3.9-flash", {"thinkingLevel": "LOW"}),
        ("gemini-pro-latest", {"thinkingLevel": "LOW"}),
        ("gemini-2.0-flash", None),
        ("gemma-4", None),
    ],
)
def test_a_model_the_catalogue_does_not_know_is_steered_as_its_name_tells(model, expected):
    assert config("none", model, abilities={"thinking"}, effort="low")[0] == expected


@pytest.mark.parametrize(
    ("control", "model", "mode", "asked", "shown"),
    [
        ("forced", "gemini-4-argon", "tags", {}, True),
        ("forced", "gemini-4-argon", "field", {}, True),
        ("forced", "gemini-4-argon", "blocks", {}, False),
        ("forced", "gemini-4-argon", "blocks", {"enabled": True}, True),
        ("forced", "gemini-4-argon", "blocks", {"budget": 4000}, True),
        ("forced", "gemini-4-argon", "hide", {"effort": "high"}, False),
        ("forced", "gemini-4-argon", "tags", {"effort": "none"}, False),
        ("forced", "gemini-4-argon", "tags", {"effort": "minimal"}, True),
        ("budget", PRO, "tags", {}, True),
        ("budget", LITE, "tags", {}, False),
        ("budget", LITE, "tags", {"enabled": True}, True),
        ("budget", LITE, "tags", {"enabled": False}, False),
        ("budget", LITE, "tags", {"effort": "minimal"}, False),
        ("budget", LITE, "tags", {"budget": 0}, False),
    ],
)
def test_thoughts_are_asked_for_when_there_are_some_and_the_client_is_to_see_them(control, model, mode, asked, shown):
    assert (config(control, model, mode=mode, **asked)[0] or {}).get("includeThoughts", False) is shown


def test_thinking_that_is_to_be_kept_is_said_to_be_dropped():
    assert config("forced", "gemini-4-argon", clear=False) == (None, ("clear_thinking",))
    assert config("forced", "gemini-4-argon", clear=True) == (None, ())


@pytest.mark.parametrize(
    ("control", "refused", "asked", "expected"),
    [
        ("effort", "thinking_level.minimal@m", {"effort": "minimal"}, ({"thinkingLevel": "LOW"}, EFFORT)),
        ("effort", "thinking_level.minimal@m", {"effort": "high"}, ({"thinkingLevel": "HIGH"}, ())),
        ("effort", "thinking_level.medium@m", {"effort": "medium"}, ({"thinkingLevel": "HIGH"}, EFFORT)),
        ("effort", "thinking_level.low@m", {"effort": "low"}, (None, EFFORT)),
        ("effort", "thinking_level.minimal@other", {"effort": "minimal"}, ({"thinkingLevel": "MINIMAL"}, ())),
        ("budget", "thinking_budget.0@m", {"effort": "none"}, ({"thinkingBudget": 128}, EFFORT)),
        ("budget", "thinking@m", {"effort": "high"}, (None, EFFORT)),
    ],
)
def test_what_the_model_has_refused_is_not_sent_to_it_again(control, refused, asked, expected):
    assert config(control, "gemini-x-flash", omit={refused}, **asked) == expected
