"""Tries targets and credentials in turn until one begins to answer."""

from collections.abc import Iterator, Mapping
from uuid import uuid4

from config.settings import RetrySettings, StreamSettings
from core.cancel import Cancellation
from core.clock import Clock
from core.errors import (
    CannotCarry,
    ClientGone,
    CredentialsExhausted,
    GatewayError,
    InternalError,
    ModelNotFound,
    NoCredentials,
    Unauthorized,
    UpstreamError,
    UpstreamOverloaded,
)
from core.exchange import Exchange, Patience
from core.retry import Backoff
from core.signs import SignsOfLife
from core.transport import Transport
from core.waiting import pause
from schemas.chat import ChatRequest
from schemas.credential import Credential
from schemas.model import Target
from schemas.origin import Origin
from schemas.outcome import Attempt
from schemas.stream import ChatChunk, Finished, KeepAlive
from services.blame import scrub, whose
from services.gate import gated
from services.refusals import Refusals
from services.run import Call, Lease, Run, Site
from services.thoughts import ThoughtMemory
from services.upstream_events import events_of

HUMAN_CHECK = "upstream_human_check"
"""The site asks for a human, whichever credential is used: asking it again with another one would be a loop."""


NEXT_TARGET = (UpstreamOverloaded, ModelNotFound, CannotCarry)
"""Failures that another credential of the same target would meet as well."""


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
    ) -> None:
        self._sites = sites
        self._transport = transport
        self._stream = stream
        self._retry = retry
        self._backoff = backoff
        self._clock = clock
        self._refusals = Refusals(thoughts)

    def call(self, request: ChatRequest, origin: Origin) -> Call:
        """What accompanies `request`."""
        signs = SignsOfLife(self._stream.keep_alive, origin.started, watched=request.stream)
        return Call(origin, Cancellation(), signs)

    def issuer(self, run: Run) -> str | None:
        """The family of the provider that is asked now, whose signatures only itself understands."""
        return self._sites[run.target.provider].provider.issuer if run.target is not None else None

    def chunks(self, run: Run, targets: tuple[Target, ...]) -> Iterator[ChatChunk]:
        """The chunks of the first answer that begins; raises the last failure when none does."""
        for position, target in enumerate(targets):
            run.excluded.clear()
            yield from self._at_target(run, target, last=position == len(targets) - 1)
            if run.lease is not None:
                return
        raise run.verdict()

    def _at_target(self, run: Run, target: Target, *, last: bool) -> Iterator[ChatChunk]:
        while self._may_try(run):
            lease = self._lease(run, target)
            if lease is None and last and run.may_repeat():
                yield from self._rest(run)
                run.excluded.clear()
                lease = self._lease(run, target)
            if lease is None:
                return
            try:
                yield from self._attempt(run, target, lease)
            except GatewayError as failure:
                if run.committed:
                    raise
                if self._changes(run, target, failure):
                    continue
                if not _fails_over(failure):
                    raise
                run.note(failure)
                run.excluded.add(lease.credential.id)
                if isinstance(failure, NEXT_TARGET) or failure.code == HUMAN_CHECK:
                    return
            else:
                return

    def _changes(self, run: Run, target: Target, failure: GatewayError) -> bool:
        """True when the provider has refused something that can be left out, and now will be."""
        changed = self._sites[target.provider].provider.second_try(run.request, failure)
        if changed is None:
            return False
        run.note(failure)
        self._refusals.learn(target.provider, run.request, changed)
        run.request = changed
        return True

    def _rest(self, run: Run) -> Iterator[ChatChunk]:
        """Wait before the only credential is asked once more."""
        until = self._clock.monotonic() + self._backoff.seconds(len(run.outcome.attempts))
        while True:
            now = self._clock.monotonic()
            pause(min(max(0.0, until - now), 1.0), run.call.cancel)
            if run.call.signs.due(self._clock.monotonic()):
                yield KeepAlive()
            if self._clock.monotonic() >= until:
                return

    def _may_try(self, run: Run) -> bool:
        elapsed = self._clock.monotonic() - run.call.started
        sent = sum(attempt.error != CannotCarry.code for attempt in run.outcome.attempts)
        return sent < self._retry.max_attempts and elapsed < self._retry.total_seconds

    def _lease(self, run: Run, target: Target) -> Lease | None:
        """A credential of the target's provider that was not tried yet; None when there is none."""
        try:
            excluded, own = frozenset(run.excluded), run.call.origin.own
            return self._sites[target.provider].lease(own, excluded, self._clock.now())
        except (CredentialsExhausted, NoCredentials) as none_left:
            run.note_shortage(none_left)
        except Unauthorized as missing:
            run.note(missing)
        return None

    def _attempt(self, run: Run, target: Target, lease: Lease) -> Iterator[ChatChunk]:
        began = run.trying_since = self._clock.monotonic()
        run.target, run.lease = target, lease
        run.outcome.provider, run.outcome.upstream_model = target.provider, target.model
        run.outcome.credential = lease.credential.id
        error: str | None = None
        try:
            yield from self._exchange(run, target, lease.credential)
        except GatewayError as failure:
            scrub(failure, lease.credential)
            error, run.lease = failure.code or failure.type, None
            lease.fail(failure, self._clock.monotonic() - began)
            raise
        except GeneratorExit:
            error = None if run.committed else ClientGone.code
            raise
        except Exception:
            error = InternalError.code
            raise
        finally:
            seconds = self._clock.monotonic() - began
            run.trying_since = None
            run.outcome.upstream_seconds += seconds
            run.outcome.attempts.append(Attempt(target.provider, target.model, lease.credential.id, seconds, error))

    def _exchange(self, run: Run, target: Target, credential: Credential) -> Iterator[ChatChunk]:
        site = self._sites[target.provider]
        # A client may repeat its own id, but a provider may demand a new one for every request (GLM's code 1231).
        attempt_id = f"{run.call.request_id[:52]}-{uuid4().hex[:10]}"
        request = self._refusals.applied(target.provider, run.request)
        upstream = site.provider.build(request, target, credential, attempt_id)
        run.outcome.dropped = upstream.dropped
        if site.strict and (lost := [name for name in upstream.dropped if not name.startswith(BETA_FLAG)]):
            raise CannotCarry(f"This cannot be carried to the provider: {', '.join(lost)}.", param=lost[0])
        exchange = self._transport.open(upstream, self._patience(run, site), run.call.cancel)
        try:
            for _ in exchange.opening():
                yield KeepAlive()
            if exchange.status >= 300:
                error = site.provider.error(exchange.status, exchange.headers, exchange.read(65_536))
                raise whose(error, credential)
            events = events_of(exchange.headers, exchange.blocks())
            for chunk in gated(site.provider.decode(events, request), lambda: self._commit(run, exchange)):
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
        run.outcome.time_to_first_token = self._clock.monotonic() - run.call.started


def _fails_over(failure: GatewayError) -> bool:
    return isinstance(failure, (ModelNotFound, CannotCarry)) or (
        isinstance(failure, UpstreamError) and failure.failover
    )
