"""Why a call was not answered.

GatewayClientError
├── Unreachable       no connection to a gateway, or it broke before an answer
├── TimedOut          silence, or the time of the whole call is over
├── InvalidRequest    400, 404, 413: the request itself is wrong; `param` names the field
│   └── Conflict        409: the provider was at the same thing, and may not be a moment later
├── Unauthorized      401: the key is not known
├── Forbidden         403: the key may not do this
├── RateLimited       429: come back after `retry_after` seconds
│   └── BudgetExceeded  429: money is used up until `resets_in` seconds from now
├── UpstreamFailed    5xx, or an answer that is none: the gateway or its providers failed, or it is no gateway
└── StreamBroken      a stream ended before its end; `partial` is what had come
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Tried:
    """A try that failed: where, for which model ("" for none), and how."""

    gateway: str
    model: str
    error: str


class GatewayClientError(Exception):
    """Base of all. `status` is None where no answer came; `details` is what the gateway says beside its message.

    `retry_after` is in seconds, `tried` every try of the call that failed, this last one included. `repeats`: the same
    request may well be answered later. All of them survive being pickled, as between the processes of a pool.
    """

    repeats = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after
        self.details = dict(details or {})
        self.tried: tuple[Tried, ...] = ()


class Unreachable(GatewayClientError):
    """The gateway cannot be reached."""

    repeats = True


class TimedOut(GatewayClientError):
    """The gateway was silent for too long, or the time of the call is over."""

    repeats = True


class InvalidRequest(GatewayClientError):
    """Sending it again changes nothing."""


class Conflict(InvalidRequest):
    """Something was in the way just then."""

    repeats = True


class Unauthorized(GatewayClientError):
    """The key is not known."""


class Forbidden(GatewayClientError):
    """The key is known and may not do this."""


class RateLimited(GatewayClientError):
    """A limit of the gateway, or of all its keys for the provider; `scope` says whose, where the gateway does."""

    repeats = True

    @property
    def scope(self) -> str | None:
        """key, ip, model, provider, or None."""
        scope: str | None = self.details.get("scope")
        return scope


class BudgetExceeded(RateLimited):
    """A budget of the gateway has no room for the request; it is never sent again before it is reset."""

    repeats = False

    @property
    def name(self) -> str | None:
        """Whose budget it is."""
        return self.details.get("name")

    @property
    def window(self) -> str | None:
        """hourly or daily."""
        return self.details.get("window")

    @property
    def spent_usd(self) -> float | None:
        """What is spent or reserved."""
        return self.details.get("spent_usd")

    @property
    def limit_usd(self) -> float | None:
        """What may be spent."""
        return self.details.get("limit_usd")

    @property
    def requested_usd(self) -> float | None:
        """What this request may have cost."""
        return self.details.get("requested_usd")

    @property
    def resets_at(self) -> str | None:
        """When it begins anew, as an ISO time."""
        return self.details.get("resets_at")

    @property
    def resets_in(self) -> float | None:
        """The same in seconds from then."""
        return self.details.get("resets_in_seconds", self.retry_after)


class UpstreamFailed(GatewayClientError):
    """The gateway or every provider behind it failed, or what it sent cannot be read."""

    repeats = True


class StreamBroken(GatewayClientError):
    """The stream ended before its end. `partial` is the text that had come; nothing is sent again.

    Its `__cause__` is the error that ended it.
    """

    def __init__(self, message: str, partial: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        self.partial = partial
