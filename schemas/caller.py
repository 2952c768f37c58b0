"""Who is calling."""

from dataclasses import dataclass
from typing import Literal

from schemas.limit import CallerLimits

CallerRole = Literal["admin", "operator", "user"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A known caller; `id` is stable and safe to log, `anonymous` is set when the gateway is open."""

    id: str
    name: str
    role: CallerRole
    anonymous: bool = False
    limits: CallerLimits | None = None
