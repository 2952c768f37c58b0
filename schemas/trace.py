"""What is told of a request while it runs to whoever traces it; these two listen to nothing."""

from collections.abc import Mapping

from schemas.chat import ChatRequest
from schemas.stream import Finished


class AttemptTrace:
    """One try at a provider."""

    def asking(self, url: str) -> Mapping[str, str]:
        """The provider is about to be asked at `url`; what to send along, so that its own trace can go on here."""
        return {}

    def first_content(self, seconds: float) -> None:
        """The first content has come, so long after the try began."""

    def finished(self, end: Finished) -> None:
        """The provider has said that its answer is complete."""

    def used(self, tokens: int | None) -> None:
        """So many prompt tokens were used, by something that has no output."""

    def ended(self, error: str | None) -> None:
        """The try is over; `error` is the code of its failure. Called once."""


class RequestTrace:
    """One request, in which there may be several tries."""

    def attempt(
        self, operation: str, provider: str, model: str, credential: str, request: ChatRequest | None = None
    ) -> AttemptTrace:
        """Begin a try at an instance, for its own name of a model; `operation` is chat, embeddings or the like."""
        return NO_ATTEMPT


NO_ATTEMPT = AttemptTrace()
UNTRACED = RequestTrace()
