"""Tries targets and credentials in turn until one begins to answer."""

from collections.abc import Iterator, Mapping
from uuid import uuid4

from config.settings import RetrySettings, StreamSettings
from core.cancel import Cancellation
from core.clock import Clock
from core.errors import (
    ClientGone,
    CredentialsExhausted,
    GatewayError,
    InternalError,
    ModelNotFound,
    NoCredentials,
    UpstreamBroken,
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
from schemas.outcome import Attempt
from schemas.stream import ChatChunk, Finished, KeepAlive
from services.run import Call, Lease, Run, Site
from services.upstream_events import events_of

HUMAN_CHECK = "upstream_human_check"
"""The site asks for a human, whichever credential is used: asking it again with another one would be a loop."""


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
    ) -> None:
        self._sites = sites
        self._transport = transport
        self._stream = stream
        self._retry = retry
        self._backoff = backoff
        self._clock = clock

    def call(self, request: ChatRequest, request_id: str, started: float) -> Call:
        """What accompanies `request`, which arrived at the monotonic time `started`."""
        signs = SignsOfLife(self._stream.keep_alive, started, watched=request.stream)
        return Call(request_id, started, Cancellation(), signs)

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
                if run.committed or not _fails_over(failure):
                    raise
                run.note(failure)
                run.excluded.add(lease.credential.id)
                if isinstance(failure, UpstreamOverloaded | ModelNotFound) or failure.code == HUMAN_CHECK:
                    return
            else:
                return

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
        return len(run.outcome.attempts) < self._retry.max_attempts and elapsed < self._retry.total_seconds

    def _lease(self, run: Run, target: Target) -> Lease | None:
        """A credential of the target's provider that was not tried yet; None when there is none."""
        try:
            return self._sites[target.provider].pool.lease(frozenset(run.excluded))
        except (CredentialsExhausted, NoCredentials) as none_left:
            run.note_shortage(none_left)
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
            _scrub(failure, lease.credential.secret)
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
        upstream = site.provider.build(run.request, target, credential, attempt_id)
        run.outcome.dropped = upstream.dropped
        deadline = run.call.started + self._stream.total_timeout
        patience = Patience(
            self._stream.connect_timeout,
            site.silence,
            self._stream.keep_alive,
            deadline,
            content_by=self._clock.monotonic() + site.silence,
            signs=run.call.signs,
        )
        exchange = self._transport.open(upstream, patience, run.call.cancel)
        try:
            for _ in exchange.opening():
                yield KeepAlive()
            if exchange.status >= 300:
                raise site.provider.error(exchange.status, exchange.headers, exchange.read(65_536))
            events = events_of(exchange.headers, exchange.blocks())
            yield from self._gated(run, exchange, site.provider.decode(events, run.request))
        finally:
            if run.finished:
                exchange.drain()
            exchange.close()

    def _gated(self, run: Run, exchange: Exchange, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        for chunk in chunks:
            if not run.committed and not isinstance(chunk, KeepAlive):
                self._commit(run, chunk)
                exchange.begun()
            if isinstance(chunk, Finished):
                run.finished = True
            yield chunk

    def _commit(self, run: Run, chunk: ChatChunk) -> None:
        if isinstance(chunk, Finished) and chunk.reason in ("stop", "tool_calls"):
            raise UpstreamBroken("the provider's answer was empty", code="upstream_empty_answer")
        run.committed = True
        run.outcome.time_to_first_token = self._clock.monotonic() - run.call.started


def _scrub(failure: GatewayError, secret: str) -> None:
    """Providers like to quote the key they refuse, and no pattern knows every shape of key."""
    failure.message = failure.message.replace(secret, "***")
    for name, value in (failure.details or {}).items():
        if isinstance(value, str):
            failure.details = {**(failure.details or {}), name: value.replace(secret, "***")}


def _fails_over(failure: GatewayError) -> bool:
    return isinstance(failure, ModelNotFound) or (isinstance(failure, UpstreamError) and failure.failover)
