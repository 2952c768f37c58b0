"""Writes tools and the choice among them in Gemini's form (https://ai.google.dev/api/caching#Tool)."""

from collections.abc import Mapping
from typing import Any

from core.providers.draft import Draft
from core.providers.gemini_schema import clean_parameters
from schemas.chat import HostedTool, Tool, ToolChoice

Wire = dict[str, Any]

HOSTED: Mapping[str, str] = {
    "google_search": "googleSearch",
    "url_context": "urlContext",
    "code_execution": "codeExecution",
}
"""Google's own tools, by the type a client gives."""


def tool_fields(draft: Draft) -> Wire:
    """`tools` and `toolConfig`.

    The functions stay the same whatever the choice, as they come first in what is cached. Tools of other providers,
    strict ones, and calls one at a time are dropped by name.
    """
    request = draft.request
    if request.tools and request.parallel_tool_calls is False:
        draft.drop("parallel_tool_calls")
    functions = [_declaration(draft, tool) for tool in request.tools if isinstance(tool, Tool)]
    hosted = [wire for tool in request.tools if isinstance(tool, HostedTool) for wire in _hosted(draft, tool)]
    tools = [{"functionDeclarations": functions}, *hosted] if functions else hosted
    config = _config(draft, frozenset(function["name"] for function in functions))
    return {**({"tools": tools} if tools else {}), **config}


def forces_call(draft: Draft) -> bool:
    """True when the answer must be a call."""
    choice = draft.request.tool_choice
    return bool(draft.request.tools) and choice is not None and choice.mode in ("required", "named")


def _hosted(draft: Draft, tool: HostedTool) -> list[Wire]:
    name, choice = HOSTED.get(tool.kind), draft.request.tool_choice
    if name is None:
        draft.drop(f"tools.{tool.kind}")
    if name is None or (choice is not None and choice.mode == "none"):
        return []
    options = tool.body.get(tool.kind)
    return [{name: options if isinstance(options, dict) else {}}]


def _declaration(draft: Draft, tool: Tool) -> Wire:
    if tool.strict:
        draft.drop("tools.strict")
    wire: Wire = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    parameters = clean_parameters(tool.parameters)
    return wire if parameters is None else {**wire, "parametersJsonSchema": parameters}


def _config(draft: Draft, functions: frozenset[str]) -> Wire:
    """The choice as far as it is about functions, of which Gemini's own choice is to call some or none."""
    choice, refused = draft.request.tool_choice, draft.target.info.refuses
    if choice is None or not draft.request.tools:
        return {}
    mode = _mode(choice, functions)
    if choice.mode in ("required", "named") and (mode is None or f"tool_choice.{choice.mode}" in refused):
        draft.drop("tool_choice")
        mode = None
    return {} if mode is None or not functions else {"toolConfig": {"functionCallingConfig": mode}}


def _mode(choice: ToolChoice, functions: frozenset[str]) -> Wire | None:
    """None for Gemini's own choice, and for one among none of the functions."""
    if choice.mode == "none":
        return {"mode": "NONE"}
    wanted = (choice.name or "",) if choice.mode == "named" else choice.names
    names = [name for name in wanted if name in functions]
    if names:
        # Names go with ANY and VALIDATED only; the latter lets the model answer in text as well.
        return {"mode": "VALIDATED" if choice.mode == "auto" else "ANY", "allowedFunctionNames": names}
    return {"mode": "ANY"} if choice.mode == "required" and functions and not wanted else None
