"""What becomes of the tools of a chat request, and of the choice among them."""

from typing import Any

import pytest

from api.dialects.base import Inbound
from api.dialects.openai_chat_request import parse_request
from core.errors import InvalidRequest
from schemas.chat import ChatRequest, HostedTool, Tool, ToolChoice


def function(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


F = function("f")
CUSTOM = {"type": "custom", "custom": {"name": "c"}}
SEARCH = {"type": "web_search", "web_search": {"enable": True}}


def parse(**fields: Any) -> ChatRequest:
    return parse_request(Inbound({"messages": [{"role": "user", "content": "Hi"}], **fields}, b"", {}, "m", "tags"))


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    return caught.value


def choice_of(choice: Any, *tools: dict[str, Any]) -> ToolChoice | None:
    return parse(tools=list(tools), tool_choice=choice).tool_choice


def allowed(*entries: Any, mode: str = "auto") -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(entries)}}


def test_functions_and_tools_of_the_provider_stand_in_order() -> None:
    schema = {"type": "object", "properties": {}}
    full = {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema, "strict": True}}
    tools = parse(tools=[full, SEARCH]).tools
    assert tools == (Tool("f", "d", schema, strict=True), HostedTool("web_search", SEARCH))


def test_functions_of_old_are_tools() -> None:
    request = parse(functions=[{"name": "f", "parameters": {}}], function_call={"name": "f"})
    assert request.tools == (Tool("f", parameters={}),)
    assert request.tool_choice == ToolChoice("named", "f")


@pytest.mark.parametrize("mode", ["none", "auto", "required"])
def test_a_mode_is_a_choice(mode: str) -> None:
    assert choice_of(mode, F) == ToolChoice(mode)  # type: ignore[arg-type]


def test_a_function_or_a_custom_tool_can_be_named() -> None:
    assert choice_of(F, F, CUSTOM) == ToolChoice("named", "f")
    assert choice_of(CUSTOM, F, CUSTOM) == ToolChoice("named", "c")


def test_a_subset_can_be_allowed() -> None:
    assert choice_of(allowed(F, SEARCH, mode="required"), F, SEARCH) == ToolChoice(
        "required", names=("f", "web_search")
    )


def test_an_allowed_tool_may_be_named_without_its_wrapper() -> None:
    assert choice_of(allowed({"type": "function", "name": "f"}), F) == ToolChoice("auto", names=("f",))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{}]}, "tools[0].function"),
        ({"tools": [F, {"type": "function"}]}, "tools[1].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "x" * 129}}]}, "tools[0].function.name"),
        ({"tools": [function("f", parameters="x")]}, "tools[0].function.parameters"),
        ({"tools": [{"type": 5}]}, "tools[0].type"),
        ({"tools": ["f"]}, "tools[0]"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"tools": [F], "tool_choice": {}}, "tool_choice.type"),
        ({"tools": [F], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tools": [F], "tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
        ({"tools": [F], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice.function.name"),
        ({"tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice.function.name"),
        ({"tools": [F], "tool_choice": {"type": "custom", "custom": {"name": "g"}}}, "tool_choice.custom.name"),
        ({"tools": [F], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        ({"tools": [F], "tool_choice": allowed(F, mode="x")}, "tool_choice.allowed_tools.mode"),
        ({"tools": [F], "tool_choice": allowed("f")}, "tool_choice.allowed_tools.tools[0]"),
        ({"tools": [F], "tool_choice": allowed({"function": 5})}, "tool_choice.allowed_tools.tools[0].function"),
        ({"tools": [F], "tool_choice": allowed(F, function("g"))}, "tool_choice.allowed_tools.tools[1]"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call.name"),
        ({"function_call": {}}, "function_call.name"),
    ],
)
def test_a_malformed_tool_or_choice_is_named(fields: dict[str, Any], param: str) -> None:
    assert refusal(**fields).param == param


def test_a_choice_may_name_a_function_of_old() -> None:
    assert parse(functions=[{"name": "f"}], tool_choice=F).tool_choice == ToolChoice("named", "f")
