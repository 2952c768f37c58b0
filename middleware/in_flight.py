"""Counts the requests that are under way."""

from flask import Request, Response

from middleware.base import Next
from services.in_flight import InFlight


class UnderWay:
    """A request is over when its answer is closed, or when there is none."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight

    def __call__(self, request: Request, proceed: Next) -> Response:
        self._in_flight.enter()
        try:
            response = proceed(request)
        except BaseException:
            self._in_flight.leave()
            raise
        response.call_on_close(self._in_flight.leave)
        return response
