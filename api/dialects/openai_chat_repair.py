"""Mends what is malformed in the history of an OpenAI client, so that providers take it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.codec import dumps

MISSING_RESULT = "The result of this tool call is missing."
ROLES_WITH_TEXT = frozenset({"system", "developer", "user", "assistant", "tool"})

Wire = Mapping[str, Any]


def repaired(body: Wire) -> tuple[Wire, tuple[str, ...]]:
    """The body with its messages mended, and what was mended, one name for each place; the same body if nothing was.

    Content that is a number, a truth value or a single part becomes what it must have meant; a turn of the assistant
    that says nothing is left out; a tool call without a result gets one that says so; a result moves behind its call,
    or without one becomes a user's text. What is beyond that is left for
    validation to refuse.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return body, ()
    names: list[str] = []
    mended = [with_content(message, names) for message in messages]
    mended = [message for message in mended if not _is_empty_turn(message, names)]
    mended = list(_paired(mended, names))
    return ({**body, "messages": mended}, tuple(names)) if names else (body, ())


def with_content(message: Wire, names: list[str]) -> Wire:
    """The message with content that is text or parts, itself if it was; adds a name to `names` if it was not."""
    content = message.get("content")
    role = message.get("role")
    if role == "tool" and content is None:
        names.append("content")
        return {**message, "content": ""}
    if content is None or isinstance(content, (str, list)) or not isinstance(role, str) or role not in ROLES_WITH_TEXT:
        return message
    names.append("content")
    single = isinstance(content, dict) and isinstance(content.get("type"), str)
    return {**message, "content": [content] if single else dumps(content).decode()}


def _is_empty_turn(message: Wire, names: list[str]) -> bool:
    said = any(message.get(name) for name in ("content", "tool_calls", "refusal", "audio"))
    empty = message.get("role") == "assistant" and not said and "function_call" not in message
    if empty:
        names.append("empty_turn")
    return empty


def _paired(messages: Sequence[Wire], names: list[str]) -> Iterator[Wire]:
    """The messages, where the results of tool calls stand right behind them."""
    at = 0
    calls: tuple[str, ...] = ()
    while at < len(messages):
        if messages[at].get("role") == "assistant":
            yield from _turn((), calls, names)
            calls = _call_ids(messages[at])
            yield messages[at]
            at += 1
            continue
        end = next((i for i in range(at, len(messages)) if messages[i].get("role") == "assistant"), len(messages))
        yield from _turn(messages[at:end], calls, names)
        at, calls = end, ()
    yield from _turn((), calls, names)


def _turn(run: Sequence[Wire], calls: tuple[str, ...], names: list[str]) -> Iterator[Wire]:
    """What stands between two turns of the assistant, of which the first has made these calls."""
    if not calls and not any(message.get("role") == "tool" for message in run):
        yield from run
        return
    results = {}
    others: list[Wire] = []
    moved = False
    for message in run:
        ident = message.get("tool_call_id")
        if message.get("role") != "tool" or not isinstance(ident, str) or not ident:
            others.append(message)
        elif ident in calls and ident not in results:
            results[ident] = message
            moved = moved or bool(others)
        else:
            names.append("tool_result_orphan")
            others.append({"role": "user", "content": f"The result of a tool call: {_text(message.get('content'))}"})
    if moved:
        names.append("tool_result_order")
    for ident in calls:
        if ident not in results:
            names.append("tool_result_missing")
        yield results.get(ident) or {"role": "tool", "tool_call_id": ident, "content": MISSING_RESULT}
    yield from others


def _call_ids(message: Wire) -> tuple[str, ...]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return ()
    ids = (call.get("id") for call in calls if isinstance(call, dict))
    return tuple(dict.fromkeys(ident for ident in ids if isinstance(ident, str) and ident))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""
