"""Which answers are kept for the same question."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from config.group import Group

Ttl = Annotated[float, Field(ge=0, le=30 * 86_400)]
Bytes = Annotated[int, Field(ge=0, le=1 << 40)]


class KeepingSettings(Group):
    """For how many seconds answers are kept, 0 for none, and in how many bytes of their own; None: as all others."""

    ttl: Ttl | None = None
    max_bytes: Bytes | None = None


def _bare(given: Any) -> Any:
    """A number alone is the time."""
    return given if isinstance(given, Mapping | KeepingSettings) else {"ttl": given}


Keeping = Annotated[KeepingSettings, BeforeValidator(_bare)]


class ResponseCacheSettings(Group):
    """Answers to requests with `temperature: 0`, and to those that ask for it, are kept for `ttl` seconds.

    All share `max_bytes`, in redis or in the process; the least lately used go first. `models` (by patterns) and
    `providers` may have a time and a size of their own, models first. An answer of more than `max_entry_bytes` is not
    kept. Each worker has a copy of what it has seen lately, `local_bytes` of it.
    """

    enabled: bool = False
    ttl: Ttl = 3600
    max_bytes: Bytes = 64 * 1024 * 1024
    max_entry_bytes: int = Field(262_144, ge=1024, le=16 * 1024 * 1024)
    local_bytes: int = Field(16 * 1024 * 1024, ge=0)
    models: dict[str, Keeping] = Field(default_factory=dict)
    providers: dict[str, Keeping] = Field(default_factory=dict)
