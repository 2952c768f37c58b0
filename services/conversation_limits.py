"""How many conversations an owner may have."""

from core.errors import InvalidRequest
from core.store.base import Record, Records
from services.conversation_keys import COUNTS, heads_of, whole


class _Full(Exception):
    """The count says that there are too many."""


class ConversationCounts:
    """A count for each owner, which is put right when it says that there are too many: a worker that died between two
    steps may have left one behind that is none."""

    def __init__(self, records: Records, limit: int) -> None:
        self._records = records
        self._limit = limit

    def add(self, owner: str) -> None:
        """Count one more. Raises InvalidRequest when the owner has as many as it may."""
        try:
            self._records.change(COUNTS, owner, self._one_more)
        except _Full:
            there = sum(1 for _ in whole(self._records, heads_of(owner)))
            if there >= self._limit:
                said = f"There are {there} conversations; there may be {self._limit}. Delete some first."
                raise InvalidRequest(said, code="too_many_conversations") from None
            self._records.put(COUNTS, owner, {"count": there + 1})

    def take_off(self, owner: str) -> None:
        """Count one less."""
        self._records.change(COUNTS, owner, lambda old: {"count": max(0, _count(old) - 1)})

    def _one_more(self, old: Record | None) -> Record:
        count = _count(old)
        if count >= self._limit:
            raise _Full
        return {"count": count + 1}


def _count(record: Record | None) -> int:
    return 0 if record is None else int(record["count"])
