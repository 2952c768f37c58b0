"""Copies of conversations: exported and imported whole, saved and loaded by name."""

from collections.abc import Mapping, Sequence

from core.errors import NotFound
from core.store.base import Record, Records
from schemas.conversation import Conversation, StoredItem, Turn
from services.conversation_keys import names_of
from services.conversation_store import ConversationStore


class ConversationCopies:
    """A copy is a conversation of its own, whoever the one was whose copy it is.

    Methods raise NotFound, InvalidRequest, and StoreUnavailable when the store is away.
    """

    def __init__(self, store: ConversationStore, records: Records) -> None:
        self._store = store
        self._records = records

    def take_in(
        self, owner: str, metadata: dict[str, str], items: Mapping[str, StoredItem], turns: Sequence[Turn]
    ) -> Conversation:
        """A new conversation with these items, by the ids that they had elsewhere, and with the turns they are of.

        An item is of one turn, the first that has it; a turn without any is left out.
        """
        head = self._store.create(owner, metadata, tuple(items.values()))
        ids = [item.item["id"] for item in self._store.all_items(head.id)]
        renamed = dict(zip(items, ids, strict=True))
        kept = []
        for turn in turns:
            its = tuple(renamed.pop(one) for one in turn.items if one in renamed)
            if its:
                kept.append(turn.model_copy(update={"items": its}))
        return self._store.put_turns(owner, head.id, kept) if kept else head

    def save(
        self, owner: str, name: str, metadata: dict[str, str], items: Sequence[StoredItem], model: str | None
    ) -> Conversation:
        """A new conversation under that name, in place of the one that had it, which is removed."""
        made = self._store.create(owner, metadata, items)
        head = self._store.change(
            owner, made.id, lambda one: one.model_copy(update={"name": name, "model": model or one.model})
        )

        def exchanged(old: Record | None) -> Record:
            return {"id": head.id, "before": None if old is None else old["id"]}

        before = self._records.change(names_of(owner), name, exchanged)["before"]
        if before is not None:
            self._remove(owner, before)
        return head

    def named(self, owner: str, name: str) -> Conversation:
        """The owner's conversation of that name."""
        record = self._records.get(names_of(owner), name)
        if record is None:
            raise NotFound(f"No conversation was saved as {name!r}.", param="name")
        return self._store.get(owner, record["id"])

    def _remove(self, owner: str, ident: str) -> None:
        try:
            self._store.remove(owner, ident)
        except NotFound:
            return
