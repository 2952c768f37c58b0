"""Sees to it that every tool call of a history has its result, and every result its call."""

from collections.abc import Iterable, Iterator
from typing import Any

from api.dialects.anthropic_messages_mending import is_empty_text

MISSING = "The result of this tool call is missing."
KEPT_BESIDE = ("image", "document")


def paired(messages: list[Any], names: list[str]) -> list[Any]:
    """The messages, each call answered at the front of the turn that follows it, and in no other place.

    Adds a name for each mended place. Messages of one role in a row are one turn, and those of the system may stand
    anywhere. Calls at the very end get an answer too, as every provider demands one.
    """
    result: list[Any] = []
    calls: dict[str, None] = {}
    reply: list[Any] = []
    for message in messages:
        if not _is_by("assistant", message):
            reply.append(message)
            continue
        if reply:
            result += _answering(reply, calls, names)
            calls, reply = {}, []
        calls.update(dict.fromkeys(_called(message)))
        result.append(message)
    return result + _answering(reply, calls, names) if reply or calls else result


def _is_by(role: str, message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == role


def _called(message: Any) -> Iterator[str]:
    for block in _contents(message):
        if isinstance(block, dict) and block.get("type") == "tool_use" and isinstance(block.get("id"), str):
            yield block["id"]


def _contents(message: Any) -> list[Any]:
    """The blocks of a message; a string counts as one."""
    content = message.get("content")
    return content if isinstance(content, list) else [content]


def _is_result(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_result" and isinstance(block.get("tool_use_id"), str)


def _answering(reply: list[Any], calls: Iterable[str], names: list[str]) -> list[Any]:
    return reply if _is_sound(reply, calls) else _Reply(calls, names).rebuilt(reply)


def _is_sound(reply: list[Any], calls: Iterable[str]) -> bool:
    unanswered = set(calls)
    results_only = True
    for message in reply:
        for block in _contents(message) if _is_by("user", message) else ():
            if not _is_result(block):
                results_only = False
            elif not results_only or block["tool_use_id"] not in unanswered:
                return False
            else:
                unanswered.discard(block["tool_use_id"])
    return not unanswered


class _Reply:
    """What a malformed reply to an assistant's turn is put together from anew."""

    def __init__(self, calls: Iterable[str], names: list[str]) -> None:
        self._unanswered = dict.fromkeys(calls)
        self._names = names
        self._results: list[Any] = []
        self._results_only = True

    def rebuilt(self, reply: list[Any]) -> list[Any]:
        """The reply with all results at its front, those that are missing among them."""
        others = [self._without_results(message) for message in reply]
        self._names.extend("tool_result_missing" for _ in self._unanswered)
        front = [*map(_missing_result, self._unanswered), *self._results]
        if front:
            _put_first(front, others)
        return [message for message in others if not _is_by("user", message) or message.get("content") != []]

    def _without_results(self, message: Any) -> Any:
        if not _is_by("user", message):
            return message
        blocks = [kept for block in _contents(message) for kept in self._kept(block)]
        return {**message, "content": blocks} if isinstance(message.get("content"), list) else message

    def _kept(self, block: Any) -> list[Any]:
        """What stays where the block stood; a result that has its call goes to the front."""
        if not _is_result(block):
            self._results_only = False
            return [block]
        call = block["tool_use_id"]
        if call not in self._unanswered:
            self._names.append("tool_result_orphan")
            return _quoted(block)
        del self._unanswered[call]
        self._results.append(block)
        if not self._results_only:
            self._names.append("tool_result_order")
        return []


def _put_first(blocks: list[Any], messages: list[Any]) -> None:
    """Put the blocks at the front of the first message of the user, which is made if there is none."""
    at = next((i for i, message in enumerate(messages) if _is_by("user", message)), None)
    if at is None:
        messages.insert(0, {"role": "user", "content": blocks})
    else:
        messages[at] = {**messages[at], "content": [*blocks, *_as_blocks(messages[at].get("content"))]}


def _missing_result(call: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "is_error": True, "content": MISSING}


def _as_blocks(content: Any) -> list[Any]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return [block for block in content if not is_empty_text(block)] if isinstance(content, list) else []


def _quoted(result: dict[str, Any]) -> list[Any]:
    """The result as text, with the images and documents in it beside."""
    content = result.get("content")
    blocks = [block for block in _as_blocks(content) if isinstance(block, dict)]
    said = "\n".join(block["text"] for block in blocks if isinstance(block.get("text"), str))
    text = {"type": "text", "text": f"Result of a tool call that is not part of this conversation:\n{said}"}
    mark = {"cache_control": result["cache_control"]} if "cache_control" in result else {}
    return [{**text, **mark}, *(block for block in blocks if block.get("type") in KEPT_BESIDE)]
