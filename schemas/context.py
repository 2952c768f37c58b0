"""What is known of one HTTP request while it goes through the layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.caller import Caller
from schemas.outcome import Outcome
from schemas.trace import UNTRACED, RequestTrace

ENVIRON_KEY = "gateway.context"


def _nothing() -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class RequestContext:
    """One object a request, kept in the WSGI environment under `ENVIRON_KEY`.

    `started` is a monotonic time in seconds; `body` is the JSON body once validation has run, `raw_body` the
    same as bytes; `own` are headers in which the caller sent a key of its own for a provider;
    `outcome` is set by whoever asks a provider; `trace` is told of every try, and `trace_id` names it; `headers` are
    added to whatever answer is sent. `limited_by` is the kind of the limit of ours that the client was refused by;
    `past_limits` is set once limits have been looked at.
    """

    request_id: str
    started: float
    client_ip: str = ""
    caller: Caller | None = None
    body: Mapping[str, Any] | None = None
    raw_body: bytes = field(default=b"", repr=False)
    own: Mapping[str, str] = field(default_factory=dict, repr=False)
    outcome: Outcome | None = None
    error: str | None = None
    limited_by: str | None = None
    past_limits: bool = False
    trace: RequestTrace = UNTRACED
    trace_id: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    answered: Callable[[], None] = _nothing
    """To be called when no other try will be made, so that less of the body is held."""
    over: Callable[[], None] = _nothing
    """To be called once nothing of the body is held any more."""

    def forget(self) -> None:
        """Let go of what may be large, and of the place that it had."""
        self.body, self.raw_body = None, b""
        self.over()
