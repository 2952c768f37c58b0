"""Has every request traced from its arrival to the end of its answer."""

import structlog
from flask import Request, Response

from middleware.base import Next, context_of, endpoint_of
from schemas.context import RequestContext
from services.tracing import TracedRequest, TracingService

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestTraces:
    """Does nothing without a service, or for the routes in `quiet`, which monitoring asks all the time.

    With `follow` the trace that a client names in `traceparent` goes on here.
    """

    def __init__(self, service: TracingService | None, quiet: frozenset[str], *, follow: bool) -> None:
        self._service = service
        self._quiet = quiet
        self._follow = follow

    def __call__(self, request: Request, proceed: Next) -> Response:
        if self._service is None or request.endpoint in self._quiet:
            return proceed(request)
        context = context_of(request)
        method = request.method if request.method in METHODS else "_OTHER"
        trace = self._service.begin(method, endpoint_of(request), context.request_id, self._named(request))
        context.trace, context.trace_id = trace, trace.trace_id
        structlog.contextvars.bind_contextvars(trace_id=trace.trace_id)
        try:
            response = proceed(request)
        except BaseException:
            _end(trace, context, 500)
            raise
        status = response.status_code
        # Those inside have asked before, and are called before: everything else is over then.
        response.call_on_close(lambda: _end(trace, context, status))
        return response

    def _named(self, request: Request) -> dict[str, str]:
        names = ("traceparent", "tracestate") if self._follow else ()
        return {name: request.headers[name] for name in names if name in request.headers}


def _end(trace: TracedRequest, context: RequestContext, status: int) -> None:
    trace.ended(status, context.error, context.caller.id if context.caller is not None else None, context.outcome)
