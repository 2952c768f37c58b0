"""Writes canonical tools and tool choices as Anthropic's."""

import re
from typing import Any

from core.providers.anthropic_content import marked
from core.providers.draft import Draft
from schemas.chat import HostedTool, Tool, ToolChoice

Wire = dict[str, Any]

FORCED = frozenset({"required", "named"})
MODES = {"auto": "auto", "none": "none", "required": "any"}
_DATED = re.compile(r"[a-z_]+_\d{8}", re.ASCII)
"""How Anthropic names the types of tools that it brings along: `web_search_20250305`."""


def offered(draft: Draft) -> list[Wire]:
    """The tools that may be called; those that run at another provider are dropped by name."""
    request = draft.request
    names = request.tool_choice.names if request.tool_choice else ()
    tools = []
    for tool in request.tools:
        if isinstance(tool, HostedTool) and not _DATED.fullmatch(tool.kind):
            draft.drop(f"tools.{tool.kind}")
        elif not names or _name(tool) in names:
            tools.append(_tool(tool))
    return tools


def _name(tool: Tool | HostedTool) -> str:
    return tool.name if isinstance(tool, Tool) else str(tool.body.get("name") or tool.kind)


def _tool(tool: Tool | HostedTool) -> Wire:
    if isinstance(tool, HostedTool):
        return {"type": tool.kind, **tool.body}
    fields = {"name": tool.name, "description": tool.description, "input_schema": _schema(tool), "strict": tool.strict}
    return marked({name: value for name, value in fields.items() if value is not None}, tool.cache)


def _schema(tool: Tool) -> Wire:
    return {"type": "object", **(tool.parameters or {"properties": {}})}


def choice_fields(draft: Draft, *, may_force: bool) -> Wire:
    """Which tool must be used, and whether several may be used at once; for requests that offer a tool.

    A choice that must not be forced, be it by the model or by what else is asked of it, is dropped by name.
    """
    request = draft.request
    choice = request.tool_choice
    refused = not may_force or "tool_choice.required" in draft.target.info.refuses
    if choice is not None and choice.mode in FORCED and refused:
        draft.drop("tool_choice")
        choice = ToolChoice("auto")
    alone = request.parallel_tool_calls is False
    if choice is None and not alone:
        return {}
    wire = _choice(choice or ToolChoice("auto"))
    if alone and wire["type"] != "none":
        wire["disable_parallel_tool_use"] = True
    return {"tool_choice": wire}


def _choice(choice: ToolChoice) -> Wire:
    if choice.mode == "named":
        return {"type": "tool", "name": choice.name}
    return {"type": MODES[choice.mode]}
