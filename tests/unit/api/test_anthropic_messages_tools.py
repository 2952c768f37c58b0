"""What becomes of tools and the tool choice."""

from typing import Any

import pytest

from core.errors import InvalidRequest
from schemas.chat import HostedTool, Tool, ToolChoice
from tests.unit.api.anthropic_messages_kit import parse

SCHEMA = {"type": "object", "properties": {"b": {}, "a": {}}}


def test_the_clients_own_tools_are_functions() -> None:
    mark = {"type": "ephemeral"}
    full = {"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True, "cache_control": mark}
    tools = [full, {"type": "custom", "name": "g", "defer_loading": True}, {"type": None, "name": "h"}]
    assert parse(tools=tools).tools == (Tool("f", "d", SCHEMA, strict=True, cache=mark), Tool("g"), Tool("h"))
    assert parse(tools=None).tools == ()


def test_the_providers_tools_are_carried_as_they_came() -> None:
    tools = [
        {"type": "web_search_20260209", "name": "web_search", "max_uses": 5},
        {"type": "mcp_toolset", "mcp_server_name": "s"},
        {"type": "bash_20250124", "name": "bash", "strict": "odd"},
    ]
    assert parse(tools=tools).tools == tuple(HostedTool(tool["type"], tool) for tool in tools)


@pytest.mark.parametrize(
    ("choice", "canonical"),
    [
        (None, None),
        ({"type": "auto"}, ToolChoice("auto")),
        ({"type": "any"}, ToolChoice("required")),
        ({"type": "none"}, ToolChoice("none")),
        ({"type": "tool", "name": "f"}, ToolChoice("named", "f")),
    ],
)
def test_every_choice_is_understood(choice: Any, canonical: ToolChoice | None) -> None:
    request = parse(tools=[{"name": "f"}], tool_choice=choice)
    assert (request.tool_choice, request.parallel_tool_calls) == (canonical, None)


def test_calls_may_be_limited_to_one_at_a_time() -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert parse(tool_choice=choice).parallel_tool_calls is False
    assert parse(tool_choice={**choice, "disable_parallel_tool_use": False}).parallel_tool_calls is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"name": "f"}, {"description": "no name"}]}, "tools[1].name"),
        ({"tools": [{"name": ""}]}, "tools[0].name"),
        ({"tools": [{"name": "f" * 129}]}, "tools[0].name"),
        ({"tools": [{"name": "f", "input_schema": "x"}]}, "tools[0].input_schema"),
        ({"tools": [{"type": 5, "name": "f"}]}, "tools[0].type"),
        ({"tools": ["f"]}, "tools[0]"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": "required"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "tool", "name": ""}}, "tool_choice.name"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    assert caught.value.param == param
