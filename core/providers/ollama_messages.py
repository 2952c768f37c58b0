"""Writes messages and tools in Ollama's form (https://docs.ollama.com/api/chat)."""

from collections.abc import Sequence
from typing import Any

from core.providers.data_urls import read_data_url
from core.providers.draft import Draft
from core.providers.openai_messages import wire_tool
from core.providers.tool_calls import argument_object, chosen_tools, names_by_id
from schemas.chat import DocumentPart, ImagePart, Message, Part, TextPart, Tool, ToolCall

Wire = dict[str, Any]

NOT_SHOWN = "[An image stands here that cannot be shown: it was given by its address.]"
"""Tells the model of an image it does not get, so that it does not make one up."""
NO_PARAMETERS: Wire = {"type": "object", "properties": {}}


def wire_messages(draft: Draft) -> list[Wire]:
    """The conversation. What Ollama cannot be shown is dropped by name."""
    messages = draft.request.messages
    names, running = names_by_id(messages), _last_question(messages)
    wires = []
    for index, message in enumerate(messages):
        wire = _message(draft, message, names)
        if message.reasoning and message.role == "assistant" and index > running:
            # A model takes its thinking back while it calls tools, and is told nothing of earlier turns'.
            wire["thinking"] = message.reasoning
        wires.append(wire)
    return wires


def _last_question(messages: Sequence[Message]) -> int:
    return max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)


def _message(draft: Draft, message: Message, names: dict[str, str]) -> Wire:
    content, images = _content(draft, message.parts)
    if message.is_error and "error" not in content[:200].lower():
        content = f"Error: {content}"
    wire: Wire = {"role": message.role, "content": content}
    if images:
        wire["images"] = images
    if message.tool_calls:
        wire["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.role == "tool":
        wire.update(_answered(message, names))
    elif message.name:
        draft.drop("messages.name")
    return wire


def _call(call: ToolCall) -> Wire:
    wire: Wire = {"function": {"name": call.name, "arguments": argument_object(call.arguments)}}
    return {"id": call.id, **wire} if call.id else wire


def _answered(message: Message, names: dict[str, str]) -> Wire:
    name = names.get(message.tool_call_id or "") or message.name
    fields = {"tool_name": name, "tool_call_id": message.tool_call_id}
    return {field: value for field, value in fields.items() if value}


def _content(draft: Draft, parts: Sequence[Part]) -> tuple[str, list[str]]:
    """The text of a message, and its images as bare base64."""
    texts: list[str] = []
    images: list[str] = []
    for part in parts:
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, ImagePart):
            _add_image(draft, part, texts, images)
        elif isinstance(part, DocumentPart) and part.text is not None:
            texts.append(f"{part.name}:\n{part.text}" if part.name else part.text)
        else:
            draft.drop("file" if isinstance(part, DocumentPart) else f"content.{part.kind}")
    return "\n".join(texts), images


def _add_image(draft: Draft, part: ImagePart, texts: list[str], images: list[str]) -> None:
    inline = read_data_url(part.url)
    if inline is None:
        draft.drop("image_url")
        texts.append(NOT_SHOWN)
        return
    if part.detail not in (None, "auto"):
        draft.drop("image_url.detail")
    images.append(inline.data)


def tool_fields(draft: Draft) -> Wire:
    """The tools that the choice allows; Ollama knows no choice, and no calls one at a time."""
    request, choice = draft.request, draft.request.tool_choice
    for tool in request.tools:
        if not isinstance(tool, Tool):
            draft.drop(f"tools.{tool.kind}")
        elif tool.strict:
            draft.drop("tools.strict")
    if request.tools and request.parallel_tool_calls is False:
        draft.drop("parallel_tool_calls")
    if request.tools and choice is not None and choice.mode in ("required", "named"):
        draft.drop("tool_choice")
    tools = [_tool(tool) for tool in chosen_tools(request.tools, choice) if isinstance(tool, Tool)]
    return {"tools": tools} if tools else {}


def _tool(tool: Tool) -> Wire:
    return wire_tool(Tool(tool.name, tool.description, tool.parameters or NO_PARAMETERS))
