"""DeepSeek, as its differences from OpenAI (https://api-docs.deepseek.com)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from core.errors import GatewayError, UpstreamOverloaded
from core.providers.draft import Draft
from core.providers.effort import OFF, effort_of
from core.providers.openai_compatible import FINISH_REASONS, OpenAICompatible
from core.providers.openai_fields import fitted_effort
from core.providers.openai_messages import Wire
from core.providers.openai_native import Policy, replayed
from schemas.chat import Message
from schemas.stream import FinishReason


class DeepSeek(OpenAICompatible):
    """Tells hits and misses of its cache apart, and wants its reasoning back while a tool loop runs."""

    kind: ClassVar[str] = "deepseek"
    families: ClassVar[tuple[str, ...]] = ("deepseek-",)
    issuer: ClassVar[str] = "deepseek"
    policy: ClassVar[Policy] = Policy(replays_reasoning=issuer)
    finish_reasons: ClassVar[Mapping[str, FinishReason | type[GatewayError]]] = {
        **FINISH_REASONS,
        "insufficient_system_resource": UpstreamOverloaded,
    }

    def message(self, draft: Draft, message: Message, index: int) -> Wire:
        """Message number `index`; one that calls tools carries the reasoning that led to the calls."""
        wire = super().message(draft, message, index)
        own = replayed(draft, message, self.issuer) if message.tool_calls else None
        return wire if own is None else {**wire, "reasoning_content": own}

    def thinking(self, draft: Draft) -> Wire:
        """The switch, and the effort of a model that thinks."""
        asked = draft.request.thinking
        effort = effort_of(asked)
        if effort in OFF:
            return {"thinking": {"type": "disabled"}}
        fields: Wire = {"thinking": {"type": "enabled"}} if asked.enabled else {}
        level = effort and fitted_effort(draft, effort)
        return {**fields, "reasoning_effort": level} if level else fields

    def response_format(self, draft: Draft) -> Wire:
        """JSON at most: a schema is dropped by name."""
        wanted = draft.request.response_format
        if wanted is None or wanted.kind != "json_schema":
            return super().response_format(draft)
        draft.drop("response_format.json_schema")
        return {"response_format": {"type": "json_object"}}

    def tidied(self, frame: Mapping[str, Any]) -> Mapping[str, Any]:
        """The frame with the hits of the cache where OpenAI counts them."""
        usage = frame.get("usage")
        hits = usage.get("prompt_cache_hit_tokens") if isinstance(usage, dict) else None
        if not isinstance(usage, dict) or not isinstance(hits, int) or usage.get("prompt_tokens_details"):
            return frame
        return {**frame, "usage": {**usage, "prompt_tokens_details": {"cached_tokens": hits}}}
