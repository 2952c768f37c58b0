"""OpenAI's chat request to the canonical one."""

from pydantic import ValidationError

from api.dialects.base import Inbound
from api.dialects.openai_chat_messages import parse_messages
from api.dialects.openai_chat_repair import repaired
from api.dialects.openai_chat_tools import parse_tool_choice, parse_tools
from api.problems import invalid_request
from core.errors import InvalidRequest
from schemas.chat import ChatRequest, Native, ResponseFormat, Sampling, ThinkingOptions
from schemas.openai_chat import ChatCompletionRequest, WireThinking

CARRIED = frozenset(
    {
        "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p",
        "presence_penalty", "frequency_penalty", "n", "stop", "seed", "tools", "tool_choice", "parallel_tool_calls",
        "functions", "function_call", "response_format", "reasoning_effort", "thinking", "enable_thinking",
        "chat_template_kwargs", "user",
    }
)  # fmt: skip
"""Fields that have a place of their own in the canonical request; all others travel in `extra`."""
MAX_STOP_WORDS = 4


def parse_request(inbound: Inbound) -> ChatRequest:
    """The canonical request. Raises InvalidRequest, which names the field."""
    body, repairs = repaired(inbound.body)
    try:
        wire = ChatCompletionRequest.model_validate(body)
    except ValidationError as error:
        raise invalid_request(error) from None
    if wire.n is not None and wire.n > 1:
        raise InvalidRequest("n: must be 1, as one request gives one answer here.", param="n", code="unsupported_value")
    return ChatRequest(
        model=wire.model or inbound.model,
        messages=parse_messages(wire.messages, body["messages"]),
        native=Native("openai_chat", body, b"" if repairs else inbound.raw, inbound.headers),
        stream=bool(wire.stream),
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
        thinking_mode=inbound.thinking,
        thinking=_thinking(wire),
        tools=parse_tools(wire, body),
        tool_choice=parse_tool_choice(wire),
        parallel_tool_calls=wire.parallel_tool_calls,
        sampling=_sampling(wire),
        response_format=_response_format(wire),
        user=wire.user,
        extra={name: value for name, value in body.items() if name not in CARRIED and value is not None},
        repairs=repairs,
    )


def _sampling(wire: ChatCompletionRequest) -> Sampling:
    stop = () if wire.stop is None else (wire.stop,) if isinstance(wire.stop, str) else tuple(wire.stop)
    if len(stop) > MAX_STOP_WORDS:
        raise InvalidRequest(f"stop: must have at most {MAX_STOP_WORDS} words.", param="stop", code="invalid_value")
    return Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        max_tokens=wire.max_completion_tokens or wire.max_tokens,
        stop=tuple(word for word in stop if word),
        seed=wire.seed,
        presence_penalty=wire.presence_penalty,
        frequency_penalty=wire.frequency_penalty,
    )


def _response_format(wire: ChatCompletionRequest) -> ResponseFormat | None:
    wanted = wire.response_format
    if wanted is None:
        return None
    schema = wanted.json_schema
    if wanted.type != "json_schema":
        return ResponseFormat(wanted.type)
    if schema is None:
        raise InvalidRequest(
            "response_format.json_schema is needed for this type.",
            param="response_format.json_schema",
            code="missing_required_parameter",
        )
    return ResponseFormat(wanted.type, schema.schema_, schema.name, schema.description, schema.strict)


def _thinking(wire: ChatCompletionRequest) -> ThinkingOptions:
    """GLM's own switch wins over `enable_thinking`, which wins over what a chat template is told."""
    enabled, clear = wire.enable_thinking, None
    if enabled is None and wire.chat_template_kwargs is not None:
        told = wire.chat_template_kwargs.get("enable_thinking")
        enabled = told if isinstance(told, bool) else None
    if isinstance(wire.thinking, bool):
        enabled = wire.thinking
    elif isinstance(wire.thinking, WireThinking):
        clear = wire.thinking.clear_thinking
        if wire.thinking.type is not None:
            enabled = wire.thinking.type != "disabled"
    return ThinkingOptions(enabled, wire.reasoning_effort, clear)
