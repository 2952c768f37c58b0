"""OhMyGPT's Anthropic-form endpoint, as its differences from Anthropic's own."""

from typing import ClassVar

from core.providers.anthropic_betas import CLAUDE
from core.providers.anthropic_compatible import AnthropicCompatible
from schemas.model import Ability, ThinkingControl


class OhMyGPTAnthropic(AnthropicCompatible):
    """Resells Claude: what Anthropic signs and caches, it signs and caches too."""

    kind: ClassVar[str] = "ohmygpt-anthropic"
    control: ClassVar[ThinkingControl] = "adaptive"
    issuer: ClassVar[str | None] = "anthropic"
    families: ClassVar[tuple[str, ...]] = ("claude-",)
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {"streaming", "tools", "vision", "documents", "thinking", "json_schema", "prompt_cache"}
    )
    betas: ClassVar[frozenset[str]] = CLAUDE
    marks_prefix: ClassVar[bool] = True
    counts: ClassVar[bool] = False
