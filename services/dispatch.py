"""Tries targets and credentials in turn until one begins to answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
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
    UpstreamServerError,
    UpstreamTokenExpired,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)
from core.exchange import Patience
from core.providers.base import Provider
from core.retry import Backoff
from core.transport import Transport
from core.waiting import pause
from schemas.chat import ChatRequest
from schemas.credential import Credential
from schemas.model import Target
from schemas.outcome import Attempt, Outcome
from schemas.stream import ChatChunk, Finished, KeepAlive
from schemas.usage import Usage
from services.upstream_events import events_of

SAME_AGAIN = (UpstreamUnreachable, UpstreamServerError, UpstreamBroken, UpstreamTokenExpired)
"""Failures that may be over with the next try, for which the only credential is asked once more."""


class Lease(Protocol):
    """A credential that is in use, given back exactly once."""

    @property
    def credential(self) -> Credential: ...

    def succeed(self, usage: Usage | None, seconds: float, cost: float | None) -> None: ...

    def fail(self, error: GatewayError, seconds: float) -> None: ...

    def abandon(self) -> None: ...


class Pool(Protocol):
    """The credentials of one provider instance."""

    def lease(self, exclude: frozenset[str] = frozenset()) -> Lease: ...


@dataclass(frozen=True, slots=True)
class Site:
    """A provider instance with its credentials; `silence` is the longest wait for its next byte, in seconds."""

    provider: Provider
    pool: Pool
    silence: float


@dataclass(frozen=True, slots=True)
class Call:
    """What a chat request brings along besides itself; `started` is monotonic seconds."""

    request_id: str
    started: float
    cancel: Cancellation


@dataclass(slots=True)
class Run:
    """Where one request stands. `lease` is the one that answered; whoever closes the stream gives it back."""

    request: ChatRequest
    call: Call
    outcome: Outcome
    lease: Lease | None = None
    target: Target | None = None
    committed: bool = False
    finished: bool = False
    failure: GatewayError | None = None
    excluded: set[str] = field(default_factory=set)
    trying_since: float | None = None
    """The monotonic time at which the try under way began, which is not among the outcome's attempts yet."""

    def note_shortage(self, none_left: GatewayError) -> None:
        """A pool has no credential left: if waiting helps, the client is told the soonest time of all pools."""
        if self.failure is None or isinstance(self.failure, NoCredentials):
            self.failure = none_left
        elif self.failure.status == 429 and none_left.retry_after is not None:
            self.failure.retry_after = min(none_left.retry_after, self.failure.retry_after or none_left.retry_after)

    def note(self, failure: GatewayError) -> None:
        """Keep what to tell the client: a refusal of one of our keys never hides what another one met with."""
        if self.failure is None or not isinstance(failure, UpstreamUnauthorized):
            self.failure = failure

    def verdict(self) -> GatewayError:
        """What to tell the client when nothing answered."""
        error = self.failure or NoCredentials("No provider could be asked.")
        tried = [{"provider": a.provider, "model": a.model, "error": a.error} for a in self.outcome.attempts]
        if tried:
            error.details = {**(error.details or {}), "tried": tried}
        return error


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
            lease = self._lease(run, target, again=last)
            if lease is None:
                return
            try:
                yield from self._attempt(run, target, lease)
            except GatewayError as failure:
                if run.committed or not _fails_over(failure):
                    raise
                run.note(failure)
                run.excluded.add(lease.credential.id)
                if isinstance(failure, UpstreamOverloaded | ModelNotFound):
                    return
            else:
                return

    def _may_try(self, run: Run) -> bool:
        elapsed = self._clock.monotonic() - run.call.started
        return len(run.outcome.attempts) < self._retry.max_attempts and elapsed < self._retry.total_seconds

    def _lease(self, run: Run, target: Target, *, again: bool) -> Lease | None:
        """A credential not tried yet, or the only one once more after a pause; None when there is none."""
        pool = self._sites[target.provider].pool
        try:
            return pool.lease(frozenset(run.excluded))
        except (CredentialsExhausted, NoCredentials) as none_left:
            run.note_shortage(none_left)
            if not run.excluded:
                return None
        if not again or not isinstance(run.failure, SAME_AGAIN):
            return None
        pause(self._backoff.seconds(len(run.outcome.attempts)), run.call.cancel)
        run.excluded.clear()
        try:
            return pool.lease()
        except (CredentialsExhausted, NoCredentials):
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
        patience = Patience(self._stream.connect_timeout, site.silence, self._stream.keep_alive, deadline)
        exchange = self._transport.open(upstream, patience, run.call.cancel)
        try:
            for _ in exchange.opening():
                yield KeepAlive()
            if exchange.status >= 300:
                raise site.provider.error(exchange.status, exchange.headers, exchange.read(65_536))
            events = events_of(exchange.headers, exchange.blocks())
            yield from self._gated(run, site.provider.decode(events, run.request))
        finally:
            if run.finished:
                exchange.drain()
            exchange.close()

    def _gated(self, run: Run, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        for chunk in chunks:
            if not run.committed and not isinstance(chunk, KeepAlive):
                self._commit(run, chunk)
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
