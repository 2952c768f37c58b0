"""OpenAI's own API, as its differences from those that imitate it."""

from typing import ClassVar

from core.providers.draft import Draft
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_messages import Wire
from core.providers.openai_native import REASONING_FIELDS, Policy
from schemas.limit import LimitFacts


class OpenAI(OpenAICompatible):
    """The Chat Completions of api.openai.com (https://platform.openai.com/docs/api-reference/chat)."""

    kind: ClassVar[str] = "openai"
    limit_facts: ClassVar[LimitFacts] = LimitFacts(per_model=True, refills=True)
    families: ClassVar[tuple[str, ...]] = ("gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-")
    # It answers fields of messages that it does not know with a 400.
    policy: ClassVar[Policy] = Policy(developer=True, refused_in_messages=REASONING_FIELDS)
    max_tokens_field: ClassVar[str] = "max_completion_tokens"

    def identity(self, draft: Draft) -> Wire:
        """Who asks; a conversation keeps to the servers that have its prompt cached by `prompt_cache_key`."""
        fields = {"safety_identifier": draft.user(64), "prompt_cache_key": draft.request.session}
        return {name: value for name, value in fields.items() if value}
