"""Turns a conversation into Gemini's system instruction and contents (https://ai.google.dev/api/caching#Content)."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from core.errors import InvalidRequest
from core.providers.draft import Draft
from core.providers.gemini_models import is_signed
from core.providers.gemini_parts import call_part, result_parts, wire_parts
from core.providers.tool_calls import argument_object, names_by_id
from schemas.chat import DocumentPart, ImagePart, Message

Wire = dict[str, Any]

UNSIGNED = "skip_thought_signature_validator"
"""Google's word for a call whose signature is not at hand, as when another provider's model made it."""
SIGNATURES = "thinking_replay"
"""Stands in `ChatRequest.omit` once what was remembered of a conversation's thinking has been refused."""


def conversation(draft: Draft) -> Wire:
    """`systemInstruction`, made of the system messages that stand first, and `contents`.

    Later system messages become text of the user where they stand, so that what was cached ahead of them stays the
    same. Thinking of earlier turns is left out. Raises InvalidRequest when nobody says anything.
    """
    messages = draft.request.messages
    first = len(tuple(takewhile(lambda message: message.role == "system", messages)))
    instruction = [wire for index in range(first) for wire in _instruction(draft, messages[index], index)]
    contents = _contents(draft, messages, first)
    if not contents and instruction:
        # Gemini wants somebody to ask: the last of the instructions does.
        contents = [{"role": "user", "parts": [instruction.pop()]}]
    if not contents:
        raise InvalidRequest("Gemini needs at least one message that says something", param="messages")
    return {**({"systemInstruction": {"parts": instruction}} if instruction else {}), "contents": contents}


def _instruction(draft: Draft, message: Message, index: int) -> list[Wire]:
    """Its text: what else a system message may hold is dropped by name."""
    for part in message.parts:
        if isinstance(part, ImagePart):
            draft.drop("image_url")
        elif isinstance(part, DocumentPart) and part.url is not None:
            draft.drop("file")
    return [part for part in wire_parts(draft, message, index) if "text" in part]


def _contents(draft: Draft, messages: Sequence[Message], first: int) -> list[Wire]:
    names = names_by_id(messages)
    contents: list[Wire] = []
    for index in range(first, len(messages)):
        message = messages[index]
        role = "model" if message.role == "assistant" else "user"
        parts = _parts(draft, message, index, names)
        if message.name and message.role != "tool":
            draft.drop("messages.name")
        if parts and contents and contents[-1]["role"] == role:
            contents[-1]["parts"].extend(parts)
        elif parts:
            contents.append({"role": role, "parts": parts})
    _sign(draft, contents)
    return contents


def _parts(draft: Draft, message: Message, index: int, names: dict[str, str]) -> list[Wire]:
    if message.role == "tool":
        name = names.get(message.tool_call_id or "") or message.name or "unknown"
        return result_parts(draft, message, index, name)
    signed = SIGNATURES not in draft.request.omit
    calls = (call_part(call, argument_object(call.arguments), signed=signed) for call in message.tool_calls)
    return [*wire_parts(draft, message, index), *calls]


def _sign(draft: Draft, contents: list[Wire]) -> None:
    """Gemini 3 signs the first of a turn's calls, and refuses a history in which that one bears no signature."""
    if not is_signed(draft.target.info, draft.target.model) and SIGNATURES not in draft.request.omit:
        return
    for content in contents:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls:
            calls[0].setdefault("thoughtSignature", UNSIGNED)
