"""How an OpenAI client's tools and tool choices reach Anthropic's form."""

import pytest

from schemas.chat import HostedTool, ThinkingOptions, Tool, ToolChoice
from schemas.codec import loads
from tests.unit.core.anthropic_kit import body, built, chat, target, user

F, G = Tool("f"), Tool("g")


def sent(*tools, to=None, **fields):
    return body(chat(user(), tools=tools or (F, G), **fields), to)


def choice(mode, name=None, names=(), **fields):
    return sent(tool_choice=ToolChoice(mode, name, names), **fields).get("tool_choice")


def test_a_tool_keeps_all_it_says():
    schema = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}
    tool = Tool("f", "does", schema, strict=True, cache={"type": "ephemeral", "ttl": "1h"})
    assert sent(tool)["tools"] == [
        {
            "name": "f",
            "description": "does",
            "input_schema": schema,
            "strict": True,
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        }
    ]


@pytest.mark.parametrize("parameters", [None, {}])
def test_a_tool_without_parameters_takes_an_empty_object(parameters):
    schema = {"type": "object", "properties": {}}
    assert sent(Tool("f", parameters=parameters))["tools"] == [{"name": "f", "input_schema": schema}]


def test_a_schema_that_does_not_say_it_is_an_object_is_made_to():
    assert sent(Tool("f", parameters={"properties": {}}))["tools"][0]["input_schema"]["type"] == "object"


def test_tools_of_anthropics_own_pass_and_those_of_others_are_named():
    own = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    request = chat(tools=(HostedTool("web_search", {}), HostedTool("web_search_20250305", own), F))
    upstream = built(request)
    assert [tool["name"] for tool in loads(upstream.body)["tools"]] == ["web_search", "f"]
    assert loads(upstream.body)["tools"][0] == own
    assert upstream.dropped == ("tools.web_search",)


@pytest.mark.parametrize(
    ("mode", "name", "wire"),
    [
        ("auto", None, {"type": "auto"}),
        ("none", None, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ("named", "f", {"type": "tool", "name": "f"}),
    ],
)
def test_choices_are_said_in_anthropics_words(mode, name, wire):
    assert choice(mode, name) == wire
    alone = choice(mode, name, parallel_tool_calls=False)
    assert alone == (wire if mode == "none" else {**wire, "disable_parallel_tool_use": True})


def test_only_the_tools_that_may_be_called_are_offered():
    subset = sent(tool_choice=ToolChoice("required", names=("g",)))
    assert [tool["name"] for tool in subset["tools"]] == ["g"]
    assert subset["tool_choice"] == {"type": "any"}
    search = HostedTool("web_search_20250305", {"name": "web_search"})
    hosted = sent(F, search, tool_choice=ToolChoice("auto", names=("web_search",)))
    assert [tool["name"] for tool in hosted["tools"]] == ["web_search"]


def test_one_call_at_a_time_needs_no_choice():
    assert sent(parallel_tool_calls=False)["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "tool_choice" not in sent(parallel_tool_calls=True)


def test_without_tools_there_is_no_choice():
    alone = body(chat(tool_choice=ToolChoice("none"), parallel_tool_calls=False))
    assert "tools" not in alone
    assert "tool_choice" not in alone


@pytest.mark.parametrize("mode", ["required", "named"])
def test_a_model_that_cannot_be_forced_is_let_choose_and_that_is_told(mode):
    to = target("claude-opus-5-5", refuses=frozenset({"tool_choice.required"}))
    upstream = built(chat(tools=(F,), tool_choice=ToolChoice(mode, "f")), to)
    assert (loads(upstream.body)["tool_choice"], upstream.dropped) == ({"type": "auto"}, ("tool_choice",))
    unforced = built(chat(tools=(F,), tool_choice=ToolChoice("auto")), to)
    assert unforced.dropped == ()


@pytest.mark.parametrize(
    ("control", "forced"), [("budget", {"type": "auto"}), ("adaptive", {"type": "any"}), ("none", {"type": "any"})]
)
def test_thinking_with_a_budget_and_a_forced_choice_do_not_go_together(control, forced):
    asked = chat(tools=(F,), tool_choice=ToolChoice("required"), thinking=ThinkingOptions(effort="high"))
    upstream = built(asked, target(thinking=control))
    assert loads(upstream.body)["tool_choice"] == forced
    assert ("tool_choice" in upstream.dropped) == (control == "budget")
