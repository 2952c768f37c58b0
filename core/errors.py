"""Every error a client can be told, as a class that knows its answer.

GatewayError
├── InvalidRequest                400   the body or a header is wrong; `param` names the field
│   ├── ConfigurationInvalid      422   the configuration on disk has mistakes
│   ├── ContextLengthExceeded     400   the prompt does not fit the model
│   ├── ContentRefused            400   a safety service refused the prompt or the answer
│   ├── CannotCarry               400   a strict target would have to leave something out
│   ├── UnusableLink              400   what the client has linked cannot be fetched for the provider
│   ├── ModelNotFound             404   no route for that model name
│   ├── NotFound                  404   no such path or thing
│   ├── MethodNotAllowed          405
│   ├── RequestTimeout            408   the body did not arrive in time
│   ├── Conflict                  409
│   │   └── ProviderConflict      409   the provider was at the same thing; another try has another id
│   └── BodyTooLarge              413
├── Unauthorized                  401   the caller's key is missing or unknown
├── Forbidden                     403   the caller is known and may not
│   ├── ModelNotAllowed           403   the caller may use other models
│   └── Unpriced                  403   nobody knows what it would cost, and that has to be known
├── RateLimited                   429   a limit of ours; `retry_after` says when it opens
│   └── BudgetExceeded            429   money of ours; `retry_after` says when there is more
├── ClientGone                    499   nobody is left to answer
├── InternalError                 500   our own fault
├── ShuttingDown                  503   the gateway ends before the answer does
├── Overloaded                    503   this worker has no room, or nothing to connect with, for the moment
├── StoreUnavailable              503   the shared store is needed here and gone
├── SignersUnknown                503   who signs callers' tokens cannot be found out now
├── CredentialsExhausted          429   every key cools down and one comes back by itself
│   └── SlotsBusy                 429   every key serves as many requests at a time as it may
├── NoCredentials                 503   no key is left that comes back by itself
│   └── ModelNotEntitled          403   no key that is left may use the model
└── UpstreamError                 502   the provider failed
    ├── UpstreamUnreachable       502   no connection, or it broke before an answer
    ├── UpstreamTimeout           504   silence, or the whole answer took too long
    ├── UpstreamBroken            502   an answer that is none: cut off, empty, unreadable
    ├── UpstreamServerError       502   the provider says it failed
    ├── UpstreamOverloaded        503   the model has no capacity; another key will not help
    ├── UpstreamRateLimited       429   this key is too fast
    ├── UpstreamQuotaExhausted    429   this key's plan or money is used up
    │   └── UpstreamUnpaid        429   nothing pays for it: no money at all, or no package with that model
    ├── UpstreamUnauthorized      502   the provider refuses *our* key
    │   └── UpstreamTokenExpired  502   what was signed with it has expired
    └── UpstreamForbidden         403   this key may not use this model, or the site wants a human
        └── UpstreamOutsidePlan   403   no key of this plan may use this model
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class GatewayError(Exception):
    """Base of all. `status`, `type` and `code` are what the client sees; `retryable` is for the client and for us.

    `details` goes to the client as it is: it never holds a secret. `retry_after` is in seconds.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: str | None = None
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.details = dict(details) if details else None
        if code is not None:
            self.code = code

    @property
    def limited_by(self) -> str | None:
        """The kind of the gateway's own limit that refused a request, for the metric; None when none did."""
        return None


class InvalidRequest(GatewayError):
    """The request itself is wrong; sending it again changes nothing."""

    status = 400
    type = "invalid_request_error"


class ContextLengthExceeded(InvalidRequest):
    """The prompt is longer than the model's window."""

    code = "context_length_exceeded"


class ContentRefused(InvalidRequest):
    """A safety service refused the prompt or what the model was about to say."""

    code = "content_filter"


class CannotCarry(InvalidRequest):
    """A target that is to carry requests whole or not at all would have to leave something out."""

    code = "unsupported_parameter"


class UnusableLink(InvalidRequest):
    """An image or a document that the client has linked cannot be fetched; another provider may not need it to be."""

    code = "unusable_link"


class ModelNotFound(InvalidRequest):
    """No configured provider serves that model name."""

    status = 404
    code = "model_not_found"


class NotFound(InvalidRequest):
    """No such path or thing."""

    status = 404
    code = "not_found"


class MethodNotAllowed(InvalidRequest):
    """The path exists, the method does not; `allowed` goes into the `Allow` header."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allowed = allowed


class RequestTimeout(InvalidRequest):
    """The request's body did not arrive in time."""

    status = 408
    code = "request_timeout"


class Conflict(InvalidRequest):
    """The thing is in a state that does not allow this."""

    status = 409
    code = "conflict"


class ProviderConflict(Conflict):
    """The provider has seen the id of the try before, or was in the middle of something; another try has its own id."""

    retryable = True


class ConfigurationInvalid(InvalidRequest):
    """What is configured has mistakes, and nothing was changed; `details` has all of them."""

    status = 422
    code = "configuration_invalid"


class BodyTooLarge(InvalidRequest):
    """The body is over the limit."""

    status = 413
    code = "request_too_large"


