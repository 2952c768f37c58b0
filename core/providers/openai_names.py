"""Shortens names of tools and ids of calls that OpenAI's form has no room for, and finds the names again."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256

from schemas.chat import ChatRequest, HostedTool, Message, Tool, ToolCall, ToolChoice
from schemas.stream import ChatChunk, ToolCallDelta

LONGEST_NAME = 64
LONGEST_ID = 40
HASH = 10
"""Hexadecimal digits that tell two long names with the same beginning apart."""


def fitting(request: ChatRequest) -> ChatRequest:
    """The request with names of at most 64 characters and ids of at most 40; itself when all of them fit.

    What is too long ends in a hash of the whole: the same history is always the same prompt.
    """
    tools = tuple(_tool(tool) for tool in request.tools)
    messages = tuple(_message(message) for message in request.messages)
    choice = request.tool_choice and _choice(request.tool_choice)
    if (tools, messages, choice) == (request.tools, request.messages, request.tool_choice):
        return request
    return replace(request, tools=tools, messages=messages, tool_choice=choice)


def shortened(request: ChatRequest) -> Mapping[str, str]:
    """The names of the client's tools that are too long, by what the provider knows them as."""
    names = (tool.name for tool in request.tools if isinstance(tool, Tool))
    return {_cut(name, LONGEST_NAME): name for name in names if len(name) > LONGEST_NAME}


def renamed(chunks: Iterable[ChatChunk], names: Mapping[str, str]) -> list[ChatChunk]:
    """The chunks, whose calls are of tools as the client knows them."""
    return [
        replace(chunk, name=names.get(chunk.name, chunk.name))
        if isinstance(chunk, ToolCallDelta) and chunk.name is not None
        else chunk
        for chunk in chunks
    ]


def _tool(tool: Tool | HostedTool) -> Tool | HostedTool:
    if isinstance(tool, HostedTool) or len(tool.name) <= LONGEST_NAME:
        return tool
    return replace(tool, name=_cut(tool.name, LONGEST_NAME))


def _choice(choice: ToolChoice) -> ToolChoice:
    name = choice.name and _cut(choice.name, LONGEST_NAME)
    return replace(choice, name=name, names=tuple(_cut(each, LONGEST_NAME) for each in choice.names))


def _message(message: Message) -> Message:
    if message.tool_call_id is not None and len(message.tool_call_id) > LONGEST_ID:
        return replace(message, tool_call_id=_cut(message.tool_call_id, LONGEST_ID))
    if all(len(call.id) <= LONGEST_ID and len(call.name) <= LONGEST_NAME for call in message.tool_calls):
        return message
    return replace(message, tool_calls=tuple(_call(call) for call in message.tool_calls))


def _call(call: ToolCall) -> ToolCall:
    return replace(call, id=_cut(call.id, LONGEST_ID), name=_cut(call.name, LONGEST_NAME))


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[: longest - HASH - 1]}_{sha256(text.encode()).hexdigest()[:HASH]}"
