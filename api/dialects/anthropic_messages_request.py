"""Anthropic's Messages request to the canonical one."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from api.dialects.anthropic_messages_repair import repaired
from api.dialects.anthropic_messages_tools import parse_parallel, parse_tool_choice, parse_tools
from api.dialects.anthropic_messages_turns import parse_messages
from api.dialects.base import Inbound
from api.problems import invalid_request
from schemas.anthropic import CountTokensRequest, MessagesRequest
from schemas.chat import ChatRequest, Native, ResponseFormat, Sampling, ThinkingOptions

CARRIED = frozenset(
    {
        "model", "messages", "system", "max_tokens", "metadata", "stop_sequences", "stream", "temperature", "top_p",
        "top_k", "tools", "tool_choice", "thinking", "output_config", "output_format", "cache_control",
    }
)  # fmt: skip
"""Fields that have a place of their own in the canonical request (`cache_control` is a hint, which nobody misses);
all others travel in `extra`."""
NOTHING: tuple[Any, ...] = (None, False, "", [], {})
HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "service_tier": ("auto", "standard_only"),
    "speed": ("standard",),
    "inference_geo": ("global",),
}
"""Values that ask for nothing any provider would not do by itself."""
SETTLED = frozenset({"effort", "format"})
"""What is read of `output_config`."""


def parse_request(inbound: Inbound) -> ChatRequest:
    """The canonical request, its history repaired. Raises InvalidRequest, which names the field."""
    return _parsed(inbound, MessagesRequest)


def parse_count(inbound: Inbound) -> ChatRequest:
    """The same for a request to count tokens, which needs no `max_tokens`."""
    return _parsed(inbound, CountTokensRequest)


def _parsed(inbound: Inbound, form: type[CountTokensRequest]) -> ChatRequest:
    body, repairs = repaired(inbound.body)
    try:
        wire = form.model_validate(body)
    except ValidationError as error:
        raise invalid_request(error) from None
    return ChatRequest(
        model=wire.model or inbound.model,
        messages=parse_messages(wire, body),
        native=Native("anthropic_messages", body, b"" if repairs else inbound.raw, inbound.headers),
        stream=bool(wire.stream),
        thinking_mode="blocks",
        thinking=_thinking(wire),
        tools=parse_tools(wire, body),
        tool_choice=parse_tool_choice(wire),
        parallel_tool_calls=parse_parallel(wire),
        sampling=_sampling(wire),
        response_format=_response_format(wire),
        user=wire.metadata.user_id if wire.metadata else None,
        extra=_extra(body),
        repairs=repairs,
    )


def _thinking(wire: CountTokensRequest) -> ThinkingOptions:
    effort = wire.output_config.effort if wire.output_config else None
    if wire.thinking is None:
        return ThinkingOptions(effort=effort)
    return ThinkingOptions(wire.thinking.type != "disabled", effort, budget=wire.thinking.budget_tokens)


def _sampling(wire: CountTokensRequest) -> Sampling:
    return Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        max_tokens=wire.max_tokens,
        stop=tuple(word for word in wire.stop_sequences or () if word),
    )


def _response_format(wire: CountTokensRequest) -> ResponseFormat | None:
    wanted = (wire.output_config.format if wire.output_config else None) or wire.output_format
    return ResponseFormat("json_schema", wanted.schema_) if wanted else None


def _extra(body: Mapping[str, Any]) -> dict[str, Any]:
    config = {name: value for name, value in (body.get("output_config") or {}).items() if name not in SETTLED}
    fields = {name: value for name, value in body.items() if name not in CARRIED}
    wanted = {**fields, "output_config": config}
    return {
        name: value for name, value in wanted.items() if value not in NOTHING and value not in HARMLESS.get(name, ())
    }
