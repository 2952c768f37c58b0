"""Where a request came from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from schemas.caller import Caller
from schemas.trace import UNTRACED, RequestTrace


def _nothing() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One request's id, the monotonic time of its arrival in seconds, and whose it is.

    `tenant` keeps callers apart wherever something is remembered, `caller` and `ip` say who asks, and from where. `own`
    are the headers in which the caller sent a key of its own for the provider, untouched; the key for the gateway is
    never among them.
    """

    request_id: str
    started: float
    tenant: str = ""
    own: Mapping[str, str] = field(default_factory=dict, repr=False)
    caller: Caller | None = None
    ip: str = ""
    cache: Literal["use", "bypass", "refresh"] | None = None
    """What the client wants of answers that are kept; None when it did not say."""

    trace: RequestTrace = field(default=UNTRACED, repr=False)
    """Who is told of every try at a provider."""

    answered: Callable[[], None] = field(default=_nothing, repr=False)
    """Called when an answer has begun, and the request's body is not sent again."""

    @property
    def caller_id(self) -> str:
        """Who is to be named for what it costs."""
        return self.caller.id if self.caller is not None else "anonymous"
