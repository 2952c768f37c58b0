"""The body chat.z.ai takes, made of a canonical request."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.errors import InvalidRequest
from schemas.chat import ChatRequest, DocumentPart, HostedTool, ImagePart, Message, Part, TextPart, Tool
from schemas.codec import dumps
from schemas.model import ModelInfo, Target

Wire = dict[str, Any]

_DEFAULTS: Mapping[str, tuple[object, ...]] = {
    "n": (1,),
    "store": (False,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "metadata": ({},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "do_sample": (True,),
}
"""Values that ask for nothing, and are therefore not missed."""


def wire_body(request: ChatRequest, target: Target, now: float) -> Wire:
    """The body without its ids; always streamed. Raises InvalidRequest for content the site cannot take."""
    body: Wire = {
        "stream": True,
        "model": target.model,
        "messages": _messages(request, target.info),
        "params": _params(request, target.info),
        "features": _features(request, target.info),
        "background_tasks": {"title_generation": False, "tags_generation": False},
        "variables": _variables(now),
    }
    tools = [_tool(tool) for tool in offered_tools(request)]
    return {**body, "tools": tools} if tools else body


def offered_tools(request: ChatRequest) -> tuple[Tool, ...]:
    """The client's tools that the model may call this time."""
    tools = tuple(tool for tool in request.tools if isinstance(tool, Tool))
    choice = request.tool_choice
    if choice is None:
        return tools
    if choice.mode == "none":
        return ()
    wanted = (choice.name,) if choice.mode == "named" else choice.names
    return tuple(tool for tool in tools if tool.name in wanted) if wanted else tools


def dropped_names(request: ChatRequest) -> tuple[str, ...]:
    """What the client asked for that the site does not take, by OpenAI's names; stop words are emulated."""
    sampling, choice, thinking = request.sampling, request.tool_choice, request.thinking
    asked = {
        "seed": sampling.seed is not None,
        "presence_penalty": bool(sampling.presence_penalty),
        "frequency_penalty": bool(sampling.frequency_penalty),
        "user": request.user is not None,
        "tool_choice": choice is not None and choice.mode in ("required", "named"),
        "parallel_tool_calls": request.parallel_tool_calls is False,
        "response_format": _instruction(request) is not None,
        "reasoning_effort": thinking.effort not in (None, "none", "minimal"),
        "thinking.clear_thinking": thinking.clear is not None,
        "messages.name": any(message.name for message in request.messages),
        "messages.reasoning_content": any(message.reasoning for message in request.messages),
    }
    hosted = (tool.kind for tool in request.tools if isinstance(tool, HostedTool))
    names = [name for name, given in asked.items() if given]
    names += [f"tools.{kind}" for kind in hosted if kind != "web_search"]
    names += [name for name, value in request.extra.items() if not _asks_nothing(name, value)]
    return tuple(dict.fromkeys(names))


def _asks_nothing(name: str, value: object) -> bool:
    return value is None or value in _DEFAULTS.get(name, ())


def _messages(request: ChatRequest, info: ModelInfo) -> list[Wire]:
    messages = [_message(message, index, info) for index, message in enumerate(request.messages)]
    instruction = _instruction(request)
    # At the end, so that what came before stays the same for the prompt cache.
    return [*messages, {"role": "system", "content": instruction}] if instruction else messages


def _message(message: Message, index: int, info: ModelInfo) -> Wire:
    wire: Wire = {"role": message.role, "content": _content(message, index, info)}
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _content(message: Message, index: int, info: ModelInfo) -> str | list[Wire]:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message.text
    return [_part(part, f"messages[{index}].content[{place}]", info) for place, part in enumerate(message.parts)]


def _part(part: Part, param: str, info: ModelInfo) -> Wire:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, DocumentPart):
        raise InvalidRequest("chat.z.ai takes text and images, not documents", param=param)
    if not isinstance(part, ImagePart):
        raise InvalidRequest(f"chat.z.ai takes text and images, not '{part.kind}'", param=param)
    if "vision" not in info.abilities:
        raise InvalidRequest(f"the model '{info.id}' does not take images", param=param)
    if not part.url.lower().startswith(("http://", "https://")):
        raise InvalidRequest("images for chat.z.ai must be given by URL: uploading them is not supported", param=param)
    return {"type": "image_url", "image_url": {"url": part.url}}


def _params(request: ChatRequest, info: ModelInfo) -> Wire:
    """The sampling values that were given; GLM's temperature ends at 1 where OpenAI's ends at 2."""
    sampling = request.sampling
    params = {
        "temperature": None if sampling.temperature is None else min(sampling.temperature, 1.0),
        "top_p": sampling.top_p,
        "max_tokens": None
        if sampling.max_tokens is None
        else min(sampling.max_tokens, info.max_output or sampling.max_tokens),
    }
    return {name: value for name, value in params.items() if value is not None}


def _features(request: ChatRequest, info: ModelInfo) -> Wire:
    return {
        "image_generation": False,
        "web_search": any(_searches(tool) for tool in request.tools),
        "auto_web_search": False,
        "preview_mode": True,
        "flags": [],
        "enable_thinking": _thinks(request, info),
    }


def _searches(tool: Tool | HostedTool) -> bool:
    if isinstance(tool, Tool) or tool.kind != "web_search":
        return False
    options = tool.body.get("web_search")
    return not isinstance(options, dict) or options.get("enable") is not False


def _thinks(request: ChatRequest, info: ModelInfo) -> bool:
    if info.thinking == "none":
        return False
    if request.thinking.enabled is not None:
        return request.thinking.enabled
    return request.thinking.effort not in ("none", "minimal")


def _instruction(request: ChatRequest) -> str | None:
    """The sentence that stands in for `response_format`, which the site does not know."""
    wanted = request.response_format
    if wanted is None or wanted.kind == "text":
        return None
    plain = "Answer with one JSON object only: no other text and no code fence."
    if wanted.schema is None:
        return plain
    return f"{plain} It must be valid against this JSON Schema:\n{dumps(wanted.schema).decode()}"


def _tool(tool: Tool) -> Wire:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": {name: value for name, value in function.items() if value is not None}}


def _variables(now: float) -> Wire:
    """The values the site's prompt templates may ask for."""
    moment = datetime.fromtimestamp(now, UTC)
    return {
        "{{CURRENT_DATETIME}}": f"{moment:%Y-%m-%d %H:%M:%S}",
        "{{CURRENT_DATE}}": f"{moment:%Y-%m-%d}",
        "{{CURRENT_TIME}}": f"{moment:%H:%M:%S}",
        "{{CURRENT_WEEKDAY}}": f"{moment:%A}",
        "{{CURRENT_TIMEZONE}}": "UTC",
    }
