"""Reads and parses the body once."""

from flask import Request, Response
from gevent import Timeout
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from core.errors import BodyTooLarge, InvalidRequest, RequestTimeout
from middleware.base import Next, context_of
from middleware.validation_bounds import check_size
from schemas.codec import loads


class BodyTooSlow(Exception):
    """The time for a whole body is over."""


class Validation:
    """Takes only JSON objects as bodies, and puts them into the context.

    `patience` bounds each wait for more bytes, `longest` the whole, in seconds: a body that trickles must not hold its
    place for ever.
    """

    def __init__(self, patience: float, longest: float) -> None:
        self._patience = patience
        self._longest = longest

    def __call__(self, request: Request, proceed: Next) -> Response:
        if request.method in ("POST", "PUT", "PATCH"):
            body = self._read(request)
            if body:
                check_size(body)
                context = context_of(request)
                context.raw_body = body
                context.body = _object(body)
        return proceed(request)

    def _read(self, request: Request) -> bytes:
        socket = request.environ.get("gunicorn.socket")
        usual = socket.gettimeout() if socket is not None else None
        try:
            if socket is not None:
                socket.settimeout(self._patience)
            with Timeout(self._longest, BodyTooSlow):
                body = request.get_data(cache=False)
        except BodyTooSlow:
            raise RequestTimeout(f"The body did not come within {self._longest:g} seconds.") from None
        except TimeoutError:
            raise RequestTimeout(f"No more of the body came for {self._patience:g} seconds.") from None
        except RequestEntityTooLarge:
            raise BodyTooLarge(f"The body is larger than {request.max_content_length} bytes.") from None
        except (ClientDisconnected, ParseException, OSError):
            raise InvalidRequest("The body is not whole.") from None
        finally:
            if socket is not None:
                socket.settimeout(usual)
        if len(body) < (request.content_length or 0):
            # The server takes the end of the connection for the end of the body.
            raise InvalidRequest("The body is not whole.")
        return body


def _object(body: bytes) -> dict[str, object]:
    try:
        value = loads(body)
    except ValueError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise InvalidRequest(f"The body must be a JSON object, not {_name(value)}.", code="invalid_json")
    return value


def _name(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