class Unauthorized(GatewayError):
    """The caller's key is missing or unknown."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(GatewayError):
    """The caller is known and may not do this."""

    status = 403
    type = "permission_error"
    code = "insufficient_permissions"


class ModelNotAllowed(Forbidden):
    """The caller is known and may use other models, not this one."""

    code = "model_not_allowed"


class Unpriced(Forbidden):
    """There is a budget, and no price of the model is known to keep it by."""

    code = "price_unknown"


class RateLimited(GatewayError):
    """A limit of this gateway; `details` says whose and which window."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retryable = True

    @property
    def limited_by(self) -> str | None:
        """The scope of the limit, or what it counts where that is streams or money."""
        details = self.details or {}
        return {"streams": "streams", "usd": "budget"}.get(details.get("unit", ""), details.get("scope"))


class BudgetExceeded(RateLimited):
    """A budget of this gateway has no room for the request; `details` says whose, what was spent, and until when."""

    type = "insufficient_quota"
    code = "budget_exceeded"
    retryable = False


class ClientGone(GatewayError):
    """The client closed its connection; nothing is sent, the log says 499."""

    status = 499
    type = "client_closed_request"
    code = "client_closed_request"


class InternalError(GatewayError):
    """A fault of our own."""

    code = "internal_error"
    retryable = True


class ShuttingDown(GatewayError):
    """The gateway ends, and does not wait for this answer any longer."""

    status = 503
    type = "service_unavailable_error"
    code = "gateway_shutting_down"
    retryable = True


OURS = (ClientGone, InternalError, ShuttingDown)
"""Ends of a request that no provider has brought about."""


class Overloaded(GatewayError):
    """A worker of ours lacks what another request takes: memory, or descriptors. No provider is to blame."""

    status = 503
    type = "service_unavailable_error"
    code = "gateway_overloaded"
    retryable = True


class StoreUnavailable(GatewayError):
    """The shared store is needed for this and cannot be reached."""

    status = 503
    code = "store_unavailable"
    retryable = True


class SignersUnknown(GatewayError):
    """The keys by which callers' tokens are verified cannot be fetched, so nobody can be let in by one."""

    status = 503
    code = "jwks_unavailable"
    retryable = True


class CredentialsExhausted(GatewayError):
    """Every credential cools down; `retry_after` is the soonest that comes back by itself."""

    status = 429
    type = "rate_limit_error"
    code = "credentials_exhausted"
    retryable = True


class NoCredentials(GatewayError):
    """No credential is left that comes back by itself."""

    status = 503
    type = "service_unavailable_error"
    code = "no_credentials"


class CircuitOpen(GatewayError):
    """The target failed so often that it is left alone; `retry_after` is when it is tried again."""

    status = 503
    type = "service_unavailable_error"
    code = "circuit_open"
    retryable = True


class SlotsBusy(CredentialsExhausted):
    """Every credential that is fit serves as many requests as it may at a time; one is free again any moment."""


class ModelNotEntitled(NoCredentials):
    """The provider has said of every credential that is left that it may not use the model."""

    status = 403
    type = "permission_error"
    code = "model_not_found"


class UpstreamError(GatewayError):
    """The provider failed. `provider_code` is what it said itself, if it said anything.

    `retryable` tells a client whether to ask again; `failover` tells us whether another credential or target may do.
    """

    status = 502
    code = "upstream_error"
    retryable = True
    failover: bool = True

    def __init__(self, message: str, *, provider_code: str | None = None, **options: Any) -> None:
        super().__init__(message, **options)
        self.provider_code = provider_code


class UpstreamUnreachable(UpstreamError):
    """No connection, or it broke before an answer began."""

    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    """The provider was silent for too long, or its answer took too long in all."""

    status = 504
    code = "upstream_timeout"


class UpstreamBroken(UpstreamError):
    """An answer that is none: cut off, empty or unreadable."""

    code = "upstream_broken"


class UpstreamServerError(UpstreamError):
    """The provider says that it failed."""

    code = "upstream_server_error"


class UpstreamOverloaded(UpstreamError):
    """The model has no capacity; another key of the same provider will not help."""

    status = 503
    type = "service_unavailable_error"
    code = "overloaded"


class UpstreamRateLimited(UpstreamError):
    """This credential is too fast for the provider."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class UpstreamQuotaExhausted(UpstreamError):
    """This credential's plan or money is used up.

    Only what opens by itself, by its code, has a `retry_after`: nobody's money comes back by the clock, whatever the
    header of a refusal says.
    """

    OPENS_BY_ITSELF: ClassVar[frozenset[str]] = frozenset({"usage_limit_reached", "spend_limit_reached"})

    status = 429
    type = "insufficient_quota"
    code = "insufficient_quota"
    retryable = False

    def __init__(self, message: str, **options: Any) -> None:
        super().__init__(message, **options)
        if self.code not in self.OPENS_BY_ITSELF:
            self.retry_after = None


class UpstreamUnpaid(UpstreamQuotaExhausted):
    """Nothing pays for what was asked, of which the provider says the same whether all money or one package lacks."""


class UpstreamUnauthorized(UpstreamError):
    """The provider refuses our credential, which is no fault of the caller's."""

    code = "upstream_unauthorized"
    retryable = False


class UpstreamTokenExpired(UpstreamUnauthorized):
    """What we signed has expired; signing anew may help, once."""

    code = "upstream_token_expired"


class UpstreamForbidden(UpstreamError):
    """Our credential may not use this model, or the site wants a human."""

    status = 403
    type = "permission_error"
    code = "upstream_forbidden"
    retryable = False


class UpstreamOutsidePlan(UpstreamForbidden):
    """The plan does not have this model, whichever of its keys is used."""

    code = "model_not_found"
