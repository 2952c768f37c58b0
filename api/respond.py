"""Sends an answer, whole or streamed, and sees to it that its stream is closed."""

import time
from collections.abc import Iterator
from itertools import chain

import structlog
from flask import Request, Response

from api.capacity_headers import capacity_headers
from api.client_watch import ClientWatch
from api.cost_headers import cost_headers
from api.dialects.base import Dialect, Reply
from api.header_values import header_value
from api.origin import origin_of
from core.errors import ClientGone, GatewayError, InternalError
from schemas.chat import ChatRequest
from schemas.context import ENVIRON_KEY, RequestContext
from services.allowance_headers import allowance_headers
from services.chat import ChatService
from services.chat_stream import ChatStream
from services.conversation_turn import ConversationTurn

STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
MAX_NAMES = 32
"""How many dropped fields are named: a client or a proxy refuses an answer whose headers are too long."""


def answer(
    http: Request,
    request: ChatRequest,
    dialect: Dialect,
    chat: ChatService,
    write_timeout: float,
    turn: ConversationTurn | None = None,
) -> Response:
    """The answer to `request` in its dialect; it is kept by `turn` when it is part of a conversation.

    A failure before the first content is raised and becomes a status; one after it becomes the stream's last event.
    `write_timeout` bounds how long a client may take no bytes, in seconds.
    """
    context: RequestContext = http.environ[ENVIRON_KEY]
    reply = Reply(dialect.new_id(), int(time.time()), request)
    stream = chat.stream(request, origin_of(http), turn)
    context.outcome = stream.outcome
    watch = ClientWatch(http.environ, lambda: stream.cancel(ClientGone("The client has closed the connection.")))
    try:
        response = (_streamed if request.stream else _whole)(stream, dialect, reply, context)
    except BaseException:
        watch.stop()
        stream.close()
        context.headers.update(capacity_headers(stream.outcome.capacity))
        context.headers.update(allowance_headers("tokens", stream.outcome.allowance))
        raise
    response.call_on_close(watch.stop)
    _bound_writes(http, response, write_timeout)
    return response


def _whole(stream: ChatStream, dialect: Dialect, reply: Reply, context: RequestContext) -> Response:
    body = dialect.render(stream.collect(), reply)
    context.headers.update(_headers(stream))
    return Response(body, mimetype="application/json")


def _streamed(stream: ChatStream, dialect: Dialect, reply: Reply, context: RequestContext) -> Response:
    frames = dialect.frames(stream, reply)
    # Waited for before the status is sent, so that a failure can still become one.
    first = next(frames)
    context.headers.update(_headers(stream))
    body = _to_the_end(chain((first,), frames), stream, dialect, context)
    response = Response(body, mimetype="text/event-stream", headers=STREAM_HEADERS)
    # A generator that is never started runs no `finally`.
    response.call_on_close(stream.close)
    return response


def _to_the_end(
    frames: Iterator[bytes], stream: ChatStream, dialect: Dialect, context: RequestContext
) -> Iterator[bytes]:
    try:
        for frame in frames:
            stream.shown()
            yield frame
    except ClientGone:
        return
    except GatewayError as error:
        context.limited_by = error.limited_by
        yield dialect.error_frame(error, context.request_id)
    except Exception:  # noqa: BLE001 - the last line of defence: no traceback may reach a client
        structlog.get_logger(__name__).exception("unexpected_error_in_stream")
        stream.outcome.error, stream.outcome.status = InternalError.code, InternalError.status
        yield dialect.error_frame(InternalError("The gateway failed; its log tells why."), context.request_id)
    finally:
        stream.close()


def _headers(stream: ChatStream) -> dict[str, str]:
    outcome = stream.outcome
    headers = {"X-Gateway-Overhead-Ms": f"{stream.overhead() * 1000:.2f}"}
    if outcome.attempts or outcome.provider:
        headers["X-Gateway-Attempts"] = str(stream.attempts)
    if outcome.provider is not None and stream.committed:
        headers["X-Gateway-Provider"] = header_value(outcome.provider)
        headers["X-Gateway-Upstream-Model"] = header_value(str(outcome.upstream_model))
        headers |= capacity_headers(outcome.capacity)
    if outcome.cache is not None:
        headers["X-Gateway-Cache"] = outcome.cache
    if outcome.dropped:
        headers["X-Gateway-Dropped"] = _listed(outcome.dropped)
    if outcome.conversation is not None:
        headers["X-Conversation-ID"] = outcome.conversation
        headers |= {"X-Gateway-Turn": outcome.turn} if outcome.turn is not None else {}
    return headers | cost_headers(outcome) | allowance_headers("tokens", outcome.allowance)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f", and {more} more" if more > 0 else "")


def _bound_writes(http: Request, response: Response, seconds: float) -> None:
    """Let the client take no bytes for so long at most, until the answer is over; the next request waits as usual."""
    socket = http.environ.get("gunicorn.socket")
    if socket is not None:
        usual = socket.gettimeout()
        socket.settimeout(seconds)
        response.call_on_close(lambda: socket.settimeout(usual))
