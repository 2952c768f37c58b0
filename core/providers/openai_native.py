"""Forwards the body of an OpenAI client to a provider that speaks OpenAI's form, with the fewest edits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.providers.draft import Draft
from core.providers.effort import OFF, effort_of
from core.providers.json_splice import inserted, is_plain, replaced
from schemas.chat import Message
from schemas.codec import dumps

THINK_STARTS = ("<think", "<details")
REASONING_FIELDS = frozenset({"reasoning_content", "reasoning", "reasoning_details", "thinking"})
"""Where earlier answers of other providers carry their thinking."""
USAGE_WANTED = {"include_usage": True}


@dataclass(frozen=True, slots=True)
class Policy:
    """What a vendor that speaks OpenAI's form cannot be sent.

    `developer`: it knows the role of that name. `refused` are top-level parameters and `refused_in_messages` fields of
    messages that it answers with an error. `replays_reasoning` is the issuer of the reasoning that it wants back where
    it led to a tool call.
    """

    developer: bool = False
    refused: frozenset[str] = frozenset()
    refused_in_messages: frozenset[str] = frozenset()
    replays_reasoning: str | None = None


HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
}
"""Values that ask for nothing, and so are no loss when they are left out."""


def native_body(draft: Draft, policy: Policy) -> tuple[bytes, Mapping[str, Any]]:
    """The client's own body for the target: another model name, usage asked for in streams, and what `policy` demands.

    Without more than that, every byte of the rest stays as the client wrote it. The second value is the same as a
    mapping, whose model is still named as the client named it.
    """
    request = draft.request
    body = request.native.body
    edited = _edited(draft, body, policy)
    asks = bool(body.get("stream")) and "stream_options" not in request.omit
    options = body.get("stream_options") or {}
    if asks and not (isinstance(options, Mapping) and options.get("include_usage")):
        edited = edited if edited is not None else dict(body)
        edited["stream_options"] = {**(options if isinstance(options, Mapping) else {}), **USAGE_WANTED}
    if "stream_options" in request.omit and "stream_options" in body:
        edited = {name: value for name, value in (edited or body).items() if name != "stream_options"}
    return _written(draft, body, edited), body if edited is None else edited


def dumped(body: Mapping[str, Any]) -> tuple[bytes, Mapping[str, Any]]:
    """A body that was made here, in the same two values."""
    return dumps(body), body


def _written(draft: Draft, body: Mapping[str, Any], edited: dict[str, Any] | None) -> bytes:
    raw, model = draft.request.native.raw, draft.target.model
    added: dict[str, Any] = {}
    if edited is not None and "stream_options" not in body:
        added = {name: value for name, value in edited.items() if name == "stream_options"}
        rest = {name: value for name, value in edited.items() if name not in added}
        if rest == body:
            edited = None
    if edited is None and raw and is_plain(raw, body):
        if "model" not in body:
            return inserted(raw, {**added, "model": model})
        spliced = replaced(raw, body, "model", model, added)
        if spliced is not None:
            return spliced
    return dumps({**(edited if edited is not None else body), "model": model, **added})


def _edited(draft: Draft, body: Mapping[str, Any], policy: Policy) -> dict[str, Any] | None:
    """The body as `policy` demands it, None when it may stay as it is."""
    refused = [name for name in body if name in policy.refused]
    messages = _edited_messages(draft, body, policy)
    if messages is None and not refused:
        return None
    edited = {name: value for name, value in body.items() if name not in refused}
    for name in refused:
        if body[name] is not None and body[name] not in HARMLESS.get(name, ()):
            draft.drop(name)
    if messages is not None:
        edited["messages"] = messages
    return edited


def _edited_messages(draft: Draft, body: Mapping[str, Any], policy: Policy) -> list[Any] | None:
    changed = False
    messages = []
    for index, message in enumerate(body["messages"]):
        edited = _edited_message(draft, message, index, policy)
        changed = changed or edited is not message
        messages.append(edited)
    return messages if changed else None


def _edited_message(draft: Draft, message: Mapping[str, Any], index: int, policy: Policy) -> Mapping[str, Any]:
    edits: dict[str, Any] = {}
    if message.get("role") == "developer" and not policy.developer:
        edits["role"] = "system"
    content = message.get("content")
    if message.get("role") == "assistant" and isinstance(content, str) and _has_block(content):
        # The gateway wrote the block for the client; the same history must always be the same prompt.
        edits["content"] = draft.request.messages[index].text or (None if message.get("tool_calls") else "")
    if policy.replays_reasoning and message.get("tool_calls") and not message.get("reasoning_content"):
        remembered = replayed(draft, draft.request.messages[index], policy.replays_reasoning)
        if remembered is not None and remembered != message.get("reasoning_content"):
            edits["reasoning_content"] = remembered
    refused = [name for name in message if name in policy.refused_in_messages]
    if not edits and not refused:
        return message
    return {**{name: value for name, value in message.items() if name not in refused}, **edits}


def replayed(draft: Draft, message: Message, issuer: str) -> str | None:
    """The reasoning of the issuer's own that led to the calls of `message`, and never anybody else's.

    Where there is none it is empty while the model thinks, as its provider refuses such a turn without the field, and
    None when the model was told not to.
    """
    own = "\n".join(block.text for block in message.thinking if block.issuer == issuer and block.text)
    return own or (None if effort_of(draft.request.thinking) in OFF else "")


def _has_block(content: str) -> bool:
    return content.lstrip()[:10].lower().startswith(THINK_STARTS)
