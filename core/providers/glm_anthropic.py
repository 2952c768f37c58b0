"""GLM at the host that speaks Anthropic's Messages, as its differences from Anthropic."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from core.errors import ContextLengthExceeded, GatewayError, UpstreamServerError
from core.providers.anthropic_compatible import STOP_REASONS, AnthropicCompatible
from core.providers.anthropic_errors import Trouble
from core.providers.anthropic_stream import Answer
from core.providers.zhipu_errors import business_error
from schemas.model import Ability, ThinkingControl
from schemas.stream import FinishReason

WINDOW_EXCEEDED = "model_context_window_exceeded"
_QUOTED_CODE = re.compile(r"\[(\d{3,4})\]")


class GLMAnthropic(AnthropicCompatible):
    """`/api/anthropic` of Z.AI or Zhipu: it caches by itself, and its errors carry GLM's business codes.

    Whether it counts tokens is not documented, so that it is not asked to.
    """

    kind: ClassVar[str] = "glm-anthropic"
    control: ClassVar[ThinkingControl] = "switch"
    issuer: ClassVar[str | None] = "glm"
    abilities: ClassVar[frozenset[Ability]] = frozenset({"streaming", "tools", "thinking", "prompt_cache"})
    counts: ClassVar[bool] = False
    stop_reasons: ClassVar[Mapping[str, FinishReason | type[GatewayError]]] = {
        **STOP_REASONS,
        "sensitive": "content_filter",
        "network_error": UpstreamServerError,
    }

    def finish_reason(self, answer: Answer) -> FinishReason:
        if answer.stop_reason == WINDOW_EXCEEDED and not answer.produced:
            raise ContextLengthExceeded("the prompt does not fit the model's context window")
        return super().finish_reason(answer)

    def fault(self, trouble: Trouble, status: int | None, wait: float | None) -> GatewayError:
        said = trouble.said
        if said.code is None and (quoted := _QUOTED_CODE.match(said.message)):
            said = replace(said, code=quoted[1])
        return business_error(said, self._clock.now(), wait) or super().fault(trouble, status, wait)
