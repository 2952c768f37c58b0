"""How the workers learn each other's news about credentials."""

from collections.abc import Callable, Collection

from config.settings import TokenSettings
from core.clock import Clock
from core.credentials.member import Member
from core.credentials.record import KIND, Document
from core.errors import StoreUnavailable
from core.store.base import Record, Records


class Sharing:
    """Carries news between members and the store; an unreachable store delays them and loses none.

    A write that timed out but was done is counted twice: the store cannot tell, and a count too many does less harm
    than an error that is forgotten.
    """

    def __init__(self, records: Records, settings: TokenSettings, clock: Clock, worker_id: str) -> None:
        self._records = records
        self._settings = settings
        self._clock = clock
        self._worker_id = worker_id

    def flush(self, members: Collection[Member]) -> bool:
        """Write what there is to write; False when the store cannot be reached."""
        now = self._clock.now()
        return all(self.write(member) for member in members if member.needs_write(now))

    def write(self, member: Member) -> bool:
        """Write one member's news, or leave it to the greenlet that is just doing so; False as for `flush`."""
        member.urgent = True
        if member.writing:
            return True
        member.writing = True
        try:
            while member.urgent:
                member.urgent = False
                self._send(member)
        except StoreUnavailable:
            member.put_back()
            return False
        finally:
            member.writing = False
        return True

    def refresh(self, members: Collection[Member]) -> None:
        """Take over what the store holds, but for members that were written while it was read."""
        writes = {member.id: member.writes for member in members}
        try:
            records = self._records.all(KIND)
        except StoreUnavailable:
            return
        now = self._clock.now()
        for member in members:
            overtaken = member.writing or member.writes != writes[member.id]
            if member.id in records and not overtaken:
                member.accept(Document.load(records[member.id], now), self._worker_id, now)

    def reset(self, member: Member) -> None:
        """Void what is held against it, for all workers. Raises StoreUnavailable when they cannot be told."""
        self._begin(member, Document.reset)

    def repair(self, member: Member) -> None:
        """Use it again on all workers, once its deadlines are over. Raises StoreUnavailable as `reset` does."""
        self._begin(member, Document.repaired)

    def _begin(self, member: Member, anew: Callable[[Document], Document]) -> None:
        document = self._change(member, anew)
        member.writes += 1
        member.accept(document, self._worker_id, self._clock.now())

    def _send(self, member: Member) -> None:
        report = member.take(self._worker_id, self._clock.now())
        document = self._change(member, lambda old: old.merged(report, self._settings))
        member.written(document, self._worker_id, self._clock.now())

    def _change(self, member: Member, edit: Callable[[Document], Document]) -> Document:
        now = self._clock.now()

        def edit_record(old: Record | None) -> Record:
            return edit(Document.load(old, member.created_at)).dump()

        return Document.load(self._records.change(KIND, member.id, edit_record), now)
