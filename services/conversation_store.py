"""Where conversations are kept: their heads by owner, and of each its items and its turns."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from config.settings import ConversationSettings
from core.clock import Clock
from core.errors import InvalidRequest, NotFound, StoreUnavailable
from core.store.base import Record, Records, Span
from schemas.conversation import Conversation, StoredItem, Turn
from schemas.money import added
from services.conversation_keys import (
    DUE,
    PAGE,
    due_key,
    heads_of,
    item_key,
    items_of,
    key_in,
    key_of,
    named,
    names_of,
    new_conversation_id,
    size_of,
    turns_of,
    whole,
)
from services.conversation_limits import ConversationCounts

Edit = Callable[[Conversation], Conversation]


class ConversationStore:
    """Every change of a conversation begins with its head, in one atomic step: that decides whether there is room, and
    which numbers its items get, so that what is added at the same time stands one after the other and none is lost.

    Somebody else's conversation is not found, as each owner's stand in a place of their own. Methods raise
    StoreUnavailable when the home is away.
    """

    def __init__(self, records: Records, settings: ConversationSettings, clock: Clock) -> None:
        self._records = records
        self._settings = settings
        self._clock = clock
        self._counts = ConversationCounts(records, settings.max_conversations)

    def create(self, owner: str, metadata: dict[str, str], items: Sequence[StoredItem] = ()) -> Conversation:
        """A new one with these items. Raises InvalidRequest when it is too much, or one too many."""
        now = self._clock.now()
        ident = new_conversation_id(now)
        head = Conversation(
            id=ident, owner=owner, created_at=now, updated_at=now, metadata=metadata, due=due_key(ident, now)
        )
        self.check(head, items)
        self._counts.add(owner)
        try:
            self._records.put(DUE, head.due, {"owner": owner, "id": ident})
            self._records.put(heads_of(owner), ident, head.model_dump())
            for start in range(0, len(items), PAGE):
                self.append(owner, ident, items[start : start + PAGE])
            return self.get(owner, ident) if items else head
        except Exception:
            # Half of one is of no use to anybody. When the store is away the purge finds what is left.
            with suppress(StoreUnavailable):
                self.clear(head)
            raise

    def get(self, owner: str, ident: str) -> Conversation:
        """The owner's conversation. Raises NotFound."""
        return _open(self._records.get(heads_of(owner), ident), ident)

    def page(self, owner: str, span: Span) -> list[Conversation]:
        """The owner's conversations in a stretch of their ids, which are in the order of their creation."""
        found = self._records.page(heads_of(owner), span)
        return [Conversation.model_validate(record) for _, record in found if not record.get("closed")]

    def change(self, owner: str, ident: str, edit: Edit) -> Conversation:
        """Change the head by `edit`, which may be called more than once. Raises NotFound, and what `edit` raises."""

        def changed(record: Record | None) -> Record:
            return edit(_open(record, ident)).model_dump()

        return Conversation.model_validate(self._records.change(heads_of(owner), ident, changed))

    def append(self, owner: str, ident: str, items: Sequence[StoredItem], turn: Turn | None = None) -> list[StoredItem]:
        """Put the items, and what became of the `turn` they are of, at the end of the conversation, all together.

        What a turn adds is taken whatever the limits are: it was let in, and its answer is paid for. Raises NotFound,
        and InvalidRequest when there is no room.
        """
        if not items:
            return []
        size = sum(map(size_of, items))

        def reserve(head: Conversation) -> Conversation:
            if turn is None:
                self.check(head, items)
            update = {
                "next": head.next + len(items),
                "items": head.items + len(items),
                "bytes": head.bytes + size,
                "updated_at": self._clock.now(),
            }
            return _with_turn(head, turn).model_copy(update=update)

        head = self.change(owner, ident, reserve)
        first = head.next - len(items)
        added = [named(item, item_key(first + number)) for number, item in enumerate(items)]
        self._records.put_all(items_of(ident), {key_of(item): item.record() for item in added})
        if turn is not None:
            told = turn.model_copy(update={"items": tuple(item.item["id"] for item in added)})
            self._records.put(turns_of(ident), key_of(added[0]), _placed(told).model_dump())
        self._forget_if_gone(owner, ident)
        return added

    def items(self, ident: str, span: Span) -> list[StoredItem]:
        """The items in a stretch of their keys."""
        return [StoredItem.of(record) for _, record in self._records.page(items_of(ident), span)]

    def all_items(self, ident: str) -> list[StoredItem]:
        """Every item, from the first to the last."""
        return [StoredItem.of(record) for _, record in whole(self._records, items_of(ident))]

    def item(self, ident: str, key: str) -> StoredItem | None:
        """One item by its key."""
        record = self._records.get(items_of(ident), key)
        return None if record is None else StoredItem.of(record)

    def remove_item(self, owner: str, ident: str, item: StoredItem) -> Conversation:
        """Take one item out of the conversation. Raises NotFound."""
        there = self._records.delete(items_of(ident), key_of(item))
        gone, size = (1, size_of(item)) if there else (0, 0)

        def release(head: Conversation) -> Conversation:
            update = {"items": max(0, head.items - gone), "bytes": max(0, head.bytes - size)}
            return head.model_copy(update={**update, "updated_at": self._clock.now()})

        return self.change(owner, ident, release)

    def remove_turn(self, owner: str, ident: str, turn: Turn) -> None:
        """Take a turn out of the conversation, with its items; what it has cost stays counted."""
        for item in filter(None, (self.item(ident, key_in(one)) for one in turn.items)):
            self.remove_item(owner, ident, item)
        self._records.delete(turns_of(ident), key_in(turn.id))

    def turns(self, ident: str, span: Span) -> list[Turn]:
        """The turns in a stretch of their keys."""
        return [Turn.model_validate(record) for _, record in self._records.page(turns_of(ident), span)]

    def all_turns(self, ident: str) -> list[Turn]:
        """Every turn, from the first to the last."""
        return [Turn.model_validate(record) for _, record in whole(self._records, turns_of(ident))]

    def put_turns(self, owner: str, ident: str, turns: Sequence[Turn]) -> Conversation:
        """Write turns of another copy of the conversation, whose items are in here by now; they count as its own."""
        for start in range(0, len(turns), PAGE):
            page = {key_in(turn.items[0]): _placed(turn).model_dump() for turn in turns[start : start + PAGE]}
            self._records.put_all(turns_of(ident), page)

        def counted(head: Conversation) -> Conversation:
            for turn in turns:
                head = _with_turn(head, turn)
            return head

        return self.change(owner, ident, counted)

    def remove(self, owner: str, ident: str, edit: Edit | None = None) -> Conversation:
        """Remove the conversation and all that is in it. Raises NotFound, and what `edit` raises to keep it."""

        def close(head: Conversation) -> Conversation:
            return (edit(head) if edit is not None else head).model_copy(update={"closed": True})

        head = self.change(owner, ident, close)
        self.clear(head)
        return head

    def clear(self, head: Conversation) -> None:
        """Remove what is left of one that is closed."""
        self._drop(head.id)
        if head.name is not None and (self._records.get(names_of(head.owner), head.name) or {}).get("id") == head.id:
            self._records.delete(names_of(head.owner), head.name)
        self._records.delete(heads_of(head.owner), head.id)
        self._records.delete(DUE, head.due)
        self._counts.take_off(head.owner)

    def _forget_if_gone(self, owner: str, ident: str) -> None:
        """It may have been removed while something was added, which nobody would ever find again."""
        try:
            record = self._records.get(heads_of(owner), ident)
        except StoreUnavailable:
            return  # what was added is there; only whether it still belongs to anybody cannot be told
        if record is None or record.get("closed"):
            self._drop(ident)

    def _drop(self, ident: str) -> None:
        self._records.drop(items_of(ident))
        self._records.drop(turns_of(ident))

    def check(self, head: Conversation, items: Sequence[StoredItem], param: str = "items") -> None:
        """Raises InvalidRequest when there is no room for so much more, which came as `param`."""
        limits = self._settings
        sizes = [size_of(item) for item in items]
        for number, size in enumerate(sizes):
            if size > limits.max_item_bytes:
                said = f"Item {number} has {size} bytes; an item of a conversation may have {limits.max_item_bytes}."
                raise InvalidRequest(said, param=param, code="item_too_large")
        if head.items + len(items) > limits.max_items:
            said = f"A conversation may have {limits.max_items} items; this one has {head.items} already."
            raise InvalidRequest(said, param="conversation", code="conversation_full")
        if head.bytes + sum(sizes) > limits.max_bytes:
            said = f"A conversation may have {limits.max_bytes} bytes; this one has {head.bytes} already."
            raise InvalidRequest(said, param="conversation", code="conversation_full")


def not_found(ident: str) -> NotFound:
    """The one answer for what is not there, and for what is somebody else's."""
    return NotFound(f"Conversation with id {ident[:80]!r} not found.", param="conversation_id")


def _open(record: Record | None, ident: str) -> Conversation:
    if record is None or record.get("closed"):
        raise not_found(ident)
    return Conversation.model_validate(record)


def _placed(turn: Turn) -> Turn:
    """The turn under the id that it has where its items are."""
    return turn.model_copy(update={"id": f"turn_{key_in(turn.items[0])}"})


def _with_turn(head: Conversation, turn: Turn | None) -> Conversation:
    """The head with what the turn has used."""
    if turn is None:
        return head
    update = {
        "turns": head.turns + 1,
        "tokens": head.tokens.plus(turn.usage),
        "cost_usd": added(head.cost_usd, turn.cost_usd or 0.0),
        "model": turn.model,
    }
    return head.model_copy(update=update)
