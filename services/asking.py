"""One try at a question that has one short answer."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import uuid4

from core.cancel import Cancellation
from core.clock import Clock
from core.errors import GatewayError, InternalError, UpstreamUnauthorized
from core.providers.base import Provider, UpstreamRequest
from core.transport import Transport
from schemas.credential import Credential
from schemas.model import Target
from schemas.origin import Origin
from schemas.outcome import Attempt, Outcome
from schemas.trace import AttemptTrace
from schemas.usage import Usage
from services.blame import scrub, whose
from services.hold import Hold, nothing_held
from services.site import Lease, Site

T = TypeVar("T")
Build = Callable[[Provider, Target, Credential, str], UpstreamRequest]
Read = Callable[[Provider, bytes], T]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, in `seconds` at most, and for whom; `operation` is a word for it, `tokens` about its size.

    `light`: it can be done without, so nobody waits for it. It is free, and has limits of its own at its provider, so
    that what becomes of it says nothing of other requests, but that a key is refused.
    """

    origin: Origin
    outcome: Outcome
    seconds: float
    operation: str
    hold: Hold = field(default_factory=nothing_held)
    tokens: int = 0
    light: bool = False
    cancel: Cancellation = field(default_factory=Cancellation)


class Asking:
    """Sends it, and writes down in the question's outcome what became of the try."""

    def __init__(self, transport: Transport, clock: Clock, told: Callable[[Attempt], None] = lambda _: None) -> None:
        """`told` is told of each try as soon as it has ended."""
        self._told = told
        self._transport = transport
        self._clock = clock

    def once(
        self,
        question: Question,
        target: Target,
        site: Site,
        lease: Lease,
        build: Build,
        read: Read[T],
        cancel: Cancellation,
    ) -> T:
        """The answer; the lease is given back. Raises GatewayError."""
        began, error = self._clock.monotonic(), None
        trace = question.origin.trace.attempt(question.operation, target.provider, target.model, lease.credential.id)
        question.outcome.provider, question.outcome.upstream_model = target.provider, target.model
        question.outcome.credential = lease.credential.id
        try:
            result = self._exchange(question, target, site, lease.credential, build, read, trace, cancel)
        except GatewayError as failure:
            scrub(failure, lease.credential)
            error = failure.code or failure.type
            if question.light and not isinstance(failure, UpstreamUnauthorized):
                lease.abandon()
            else:
                lease.fail(failure, self._clock.monotonic() - began)
                question.outcome.capacity = site.capacity(target.model)
            raise
        except BaseException:
            error = InternalError.code
            lease.abandon()
            raise
        else:
            usage = _usage(result)
            if question.light:
                lease.abandon()
            else:
                lease.succeed(usage, self._clock.monotonic() - began, None)
            trace.used(usage.prompt if usage is not None else None)
            return result
        finally:
            seconds = self._clock.monotonic() - began
            question.outcome.upstream_seconds += seconds
            # A short answer comes as a whole.
            first_content = seconds if error is None else None
            tried = (target.provider, target.model, lease.credential.id)
            question.outcome.attempts.append(Attempt(*tried, seconds, error, first_content))
            if not question.light:
                self._told(question.outcome.attempts[-1])
            trace.ended(error)

    def _exchange(
        self,
        question: Question,
        target: Target,
        site: Site,
        credential: Credential,
        build: Build,
        read: Read[T],
        trace: AttemptTrace,
        cancel: Cancellation,
    ) -> T:
        provider = site.at(credential.id).provider
        attempt_id = f"{question.origin.request_id[:52]}-{uuid4().hex[:10]}"
        upstream = build(provider, target, credential, attempt_id)
        if headers_of_trace := trace.asking(upstream.url):
            upstream = replace(upstream, headers={**upstream.headers, **headers_of_trace})
        question.outcome.unheard = False

        def asked() -> None:
            question.outcome.unheard = cancel.cancelled

        status, headers, body = self._transport.call(upstream, question.seconds, cancel, asked=asked)
        if not question.light:
            site.learn(credential, headers, target.model)
            question.outcome.capacity = site.capacity(target.model, credential.id)
        if status >= 300:
            raise whose(provider.error(status, headers, body), credential)
        return read(provider, body)


def _usage(result: object) -> Usage | None:
    tokens = getattr(result, "prompt_tokens", None)
    return Usage(uncached=tokens, output=0) if isinstance(tokens, int) else None
