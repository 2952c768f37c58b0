"""Where one request stands among the provider instances."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.cancel import Cancellation
from core.credentials.choosing import AT_HOME, Homeward
from core.credentials.fair_queue import Ticket
from core.errors import (
    CircuitOpen,
    GatewayError,
    NoCredentials,
    UpstreamUnauthorized,
)
from core.estimating import estimate_request
from core.providers.base import UpstreamRequest
from core.signs import SignsOfLife
from schemas.chat import ChatRequest
from schemas.model import Target
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.route import PassedOver
from schemas.stream import ChatChunk, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta
from schemas.trace import NO_ATTEMPT, AttemptTrace
from schemas.usage import Usage
from services.affinity import Binding
from services.circuits import Permit
from services.hold import Hold, nothing_held
from services.last_word import last_word
from services.next_try import may_pass
from services.site import Lease, Need, Site

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Call:
    """What a chat request brings along besides itself."""

    origin: Origin
    cancel: Cancellation
    signs: SignsOfLife

    @property
    def request_id(self) -> str:
        """The request's id."""
        return self.origin.request_id

    @property
    def started(self) -> float:
        """The monotonic time of its arrival, in seconds."""
        return self.origin.started


@dataclass(slots=True)
class Run:
    """Where one request stands. `lease` is the one that answered; whoever closes the stream gives it back.

    `longer` are the targets for when the prompt is too long; `strict`: what cannot be carried whole is refused. `sole`:
    there is one target only. `mended`: the next try is the same request without what was refused.
    """

    request: ChatRequest
    call: Call
    outcome: Outcome
    hold: Hold = field(default_factory=nothing_held)
    lease: Lease | None = None
    broken: Lease | None = None
    """That of an answer which its provider broke off; it is given back."""
    target: Target | None = None
    committed: bool = False
    finished: bool = False
    failure: GatewayError | None = None
    excluded: set[str] = field(default_factory=set)
    prefer: str | None = None
    """The id of the credential to take as long as it is fit."""

    homeward: Homeward = AT_HOME
    """What may be taken ahead of that."""

    bound: Binding | None = None
    """Where the conversation was answered last, if that is known."""

    home: str | None = None
    """Under which name to remember where the conversation was answered."""

    account: str = ""
    """Whose prompt cache the credential tried last uses: an account's, or its own."""

    asked_again: bool = False
    """True when the key that has the conversation's prompt cached was asked once more before it moves."""

    reserved: int = 0
    """How many tries another one of the same target has to leave for the targets behind it."""

    trying_since: float | None = None
    """The monotonic time at which the try under way began, which is not among the outcome's attempts yet."""
    permit: Permit | None = None
    first_content: float | None = None
    longer: tuple[Target, ...] = ()
    strict: bool = False
    sole: bool = False
    mended: bool = False
    refused_parts: int = 0
    """How many tries have met a refusal of something that the next one has left out."""
    others: int = 0
    """How many targets are left behind the one that is asked now."""
    sent: UpstreamRequest | None = None
    sent_at: float = 0.0
    begun_at: float = 0.0
    """What was sent last, when that was, and when its answer began, in seconds since the epoch."""
    diagnostics: Mapping[str, Any] | None = None
    overflows: bool = False
    """True when the credential tried last stands in for one that only serves as many requests as it may."""
    fetched: dict[str, str] = field(default_factory=dict, repr=False)
    """What was fetched for a provider that wants it as data: data URLs by the links."""
    trace: AttemptTrace = NO_ATTEMPT
    """Who is told of the try under way."""
    unheard: bool = False
    """True when a whole answer was asked for, and nobody waited for it: it is made and paid all the same."""
    heard: int = 0
    """How many characters of an answer have come."""
    closed: dict[tuple[str, str], float | None] = field(default_factory=dict)
    """The targets that a limit of their own has no room in, with the seconds until it has."""
    told: Usage | None = None
    """What the provider said of the prompt as the answer began."""
    answered: str | None = None
    """The provider's name for the model that answered, once it has told."""
    unaffordable: bool = False
    """True when the retry budget of all requests is why no other try was made."""

    def stands_in(self, target: Target) -> bool:
        """True for a target that was put ahead of those that were asked for, of which one is left."""
        plan = self.outcome.plan
        return plan is not None and bool(self.others) and target in plan.standing_in

    def hear(self, chunk: ChatChunk) -> None:
        """Something of the answer has come."""
        if isinstance(chunk, Started):
            self.told = chunk.usage
        elif isinstance(chunk, Finished):
            self.answered = chunk.model
        elif isinstance(chunk, TextDelta | ReasoningDelta):
            self.heard += len(chunk.text)
        elif isinstance(chunk, ToolCallDelta):
            self.heard += len(chunk.name or "") + len(chunk.arguments)

    def usage_so_far(self) -> Usage:
        """About what an answer has used that broke off: of the prompt what its provider said, if it did."""
        prompt = self.told or Usage(uncached=estimate_request(self.request))
        return replace(prompt, output=max(1, self.heard // CHARACTERS_PER_TOKEN), source="estimated")

    @property
    def may_wait(self) -> bool:
        """True when the client is told to come back later."""
        return isinstance(self.failure, CircuitOpen) or (self.failure is not None and self.failure.status == 429)

    @property
    def told_wait(self) -> float:
        """The seconds that the last failure says to wait; 0 when it says nothing."""
        return (self.failure.retry_after or 0.0) if self.failure is not None else 0.0

    def pass_over(self, target: Target, reason: GatewayError) -> None:
        """The target's turn has come, and it is not asked, for that reason."""
        self.outcome.passed_over.append(PassedOver(target.provider, target.model, reason.message))

    _tokens: int | None = None

    def need(self, target: Target, site: Site, ticket: Ticket | None = None) -> Need:
        """What a credential of the target, which is at `site`, is needed for."""
        if self._tokens is None and site.counts_tokens:
            self._tokens = estimate_request(self.request)
        return Need(target.model, self._tokens or 0, self.prefer, ticket, self.homeward)

    def note_shortage(self, none_left: GatewayError) -> None:
        """Nothing can be asked here now: if waiting helps, the client is told the soonest time of all targets."""
        if self.failure is None or isinstance(self.failure, NoCredentials):
            self.failure = none_left
        elif self.may_wait and none_left.retry_after is not None:
            self.failure.retry_after = min(none_left.retry_after, self.failure.retry_after or none_left.retry_after)

    def note(self, failure: GatewayError) -> None:
        """Keep what to tell the client: a refusal of one of our keys never hides what another one met with."""
        if self.failure is None or not isinstance(failure, UpstreamUnauthorized):
            before = self.told_wait if self.may_wait else 0.0
            self.failure = failure
            if before and self.may_wait and self.told_wait > before:
                failure.retry_after = before

    def may_repeat(self, longest: float) -> bool:
        """True when every credential was tried, and the last failure may pass by itself within `longest` seconds."""
        return bool(self.excluded) and may_pass(self.failure, longest)

    def verdict(self, soonest: float | None, now: float) -> GatewayError:
        """What to tell the client when nothing answered; `soonest` is in how many seconds something could be asked."""
        error = self.failure or NoCredentials("No provider could be asked.")
        opens_in = soonest if self.may_wait else None
        return last_word(error, self.outcome.attempts, now, opens_in, unaffordable=self.unaffordable)
