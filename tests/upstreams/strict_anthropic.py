"""What Anthropic refuses of a request's body, and who imitates it does not."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

PARAMETERS = frozenset(
    {
        "model", "max_tokens", "messages", "system", "stream", "stop_sequences", "tools", "tool_choice", "thinking",
        "output_config", "metadata", "cache_control", "diagnostics", "service_tier", "speed", "inference_geo",
        "container", "context_management", "mcp_servers", "fallbacks", "temperature", "top_p", "top_k",
    }
)  # fmt: skip
KINDS: Mapping[str, frozenset[str]] = {
    "user": frozenset({"text", "image", "document", "search_result", "tool_result", "container_upload"}),
    "assistant": frozenset(
        {"text", "tool_use", "thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result"}
    ),
    "system": frozenset({"text"}),
}
TURN = frozenset({"role", "content"})
SYSTEM_TURN = TURN | {"output_config"}
"""Claude Code says in its own what effort holds from there on (per-turn-control-2026-07-01)."""
SHOWN = frozenset({"text", "image", "document", "search_result", "tool_reference"})
"""What the result of a tool may hold."""
FUNCTION = frozenset(
    {
        "type", "name", "description", "input_schema", "cache_control", "strict", "defer_loading",
        "eager_input_streaming", "input_examples", "allowed_callers",
    }
)  # fmt: skip
PLAIN = re.compile(r"opus-4-[78]|opus-5|sonnet-5|haiku-5|fable|mythos")
"""Models that take no sampling parameters."""
MEDIA = ("image/png", "image/jpeg", "image/gif", "image/webp")
MOST_MARKS = 4


def problems(body: Json) -> Iterator[str]:
    """What would be answered with an error, in words."""
    yield from (f"unknown parameter {name}" for name in body if name not in PARAMETERS)
    if PLAIN.search(body["model"]):
        yield from (f"{name} is not supported" for name in ("temperature", "top_p", "top_k") if name in body)
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
        yield f"max_tokens {body.get('max_tokens')}"
    yield from _system(body.get("system"))
    yield from _turns(body["messages"])
    yield from _tools(body)
    yield from _thinking(body)
    marks = str(body).count("'cache_control': {")
    if marks > MOST_MARKS:
        yield f"{marks} blocks with cache_control"


def _system(system: Any) -> Iterator[str]:
    if system is not None and not system:
        yield "system is empty"
    for block in system if isinstance(system, list) else ():
        yield from _block(block, KINDS["system"])


def _turns(messages: Sequence[Json]) -> Iterator[str]:
    if not messages or messages[0]["role"] != "user":
        yield "the first message is not the user's"
    called: list[str] = []
    for number, message in enumerate(messages):
        where, last = f"messages[{number}]", number == len(messages) - 1
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        fields = SYSTEM_TURN if message["role"] == "system" else TURN
        yield from (f"{where}: unknown field {name}" for name in message if name not in fields)
        if not blocks and not (last and message["role"] == "assistant"):
            yield f"{where}: no content"
        for block in blocks:
            yield from (f"{where}: {said}" for said in _block(block, KINDS.get(message["role"], frozenset())))
        if message["role"] == "user":
            yield from (f"{where}: {said}" for said in _results(blocks, called))
            called = []
        called += [block["id"] for block in blocks if block["type"] == "tool_use"]
    if called:
        yield f"no tool_result for {', '.join(called)}"


def _results(blocks: Sequence[Json], called: Sequence[str]) -> Iterator[str]:
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    if sorted(results) != sorted(called):
        yield f"tool_result for {results}, and tool_use of {called}"
    if any(block["type"] != "tool_result" for block in blocks[: len(results)]):
        yield "tool_result behind other content"


def _block(block: Json, kinds: frozenset[str]) -> Iterator[str]:
    kind = block.get("type")
    if kind not in kinds:
        yield f"a block of type {kind}"
    elif kind in CHECKS:
        yield from CHECKS[kind](block)


def _thought(block: Json) -> Iterator[str]:
    if "cache_control" in block or not (block.get("signature") or block.get("data")):
        yield "thinking with cache_control or without a signature"


def _use(block: Json) -> Iterator[str]:
    if not re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", block["name"]):
        yield f"tool_use of {block['name']} with id {block['id']}"
    if not isinstance(block["input"], dict):
        yield "input is no object"


def _result(block: Json) -> Iterator[str]:
    for part in block["content"] if isinstance(block.get("content"), list) else ():
        yield from _block(part, SHOWN)


def _text(block: Json) -> Iterator[str]:
    if not block["text"].strip():
        yield "a text of nothing but white space"
    yield from (f"unknown field {each}" for each in block if each not in ("type", "text", "cache_control", "citations"))


def _image(block: Json) -> Iterator[str]:
    source = block["source"]
    if source["type"] == "base64" and source["media_type"] not in MEDIA:
        yield f"an image of type {source['media_type']}"
    if source["type"] == "url" and not source["url"].startswith(("http://", "https://")):
        yield f"an image at {source['url'][:20]}"


CHECKS: Mapping[str, Callable[[Json], Iterator[str]]] = {
    "text": _text,
    "image": _image,
    "thinking": _thought,
    "redacted_thinking": _thought,
    "tool_use": _use,
    "tool_result": _result,
}
"""What is looked at in each kind of block."""


def _tools(body: Json) -> Iterator[str]:
    if "tool_choice" in body and not body.get("tools"):
        yield "tool_choice without tools"
    for tool in body.get("tools") or ():
        if tool.get("type", "custom") != "custom":
            if not re.search(r"_20\d{6}$", tool["type"]):
                yield f"a tool of type {tool['type']}"
            continue
        yield from (f"unknown field {name} of a tool" for name in tool if name not in FUNCTION)
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]):
            yield f"a tool cannot be called {tool['name']}"
        if (tool.get("input_schema") or {}).get("type") != "object":
            yield f"the input_schema of {tool['name']} is no object"


def _thinking(body: Json) -> Iterator[str]:
    asked, limit = body.get("thinking") or {}, body.get("max_tokens") or 0
    effort = (body.get("output_config") or {}).get("effort")
    if effort not in (None, "low", "medium", "high", "xhigh", "max"):
        yield f"effort {effort}"
    if asked.get("type") != "enabled":
        return
    if PLAIN.search(body["model"]):
        yield "thinking.type enabled is not supported, but adaptive is"
    if not 1024 <= asked.get("budget_tokens", 0) < limit:
        yield f"budget_tokens {asked.get('budget_tokens')} with max_tokens {limit}"
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        yield "thinking, and a tool that must be called"
    if body.get("temperature", 1) != 1 or "top_k" in body:
        yield "thinking, and temperature or top_k"
