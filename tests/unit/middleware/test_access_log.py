"""One line for every answer, when it is over."""

from typing import Any

import pytest
from flask import Request, Response

from core.errors import UpstreamTimeout
from middleware.access_log import AccessLog
from middleware.base import Next, context_of
from middleware.errors import Errors
from schemas.caller import Caller
from schemas.outcome import Attempt, Outcome
from schemas.usage import Usage
from tests.fakes import FakeClock
from tests.unit.middleware.layered_kit import SHAPE, Layers, View


class House:
    """An application with an access log."""

    def __init__(self, view: View | None = None, *inside: Any) -> None:
        self.lines: list[dict[str, Any]] = []
        self.clock = FakeClock()
        stack = (AccessLog(self.lines.append, self.clock), Errors((SHAPE,)), *inside)
        self.layers = Layers(*stack, view=view, errors=False)
        self.layers.clock.advance(-0.25)

    def line(self, **options: Any) -> dict[str, Any]:
        """The only line after one request."""
        self.layers.ask(**options).close()
        (line,) = self.lines
        return line


def test_a_line_says_what_was_asked_and_answered() -> None:
    line = House().line(path="/thing/secret?key=secret", headers={"X-Request-ID": "req-1"})
    assert line == {
        "timestamp": "2026-11-18T11:06:40.000+00:00",
        "level": "info",
        "event": "request",
        "request_id": "req-1",
        "method": "GET",
        "endpoint": "/thing/<name>",
        "status": 200,
        "ms": 250.0,
        "ip": "127.0.0.1",
    }


def test_a_streamed_answer_is_over_when_it_is_closed() -> None:
    house = House(lambda name: Response(iter([b"a", b"b"])))
    response = house.layers.ask(buffered=False)
    assert response.status_code == 200
    house.clock.advance(10)
    assert house.lines == []
    response.close()
    assert [line["ms"] for line in house.lines] == [10_250.0]


def test_facts_that_come_up_while_streaming_are_in_the_line() -> None:
    outcome = Outcome("m", stream=True)

    def note(request: Request, proceed: Next) -> Response:
        context_of(request).outcome = outcome
        return proceed(request)

    house = House(lambda name: Response(iter([b"a"])), note)
    response = house.layers.ask(buffered=False)
    outcome.finish_reason = "stop"
    response.close()
    assert house.lines[0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("status", "level"), [(200, "info"), (302, "info"), (404, "warning"), (499, "warning"), (500, "error")]
)
def test_the_level_is_that_of_the_status(status: int, level: str) -> None:
    line = House(lambda name: Response(status=status)).line()
    assert (line["status"], line["level"]) == (status, level)


def test_an_error_is_named() -> None:
    def fail(name: str) -> Response:
        raise UpstreamTimeout("late")

    line = House(fail).line()
    assert (line["status"], line["error"]) == (504, "upstream_timeout")


def test_what_has_no_route_is_other() -> None:
    line = House().line(path="/etc/passwd")
    assert (line["endpoint"], line["status"]) == ("other", 404)


def test_a_chat_is_told_with_all_that_is_known_and_nothing_that_is_not() -> None:
    outcome = Outcome("GLM-4.6", stream=True, provider="glm", upstream_model="glm-4.6", credential="abc")
    outcome.attempts = [
        Attempt("glm", "glm-4.6", "abc", 1.0, "upstream_timeout"),
        Attempt("glm", "glm-4.6", "abc", 2.0),
    ]
    outcome.usage, outcome.finish_reason, outcome.dropped = Usage(uncached=5, read=3, output=7), "stop", ("seed",)
    outcome.time_to_first_token, outcome.upstream_seconds = 0.1234567, 3.0

    def note(request: Request, proceed: Next) -> Response:
        context_of(request).outcome = outcome
        context_of(request).caller = Caller("id", "alice", "user")
        return proceed(request)

    line = House(None, note).line()
    facts = {
        "caller": "alice",
        "caller_id": "id",
        "model": "GLM-4.6",
        "stream": True,
        "provider": "glm",
        "upstream_model": "glm-4.6",
        "token_id": "abc",
        "attempts": 2,
        "failed": ["upstream_timeout"],
        "dropped": ("seed",),
        "finish_reason": "stop",
        "first_token_ms": 123.46,
        "upstream_ms": 3000.0,
        "input_tokens": 8,
        "cached_tokens": 3,
        "output_tokens": 7,
        "usage_source": "reported",
    }
    assert facts.items() <= line.items()
    assert "cost_usd" not in line, "unknown is not zero"
    assert "error" not in line
