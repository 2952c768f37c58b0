"""Tries targets and credentials in turn until one begins to answer."""

from collections.abc import Generator, Iterator, Mapping
from uuid import uuid4

from config.settings import RetrySettings, StreamSettings
from core.cancel import Cancellation
from core.clock import Clock
from core.errors import (
    CannotCarry,
    CircuitOpen,
    ClientGone,
    ContextLengthExceeded,
    CredentialsExhausted,
    GatewayError,
    InternalError,
    NoCredentials,
    RateLimited,
    Unauthorized,
    Unpriced,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from core.exchange import Exchange, Patience
from core.retry import Backoff, RetryBudget
from core.signs import SignsOfLife
from core.transport import Transport
from core.waiting import pause
from schemas.chat import ChatRequest
from schemas.credential import Credential
from schemas.model import Target
from schemas.origin import Origin
from schemas.outcome import Attempt
from schemas.stream import ChatChunk, Finished, KeepAlive, Started
from services.blame import scrub, whose
from services.circuits import Circuits, Permit
from services.gate import gated
from services.next_try import fails_over, stays
from services.queueing import lease_in_turn
from services.refusals import Refusals
from services.run import Call, Run
from services.site import Lease, Site
from services.thoughts import ThoughtMemory
from services.upstream_events import events_of

HOST_IS_AWAY = (UpstreamUnreachable, UpstreamTimeout)
BETA_FLAG = "anthropic-beta."
"""A flag is a client's wish for what it may use, and no part of what it says."""


class Dispatcher:
    """Bounds the tries of a request by number and time; after the first content there is no second one."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        transport: Transport,
        stream: StreamSettings,
        retry: RetrySettings,
        backoff: Backoff,
        clock: Clock,
        thoughts: ThoughtMemory,
        circuits: Circuits,
    ) -> None:
        self._sites = sites
        self._transport = transport
        self._stream = stream
        self._retry = retry
        self._backoff = backoff
        self._clock = clock
        self._circuits = circuits
        self._budget = RetryBudget(retry.budget_share, retry.budget_min, clock)
        self._refusals = Refusals(thoughts)

    def call(self, request: ChatRequest, origin: Origin) -> Call:
        """What accompanies `request`."""
        signs = SignsOfLife(self._stream.keep_alive, origin.started, watched=request.stream)
        return Call(origin, Cancellation(), signs)

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
                yield from self._at_target(run, target, last=not queue)
            except ContextLengthExceeded as too_long:
                if run.committed or not run.longer:
                    raise
                run.note(too_long)
                queue, run.longer = list(run.longer), ()
            if run.lease is not None:
                return
        soonest = min((wait for target in targets if (wait := self._opens_in(run, target)) is not None), default=None)
        raise run.verdict(soonest, self._clock.now())

    def _opens_in(self, run: Run, target: Target) -> float | None:
        """Seconds until the target could be asked, with any of its keys, the untried ones included; None: not known."""
        if (target.provider, target.model) in run.closed:
            return run.closed[target.provider, target.model]
        site = self._sites[target.provider]
        if not site.has_pool:
            return run.told_wait or None
        wait = site.opens_in(run.need(target, site))
        return wait if wait is None or run.sole else max(wait, self._circuits.wait(target))

    def _at_target(self, run: Run, target: Target, *, last: bool) -> Iterator[ChatChunk]:
        began = _tries(run)
        while self._may_try(run, again=_tries(run) > began):
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
                if not (last and run.may_repeat(self._retry.max_wait)):
                    return
                yield from self._rest(run)
                run.excluded.clear()
                continue
            try:
                yield from self._attempt(run, target, lease, permit)
            except GatewayError as failure:
                if not self._stays(run, target, lease, failure):
                    return
            else:
                return

    def _stays(self, run: Run, target: Target, lease: Lease, failure: GatewayError) -> bool:
        """True to try the same target again, False to try the next; raises `failure` when it is the answer."""
        if run.committed:
            raise failure
        if self._changes(run, target, failure):
            return True
        if not fails_over(failure):
            raise failure
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
        return True

    def _rest(self, run: Run) -> Iterator[ChatChunk]:
        """Wait before the only credential is asked once more: for as long as the provider says, if it does."""
        until = self._clock.monotonic() + max(run.told_wait, self._backoff.seconds(len(run.outcome.attempts)))
        while True:
            now = self._clock.monotonic()
            pause(min(max(0.0, until - now), 1.0), run.call.cancel)
            if run.call.signs.due(self._clock.monotonic()):
                yield KeepAlive()
            if self._clock.monotonic() >= until:
                return

    def _may_try(self, run: Run, *, again: bool) -> bool:
        """True when there is a try left; a second one of the same target leaves one for each of the others."""
        tries = _tries(run)
        if again and not run.mended and tries + run.others >= self._retry.max_attempts:
            return False
        elapsed = self._clock.monotonic() - run.call.started
        if tries >= self._retry.max_attempts or elapsed >= self._retry.total_seconds:
            return False
        # What is sent once more in a changed form answers a refusal, and adds nothing to an outage.
        run.unaffordable = not (tries == 0 or run.mended or self._budget.allows())
        return not run.unaffordable

    def _lease(self, run: Run, target: Target) -> Generator[ChatChunk, None, Lease | None]:
        """A credential of the target's provider that was not tried yet; None when there is none."""
        site, deadline = self._sites[target.provider], run.call.started + self._retry.total_seconds
        try:
            return (yield from lease_in_turn(site, run, target, self._clock, deadline))
        except (CredentialsExhausted, NoCredentials) as none_left:
            run.note_shortage(none_left)
            run.pass_over(target, none_left)
            run.outcome.capacity = site.capacity(target.model)
        except Unauthorized as missing:
            run.note(missing)
        return None

    def _attempt(self, run: Run, target: Target, lease: Lease, permit: Permit) -> Iterator[ChatChunk]:
        began = run.trying_since = self._clock.monotonic()
        if _tries(run) and not run.mended:
            self._budget.spend()
        run.target, run.lease, run.permit, run.mended = target, lease, permit, False
        run.first_content = None
        run.outcome.provider, run.outcome.upstream_model = target.provider, target.model
        run.outcome.credential = lease.credential.id
        run.overflows = lease.overflows
        run.account = lease.credential.account or lease.credential.id
        error: str | None = None
        try:
            yield from self._exchange(run, target, lease.credential)
        except GatewayError as failure:
            scrub(failure, lease.credential)
            error, run.lease = failure.code or failure.type, None
            lease.fail(failure, self._clock.monotonic() - began)
            if not run.committed:
                permit.failed(failure, self._sites[target.provider].host(lease.credential))
            raise
        except GeneratorExit:
            error = None if run.committed else ClientGone.code
            raise
        except Exception:
            error = InternalError.code
            raise
        finally:
            seconds = self._clock.monotonic() - began
            permit.release()
            run.trying_since = None
            run.outcome.upstream_seconds += seconds
            tried = (target.provider, target.model, lease.credential.id)
            run.outcome.attempts.append(Attempt(*tried, seconds, error, run.first_content))

    def _exchange(self, run: Run, target: Target, credential: Credential) -> Iterator[ChatChunk]:
        site = self._sites[target.provider]
        provider = site.at(credential.id).provider
        # A client may repeat its own id, but a provider may demand a new one for every request (GLM's code 1231).
        attempt_id = f"{run.call.request_id[:52]}-{uuid4().hex[:10]}"
        request = self._refusals.applied(target.provider, run.request)
        upstream = provider.build(request, target, credential, attempt_id)
        run.outcome.dropped = upstream.dropped
        lost = [name for name in upstream.dropped if not name.startswith(BETA_FLAG)]
        if lost and (site.strict or run.strict):
            raise CannotCarry(f"This cannot be carried to the provider: {', '.join(lost)}.", param=lost[0])
        run.sent, run.sent_at = upstream, self._clock.now()
        exchange = self._transport.open(upstream, self._patience(run, site), run.call.cancel)
        try:
            for _ in exchange.opening():
                yield KeepAlive()
            site.learn(credential, exchange.headers, target.model)
            run.outcome.capacity = site.capacity(target.model)
            if exchange.status >= 300:
                error = provider.error(exchange.status, exchange.headers, exchange.read(65_536))
                raise whose(error, credential)
            events = events_of(exchange.headers, exchange.blocks())
            for chunk in gated(provider.decode(events, request), lambda: self._commit(run, exchange)):
                if isinstance(chunk, Started):
                    run.diagnostics = chunk.diagnostics
                run.finished = run.finished or isinstance(chunk, Finished)
                yield chunk
        finally:
            if run.finished:
                exchange.drain()
            exchange.close()

    def _patience(self, run: Run, site: Site) -> Patience:
        """A provider that was asked for a whole answer says nothing until it is complete."""
        whole = not run.request.stream and site.provider.dialect == run.request.native.dialect
        silence = max(site.silence, self._stream.whole_timeout) if whole else site.silence
        return Patience(
            self._stream.connect_timeout,
            silence,
            self._stream.keep_alive,
            deadline=run.call.started + self._stream.total_timeout,
            content_by=self._clock.monotonic() + silence,
            signs=run.call.signs,
        )

    def _commit(self, run: Run, exchange: Exchange) -> None:
        run.committed = True
        exchange.begun()
        run.begun_at, now = self._clock.now(), self._clock.monotonic()
        run.outcome.time_to_first_token = now - run.call.started
        run.first_content = now - (run.trying_since or now)
        if run.permit is not None:
            run.permit.begun()


def _tries(run: Run) -> int:
    """How often anything was sent: a target that could not carry the request was sent nothing."""
    return sum(attempt.error != CannotCarry.code for attempt in run.outcome.attempts)
