"""Has every request and its answer written down, when they are over."""

from flask import Request, Response

from middleware.base import Next, context_of, endpoint_of
from services.exchange_log import ExchangeLog


class RequestLog:
    """Does nothing unless requests are logged."""

    def __init__(self, log: ExchangeLog) -> None:
        self._log = log

    def __call__(self, request: Request, proceed: Next) -> Response:
        response = proceed(request)
        if self._log.active:
            context, endpoint, method = context_of(request), endpoint_of(request), request.method
            status, body = response.status_code, None if response.is_streamed else response.get_data()
            response.call_on_close(lambda: self._log.note(context, method, endpoint, status, body))
        return response
