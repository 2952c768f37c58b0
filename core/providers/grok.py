"""xAI's Grok, as its differences from OpenAI (https://docs.x.ai/docs/api-reference)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from core.errors import GatewayError, UpstreamQuotaExhausted
from core.providers import openai_faults as faults
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_native import REASONING_FIELDS, Policy
from core.providers.openai_stream import CACHED, count_in
from schemas.chat import ChatRequest
from schemas.limit import LimitFacts


class Grok(OpenAICompatible):
    """Counts reasoning beside the completion, and caches a conversation on one server only."""

    kind: ClassVar[str] = "grok"
    limit_facts: ClassVar[LimitFacts] = LimitFacts(per_model=True)
    families: ClassVar[tuple[str, ...]] = ("grok-",)
    policy: ClassVar[Policy] = Policy(refused_in_messages=REASONING_FIELDS)

    def session(self, request: ChatRequest) -> dict[str, str]:
        """The header that leads a conversation to the server that has its prompt cached."""
        return {} if request.session is None else {"x-grok-conv-id": request.session}

    def tidied(self, frame: Mapping[str, Any]) -> Mapping[str, Any]:
        """The frame, where the completion includes its reasoning, and the prompt what was cached.

        xAI counts reasoning beside the completion; in rare answers the prompt comes without its cached part.
        """
        usage = frame.get("usage")
        if not isinstance(usage, dict):
            return frame
        reasoning, cached = count_in(usage, "completion_tokens_details", "reasoning_tokens"), count_in(usage, *CACHED)
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        edits: dict[str, Any] = {}
        if reasoning and isinstance(completion, int):
            edits["completion_tokens"] = completion + reasoning
        if cached and isinstance(prompt, int) and cached > prompt:
            edits["prompt_tokens"] = prompt + cached
        return {**frame, "usage": {**usage, **edits}} if edits else frame

    def fault(self, said: faults.Said, status: int | None, wait: float | None) -> GatewayError:
        if status == 403 and "credit" in said.message.lower():
            return faults.fault(UpstreamQuotaExhausted, said, retry_after=wait)
        return super().fault(said, status, wait)
