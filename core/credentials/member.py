"""One credential of a pool as one worker sees it: the shared record plus this worker's own news."""

from collections.abc import Iterable
from dataclasses import replace

from config.settings import TokenSettings
from core.credentials.quota import Quota, Reserved
from core.credentials.record import LEASE_SECONDS, Delta, Document, Report
from core.credentials.standing import Change, Standing, apply
from core.credentials.tally import Tally
from core.credentials.worked import fails_alone, latest
from schemas.credential import Credential
from schemas.limit import PLAIN, LimitFacts, LimitReading

RENEW_SECONDS = LEASE_SECONDS / 3
TRIAL_SECONDS = 60.0
"""How long the one request that finds out whether a credential works again may take, before there is another."""


class Member:
    """Local knowledge, changed by greenlets of one thread; no method here waits or touches the store.

    `standing` is what counts for choosing. `writing` is set while a write of it is on its way, `urgent` when another
    must follow at once; `writes` counts them, so that a read that was overtaken by a write is recognised.
    """

    def __init__(self, credential: Credential, settings: TokenSettings, now: float, facts: LimitFacts = PLAIN) -> None:
        self.credential = credential
        self.quota = Quota(credential.limits, facts)
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
        self._worked: dict[str, float] = {}
        self._trial_until = 0.0

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

    @property
    def mean_seconds(self) -> float | None:
        """How long a request has held it on average, as far as is known."""
        tallies = (self._shared.tally, self._delta.tally)
        count = sum(one.successes + one.failures for one in tallies)
        return sum(one.seconds for one in tallies) / count if count else None

    def become(self, credential: Credential, settings: TokenSettings) -> None:
        """The same key with what is said of it now."""
        self.credential = credential
        self._settings = settings
        self.quota.limit(credential.limits)

    def opens_at(self, model: str, tokens: int, now: float) -> float:
        """When it may be asked for `model` with a prompt of so many tokens, blacklisted or not; `now` or later."""
        return max(self.standing.ready_at(model), self.quota.opens_at(model, tokens, now))

    def used(self, model: str, now: float) -> float:
        """The share of its tightest limit that is used up, slots included; 0 when none is known."""
        slots = self.credential.slots
        return max(self.quota.used(model, now), self.in_use / slots if slots else 0.0)

    def is_fit(self, now: float) -> bool:
        """True when it is not out of use, or is so no longer than until a request, which may be this one, finds out."""
        if self.standing.state != "blacklisted":
            return True
        return self.standing.trial and self.standing.due(now) and self._trial_until <= now

    def answered(self, model: str, now: float) -> None:
        """A request for `model` was answered."""
        self._worked = latest(self._worked, {model: now}, now)

    def fails_alone(self, model: str, now: float) -> bool:
        """True for a model that was not answered lately, while others were."""
        return fails_alone(model, self._worked, now)

    def select(self, model: str, tokens: int, now: float, *, free: bool = False) -> Reserved:
        """One lease more; what is reserved for it, nothing where it is `free`, belongs to the caller."""
        self.leases += 1
        self._last_used = now
        if self.standing.state == "blacklisted":
            self._trial_until = now + TRIAL_SECONDS
        return Reserved() if free else self.quota.reserve(model, tokens, now)

    def unselect(self, reserved: Reserved, now: float) -> None:
        """That lease was not used, and counts for nothing."""
        self.leases -= 1
        self.quota.withdraw(reserved, now)
        if self.standing.state == "blacklisted":
            self._trial_until = 0.0

    def release(self) -> None:
        """One lease less."""
        self.leases -= 1

    def learn(self, readings: Iterable[LimitReading], model: str, now: float) -> None:
        """The provider has told its limits."""
        if self.quota.learn(readings, model, now):
            self._dirty = True

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
        quota = self.quota
        told = quota.told(now)
        return Report(worker_id, now, self._sent, self.leases, self._last_used, told, quota.lessons, self._worked)

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
        if document.standing.epoch != self._shared.standing.epoch:
            self.quota.lessons = {}
        self._shared = document
        self._stored = True
        spent = (one for worker, spent in document.spent.items() if worker != worker_id for one in spent)
        self.quota.accept(spent, document.lessons, now)
        self._worked = latest(self._worked, document.worked, now)
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
