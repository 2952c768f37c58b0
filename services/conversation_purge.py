"""Removes conversations that nobody has changed for a long time, some at a time."""

import structlog

from config.settings import ConversationSettings
from core.clock import Clock
from core.errors import NotFound
from core.store.base import Counters, Records, Span
from schemas.conversation import Conversation
from services.conversation_keys import DUE, due_bound, due_key, heads_of
from services.conversation_store import ConversationStore

LOCK = "conversations:purge"
LOCK_SECONDS = 120.0
DAY = 86_400.0


class _Used(Exception):
    """It has been changed since."""


class ConversationPurge:
    """Looks at those that were looked at, or made, longest ago: what was changed since is put off, and the rest goes.

    So nothing has to be written down with each turn. One worker at a time does it for all.
    """

    def __init__(
        self,
        store: ConversationStore,
        records: Records,
        counters: Counters,
        settings: ConversationSettings,
        clock: Clock,
        worker_id: str,
    ) -> None:
        self._store = store
        self._records = records
        self._counters = counters
        self._settings = settings
        self._clock = clock
        self._worker_id = worker_id
        self._log = structlog.get_logger(__name__)

    def run(self) -> int:
        """One batch; how many conversations have gone. Raises StoreUnavailable."""
        days, now = self._settings.retention_days, self._clock.now()
        if days is None or not self._counters.lock(LOCK, self._worker_id, LOCK_SECONDS, now):
            return 0
        until = now - days * DAY
        found = self._records.page(DUE, Span(before=due_bound(until), limit=self._settings.purge_batch))
        gone = sum(self._look(key, str(entry["owner"]), str(entry["id"]), until) for key, entry in found)
        if gone:
            self._log.info("conversations_purged", count=gone)
        return gone

    def _look(self, key: str, owner: str, ident: str, until: float) -> bool:
        """True when the conversation was due, and has gone."""

        def must_be_old(head: Conversation) -> Conversation:
            if head.updated_at >= until:
                raise _Used
            return head

        try:
            self._store.remove(owner, ident, must_be_old)
        except _Used:
            self._put_off(key, owner, ident)
            return False
        except NotFound:
            return self._finish(key, owner, ident)
        self._records.delete(DUE, key)
        return True

    def _put_off(self, key: str, owner: str, ident: str) -> None:
        def later(head: Conversation) -> Conversation:
            return head.model_copy(update={"due": due_key(ident, head.updated_at)})

        head = self._store.change(owner, ident, later)
        self._records.put(DUE, head.due, {"owner": owner, "id": ident})
        if head.due != key:
            self._records.delete(DUE, key)

    def _finish(self, key: str, owner: str, ident: str) -> bool:
        """Remove what is left of one whose removal was cut short; True when there was something."""
        record = self._records.get(heads_of(owner), ident)
        if record is not None:
            self._store.clear(Conversation.model_validate(record))
        self._records.delete(DUE, key)
        return record is not None
