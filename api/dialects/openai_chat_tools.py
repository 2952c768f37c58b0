"""OpenAI's tools and tool choice to canonical ones."""

from collections.abc import Mapping
from typing import Any

from core.errors import InvalidRequest
from schemas.chat import HostedTool, Tool, ToolChoice
from schemas.openai_chat import (
    AllowedTool,
    ChatCompletionRequest,
    FunctionDefinition,
    LegacyFunctionChoice,
    WireTool,
    WireToolChoice,
)


def parse_tools(wire: ChatCompletionRequest, body: Mapping[str, Any]) -> tuple[Tool | HostedTool, ...]:
    """Functions, tools of the provider as they came, and functions as they were written before there were tools."""
    tools: list[Tool | HostedTool] = []
    for i, tool in enumerate(wire.tools or ()):
        if tool.type != "function":
            tools.append(HostedTool(tool.type, body["tools"][i]))
        elif tool.function is None:
            raise _missing(f"tools[{i}].function")
        else:
            tools.append(_tool(tool.function))
    tools.extend(_tool(function) for function in wire.functions or ())
    return tuple(tools)


def parse_tool_choice(wire: ChatCompletionRequest) -> ToolChoice | None:
    """What must be called, or None when the client did not say. Raises InvalidRequest for a name that is no tool."""
    choice, legacy = wire.tool_choice, wire.function_call
    if isinstance(choice, WireToolChoice):
        return _chosen(choice, wire)
    if choice is not None:
        return ToolChoice(choice)
    if isinstance(legacy, LegacyFunctionChoice):
        return ToolChoice("named", _known(legacy.name, wire, "function_call.name"))
    return ToolChoice(legacy) if legacy is not None else None


def _chosen(choice: WireToolChoice, wire: ChatCompletionRequest) -> ToolChoice:
    if choice.type == "allowed_tools":
        return _allowed(choice, wire)
    if choice.custom is not None:
        return ToolChoice("named", _known(choice.custom.name, wire, "tool_choice.custom.name"))
    if choice.function is None:
        raise _missing("tool_choice.function")
    return ToolChoice("named", _known(choice.function.name, wire, "tool_choice.function.name"))


def _allowed(choice: WireToolChoice, wire: ChatCompletionRequest) -> ToolChoice:
    path = "tool_choice.allowed_tools"
    if choice.allowed_tools is None:
        raise _missing(path)
    tools = enumerate(choice.allowed_tools.tools)
    names = tuple(_known(_name(tool), wire, f"{path}.tools[{i}]") for i, tool in tools)
    return ToolChoice(choice.allowed_tools.mode, names=names)


def _name(tool: WireTool | AllowedTool) -> str:
    """A tool of the provider has no name of its own and goes by its type."""
    named = tool.function or tool.custom
    if named is not None:
        return named.name
    return (tool.name if isinstance(tool, AllowedTool) else None) or tool.type


def _known(name: str, wire: ChatCompletionRequest, path: str) -> str:
    if name in {_name(tool) for tool in wire.tools or ()} | {function.name for function in wire.functions or ()}:
        return name
    raise InvalidRequest(f"{path}: {name[:64]!r} is not among the tools.", param=path, code="invalid_value")


def _tool(function: FunctionDefinition) -> Tool:
    return Tool(function.name, function.description, function.parameters, function.strict)


def _missing(path: str) -> InvalidRequest:
    return InvalidRequest(f"{path} is missing.", param=path, code="missing_required_parameter")
