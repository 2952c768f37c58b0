"""Groq, as its differences from OpenAI (https://console.groq.com/docs/openai)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from core.providers import openai_faults as faults
from core.providers.draft import Draft
from core.providers.effort import OFF
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_messages import Wire
from core.providers.openai_native import REASONING_FIELDS, Policy
from schemas.limit import LimitFacts


class Groq(OpenAICompatible):
    """Refuses what it lacks, and tells usage and late failures in a field of its own, `x_groq`."""

    kind: ClassVar[str] = "groq"
    limit_facts: ClassVar[LimitFacts] = LimitFacts(cached_reads=False, per_model=True, refills=True)
    policy: ClassVar[Policy] = Policy(
        refused=frozenset({"logprobs", "top_logprobs", "logit_bias"}),
        refused_in_messages=REASONING_FIELDS | {"name"},
    )

    def thinking(self, draft: Draft) -> Wire:
        """The effort, and the thinking in a field of its own rather than in think tags."""
        fields = super().thinking(draft)
        if draft.target.info.thinking == "switch" and "reasoning_effort" in fields:
            fields = {"reasoning_effort": "none" if fields["reasoning_effort"] in OFF else "default"}
        info = draft.target.info
        # A model of which nothing is known, not even its context, may refuse the field.
        thinks = "thinking" in info.abilities and info.thinking != "none" and info.context > 0
        return {**fields, "reasoning_format": "parsed"} if thinks else fields

    def tidied(self, frame: Mapping[str, Any]) -> Mapping[str, Any]:
        own = frame.get("x_groq")
        if not isinstance(own, dict):
            return frame
        if own.get("error"):
            said = faults.read_said({"error": own["error"]}) or faults.Said("the generation failed")
            raise self.fault(said, None, None)
        if not own.get("usage"):
            return frame
        rest = {name: value for name, value in own.items() if name != "usage"}
        return {**frame, "usage": frame.get("usage") or own["usage"], "x_groq": rest}
