"""What the Anthropic SDK makes of answers, streams and errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from api.dialects.anthropic_messages import AnthropicMessages, error_body, status_of
from core.errors import GatewayError, ModelNotFound, RateLimited, Unauthorized, UpstreamOverloaded, UpstreamTimeout
from core.pipeline.collect import collect
from core.sse import KEEP_ALIVE
from schemas.chat import UNSIGNED
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, Signature, Started, TextDelta, ToolCallDelta
from schemas.usage import Usage
from tests.unit.api.anthropic_messages_kit import HI, THINK, frames, reply_to

anthropic = pytest.importorskip("anthropic")

USAGE = Usage(uncached=5, read=40, write_short=3, output=9, reasoning=2)
CHUNKS: list[ChatChunk] = [
    KeepAlive(),
    Started(Usage(uncached=48, source="estimated")),
    ReasoningDelta("h"),
    KeepAlive(),
    ReasoningDelta("m"),
    Signature("sig"),
    Signature("secret", redacted=True),
    ReasoningDelta("well"),
    TextDelta("Hi "),
    TextDelta("世界"),
    ToolCallDelta(0, "t1", "f", ""),
    ToolCallDelta(1, "t2", "g", '{"b":'),
    ToolCallDelta(0, arguments='{"a":[1]}'),
    ToolCallDelta(1, arguments="2}"),
    Finished("tool_calls", USAGE),
]


@contextmanager
def answering(status: int, body: bytes, mimetype: str) -> Iterator[Any]:
    """A client of a server that gives this one answer to whatever is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", mimetype)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the library gives it
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client:
            yield client
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def streamed(body: bytes) -> Any:
    """The message that the SDK's own helper puts together."""
    with (
        answering(200, body, "text/event-stream") as client,
        client.messages.stream(model="m", max_tokens=9, messages=HI) as stream,
    ):
        return stream.get_final_message()


def whole(body: bytes) -> Any:
    with answering(200, body, "application/json") as client:
        return client.messages.create(model="m", max_tokens=9, messages=HI)


def test_a_stream_is_read_as_the_message_it_is() -> None:
    message = streamed(b"".join(frames(CHUNKS, **THINK)))
    assert [block.to_dict() for block in message.content] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "thinking", "thinking": "well", "signature": UNSIGNED},
        {"type": "text", "text": "Hi 世界"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1]}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {"b": 2}},
    ]
    assert (message.stop_reason, message.model) == ("tool_use", 'glm-"4.6"')
    usage = message.usage
    assert (usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (5, 3, 40)
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (9, 2)


def test_a_streamed_message_is_the_whole_one() -> None:
    begun = [Started(USAGE) if isinstance(chunk, Started) else chunk for chunk in CHUNKS]
    body = AnthropicMessages().render(collect(begun), reply_to(**THINK))
    assert streamed(b"".join(frames(begun, **THINK))).to_dict() == whole(body).to_dict()


def test_every_event_of_a_stream_has_the_type_the_sdk_knows() -> None:
    body = b"".join(frames(CHUNKS, **THINK))
    assert body.startswith(KEEP_ALIVE)
    with answering(200, body, "text/event-stream") as client:
        stream = client.messages.create(model="m", max_tokens=9, messages=HI, stream=True)
        for event in stream:
            assert type(event).model_validate(event.to_dict(), strict=True) == event


def test_an_error_in_a_stream_is_raised_with_its_type() -> None:
    body = b"".join(frames([TextDelta("a"), Finished("stop")])[:1])
    body += AnthropicMessages().error_frame(UpstreamOverloaded("Too much."), "req_1")
    with pytest.raises(anthropic.APIStatusError) as caught:
        streamed(body)
    assert caught.value.body["error"] == {"type": "overloaded_error", "message": "Too much."}


ERRORS: list[tuple[GatewayError, Callable[[], type[Exception]]]] = [
    (Unauthorized("x"), lambda: anthropic.AuthenticationError),
    (ModelNotFound("x"), lambda: anthropic.NotFoundError),
    (RateLimited("x"), lambda: anthropic.RateLimitError),
    (UpstreamTimeout("x"), lambda: anthropic.InternalServerError),
    (UpstreamOverloaded("x"), lambda: anthropic.InternalServerError),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS)
def test_an_error_is_raised_as_its_class(error: GatewayError, kind: Callable[[], type[Exception]]) -> None:
    with answering(status_of(error), error_body(error, "req_1"), "application/json") as client:
        with pytest.raises(kind()) as caught:
            client.messages.create(model="m", max_tokens=9, messages=HI)
        assert caught.value.status_code == status_of(error)
        assert caught.value.body["request_id"] == "req_1"
