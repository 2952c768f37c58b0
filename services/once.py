"""Once: asks a provider something that has one short answer, beside the path of chats."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import uuid4

from config.settings import RetrySettings
from core.clock import Clock
from core.errors import (
    CredentialsExhausted,
    GatewayError,
    InternalError,
    ModelNotFound,
    NoCredentials,
    RateLimited,
    Unauthorized,
    Unpriced,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
)
from core.providers.base import Provider, UpstreamRequest
from core.transport import Transport
from schemas.credential import Credential
from schemas.model import Target
from schemas.origin import Origin
from schemas.outcome import Attempt, Outcome
from schemas.trace import AttemptTrace
from schemas.usage import Usage
from services.blame import scrub, whose
from services.closing import Closing
from services.hold import Hold, nothing_held
from services.site import Lease, Need, Site

KEYS_WAIT = (CredentialsExhausted, UpstreamRateLimited, UpstreamQuotaExhausted)
"""Failures that say when to come back, which the keys that were not tried may know better."""

T = TypeVar("T")
Build = Callable[[Provider, Target, Credential, str], UpstreamRequest]
Read = Callable[[Provider, bytes], T]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, in `seconds` at most, and for whom; `operation` is a word for it."""

    origin: Origin
    outcome: Outcome
    seconds: float
    operation: str
    hold: Hold = field(default_factory=nothing_held)


class Once:
    """Tries targets and credentials in turn, as often as a chat would."""

    def __init__(
        self, sites: Mapping[str, Site], transport: Transport, retry: RetrySettings, clock: Clock, closing: Closing
    ) -> None:
        self._closing = closing
        self._sites = sites
        self._transport = transport
        self._retry = retry
        self._clock = clock

    def ask(self, question: Question, targets: Sequence[Target], build: Build, read: Read[T]) -> T:
        """What `read` makes of the first good answer. Raises GatewayError."""
        failure: GatewayError = NoCredentials("No provider could be asked.")
        for target in targets:
            try:
                return self._at_target(question, target, build, read)
            except (CredentialsExhausted, NoCredentials, Unauthorized, RateLimited, Unpriced) as none_left:
                failure = failure if question.outcome.attempts else none_left
            except (UpstreamError, ModelNotFound) as error:
                failure = error
        if isinstance(failure, KEYS_WAIT):
            waits = (self._sites[target.provider].opens_in(Need(target.model)) for target in targets)
            failure.retry_after = min((wait for wait in waits if wait is not None), default=failure.retry_after)
        raise failure

    def _at_target(self, question: Question, target: Target, build: Build, read: Read[T]) -> T:
        """The answer of one target, with each of its keys in turn; raises the last failure."""
        site, excluded, need = self._sites[target.provider], set[str](), Need(target.model)
        failure: UpstreamError | None = None
        question.hold.admit(target)
        while len(question.outcome.attempts) < self._retry.max_attempts:
            try:
                lease = site.lease(question.origin.own, frozenset(excluded), self._clock.now(), need)
            except (CredentialsExhausted, NoCredentials):
                if failure is not None:
                    break
                raise
            try:
                return self._attempt(question, target, site, lease, build, read)
            except UpstreamOverloaded:
                raise
            except UpstreamError as error:
                failure = error
                excluded |= site.shares(lease.credential, error)
        raise failure or NoCredentials("No try is left.")

    def _attempt(self, question: Question, target: Target, site: Site, lease: Lease, build: Build, read: Read[T]) -> T:
        began, error = self._clock.monotonic(), None
        trace = question.origin.trace.attempt(question.operation, target.provider, target.model, lease.credential.id)
        question.outcome.provider, question.outcome.upstream_model = target.provider, target.model
        question.outcome.credential = lease.credential.id
        try:
            provider = site.at(lease.credential.id).provider
            result = self._exchange(question, target, provider, lease.credential, build, read, trace)
        except GatewayError as failure:
            scrub(failure, lease.credential)
            error = failure.code or failure.type
            lease.fail(failure, self._clock.monotonic() - began)
            raise
        except BaseException:
            error = InternalError.code
            lease.abandon()
            raise
        else:
            usage = _usage(result)
            lease.succeed(usage, self._clock.monotonic() - began, None)
            trace.used(usage.prompt if usage is not None else None)
            return result
        finally:
            seconds = self._clock.monotonic() - began
            question.outcome.upstream_seconds += seconds
            attempt = Attempt(target.provider, target.model, lease.credential.id, seconds, error)
            question.outcome.attempts.append(attempt)
            trace.ended(error)

    def _exchange(
        self,
        question: Question,
        target: Target,
        provider: Provider,
        credential: Credential,
        build: Build,
        read: Read[T],
        trace: AttemptTrace,
    ) -> T:
        attempt_id = f"{question.origin.request_id[:52]}-{uuid4().hex[:10]}"
        upstream = build(provider, target, credential, attempt_id)
        if headers_of_trace := trace.asking(upstream.url):
            upstream = replace(upstream, headers={**upstream.headers, **headers_of_trace})
        with self._closing.watched() as cancel:
            status, headers, body = self._transport.call(upstream, question.seconds, cancel)
        if status >= 300:
            raise whose(provider.error(status, headers, body), credential)
        return read(provider, body)


def _usage(result: object) -> Usage | None:
    tokens = getattr(result, "prompt_tokens", None)
    return Usage(uncached=tokens, output=0) if isinstance(tokens, int) else None
