"""Tells which thinking of earlier answers may go back to a provider."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.providers.draft import Draft
from schemas.chat import UNSIGNED, ChatRequest, ThinkingBlock

OMITTED = "thinking_replay"
"""In `ChatRequest.omit`: the provider has refused thinking of earlier answers, and is sent none."""
DROPPED = "messages.thinking"
OURS = "gateway:"
THINKING = frozenset({"thinking", "redacted_thinking"})
"""The types of Anthropic's blocks that hold thinking."""


def is_ours(signature: object) -> bool:
    """True for a signature that the gateway wrote because a dialect demands one; no provider takes it."""
    return isinstance(signature, str) and (signature == UNSIGNED or signature.startswith(OURS))


@dataclass(frozen=True, slots=True)
class Replay:
    """What a provider of the family `issuer` takes back: all thinking but that of another family, or none (`omit`)."""

    issuer: str | None
    omit: bool

    @classmethod
    def of(cls, request: ChatRequest, issuer: str | None) -> "Replay":
        """What holds for `request`."""
        return cls(issuer, OMITTED in request.omit)

    def takes(self, block: ThinkingBlock) -> bool:
        """True when `block` may go upstream; a block whose issuer nobody remembers may."""
        return not self.omit and block.issuer in (None, self.issuer) and not is_ours(block.signature)

    def kept(self, draft: Draft, blocks: Iterable[ThinkingBlock]) -> list[ThinkingBlock]:
        """Those of `blocks` that may go upstream; others are dropped by name, unless nobody ever took them."""
        kept = []
        for block in blocks:
            if self.takes(block):
                kept.append(block)
            elif not is_ours(block.signature):
                draft.drop(DROPPED)
        return kept


def calls_unthinking(messages: Sequence[Mapping[str, Any]]) -> bool:
    """True when the last answer in `messages`, which are in Anthropic's form, calls a tool without thinking first."""
    answers = (message for message in reversed(messages) if message.get("role") == "assistant")
    last: Mapping[str, Any] = next(answers, {})
    content = last.get("content")
    kinds = {kind_of(block) for block in content} if isinstance(content, list) else set()
    return "tool_use" in kinds and not kinds & THINKING


def kind_of(block: Any) -> str:
    """The type of a content block, empty when it has none."""
    kind = block.get("type") if isinstance(block, dict) else None
    return kind if isinstance(kind, str) else ""
