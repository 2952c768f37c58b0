"""What the vendors of OpenAI's form refuse of a request's body."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

COMMON = frozenset(
    {
        "model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p", "presence_penalty",
        "frequency_penalty", "n", "stop", "seed", "tools", "tool_choice", "parallel_tool_calls", "response_format",
        "reasoning_effort", "user",
    }
)  # fmt: skip
OPENAIS = frozenset(
    {
        "max_completion_tokens", "logit_bias", "logprobs", "top_logprobs", "functions", "function_call", "verbosity",
        "modalities", "audio", "prediction", "web_search_options", "metadata", "store", "service_tier",
        "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "moderation",
    }
)  # fmt: skip
GLMS = frozenset(
    {
        "model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p", "do_sample", "stop",
        "tools", "tool_choice", "tool_stream", "response_format", "thinking", "reasoning_effort", "request_id",
        "user_id", "sensitive_word_check", "watermark_enabled", "meta",
    }
)  # fmt: skip
LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FIELDS: Mapping[str, frozenset[str]] = {
    "system": frozenset({"role", "content", "name"}),
    "developer": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset({"role", "content", "name", "refusal", "tool_calls", "audio", "function_call"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
    "function": frozenset({"role", "content", "name"}),
}
REASONING_REFUSES = ("max_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "stop")


@dataclass(frozen=True)
class Vendor:
    """One vendor: its parameters, what the messages of the assistant may have beside OpenAI's fields, and its parts.

    `efforts` are the levels that its models take, `longest` the most tokens they write, `stops` the most stop words;
    `names` says that messages may have one, `links` that files may be given by their address, `schemas` that answers
    may be, `reasons` that what reasoning models do without is refused, `replays` that reasoning must come back with
    tool calls.
    """

    parameters: frozenset[str] = COMMON | OPENAIS
    assistant: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
    part_fields: frozenset[str] = frozenset({"prompt_cache_breakpoint"})
    tools: frozenset[str] = frozenset({"function", "custom"})
    efforts: Sequence[str] = LEVELS
    longest: int = 1_000_000
    stops: int = 4
    choices: frozenset[str] = frozenset({"none", "auto", "required", "named"})
    roles: frozenset[str] = frozenset(FIELDS)
    names: bool = True
    links: bool = False
    schemas: bool = True
    reasons: bool = False
    replays: bool = False


TEXT, SEES = frozenset({"text", "refusal"}), frozenset({"text", "image_url", "refusal"})
OLD_ROLES = frozenset(FIELDS) - {"developer"}
REPLAYED = frozenset({"reasoning", "reasoning_content", "reasoning_details"})
VENDORS: Mapping[str, Vendor] = {
    "openai": Vendor(efforts=("none", "low", "medium", "high", "xhigh"), longest=128_000, reasons=True),
    "openai-compatible": Vendor(assistant=REPLAYED),
    "groq": Vendor(
        parameters=COMMON | {"max_completion_tokens", "reasoning_format", "include_reasoning", "service_tier"},
        parts=TEXT, tools=frozenset({"function"}), efforts=("low", "medium", "high"), longest=65_536, names=False,
    ),
    "grok": Vendor(
        parameters=COMMON - {"stop", "presence_penalty", "frequency_penalty"} | {"search_parameters"},
        parts=SEES, tools=frozenset({"function"}), efforts=LEVELS[:1] + LEVELS[2:6], roles=OLD_ROLES,
    ),
    "deepseek": Vendor(
        parameters=COMMON | {"thinking", "user_id", "logprobs", "top_logprobs"},
        assistant=frozenset({"reasoning_content", "prefix"}), parts=TEXT, tools=frozenset({"function"}),
        efforts=LEVELS[2:], longest=393_000, roles=OLD_ROLES, schemas=False, replays=True,
    ),
    "openrouter": Vendor(
        parameters=COMMON | OPENAIS | {"reasoning", "models", "provider", "plugins", "usage", "session_id", "top_k"},
        assistant=REPLAYED, part_fields=frozenset({"cache_control"}), links=True,
    ),
    "glm": Vendor(
        parameters=GLMS, assistant=frozenset({"reasoning_content"}), parts=frozenset({"text"}), efforts=("high", "max"),
        tools=frozenset({"function", "web_search", "retrieval", "mcp"}), longest=131_072, stops=1, schemas=False,
        choices=frozenset({"auto"}), roles=OLD_ROLES,
    ),
}  # fmt: skip
"""The vendors as the models of the contract tests have them; a plain compatible server takes all that OpenAI does."""


def problems(vendor: Vendor, body: Json) -> Iterator[str]:
    """What `vendor` would answer with an error, in words."""
    yield from (f"unknown parameter {name}" for name in body if name not in vendor.parameters)
    yield from _values(vendor, body)
    yield from _tools(vendor, body)
    yield from _turns(vendor, body["messages"], thinks=(body.get("thinking") or {}).get("type") != "disabled")


def _values(vendor: Vendor, body: Json) -> Iterator[str]:
    if vendor.reasons:
        yield from (f"a reasoning model takes no {name}" for name in REASONING_REFUSES if body.get(name))
        yield from (f"{name} must be 1" for name in ("temperature", "top_p") if body.get(name) not in (None, 1))
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in vendor.efforts:
        yield f"reasoning_effort {effort} is none of {', '.join(vendor.efforts)}"
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or 1
    if limit > vendor.longest:
        yield f"max_tokens {limit} is more than {vendor.longest}"
    if isinstance(body.get("stop"), list) and not 1 <= len(body["stop"]) <= vendor.stops:
        yield f"stop has {len(body['stop'])} words"
    if (body.get("response_format") or {}).get("type") == "json_schema" and not vendor.schemas:
        yield "response_format.type json_schema is unknown"
    if "stream_options" in body and not body.get("stream"):
        yield "stream_options without stream"


def _tools(vendor: Vendor, body: Json) -> Iterator[str]:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools is not None and not 1 <= len(tools) <= 128:
        yield f"there are {len(tools)} tools"
    if not tools and not body.get("functions"):
        yield from (f"{name} without tools" for name in ("tool_choice", "parallel_tool_calls") if name in body)
    if choice is not None and (choice if isinstance(choice, str) else "named") not in vendor.choices:
        yield f"tool_choice {choice} is unknown"
    for tool in tools or ():
        if tool.get("type") not in vendor.tools:
            yield f"a tool of type {tool.get('type')}"
        elif tool["type"] == "function":
            yield from _function(tool)


def _function(tool: Json) -> Iterator[str]:
    function = tool["function"]
    yield from (f"unknown field {name} of a tool" for name in tool if name not in ("type", "function"))
    allowed = ("name", "description", "parameters", "strict")
    yield from (f"unknown field {name} of a function" for name in function if name not in allowed)
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", function["name"]):
        yield f"a tool cannot be called {function['name']}"
    if function.get("parameters") is not None and function["parameters"].get("type") != "object":
        yield f"the parameters of {function['name']} are no object"


def _turns(vendor: Vendor, messages: Sequence[Json], *, thinks: bool) -> Iterator[str]:
    waiting: list[str] = []
    for number, message in enumerate(messages):
        where, role = f"messages[{number}]", message.get("role")
        if role not in vendor.roles:
            yield f"{where}: role {role}"
            continue
        if role != "tool" and waiting:
            yield f"{where}: no result for {', '.join(waiting)}"
            waiting = []
        yield from (f"{where}: {said}" for said in _message(vendor, message))
        if role == "tool" and message.get("tool_call_id") in waiting:
            waiting.remove(message["tool_call_id"])
        elif role == "tool":
            yield f"{where}: a result for {message.get('tool_call_id')}, which was not called"
        calls = message.get("tool_calls") or ()
        waiting += [call["id"] for call in calls]
        if calls and vendor.replays and thinks and message.get("reasoning_content") is None:
            yield f"{where}: the reasoning_content of the thinking mode must be passed back"
    if waiting:
        yield f"no result for {', '.join(waiting)}"


def _message(vendor: Vendor, message: Json) -> Iterator[str]:
    role, content = message["role"], message.get("content")
    allowed = FIELDS[role] | (vendor.assistant if role == "assistant" else set())
    yield from (f"unknown field {name}" for name in message if name not in allowed)
    if "name" in message and (not vendor.names or not re.fullmatch(r"[^\s<|\\/>]+", message["name"])):
        yield f"name {message['name']}"
    if content is None and not (role == "assistant" and any(message.get(name) for name in ("tool_calls", "refusal"))):
        yield "no content"
    if isinstance(content, list):
        parts = {"text"} if role in ("tool", "system", "developer") else vendor.parts
        yield from _parts(content, parts, vendor)
    if "tool_calls" in message:
        yield from _calls(message["tool_calls"])


def _parts(content: Sequence[Json], kinds: frozenset[str] | set[str], vendor: Vendor) -> Iterator[str]:
    if not content:
        yield "content is empty"
    for part in content:
        if part.get("type") not in kinds:
            yield f"a part of type {part.get('type')}"
        elif part["type"] == "text":
            yield from (
                f"unknown field {name} of a text" for name in part if name not in {"type", "text"} | vendor.part_fields
            )
        elif (
            part["type"] == "file"
            and not vendor.links
            and not part["file"].get("file_data", "data:").startswith("data:")
        ):
            yield "file_data is no data URL"


def _calls(calls: Sequence[Json]) -> Iterator[str]:
    if not calls:
        yield "tool_calls is empty"
    for call in calls:
        if not 1 <= len(call["id"]) <= 40:
            yield f"tool_calls.id has {len(call['id'])} characters"
        yield from (
            f"unknown field {name} of a call" for name in call if name not in ("id", "type", "function", "custom")
        )
        if call.get("type") == "function" and not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call["function"]["name"]):
            yield f"a call of {call['function']['name']}"
        if call.get("type") == "function" and not isinstance(call["function"]["arguments"], str):
            yield "the arguments are no text"
