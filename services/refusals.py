"""Refusals: what providers have refused that can be left out, so that it is sent to them once only."""

from dataclasses import replace

from schemas.chat import ChatRequest
from services.thoughts import ThoughtMemory

OF_SESSION = frozenset({"thinking_replay"})
"""What one conversation is sent without from then on; everything else is a provider's own way, for all requests."""


class Refusals:
    """Learns in this process what each provider instance takes, and in the shared memory what a session is sent."""

    def __init__(self, thoughts: ThoughtMemory) -> None:
        self._thoughts = thoughts
        self._of_provider: dict[str, frozenset[str]] = {}

    def learn(self, provider: str, refused: ChatRequest, changed: ChatRequest) -> None:
        """The request `changed` is sent instead of the one that was `refused`."""
        news = changed.omit - refused.omit
        if news & OF_SESSION and changed.session is not None:
            self._thoughts.refuse(changed.session, changed.omit & OF_SESSION)
        if news - OF_SESSION:
            self._of_provider[provider] = self._of_provider.get(provider, frozenset()) | (news - OF_SESSION)

    def applied(self, provider: str, request: ChatRequest) -> ChatRequest:
        """The request as the provider takes it."""
        learned = self._of_provider.get(provider)
        return replace(request, omit=request.omit | learned) if learned else request
