"""Which answers are kept for the same question."""

from pydantic import Field

from config.group import Group


class ResponseCacheSettings(Group):
    """Answers to requests with `temperature: 0`, and to those that ask for it, are kept for `ttl` seconds.

    `models` (by patterns) and `providers` have times of their own, models first; 0 keeps none. An answer of more than
    `max_entry_bytes` is not kept. Each worker has a copy of what it has seen lately, `local_bytes` of it.
    """

    enabled: bool = False
    ttl: float = Field(3600, ge=0, le=30 * 86_400)
    max_entry_bytes: int = Field(262_144, ge=1024, le=16 * 1024 * 1024)
    local_bytes: int = Field(16 * 1024 * 1024, ge=0)
    models: dict[str, float] = Field(default_factory=dict)
    providers: dict[str, float] = Field(default_factory=dict)
