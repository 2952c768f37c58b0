"""One credential of a pool as one worker sees it: the shared record plus this worker's own news."""

from dataclasses import replace

from config.settings import TokenSettings
from core.credentials.record import LEASE_SECONDS, Delta, Document, Report
from core.credentials.standing import Change, Standing, apply
from core.credentials.tally import Tally
from schemas.credential import Credential

RENEW_SECONDS = LEASE_SECONDS / 3


class Member:
    """Local knowledge, changed by greenlets of one thread; no method here waits or touches the store.

    `standing` is what counts for choosing. `writing` is set while a write of it is on its way, `urgent` when another
    must follow at once; `writes` counts them, so that a read that was overtaken by a write is recognised.
    """

    def __init__(self, credential: Credential, settings: TokenSettings, now: float) -> None:
        self.credential = credential
        self.id = credential.id
        self.standing = Standing()
        self.leases = 0
        self.writing = False
        self.urgent = False
        self.writes = 0
        self._settings = settings
        self._shared = Document(created_at=now)
        self._stored = False
        self._sent: Delta | None = None
        self._delta = Delta()
        self._dirty = False
        self._last_used = 0.0
        self._elsewhere = 0
        self._published = 0
        self._renew_at = 0.0

    @property
    def weight(self) -> int:
        """Its share of the requests, 1 or more."""
        return self.credential.weight

    @property
    def in_use(self) -> int:
        """Leases that run on any worker."""
        return self.leases + self._elsewhere

    @property
    def created_at(self) -> float:
        """When any worker first saw it."""
        return self._shared.created_at

    @property
    def last_used(self) -> float:
        """When any worker last chose it; 0 for never."""
        return max(self._last_used, self._shared.last_used)

    @property
    def tally(self) -> Tally:
        """All that is known to have been done with it, by any worker."""
        return self._shared.tally.plus(self._news().tally)

    def select(self, now: float) -> None:
        """One lease more."""
        self.leases += 1
        self._last_used = now

    def release(self) -> None:
        """One lease less."""
        self.leases -= 1

    def add(self, tally: Tally, change: Change) -> None:
        """Count an outcome in; `change` is void when it was gathered in another epoch."""
        if change.epoch != self._delta.change.epoch:
            change = Change(epoch=self._delta.change.epoch)
        self._delta = self._delta.then(Delta(tally, change))
        self._dirty = True
        self._look()
        if self.standing.state == "blacklisted" and not self._delta.change.blacklisted:
            # A later success in the same delta would void the errors that led here.
            self._delta = replace(self._delta, change=replace(self._delta.change, blacklisted=True))

    def needs_write(self, now: float) -> bool:
        """True when the shared record lacks something, the sign of life of running leases included."""
        cut_off = self._sent is not None and not self.writing
        renew = self.leases > 0 and now >= self._renew_at
        return self._dirty or cut_off or not self._stored or self.leases != self._published or renew

    def take(self, worker_id: str, now: float) -> Report:
        """The report to write now; `written` or `put_back` follows."""
        self._sent, self._delta = self._news(), Delta(change=Change(epoch=self._delta.change.epoch))
        self._dirty = False
        self._published, self._renew_at = self.leases, now + RENEW_SECONDS
        return Report(worker_id, now, self._sent, self.leases, self._last_used)

    def put_back(self) -> None:
        """The report could not be written; it goes with the next one."""
        self._delta, self._sent = self._news(), None
        self._dirty = True

    def written(self, document: Document, worker_id: str, now: float) -> None:
        """The report is part of `document`, which is what the store holds now."""
        self._sent = None
        self._stored = True
        self.writes += 1
        if document.standing.epoch >= self._shared.standing.epoch:
            self.accept(document, worker_id, now)

    def accept(self, document: Document, worker_id: str, now: float) -> None:
        """Take over what the store holds; news from another epoch keep their counts only."""
        self._shared = document
        self._stored = True
        self._elsewhere = sum(
            held.count for worker, held in document.leases.items() if worker != worker_id and held.until > now
        )
        if document.standing.epoch != self._delta.change.epoch:
            self._delta = Delta(self._delta.tally, Change(epoch=document.standing.epoch))
        self._look()

    def _news(self) -> Delta:
        return self._delta if self._sent is None else self._sent.then(self._delta)

    def _look(self) -> None:
        self.standing = apply(self._shared.standing, self._news().change, self._settings)
