"""The record of one credential that all workers share."""

from dataclasses import dataclass, field, replace

from pydantic import BaseModel, ConfigDict, ValidationError

from config.settings import TokenSettings
from core.credentials.flow import Spent
from core.credentials.lessons import Lesson, Lessons, merged
from core.credentials.rest import alive
from core.credentials.standing import Change, Standing, apply
from core.credentials.tally import Tally
from core.credentials.worked import Worked, latest
from core.store.base import Record
from schemas.limit import LimitKind

KIND = "credential"
LEASE_SECONDS = 15.0
"""How long the leases of a worker that no longer reports are believed in."""


@dataclass(frozen=True, slots=True)
class Held:
    """How many leases a worker holds, believed until `until` (seconds since the epoch)."""

    count: int
    until: float


@dataclass(frozen=True, slots=True)
class Delta:
    """What one worker knows and has not written yet."""

    tally: Tally = field(default_factory=Tally)
    change: Change = field(default_factory=Change)

    def then(self, later: "Delta") -> "Delta":
        """Both as one."""
        return Delta(self.tally.plus(later.tally), self.change.then(later.change))


@dataclass(frozen=True, slots=True)
class Report:
    """What one worker writes at one time (`now`): its news, its running leases, and when it last used it.

    `spent` is what it has spent in the last minute, `lessons` what it has learned of the limits, `worked` when which
    model was answered.
    """

    worker_id: str
    now: float
    delta: Delta
    leases: int
    last_used: float
    spent: tuple[Spent, ...] = ()
    lessons: Lessons = field(default_factory=dict)
    worked: Worked = field(default_factory=dict)


class Document(BaseModel):
    """The record's content; no secret is in here. Times are seconds since the epoch, 0 for never."""

    model_config = ConfigDict(frozen=True)

    created_at: float
    last_used: float = 0.0
    standing: Standing = Standing()
    tally: Tally = Tally()
    leases: dict[str, Held] = {}
    spent: dict[str, tuple[Spent, ...]] = {}
    lessons: dict[str, dict[LimitKind, Lesson]] = {}
    worked: dict[str, float] = {}

    @classmethod
    def load(cls, record: Record | None, now: float) -> "Document":
        """The content of `record`; a new one when there is none or it cannot be read."""
        try:
            return cls(created_at=now) if record is None else cls.model_validate(record)
        except ValidationError:
            return cls(created_at=now)

    def dump(self) -> Record:
        """The record to store."""
        return self.model_dump(mode="json")

    def merged(self, report: Report, settings: TokenSettings) -> "Document":
        """The document once a worker's report is counted in; what no longer counts is forgotten."""
        leases = {worker: held for worker, held in self.leases.items() if held.until > report.now}
        leases.pop(report.worker_id, None)
        if report.leases:
            leases[report.worker_id] = Held(report.leases, report.now + LEASE_SECONDS)
        standing = apply(self.standing, report.delta.change, settings)
        # What was learned before a reset is void, like all that is held against the credential.
        lessons = report.lessons if report.delta.change.epoch == standing.epoch else {}
        return Document(
            created_at=self.created_at,
            last_used=max(self.last_used, report.last_used),
            standing=replace(standing, models=alive(standing.models, report.now)),
            tally=self.tally.plus(report.delta.tally),
            leases=leases,
            spent=self._spent(report),
            lessons={model: dict(kinds) for model, kinds in merged(self.lessons, lessons, report.now).items()},
            worked=latest(self.worked, report.worked, report.now),
        )

    def _spent(self, report: Report) -> dict[str, tuple[Spent, ...]]:
        everybody = {**self.spent, report.worker_id: report.spent}
        counting = {
            worker: tuple(one for one in spent if one.until > report.now) for worker, spent in everybody.items()
        }
        return {worker: spent for worker, spent in counting.items() if spent}

    def repaired(self) -> "Document":
        """The document once the credential was found to work: what was told of its limits holds."""
        return self.model_copy(update={"standing": self.standing.repaired()})

    def reset(self) -> "Document":
        """The document after a reset: counts are kept, what was held against it or learned of its limits is void."""
        return self.model_copy(update={"standing": self.standing.reset(), "lessons": {}})
