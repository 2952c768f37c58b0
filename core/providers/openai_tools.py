"""Chooses the tools that a request of another dialect is sent with in OpenAI's form."""

from dataclasses import replace

from core.providers.draft import Draft
from core.providers.openai_messages import Wire, wire_choice, wire_tool
from schemas.chat import HostedTool, Tool, ToolChoice


def tool_fields(draft: Draft) -> Wire:
    """Everything about tools; those that run at the provider are another provider's, and are dropped by name.

    Where no tool is left nothing is said of how to choose one.
    """
    request, functions = draft.request, [tool for tool in draft.request.tools if isinstance(tool, Tool)]
    for tool in request.tools:
        if isinstance(tool, HostedTool):
            draft.drop(f"tools.{tool.kind}")
    choice = _choice(draft, frozenset(tool.name for tool in functions))
    if not functions:
        return {}
    fields: Wire = {"tools": [wire_tool(tool) for tool in functions]}
    if choice is not None:
        fields["tool_choice"] = wire_choice(choice)
    if request.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = request.parallel_tool_calls
    return fields


def _choice(draft: Draft, known: frozenset[str]) -> ToolChoice | None:
    """The choice as far as it is among the functions; one that asked for more is dropped by name."""
    choice = draft.request.tool_choice
    if choice is None:
        return None
    names = tuple(name for name in choice.names if name in known)
    lost = choice.name not in known if choice.mode == "named" else bool(choice.names) and not names
    if lost or (choice.mode == "required" and not known):
        draft.drop("tool_choice")
        return None
    return replace(choice, names=names)
