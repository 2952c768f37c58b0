"""Writes canonical messages and tools in the form of OpenAI's chat completions."""

from collections.abc import Mapping
from typing import Any

from schemas.chat import (
    DocumentPart,
    HostedTool,
    ImagePart,
    Message,
    Part,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCall,
    ToolChoice,
)

Wire = dict[str, Any]


def wire_part(part: Part) -> Wire:
    """One content part; what is opaque goes out as it was written."""
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": _given({"url": part.url, "detail": part.detail})}
    if isinstance(part, DocumentPart):
        return _wire_document(part)
    return {"type": part.kind, **part.body}


def _wire_document(part: DocumentPart) -> Wire:
    if part.url is None:
        return {"type": "text", "text": part.text or ""}
    return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": part.url}}


def wire_message(message: Message, content: str | list[Wire], reasoning_field: str | None) -> Wire:
    """One message with `content` in its place; reasoning is left out when the vendor has no field for it."""
    wire: Wire = {"role": message.role, "content": content}
    if message.name is not None:
        wire["name"] = message.name
    if message.reasoning and reasoning_field:
        wire[reasoning_field] = message.reasoning
    if message.tool_calls:
        wire["content"] = content or None
        wire["tool_calls"] = [_wire_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _wire_call(call: ToolCall) -> Wire:
    # A call without arguments is an empty object: chat templates parse the text, and "" is no JSON.
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}


def wire_tool(tool: Tool | HostedTool) -> Wire:
    """One tool; what is hosted goes out as it was written."""
    if isinstance(tool, HostedTool):
        return {"type": tool.kind, **tool.body}
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": _with_properties(tool.parameters),
        "strict": tool.strict,
    }
    return {"type": "function", "function": _given(function)}


def _with_properties(schema: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The schema of a tool without arguments as OpenAI takes it, which refuses an object that names no properties."""
    if schema is None or schema.get("type") != "object" or "properties" in schema:
        return schema
    return {**schema, "properties": {}}


def wire_choice(choice: ToolChoice) -> str | Wire:
    """The tool choice; a subset of tools is OpenAI's `allowed_tools`."""
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.name}}
    if choice.names:
        tools = [{"type": "function", "function": {"name": name}} for name in choice.names]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return choice.mode


def wire_format(wanted: ResponseFormat) -> Wire:
    """The response format."""
    if wanted.kind != "json_schema":
        return {"type": wanted.kind}
    described = {
        "name": wanted.name or "answer",
        "description": wanted.description,
        "schema": wanted.schema,
        "strict": wanted.strict,
    }
    return {"type": "json_schema", "json_schema": _given(described)}


def _given(fields: Mapping[str, Any]) -> Wire:
    return {name: value for name, value in fields.items() if value is not None}
