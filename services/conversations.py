"""ConversationService: conversations that the gateway keeps for their owners."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import ConversationSettings
from core.clock import Clock
from core.errors import InvalidRequest, NotFound
from core.store.base import Records, Span
from schemas.conversation import Conversation, StoredItem, Turn
from services.conversation_keys import CONVERSATION_ID, ITEM_ID, bare, key_in
from services.conversation_store import ConversationStore, not_found
from services.conversation_turn import ConversationTurn

MAX_ITEMS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Listing:
    """What of a list to show: up to `limit`, after the one with the id `after` in this order."""

    after: str | None = None
    limit: int = 20
    ascending: bool = False


class ConversationService:
    """Everything is an owner's own: who asks for what is somebody else's is told that it is not there.

    Methods raise NotFound, InvalidRequest, and StoreUnavailable when the store is away.
    """

    def __init__(self, records: Records, settings: ConversationSettings, clock: Clock) -> None:
        self.store = ConversationStore(records, settings, clock)
        self.settings = settings
        self._clock = clock

    def create(self, owner: str, metadata: dict[str, str], items: Sequence[StoredItem]) -> Conversation:
        """A new conversation that begins with these items."""
        _check_count(items)
        return self.store.create(owner, metadata, items)

    def get(self, owner: str, ident: str) -> Conversation:
        """One of the owner's."""
        return self.store.get(owner, _known(ident))

    def listing(self, owner: str, wanted: Listing) -> tuple[list[Conversation], bool]:
        """The owner's, by the time of their creation, and whether there are more."""
        if wanted.after is not None and not CONVERSATION_ID.fullmatch(wanted.after):
            raise _no_bound(wanted.after)
        found = self.store.page(owner, _span(wanted, wanted.after or ""))
        return found[: wanted.limit], len(found) > wanted.limit

    def update(self, owner: str, ident: str, metadata: dict[str, str]) -> Conversation:
        """The conversation with this metadata instead of what it had."""
        now = self._clock.now()
        return self.store.change(
            owner, _known(ident), lambda head: head.model_copy(update={"metadata": metadata, "updated_at": now})
        )

    def delete(self, owner: str, ident: str) -> None:
        """Remove it, and all that is in it."""
        self.store.remove(owner, _known(ident))

    def items(self, owner: str, ident: str, wanted: Listing) -> tuple[list[StoredItem], bool]:
        """The items of a conversation, and whether there are more."""
        head = self.get(owner, ident)
        found = self.store.items(head.id, _item_span(wanted))
        return found[: wanted.limit], len(found) > wanted.limit

    def turns(self, owner: str, ident: str, wanted: Listing) -> tuple[list[Turn], bool]:
        """What became of the requests of a conversation, and whether there are more."""
        head = self.get(owner, ident)
        found = self.store.turns(head.id, _item_span(wanted))
        return found[: wanted.limit], len(found) > wanted.limit

    def add_items(self, owner: str, ident: str, items: Sequence[StoredItem]) -> list[StoredItem]:
        """The items as they stand at its end now."""
        _check_count(items)
        head = self.get(owner, ident)
        return self.store.append(owner, head.id, items)

    def item(self, owner: str, ident: str, item_id: str) -> StoredItem:
        """One item."""
        head = self.get(owner, ident)
        found = self.store.item(head.id, key_in(item_id)) if ITEM_ID.fullmatch(item_id) else None
        if found is None or found.item["id"] != item_id:
            raise NotFound(f"Item with id {item_id[:80]!r} not found.", param="item_id")
        return found

    def delete_item(self, owner: str, ident: str, item_id: str) -> Conversation:
        """The conversation without that item."""
        return self.store.remove_item(owner, ident, self.item(owner, ident, item_id))

    def history(self, owner: str, ident: str) -> tuple[Conversation, list[StoredItem]]:
        """The conversation with everything in it, in order."""
        head = self.get(owner, ident)
        return head, self.store.all_items(head.id)

    def whole(self, owner: str, ident: str) -> tuple[Conversation, list[StoredItem], list[Turn]]:
        """The conversation with everything in it, and with what became of its requests, in order."""
        head, items = self.history(owner, ident)
        return head, items, self.store.all_turns(head.id)

    def broken_off(self, head: Conversation, items: Sequence[StoredItem], asked: Sequence[StoredItem]) -> Turn | None:
        """The last turn of the conversation, whose `items` these are, if it was broken off and asked the same."""
        last = next(iter(self.store.turns(head.id, Span(limit=1, backwards=True))), None)
        if last is None or last.status == "completed" or last.finish_reason is not None or not asked:
            return None
        its = [item for item in items if item.item["id"] in last.items][: len(asked)]
        return last if [bare(item) for item in its] == [bare(item) for item in asked] else None

    def turn(
        self, head: Conversation, asked: Sequence[StoredItem], request_id: str, instead_of: Turn | None = None
    ) -> ConversationTurn:
        """A turn that begins with what is asked, and takes the place of another once it is kept.

        Raises InvalidRequest when there is no room for what is asked.
        """
        self.store.check(head, asked, "messages")

        def keep(items: Sequence[StoredItem], turn: Turn) -> None:
            self.store.append(head.owner, head.id, items, turn)
            if instead_of is not None:
                self.store.remove_turn(head.owner, head.id, instead_of)

        return ConversationTurn(head.id, asked, request_id, keep, self._clock)


def _known(ident: str) -> str:
    if not CONVERSATION_ID.fullmatch(ident):
        raise not_found(ident)
    return ident


def _check_count(items: Sequence[StoredItem]) -> None:
    if len(items) > MAX_ITEMS_AT_ONCE:
        said = f"items: at most {MAX_ITEMS_AT_ONCE} may be added at a time, not {len(items)}."
        raise InvalidRequest(said, param="items", code="array_above_max_length")


def _item_span(wanted: Listing) -> Span:
    if wanted.after is not None and not (ITEM_ID.fullmatch(wanted.after)):
        raise _no_bound(wanted.after)
    return _span(wanted, key_in(wanted.after or ""))


def _span(wanted: Listing, key: str) -> Span:
    """One more than is wanted, which tells whether there are more."""
    if wanted.ascending:
        return Span(after=key, limit=wanted.limit + 1)
    return Span(before=key, limit=wanted.limit + 1, backwards=True)


def _no_bound(after: str) -> InvalidRequest:
    return InvalidRequest(f"after: {after[:80]!r} is no id of this list.", param="after", code="invalid_value")
