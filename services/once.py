"""Once: asks a provider something that has one short answer, beside the path of chats."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from config.settings import RetrySettings
from core.cancel import Cancellation
from core.clock import Clock
from core.credentials.fair_queue import Ticket
from core.errors import (
    CircuitOpen,
    CredentialsExhausted,
    GatewayError,
    ModelNotFound,
    NoCredentials,
    RateLimited,
    Unauthorized,
    Unpriced,
    UpstreamError,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamUnauthorized,
)
from core.retry import Backoff, RetryBudget
from core.signs import SignsOfLife
from core.waiting import pause
from schemas.model import Target
from services.asking import Asking, Build, Question, Read
from services.circuits import Circuits, Permit
from services.closing import Closing
from services.last_word import last_word
from services.next_try import HOST_IS_AWAY, OF_ONE_KEY, left_for_others, may_pass, stays
from services.queueing import Waiter, lease_in_turn
from services.site import Lease, Need, Site
from services.waits import Waits

COME_BACK = (CredentialsExhausted, UpstreamRateLimited, UpstreamQuotaExhausted, CircuitOpen, RateLimited)
"""Failures that say when to come back, which may be sooner for what was not tried."""

NOT_ASKED = (CredentialsExhausted, NoCredentials, Unauthorized, RateLimited, Unpriced, CircuitOpen)
"""Why a target is not asked at all, which is told only when no other one was."""

T = TypeVar("T")


@dataclass(slots=True)
class Course:
    """How far a question has come: the keys of the target that were tried, and how many targets are left behind it."""

    question: Question
    cancel: Cancellation
    sole: bool
    others: int = 0
    excluded: set[str] = field(default_factory=set)
    failure: GatewayError | None = None
    closed: dict[tuple[str, str], float | None] = field(default_factory=dict)
    """The targets that a limit of their own has no room in, with the seconds until it has."""

    def need(self, target: Target, site: Site, ticket: Ticket | None = None) -> Need:
        """What a credential of the target is needed for."""
        return Need(target.model, self.question.tokens, ticket=ticket, free=self.question.light)

    def note(self, failure: GatewayError) -> None:
        """Keep what to tell: why a target was not asked, or refused our key, never hides what another one met."""
        says_less = isinstance(failure, (*NOT_ASKED, UpstreamUnauthorized))
        if not says_less or self.failure is None or isinstance(self.failure, NoCredentials):
            self.failure = failure

    @property
    def told_wait(self) -> float:
        """The seconds that the last failure says to wait; 0 when it says nothing."""
        return (self.failure.retry_after or 0.0) if self.failure is not None else 0.0

    @property
    def tries(self) -> int:
        """How often anything was sent."""
        return len(self.question.outcome.attempts)


class Once:
    """Tries targets and credentials in turn as a chat would: within the same bounds, behind the same circuits, and in
    the same queues."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        asking: Asking,
        retry: RetrySettings,
        clock: Clock,
        closing: Closing,
        circuits: Circuits,
        budget: RetryBudget,
        backoff: Backoff,
    ) -> None:
        self._sites = sites
        self._asking = asking
        self._retry = retry
        self._clock = clock
        self._closing = closing
        self._circuits = circuits
        self._waits = Waits(sites, circuits)
        self._budget = budget
        self._backoff = backoff

    def ask(self, question: Question, targets: Sequence[Target], build: Build, read: Read[T]) -> T:
        """What `read` makes of the first good answer. Raises GatewayError."""
        if not question.light:
            self._budget.request()
        with self._closing.watched(question.cancel) as cancel:
            course = Course(question, cancel, sole=len(targets) == 1)
            for place, target in enumerate(targets):
                course.others = len(targets) - place - 1
                course.excluded.clear()
                try:
                    return self._in_its_turn(course, target, build, read)
                except (*NOT_ASKED, UpstreamError, ModelNotFound) as failure:
                    course.note(failure)
        raise self._verdict(course, targets)

    def _in_its_turn(self, course: Course, target: Target, build: Build, read: Read[T]) -> T:
        """The answer of one target, of whose limits nothing is used if it is not asked."""
        before = course.tries
        try:
            return self._at_target(course, target, build, read)
        finally:
            if course.tries == before:
                course.question.hold.pass_over()

    def _verdict(self, course: Course, targets: Sequence[Target]) -> GatewayError:
        """What to tell when nothing answered."""
        failure = course.failure or NoCredentials("No provider could be asked.")
        may_wait = isinstance(failure, COME_BACK) and not course.question.light
        soonest = self._waits.soonest(course, targets) if may_wait else None
        return last_word(failure, course.question.outcome.attempts, self._clock.now(), soonest)

    def _at_target(self, course: Course, target: Target, build: Build, read: Read[T]) -> T:
        """The answer of one target, with each of its keys in turn; raises the last failure."""
        site, failure = self._sites[target.provider], None
        self._admit(course, target)
        while self._may_try(course, leaves=left_for_others(failure, course.others) if failure else 0):
            permit = self._permit(course, target, failure)
            try:
                lease = self._lease(course, target, site)
                if lease is not None:
                    return self._tried(course, target, site, lease, permit, build, read)
            except (CredentialsExhausted, NoCredentials):
                course.question.outcome.capacity = site.capacity(target.model)
                if failure is None:
                    raise
                if course.others or course.question.light or not may_pass(failure, self._retry.max_wait):
                    break
                pause(max(failure.retry_after or 0.0, self._backoff.seconds(course.tries)), course.cancel)
                course.excluded.clear()
            except UpstreamError as error:
                failure = error
                if not self._stays(course, site, error):
                    break
            finally:
                permit.release()
        raise failure or NoCredentials("No try is left.")

    def _tried(
        self, course: Course, target: Target, site: Site, lease: Lease, permit: Permit, build: Build, read: Read[T]
    ) -> T:
        """The answer; what the try says of the target is told its circuit."""
        light = course.question.light
        try:
            answer = self._asking.once(course.question, target, site, lease, build, read, course.cancel)
        except GatewayError as failure:
            course.excluded |= site.shares(lease.credential, failure)
            if not light:
                permit.failed(failure, site.host(lease.credential))
            raise
        if not light:
            permit.begun()
        return answer

    def _admit(self, course: Course, target: Target) -> None:
        """Raises RateLimited or Unpriced when a limit of the target's own has no room for the question."""
        try:
            course.question.hold.admit(target)
        except (RateLimited, Unpriced) as refusal:
            course.closed[target.provider, target.model] = refusal.retry_after
            raise

    def _permit(self, course: Course, target: Target, failure: GatewayError | None) -> Permit:
        """The right to try the target; what is light is not what finds out whether it works.

        Raises CircuitOpen, or the `failure` of this question that has opened the circuit.
        """
        if not course.question.light:
            try:
                return self._circuits.admit(target, sole=course.sole)
            except CircuitOpen as refusal:
                raise failure or refusal from None
        wait = self._circuits.wait(target)
        if wait:
            raise CircuitOpen("The provider is left alone for a while.", retry_after=wait)
        return Permit(self._circuits, target, self._clock.now())

    def _lease(self, course: Course, target: Target, site: Site) -> Lease | None:
        """A credential that was not tried yet, in its turn; None when the retry budget has no room for another try."""
        question = course.question

        def lease(ticket: Ticket | None) -> Lease:
            need = course.need(target, site, ticket)
            return site.lease(question.origin.own, frozenset(course.excluded), self._clock.now(), need)

        if question.light:
            found = lease(None)
        else:
            signs = SignsOfLife(self._retry.total_seconds, self._clock.monotonic(), watched=False)
            waiter = Waiter(question.origin.tenant, course.cancel, signs, question.outcome, lease)
            deadline = question.origin.started + self._retry.total_seconds
            found = _last(lease_in_turn(site, waiter, self._clock, deadline))
        if not course.tries or question.light or self._budget.take():
            return found
        found.decline()
        return None

    def _stays(self, course: Course, site: Site, failure: GatewayError) -> bool:
        """True when another key of the same target is worth a try."""
        if course.question.light:
            return isinstance(failure, OF_ONE_KEY)
        is_away = isinstance(failure, HOST_IS_AWAY) and not site.elsewhere
        # Another key leads to the same host; another target may not.
        return stays(failure) and not (course.others and is_away)

    def _may_try(self, course: Course, *, leaves: int) -> bool:
        """True when there is a try left beside those that it `leaves` for other targets."""
        elapsed = self._clock.monotonic() - course.question.origin.started
        if course.tries >= self._retry.max_attempts - leaves or elapsed >= self._retry.total_seconds:
            return False
        return course.tries == 0 or course.question.light or self._budget.allows()


def _last(steps: Generator[Any, None, T]) -> T:
    """What they come to; nobody sees the signs of life on the way."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
