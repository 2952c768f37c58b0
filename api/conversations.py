"""Conversations, in the shape of OpenAI's Conversations API."""

from flask import Blueprint, Response
from flask import request as current

from api.conversation_input import body_of, included, listing_of, owner_of, stored_items
from api.conversation_views import answered, conversation_object, item_object, list_object, turn_object
from schemas.openai_items import ConversationUpdate, NewConversation, NewItems
from services import Services

ROOT = "/v1/conversations"
ONE = f"{ROOT}/<conversation_id>"
ITEMS = f"{ONE}/items"


def blueprint(services: Services) -> Blueprint:
    """The routes; none when conversations are turned off."""
    bp = Blueprint("conversations", __name__)
    if services.settings.conversations.enabled:
        _add_conversations(bp, services)
        _add_items(bp, services)
    return bp


def _add_conversations(bp: Blueprint, services: Services) -> None:
    conversations = services.conversations

    def listing() -> Response:
        heads, more = conversations.listing(owner_of(current), listing_of(current))
        return answered(list_object([conversation_object(head) for head in heads], has_more=more))

    def create() -> Response:
        wanted = body_of(current, NewConversation)
        items = stored_items(wanted.items)
        return answered(conversation_object(conversations.create(owner_of(current), wanted.metadata or {}, items)))

    def retrieve(conversation_id: str) -> Response:
        return answered(conversation_object(conversations.get(owner_of(current), conversation_id)))

    def update(conversation_id: str) -> Response:
        metadata = body_of(current, ConversationUpdate).metadata or {}
        return answered(conversation_object(conversations.update(owner_of(current), conversation_id, metadata)))

    def delete(conversation_id: str) -> Response:
        conversations.delete(owner_of(current), conversation_id)
        return answered({"id": conversation_id, "object": "conversation.deleted", "deleted": True})

    def turns(conversation_id: str) -> Response:
        found, more = conversations.turns(owner_of(current), conversation_id, listing_of(current))
        return answered(list_object([turn_object(turn) for turn in found], has_more=more))

    bp.add_url_rule(ROOT, "listing", listing)
    bp.add_url_rule(ROOT, "create", create, methods=["POST"])
    bp.add_url_rule(ONE, "retrieve", retrieve)
    bp.add_url_rule(ONE, "update", update, methods=["POST"])
    bp.add_url_rule(ONE, "delete", delete, methods=["DELETE"])
    bp.add_url_rule(f"{ONE}/turns", "turns", turns)


def _add_items(bp: Blueprint, services: Services) -> None:
    conversations = services.conversations

    def items(conversation_id: str) -> Response:
        wanted, beside = listing_of(current), included(current)
        found, more = conversations.items(owner_of(current), conversation_id, wanted)
        return answered(list_object([item_object(item, beside) for item in found], has_more=more))

    def add_items(conversation_id: str) -> Response:
        beside, new = included(current), stored_items(body_of(current, NewItems).items)
        added = conversations.add_items(owner_of(current), conversation_id, new)
        return answered(list_object([item_object(item, beside) for item in added], has_more=False))

    def item(conversation_id: str, item_id: str) -> Response:
        beside = included(current)
        return answered(item_object(conversations.item(owner_of(current), conversation_id, item_id), beside))

    def delete_item(conversation_id: str, item_id: str) -> Response:
        head = conversations.delete_item(owner_of(current), conversation_id, item_id)
        return answered(conversation_object(head))

    bp.add_url_rule(ITEMS, "items", items)
    bp.add_url_rule(ITEMS, "add_items", add_items, methods=["POST"])
    bp.add_url_rule(f"{ITEMS}/<item_id>", "item", item)
    bp.add_url_rule(f"{ITEMS}/<item_id>", "delete_item", delete_item, methods=["DELETE"])
