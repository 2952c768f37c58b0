"""Forwards the body of an Anthropic client with the fewest edits."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from core.providers.anthropic_replay import DROPPED, THINKING, Replay, calls_unthinking, is_ours, kind_of
from core.providers.draft import Draft
from core.providers.json_splice import is_plain, replaced
from schemas.codec import dumps

Wire = dict[str, Any]

ID_FIELDS: Mapping[str, str] = {"tool_use": "id", "tool_result": "tool_use_id"}
"""Where each block has the id of a tool call."""
BILLING = "x-anthropic-billing-header:"
"""How Claude Code begins the system block that changes with every request."""
COUNTED = frozenset(
    {
        "cache_control", "context_management", "mcp_servers", "messages", "model", "output_config", "speed", "system",
        "thinking", "tool_choice", "tools",
    }
)  # fmt: skip
"""The fields that the counting of tokens takes."""

_VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)


def safe_id(ident: Any) -> Any:
    """The id of a tool call as Anthropic takes it: itself, or else always the same other one for the same id."""
    if not isinstance(ident, str) or _VALID_ID.fullmatch(ident):
        return ident
    return f"toolu_{sha256(ident.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What an endpoint cannot be sent: thinking that `issuer` did not sign, and blocks that spoil its prefix cache."""

    issuer: str | None
    freezes_billing: bool


def native_body(draft: Draft, policy: Policy, fields: frozenset[str] | None = None) -> tuple[bytes, Mapping[str, Any]]:
    """The client's own body for the target: another model name, and the edits that `policy` demands.

    Without an edit every byte of the rest stays as the client wrote it. `fields` are those to send, None for all. The
    second value is the same as a mapping, whose model is still named as the client named it.
    """
    native, model = draft.request.native, draft.target.model
    body = edited(draft, policy)
    if fields is not None and not fields.issuperset(body):
        body = {name: value for name, value in body.items() if name in fields}
    if body is native.body and native.raw and is_plain(native.raw, body):
        if body.get("model") == model:
            return native.raw, body
        spliced = replaced(native.raw, body, "model", model)
        if spliced is not None:
            return spliced, body
    return dumps({**body, "model": model}), body


def edited(draft: Draft, policy: Policy) -> Mapping[str, Any]:
    """The client's body without what must not go upstream; itself when there is no such thing."""
    body: Mapping[str, Any] = draft.request.native.body
    history = _History(draft, policy)
    messages = history.edited(body.get("messages"))
    if messages is not body.get("messages"):
        body = {**body, "messages": messages}
    if _breaks_loop(body):
        body = _without_thinking(draft, body)
    return _frozen(body) if policy.freezes_billing else body


def _frozen(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body with a system prompt without Claude Code's changing block."""
    system = body.get("system")
    if not isinstance(system, list) or not any(map(_is_billing, system)):
        return body
    kept = [block for block in system if not _is_billing(block)]
    return {name: kept if name == "system" else value for name, value in body.items() if name != "system" or kept}


def _is_billing(block: Any) -> bool:
    text = block.get("text") if isinstance(block, dict) else None
    return isinstance(text, str) and text.startswith(BILLING)


class _History:
    """Goes through the messages once; `lost_thinking` tells that some thinking was left out."""

    def __init__(self, draft: Draft, policy: Policy) -> None:
        self._draft = draft
        self._replay = Replay.of(draft.request, policy.issuer)
        blocks = [block for message in draft.request.messages for block in message.thinking]
        refused = (block for block in blocks if not self._replay.takes(block))
        self._refused = {_key(block.text, block.signature, block.data) for block in refused}
        self.lost_thinking = False

    def edited(self, messages: Any) -> Any:
        """The messages to send: the very same list when they may stay as they are."""
        return _mapped(messages, self._message) if isinstance(messages, list) else messages

    def _message(self, message: Any) -> Any:
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list):
            return message
        kept = _mapped(content, self._block)
        if kept is content:
            return message
        return {**message, "content": kept} if kept else None

    def _block(self, block: Any) -> Any:
        kind = kind_of(block)
        if kind in THINKING:
            return None if self._refuses(block) else block
        field = ID_FIELDS.get(kind)
        ident = block.get(field) if field else None
        safe = safe_id(ident)
        return block if safe is ident else {**block, field: safe}

    def _refuses(self, block: Mapping[str, Any]) -> bool:
        ours = is_ours(block.get("signature"))
        key = _key(block.get("thinking"), block.get("signature"), block.get("data"))
        refused = ours or self._replay.omit or key in self._refused
        self.lost_thinking = self.lost_thinking or refused
        if refused and not ours:
            self._draft.drop(DROPPED)
        return refused


def _mapped(items: list[Any], edit: Callable[[Any], Any]) -> list[Any]:
    """The items as `edit` returns them, without None; the very same list when it returns each as it was."""
    edited_items = [edit(item) for item in items]
    if all(new is old for new, old in zip(edited_items, items, strict=True)):
        return items
    return [item for item in edited_items if item is not None]


def _key(*words: Any) -> tuple[str | None, ...]:
    """What tells one block of thinking from another, however its empty fields are written."""
    return tuple(word if isinstance(word, str) and word else None for word in words)


def _breaks_loop(body: Mapping[str, Any]) -> bool:
    """True when thinking is demanded by a budget, and the running chain of tool calls has none.

    Anthropic refuses that with a 400; adaptive thinking demands nothing.
    """
    return kind_of(body.get("thinking")) == "enabled" and calls_unthinking(body["messages"])


def _without_thinking(draft: Draft, body: Mapping[str, Any]) -> Wire:
    """The body with thinking switched off, and without the edits of the context that demand it."""
    draft.drop("thinking")
    off: Wire = {**body, "thinking": {"type": "disabled"}}
    management = body.get("context_management")
    if isinstance(management, dict) and isinstance(edits := management.get("edits"), list):
        kept = [edit for edit in edits if not kind_of(edit).startswith("clear_thinking")]
        off["context_management"] = {**management, "edits": kept}
        if not kept:
            del off["context_management"]
    return off
