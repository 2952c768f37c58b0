"""OpenRouter, as its differences from OpenAI (https://openrouter.ai/docs/api-reference/overview)."""

from typing import Any, ClassVar

from core.providers.draft import Draft
from core.providers.effort import OFF, RISING, effort_of, nearest
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_history import can_read
from core.providers.openai_messages import Wire, wire_part
from core.providers.openai_native import Policy
from schemas.chat import ChatRequest, DocumentPart, ImagePart, Message, TextPart
from schemas.model import Ability, Target

LEVELS = tuple(level for level in RISING if level != "max")
"""The efforts it knows; each is fitted to the model there."""


class OpenRouter(OpenAICompatible):
    """Steers thinking by an object, and carries Anthropic's cache marks to the models that know them."""

    kind: ClassVar[str] = "openrouter"
    # Its names for models are in no catalogue, and most of their makers keep caches.
    abilities: ClassVar[frozenset[Ability]] = OpenAICompatible.abilities | {"prompt_cache"}
    policy: ClassVar[Policy] = Policy(developer=True)

    def content(self, draft: Draft, message: Message, index: int) -> str | list[Wire]:
        """The content of message number `index`, marks of what to cache included."""
        if not any(isinstance(part, (TextPart, ImagePart)) and part.cache for part in message.parts):
            return super().content(draft, message, index)
        return [{**wire_part(part), **_mark(part)} for part in message.parts]

    def inlines(self, request: ChatRequest, target: Target, part: ImagePart | DocumentPart) -> bool:
        return False

    def takes(self, draft: Draft, part: ImagePart | DocumentPart) -> bool:
        """Whether the model reads `part`; documents may be given by their address."""
        return can_read(draft, part)

    def thinking(self, draft: Draft) -> Wire:
        """The `reasoning` object: an effort, a budget of tokens, or off."""
        asked = draft.request.thinking
        if asked.budget is not None and asked.enabled is not False:
            return {"reasoning": {"max_tokens": asked.budget}}
        effort = effort_of(asked)
        if effort in OFF:
            return {"reasoning": {"enabled": False}}
        if effort is not None:
            return {"reasoning": {"effort": nearest(effort, LEVELS)}}
        return {"reasoning": {"enabled": True}} if asked.enabled else {}


def _mark(part: Any) -> Wire:
    cache = getattr(part, "cache", None)
    return {"cache_control": cache} if cache else {}
