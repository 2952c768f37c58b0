"""Anthropic's tools and tool choice to canonical ones."""

from collections.abc import Mapping
from typing import Any, Literal

from api.problems import missing
from schemas.anthropic import CountTokensRequest, WireTool
from schemas.chat import HostedTool, Tool, ToolChoice

MODES: Mapping[str, Literal["auto", "required", "none"]] = {"auto": "auto", "any": "required", "none": "none"}


def parse_tools(wire: CountTokensRequest, body: Mapping[str, Any]) -> tuple[Tool | HostedTool, ...]:
    """The client's own tools, and those of the provider as they came."""
    return tuple(
        Tool(tool.name, tool.description, tool.input_schema, tool.strict, tool.cache_control)
        if isinstance(tool, WireTool)
        else HostedTool(tool.type, body["tools"][i])
        for i, tool in enumerate(wire.tools or ())
    )


def parse_tool_choice(wire: CountTokensRequest) -> ToolChoice | None:
    """What must be called, or None when the client did not say. Raises InvalidRequest for a tool without its name."""
    choice = wire.tool_choice
    if choice is None:
        return None
    if choice.type != "tool":
        return ToolChoice(MODES[choice.type])
    if not choice.name:
        raise missing("tool_choice.name")
    return ToolChoice("named", choice.name)


def parse_parallel(wire: CountTokensRequest) -> bool | None:
    """False when the model may call one tool at a time only; None otherwise."""
    return False if wire.tool_choice is not None and wire.tool_choice.disable_parallel_tool_use else None
