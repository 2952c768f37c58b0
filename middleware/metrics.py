"""Counts every answer and how long it took."""

from flask import Request, Response

from middleware.base import Clock, Next, context_of, endpoint_of
from services.telemetry import Telemetry

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Counts when the answer is over, under labels from known sets only.

    A stream that broke was a 200 when it began; it is counted under the status of what it ended with.
    """

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock

    def __call__(self, request: Request, proceed: Next) -> Response:
        method = request.method if request.method in METHODS else "other"
        context, endpoint = context_of(request), endpoint_of(request)
        response = proceed(request)
        sent, streamed = response.status_code, response.mimetype == "text/event-stream"
        if streamed:
            self._telemetry.stream_began()

        def over() -> None:
            ended = context.outcome.status if streamed and context.outcome is not None else None
            status = str(ended or sent)
            self._telemetry.answered(endpoint, method, status, self._clock.monotonic() - context.started)
            if context.limited_by is not None:
                self._telemetry.rate_limited(context.limited_by)
            if streamed:
                self._telemetry.stream_ended()

        response.call_on_close(over)
        return response
