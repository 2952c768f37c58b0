"""What providers of other forms than OpenAI's need to know about tools and their calls."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

from schemas.chat import HostedTool, Message, Tool, ToolChoice
from schemas.codec import dumps, loads


def new_call_id() -> str:
    """An id as OpenAI writes them, for a call whose provider gave none."""
    return f"call_{uuid4().hex[:24]}"


def names_by_id(messages: Iterable[Message]) -> dict[str, str]:
    """The name of the tool behind each call id of the conversation."""
    return {call.id: call.name for message in messages for call in message.tool_calls}


def argument_object(arguments: str) -> dict[str, Any]:
    """The arguments of a call as an object; text that is none is not lost, but stands in it under `arguments`."""
    try:
        value = loads(arguments or "{}")
    except ValueError:
        value = arguments
    return value if isinstance(value, dict) else {"arguments": value}


def argument_text(arguments: Any) -> str:
    """The arguments a provider sent, an object or already text, as compact JSON text."""
    if isinstance(arguments, str):
        return arguments or "{}"
    return dumps(arguments if isinstance(arguments, dict) else {}).decode()


def chosen_tools(tools: Sequence[Tool | HostedTool], choice: ToolChoice | None) -> list[Tool | HostedTool]:
    """The tools that `choice` lets the model use, in their order."""
    if choice is None:
        return list(tools)
    if choice.mode == "none":
        return []
    names = (choice.name,) if choice.mode == "named" else choice.names
    return [tool for tool in tools if not names or (tool.name if isinstance(tool, Tool) else tool.kind) in names]
