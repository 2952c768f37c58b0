"""Conversations, their items and their turns as clients see them."""

from collections.abc import Sequence
from typing import Any

from flask import Response

from api.conversation_input import SEALED
from schemas.codec import dumps
from schemas.conversation import Conversation, StoredItem, Turn
from schemas.usage import Usage


def answered(value: object) -> Response:
    """A JSON answer."""
    return Response(dumps(value), mimetype="application/json")


def conversation_object(head: Conversation) -> dict[str, Any]:
    """OpenAI's object, with what the gateway knows besides."""
    tokens = head.tokens
    return {
        "id": head.id,
        "object": "conversation",
        "created_at": int(head.created_at),
        "metadata": head.metadata,
        "updated_at": int(head.updated_at),
        "name": head.name,
        "model": head.model,
        "item_count": head.items,
        "bytes": head.bytes,
        "turn_count": head.turns,
        "usage": {
            "input_tokens": tokens.input,
            "input_tokens_details": {"cached_tokens": tokens.cached},
            "output_tokens": tokens.output,
            "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
            "total_tokens": tokens.input + tokens.output,
        },
        "cost_usd": head.cost_usd,
    }


def item_object(stored: StoredItem, included: frozenset[str]) -> dict[str, Any]:
    """The item; what a provider has sealed is only there for who asks for it."""
    hidden = () if SEALED in included else ("encrypted_content",)
    return {name: value for name, value in stored.item.items() if name not in hidden}


def turn_object(turn: Turn) -> dict[str, Any]:
    """What became of one request."""
    return {
        "id": turn.id,
        "object": "conversation.turn",
        "created_at": int(turn.created_at),
        "status": turn.status,
        "incomplete_details": None if turn.reason is None else {"reason": turn.reason},
        "model": turn.model,
        "provider": turn.provider,
        "upstream_model": turn.upstream_model,
        "finish_reason": turn.finish_reason,
        "usage": _usage_object(turn.usage),
        "cost_usd": turn.cost_usd,
        "request_id": turn.request_id,
        "items": list(turn.items),
    }


def list_object(data: Sequence[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """A page of a list."""
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": list(data), "first_id": first, "last_id": last, "has_more": has_more}


def _usage_object(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    written = [count for count in (usage.write_short, usage.write_long) if count is not None]
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.read,
            "cache_write_tokens": sum(written) if written else None,
        },
        "output_tokens": usage.output or 0,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
        **({"estimated": True} if usage.source == "estimated" else {}),
    }
