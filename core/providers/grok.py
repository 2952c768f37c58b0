"""xAI's Grok, as its differences from OpenAI (https://docs.x.ai/docs/api-reference)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from core.errors import GatewayError, UpstreamQuotaExhausted
from core.providers import openai_faults as faults
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_native import REASONING_FIELDS, Policy
from core.providers.openai_stream import read_usage
from schemas.chat import ChatRequest
from schemas.limit import LimitFacts
from schemas.usage import Usage


class Grok(OpenAICompatible):
    """Counts reasoning beside the completion, and caches a conversation on one server only."""

    kind: ClassVar[str] = "grok"
    limit_facts: ClassVar[LimitFacts] = LimitFacts(per_model=True)
    families: ClassVar[tuple[str, ...]] = ("grok-",)
    policy: ClassVar[Policy] = Policy(refused_in_messages=REASONING_FIELDS)

    def session(self, request: ChatRequest) -> dict[str, str]:
        """The header that leads a conversation to the server that has its prompt cached."""
        return {} if request.session is None else {"x-grok-conv-id": request.session}

    def usage(self, raw: Mapping[str, Any]) -> Usage | None:
        """Output is completion and reasoning; in rare answers the prompt comes without its cached part."""
        usage = read_usage(raw)
        if usage is None:
            return None
        if usage.output is not None and usage.reasoning:
            usage = replace(usage, output=usage.output + usage.reasoning)
        prompt = raw.get("prompt_tokens")
        if isinstance(prompt, int) and usage.read is not None and usage.read > prompt:
            usage = replace(usage, uncached=prompt)
        return usage

    def fault(self, said: faults.Said, status: int | None, wait: float | None) -> GatewayError:
        if status == 403 and "credit" in said.message.lower():
            return faults.fault(UpstreamQuotaExhausted, said, retry_after=wait)
        return super().fault(said, status, wait)
