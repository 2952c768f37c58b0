"""Copies of conversations: export and import, and the older save and load by name."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response
from flask import request as current

from api.conversation_input import SEALED, body_of, owner_of, stored_items, stored_turn
from api.conversation_views import answered, conversation_object, item_object, turn_object
from api.dialects.openai_chat_history import OpenAIChatHistory
from core.errors import InvalidRequest
from schemas.conversation import Conversation, StoredItem
from schemas.openai_items import ImportedConversation, Named, SavedConversation
from services import Services


def blueprint(services: Services) -> Blueprint:
    """The routes; none when conversations are turned off."""
    bp = Blueprint("conversation_copies", __name__)
    if services.settings.conversations.enabled:
        _add_whole(bp, services)
        _add_named(bp, services)
    return bp


def _add_whole(bp: Blueprint, services: Services) -> None:
    conversations, copies = services.conversations, services.conversation_copies

    def export(conversation_id: str) -> Response:
        head, items, turns = conversations.whole(owner_of(current), conversation_id)
        whole = {
            "object": "conversation.export",
            "version": 1,
            "conversation": conversation_object(head),
            "items": [item_object(item, frozenset({SEALED})) for item in items],
            "turns": [turn_object(turn) for turn in turns],
        }
        return answered(whole)

    def import_one() -> Response:
        wanted = body_of(current, ImportedConversation, copied=True)
        items: dict[str, StoredItem] = {}
        for wire, item in zip(wanted.items, stored_items(wanted.items), strict=True):
            items[wire.id if wire.id and wire.id not in items else uuid4().hex] = item
        turns = [stored_turn(turn) for turn in wanted.turns]
        head = copies.take_in(owner_of(current), wanted.conversation.metadata or {}, items, turns)
        return answered(conversation_object(head))

    bp.add_url_rule("/v1/conversations/<conversation_id>/export", "export", export)
    bp.add_url_rule("/v1/conversations/import", "import_one", import_one, methods=["POST"])


def _add_named(bp: Blueprint, services: Services) -> None:
    conversations, copies, form = services.conversations, services.conversation_copies, OpenAIChatHistory()

    def save() -> Response:
        wanted = body_of(current, SavedConversation)
        items = [item for number, message in enumerate(wanted.messages) for item in form.items(message, number)]
        head = copies.save(owner_of(current), wanted.name, wanted.metadata or {}, items, wanted.model)
        return answered({"status": "saved", **_told(head), "messages": len(wanted.messages)})

    def load() -> Response:
        wanted = _wanted()
        owner = owner_of(current)
        ident = wanted.id or copies.named(owner, str(wanted.name)).id
        head, items = conversations.history(owner, ident)
        tokens = head.tokens
        loaded = {
            **_told(head),
            "messages": form.messages(items),
            "metadata": head.metadata,
            "model": head.model,
            "user_id": head.owner,
            "token_usage": {
                "prompt_tokens": tokens.input,
                "completion_tokens": tokens.output,
                "total_tokens": tokens.input + tokens.output,
            },
        }
        return answered(loaded)

    bp.add_url_rule("/conversation/save", "save", save, methods=["POST"])
    bp.add_url_rule("/conversation/load", "load", load, methods=["GET", "POST"])


def _wanted() -> Named:
    """Which conversation to load, from the body, or from the query of a GET."""
    if current.method == "POST":
        return body_of(current, Named)
    try:
        return Named(**current.args.to_dict())
    except ValueError:
        said = "Say which conversation: by the name it was saved under, or by its id."
        raise InvalidRequest(said, param="name", code="invalid_value") from None


def _told(head: Conversation) -> dict[str, Any]:
    return {
        "id": head.id,
        "name": head.name,
        "created_at": _time(head.created_at),
        "updated_at": _time(head.updated_at),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
