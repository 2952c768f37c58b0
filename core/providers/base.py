"""The recipe every provider follows: sign, build, decode, and say what its errors mean."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.clock import Clock
from core.errors import (
    BodyTooLarge,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    ProviderConflict,
    UpstreamBroken,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnauthorized,
)
from core.prompt_cache.forms import Form
from core.sse import Event
from schemas.chat import ChatRequest, DialectName, DocumentPart, ImagePart
from schemas.credential import Credential
from schemas.embedding import EmbeddingRequest, Embeddings
from schemas.limit import PLAIN, LimitFacts, LimitReading
from schemas.model import Ability, Target, ThinkingControl
from schemas.stream import ChatChunk


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """Everything that goes over the wire, plus the names of what could not be carried (`dropped`, OpenAI's names).

    `sent` is the prompt's body as a mapping, whose model may be named otherwise, and `form` the form it is in.
    `address` is where to connect to, whatever the host's name leads to.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    method: str = "POST"
    dropped: tuple[str, ...] = ()
    sent: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Form | None = None
    address: str | None = None
    _forgotten: int = field(default=0, init=False, repr=False, compare=False)

    @property
    def size(self) -> int:
        """How many bytes `body` has, or had."""
        return len(self.body) or self._forgotten

    def forget_body(self) -> None:
        """Let go of `body`, wherever this value is held: it has been sent, and may be large."""
        object.__setattr__(self, "_forgotten", self.size)
        object.__setattr__(self, "body", b"")


class Provider(ABC):
    """One configured instance of a provider. Holds settings and nothing of any request or stream.

    `dialect` is the dialect whose requests it forwards as they were written. `issuer` names the family of providers
    that takes its signatures of thinking back. `families` are beginnings of the names, in lower case, of models that
    it serves whether or not the catalogue knows them. `abilities` are those of a model that the catalogue does not
    know, and `control` how the thinking of such a model is steered. `limit_facts` are how its keys are limited.
    """

    kind: ClassVar[str]
    dialect: ClassVar[DialectName | None] = None
    issuer: ClassVar[str | None] = None
    families: ClassVar[tuple[str, ...]] = ()
    abilities: ClassVar[frozenset[Ability]] = frozenset({"streaming"})
    control: ClassVar[ThinkingControl] = "none"
    limit_facts: ClassVar[LimitFacts] = PLAIN

    def __init__(self, name: str, base_url: str, clock: Clock, headers: Mapping[str, str] | None = None) -> None:
        """`headers` are sent with every request beside the provider's own."""
        self.name = name
        self.base_url = base_url.rstrip("/")
        self._clock = clock
        self._headers = dict(headers or {})

    @abstractmethod
    def authorize(self, credential: Credential) -> dict[str, str]:
        """The headers that sign a request."""

    def signed(self, credential: Credential) -> dict[str, str]:
        """The configured headers and those that sign: the credential's own, untouched, when it brings some.

        A credential without a secret signs nothing.
        """
        if credential.headers is not None:
            return {**self._headers, **credential.headers}
        return {**self._headers, **(self.authorize(credential) if credential.secret else {})}

    def inlines(self, request: ChatRequest, target: Target, part: ImagePart | DocumentPart) -> bool:
        """True for a part that can be shown as data, and not by its address."""
        return False

    @abstractmethod
    def build(self, request: ChatRequest, target: Target, credential: Credential, request_id: str) -> UpstreamRequest:
        """The wire form of `request`. Raises InvalidRequest for what this provider can neither do nor leave out."""

    def answer_limit(self, request: ChatRequest, target: Target) -> int | None:
        """The tokens of an answer that `build` asks for at most; None when it says no more of them than the client."""
        return None

    @abstractmethod
    def decode(self, events: Iterable[Event], request: ChatRequest) -> Iterator[ChatChunk]:
        """The chunks of one answer; a silent event becomes KeepAlive.

        Ends with exactly one Finished or raises an UpstreamError (or ContentRefused), UpstreamBroken when the stream
        ends without saying that it ended. When `request` came in this provider's own dialect, each chunk carries the
        event it came from if that says nothing else, and events that mean nothing here become Passed.
        """

    @abstractmethod
    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        """What an HTTP status of 400 or more with this body means. Header names are lower case."""

    def second_try(self, request: ChatRequest, error: GatewayError) -> ChatRequest | None:
        """The request to send to the same target instead, when `error` refused something that can be left out."""
        return None

    def count(
        self, request: ChatRequest, target: Target, credential: Credential, request_id: str
    ) -> UpstreamRequest | None:
        """A request that asks for the number of tokens of the prompt; None when the provider cannot be asked."""
        return None

    def read_count(self, body: bytes) -> int:
        """The number of tokens in the answer to `count`. Raises UpstreamBroken."""
        raise UpstreamBroken("the provider counts no tokens")

    def embed(
        self, request: EmbeddingRequest, target: Target, credential: Credential, request_id: str
    ) -> UpstreamRequest | None:
        """A request for embeddings; None when the provider has none. Raises InvalidRequest."""
        return None

    def read_embeddings(self, body: bytes) -> Embeddings:
        """The vectors in the answer to `embed`. Raises UpstreamBroken."""
        raise UpstreamBroken("the provider has no embeddings")

    def limits(self, headers: Mapping[str, str]) -> tuple[LimitReading, ...]:
        """What the headers of an answer, names in lower case, say of the credential's limits."""
        return ()

    def probe(self, credential: Credential) -> UpstreamRequest | None:
        """A request that costs nothing and succeeds when the credential works; None when there is none."""
        return None


STATUS_ERRORS: Mapping[int, type[GatewayError]] = {
    400: InvalidRequest,
    401: UpstreamUnauthorized,
    402: UpstreamQuotaExhausted,
    403: UpstreamForbidden,
    404: ModelNotFound,
    405: UpstreamBroken,
    408: UpstreamTimeout,
    409: ProviderConflict,
    413: BodyTooLarge,
    422: InvalidRequest,
    426: UpstreamForbidden,
    429: UpstreamRateLimited,
    503: UpstreamOverloaded,
    504: UpstreamTimeout,
    529: UpstreamOverloaded,
}
"""What an HTTP status means when the provider says nothing more exact."""


def status_error(status: int, message: str, retry_after: float | None = None) -> GatewayError:
    """The error for an HTTP status that is no success; one that is not in the table is a fault of the provider's from
    500 on, of the request's from 400 on, and no answer at all below."""
    if status < 400:
        return UpstreamBroken(message, retry_after=retry_after)
    kind = STATUS_ERRORS.get(status, UpstreamServerError if status >= 500 else InvalidRequest)
    return kind(message, retry_after=retry_after)
