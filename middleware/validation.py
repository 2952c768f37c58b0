"""Reads and parses the body once."""

from typing import IO

from flask import Request, Response
from gevent import Timeout
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from core.errors import BodyTooLarge, InvalidRequest, RequestTimeout
from middleware.base import Next, context_of
from middleware.validation_bounds import check_size, wide_bytes
from schemas.codec import loads
from services.body_room import COPIES, SMALL_BYTES, BodyPlace, BodyRoom

STEP_BYTES = 1024 * 1024


class BodyTooSlow(Exception):
    """The time for a whole body is over."""


class Validation:
    """Takes only JSON objects as bodies, and puts them into the context.

    A body is not read before there is `room` for it, which it holds until its answer is over. `patience` bounds each
    wait for more bytes, `longest` the whole, in seconds: a body that trickles must not hold its place for ever. No body
    takes more memory than one of `max_bytes` in ASCII does.
    """

    def __init__(self, room: BodyRoom, patience: float, longest: float, max_bytes: int) -> None:
        self._room = room
        self._max_bytes = max_bytes
        self._patience = patience
        self._longest = longest

    def __call__(self, request: Request, proceed: Next) -> Response:
        if request.method not in ("POST", "PUT", "PATCH"):
            return proceed(request)
        place = self._room.claim(request.content_length or 0)
        try:
            self._take(request, place)
            # Not when the answer is closed: what else is done then may let others run, with this body still in memory.
            context_of(request).over = place.release
            return proceed(request)
        except BaseException:
            place.release()
            raise

    def _take(self, request: Request, place: BodyPlace) -> None:
        body = self._read(request, place)
        if body:
            check_size(body)
            self._widen(place, body)
            context = context_of(request)
            context.raw_body, context.answered = body, place.answered
            context.body = _object(body)

    def _widen(self, place: BodyPlace, body: bytes) -> None:
        wide = wide_bytes(body) if len(body) > SMALL_BYTES else 0
        if len(body) * COPIES + wide > self._max_bytes * COPIES:
            text = (
                "The texts of this body, which are not all ASCII, take more memory than the largest body of ASCII does."
            )
            raise BodyTooLarge(text)
        place.widen(wide)

    def _read(self, request: Request, place: BodyPlace) -> bytes:
        socket = request.environ.get("gunicorn.socket")
        usual = socket.gettimeout() if socket is not None else None
        try:
            if socket is not None:
                socket.settimeout(self._patience)
            with Timeout(self._longest, BodyTooSlow):
                if request.content_length is None:
                    # Sent in pieces: nobody has said how long it is.
                    request.environ["wsgi.input"] = _Growing(request.environ["wsgi.input"], place)
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


class _Growing:
    """A body that asks for room as it comes, a step ahead of what has come."""

    def __init__(self, body: IO[bytes], place: BodyPlace) -> None:
        self._body = body
        self._place = place
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """What comes next, `size` bytes of it at most unless negative."""
        step = STEP_BYTES if size < 0 else min(size, STEP_BYTES)
        read = bytearray()
        while block := self._body.read(step):
            read += block
            self._read += len(block)
            if self._read > SMALL_BYTES:
                self._place.grow(-(-self._read // STEP_BYTES) * STEP_BYTES)
            if size >= 0:
                break
        return bytes(read)


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
