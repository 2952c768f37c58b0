"""Anthropic's own API."""

from typing import ClassVar

from core.providers.anthropic_betas import CLAUDE
from core.providers.anthropic_compatible import VERSION, VERSION_HEADER, AnthropicCompatible
from core.providers.base import UpstreamRequest
from schemas.credential import Credential
from schemas.limit import LimitFacts
from schemas.model import Ability, ThinkingControl


class Claude(AnthropicCompatible):
    """`api.anthropic.com`: it signs thinking, caches what is marked, and lists its models to any valid key."""

    kind: ClassVar[str] = "anthropic"
    limit_facts: ClassVar[LimitFacts] = LimitFacts(cached_reads=False, per_model=True, refills=True)
    control: ClassVar[ThinkingControl] = "adaptive"
    families: ClassVar[tuple[str, ...]] = ("claude-",)
    issuer: ClassVar[str | None] = "anthropic"
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {"streaming", "tools", "vision", "documents", "thinking", "json_schema", "prompt_cache"}
    )
    betas: ClassVar[frozenset[str]] = CLAUDE
    freezes_billing: ClassVar[bool] = False
    marks_prefix: ClassVar[bool] = True

    def probe(self, credential: Credential) -> UpstreamRequest | None:
        headers = {"Accept": "application/json", VERSION_HEADER: VERSION, **self.signed(credential)}
        return UpstreamRequest(f"{self.base_url}/v1/models?limit=1", headers, method="GET")
