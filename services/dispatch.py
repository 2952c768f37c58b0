"""Tries targets and credentials in turn until one begins to answer."""

from collections.abc import Generator, Iterable, Iterator, Mapping

from config.settings import RetrySettings, StreamSettings
from core.cancel import Cancellation
from core.clock import Clock
from core.credentials.fair_queue import Ticket
from core.errors import (
    OURS,
    CannotCarry,
    CircuitOpen,
    ContextLengthExceeded,
    CredentialsExhausted,
    GatewayError,
    NoCredentials,
    RateLimited,
    Unauthorized,
    Unpriced,
    UnusableLink,
)
from core.retry import Backoff, RetryBudget
from core.signs import SignsOfLife
from core.waiting import pause
from schemas.chat import ChatRequest
from schemas.model import Target
from schemas.origin import Origin
from schemas.stream import ChatChunk, KeepAlive
from services.attempt import Attempts
from services.circuits import Circuits, Permit
from services.linked_media import LinkedMedia
from services.next_try import HOST_IS_AWAY, fails_over, left_for_others, passes_soon, stays
from services.queueing import Waiter, lease_in_turn
from services.refusals import Refusals
from services.run import Call, Run
from services.site import Lease, Site
from services.waits import Waits


class Dispatcher:
    """Bounds the tries of a request by number and time; after the first content there is no second one."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        attempts: Attempts,
        stream: StreamSettings,
        retry: RetrySettings,
        backoff: Backoff,
        clock: Clock,
        refusals: Refusals,
        circuits: Circuits,
        media: LinkedMedia,
        budget: RetryBudget | None = None,
    ) -> None:
        self._sites = sites
        self._stream = stream
        self._retry = retry
        self._backoff = backoff
        self._clock = clock
        self._circuits = circuits
        self._waits = Waits(sites, circuits)
        self._media = media
        self._budget = budget or RetryBudget(retry.budget_share, retry.budget_min, clock)
        self._refusals = refusals
        self._attempts = attempts

    def call(self, request: ChatRequest, origin: Origin) -> Call:
        """What accompanies `request`."""
        signs = SignsOfLife(self._stream.keep_alive, origin.started, watched=request.stream)
        return Call(origin, Cancellation(), signs)

    def forwards(self, request: ChatRequest, targets: Iterable[Target]) -> bool:
        """True when one of these may be sent the very bytes that the client wrote."""
        return any(self._sites[one.provider].provider.dialect == request.native.dialect for one in targets)

    def issuer(self, run: Run) -> str | None:
        """The family of the provider that is asked now, whose signatures only itself understands."""
        return self._sites[run.target.provider].provider.issuer if run.target is not None else None

    def chunks(self, run: Run, targets: tuple[Target, ...]) -> Iterator[ChatChunk]:
        """The chunks of the first answer that begins; raises the last failure when none does.

        When a provider says that the prompt is too long for it, those of `run.longer` are tried instead of the rest.
        """
        self._budget.request()
        run.sole = len(targets) == 1
        queue = list(targets)
        while queue:
            target = queue.pop(0)
            run.others = len(queue)
            run.excluded.clear()
            try:
                if (yield from self._brought(run, target)):
                    yield from self._at_target(run, target, last=not queue)
            except ContextLengthExceeded as too_long:
                if run.committed or not run.longer:
                    raise
                run.note(too_long)
                queue, run.longer = list(run.longer), ()
            if run.lease is not None:
                return
        raise run.verdict(self._waits.soonest(run, targets), self._clock.now())

    def _at_target(self, run: Run, target: Target, *, last: bool) -> Iterator[ChatChunk]:
        before = len(run.outcome.attempts)
        try:
            yield from self._tried(run, target, last=last)
        finally:
            if len(run.outcome.attempts) == before:
                # Without a key, or behind an open circuit: its limits are for those that are asked.
                run.hold.pass_over()

    def _tried(self, run: Run, target: Target, *, last: bool) -> Iterator[ChatChunk]:
        run.reserved = 0
        while self._may_try(run, leaves=run.reserved):
            permit = self._permit(run, target) if self._is_affordable(run, target) else None
            if permit is None:
                return
            try:
                lease = yield from self._lease(run, target)
            except BaseException:
                permit.release()
                raise
            if lease is None:
                permit.release()
                if run.unaffordable or not (last and run.may_repeat(self._retry.max_wait)):
                    return
                yield from self._rest(run, max(run.told_wait, self._backoff.seconds(len(run.outcome.attempts))))
                run.excluded.clear()
                continue
            try:
                yield from self._attempts.chunks(run, target, lease, permit)
            except GatewayError as failure:
                if not (yield from self._goes_on(run, target, lease, failure)):
                    return
            else:
                return

    def _brought(self, run: Run, target: Target) -> Generator[ChatChunk, None, bool]:
        """True when what the client has linked is there, as far as the target wants it as data."""
        try:
            yield from self._media.bring(run, target, self._sites[target.provider])
        except UnusableLink as unusable:
            run.note(unusable)
            run.pass_over(target, unusable)
            return False
        return True

    def _goes_on(
        self, run: Run, target: Target, lease: Lease, failure: GatewayError
    ) -> Generator[ChatChunk, None, bool]:
        """True to try the same target again, False to try the next; raises `failure` when it is the answer."""
        wait = self._warm_wait(run, target, lease, failure)
        if wait is None:
            return self._stays(run, target, lease, failure)
        run.note(failure)
        run.asked_again, run.reserved = True, min(run.others, 1)
        yield from self._rest(run, wait)
        return True

    def _warm_wait(self, run: Run, target: Target, lease: Lease, failure: GatewayError) -> float | None:
        """In how many seconds to ask the same key again, which has the conversation's prompt cached.

        None when it has not, was asked again already, or when that would take long or may not be.
        """
        key = lease.credential.id
        longest = 0.0 if run.committed or run.asked_again or key != run.prefer else self._retry.warm_wait
        if not longest or not passes_soon(failure):
            return None
        opens = self._waits.of_key(run, target, key)
        if opens is None or not self._may_try(run, leaves=min(run.others, 1)):
            return None
        wait = max(opens, failure.retry_after or 0.0, self._backoff.seconds(1))
        return wait if max(wait, run.outcome.attempts[-1].seconds) <= longest else None

    def _stays(self, run: Run, target: Target, lease: Lease, failure: GatewayError) -> bool:
        """True to try the same target again, False to try the next; raises `failure` when it is the answer."""
        if run.committed:
            raise failure
        run.reserved = left_for_others(failure, run.others)
        if self._changes(run, target, failure):
            return True
        if not fails_over(failure):
            if not run.stands_in(target) or isinstance(failure, OURS):
                raise failure
            # What a stand-in refuses may be right for the model that was asked for.
            run.note(failure)
            return False
        run.note(failure)
        run.excluded |= self._sites[target.provider].shares(lease.credential, failure)
        is_away = isinstance(failure, HOST_IS_AWAY) and not self._sites[target.provider].elsewhere
        # Another key leads to the same host; another target may not.
        return stays(failure) and not (run.others and is_away)

    def _is_affordable(self, run: Run, target: Target) -> bool:
        """False when a limit of the target's own has no room for the request."""
        try:
            run.hold.admit(target)
        except (RateLimited, Unpriced) as refusal:
            run.note_shortage(refusal)
            run.pass_over(target, refusal)
            run.closed[target.provider, target.model] = refusal.retry_after
            return False
        return True

    def _permit(self, run: Run, target: Target) -> Permit | None:
        """The right to try the target; None when its circuit is open."""
        try:
            return self._circuits.admit(target, sole=run.sole)
        except CircuitOpen as refusal:
            run.note_shortage(refusal)
            run.pass_over(target, refusal)
            return None

    def _changes(self, run: Run, target: Target, failure: GatewayError) -> bool:
        """True when the provider has refused something that can be left out, and now will be."""
        changed = self._sites[target.provider].provider.second_try(run.request, failure)
        if changed is None:
            return False
        run.note(failure)
        self._refusals.learn(target.provider, run.request, changed)
        run.request, run.mended = changed, True
        run.refused_parts += 1
        return True

    def _rest(self, run: Run, seconds: float) -> Iterator[ChatChunk]:
        """Wait before the same credential is asked once more, with signs of life."""
        while True:
            pause(min(seconds, 1.0), run.call.cancel)
            if run.call.signs.due(self._clock.monotonic()):
                yield KeepAlive()
            seconds -= 1.0
            if seconds <= 0:
                return

    def _may_try(self, run: Run, *, leaves: int) -> bool:
        """True when there is a try left beside those that it `leaves` for other targets."""
        tries = _tries(run)
        elapsed = self._clock.monotonic() - run.call.started
        most = self._retry.max_attempts - (0 if run.mended else leaves)
        if tries >= most or elapsed >= self._retry.total_seconds:
            return False
        # What is sent once more in a changed form answers a refusal, and adds nothing to an outage.
        run.unaffordable = not (tries == 0 or run.mended or self._budget.allows())
        return not run.unaffordable

    def _pays(self, run: Run) -> bool:
        """True when a second or later try is in the budget, which others may have used up since `_may_try` asked."""
        run.unaffordable = not (_tries(run) == 0 or run.mended or self._budget.take())
        return not run.unaffordable

    def _lease(self, run: Run, target: Target) -> Generator[ChatChunk, None, Lease | None]:
        """A credential of the target's provider that was not tried yet; None when there is none."""
        site, deadline = self._sites[target.provider], run.call.started + self._retry.total_seconds
        try:
            lease = yield from lease_in_turn(site, self._waiter(run, target), self._clock, deadline)
            if self._pays(run):
                return lease
            lease.decline()
        except (CredentialsExhausted, NoCredentials) as none_left:
            run.note_shortage(none_left)
            run.pass_over(target, none_left)
            run.outcome.capacity = site.capacity(target.model)
        except Unauthorized as missing:
            run.note(missing)
        return None

    def _waiter(self, run: Run, target: Target) -> Waiter:
        site, origin = self._sites[target.provider], run.call.origin

        def lease(ticket: Ticket | None) -> Lease:
            return site.lease(origin.own, frozenset(run.excluded), self._clock.now(), run.need(target, site, ticket))

        return Waiter(origin.tenant, run.call.cancel, run.call.signs, run.outcome, lease)


def _tries(run: Run) -> int:
    """How often anything was sent: a target that could not carry the request was sent nothing, and what was refused for
    a part of it is sent once more without."""
    sent = sum(attempt.error != CannotCarry.code for attempt in run.outcome.attempts)
    return sent - run.refused_parts
