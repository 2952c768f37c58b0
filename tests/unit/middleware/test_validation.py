"""The body is read and parsed once, and is a JSON object."""

from typing import Any

import pytest
from flask import Request, Response, request

from middleware.base import Next, context_of
from middleware.validation import Validation
from middleware.validation_bounds import MAX_GROUPS, MAX_VALUES
from schemas.codec import dumps
from services.body_room import COPIES, SMALL_BYTES, BodyRoom
from tests.fakes import FakeClock
from tests.unit.middleware.layered_kit import Body, Layers, Socket

PATIENCE = 30.0
MOST = 10_000_000


class House:
    """An application that keeps the parsed bodies."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.room = BodyRoom(10**9, 5, FakeClock())
        self.layers = Layers(Validation(self.room, PATIENCE, 60.0, MOST), view=self._view)

    def _view(self, name: str) -> Response:
        self.bodies.append(context_of(request).body)
        return Response("ok")

    def post(self, data: bytes, method: str = "POST", **options: Any) -> tuple[int, str | None, str]:
        """Status, error code and message."""
        response = self.layers.ask(method=method, data=data, **options)
        error = response.get_json(silent=True) or {}
        return response.status_code, error.get("code"), error.get("message", "")

    def read(self, body: Any, length: int, **environ: Any) -> tuple[int, str | None]:
        """Status and error code for a body that is read from `body`."""
        overrides = {"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_LENGTH": str(length), **environ}
        response = self.layers.ask(method="POST", environ_overrides=overrides)
        return response.status_code, (response.get_json(silent=True) or {}).get("code")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_a_json_object_is_parsed_whatever_it_is_called(content_type: str) -> None:
    house = House()
    assert house.post('{"a": "世界", "b": [1.5]}'.encode(), content_type=content_type)[0] == 200
    assert house.bodies == [{"a": "世界", "b": [1.5]}]


def test_no_body_is_no_error_here() -> None:
    house = House()
    assert house.post(b"")[0] == 200
    assert house.bodies == [None]


def test_the_body_of_a_get_is_not_looked_at() -> None:
    house = House()
    assert house.post(b"{broken", method="GET")[0] == 200
    assert house.bodies == [None]


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1} x',
        b"\xff\xfe",
        b'{"a": "\xc3\x28"}',
    ],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    status, code, message = House().post(data)
    assert (status, code) == (400, "invalid_json")
    assert "not valid JSON" in message


def test_nesting_without_end_is_refused() -> None:
    assert House().post(b'{"a":' + b"[" * 50_000)[:2] == (400, "invalid_json")


@pytest.mark.parametrize(
    "value", [b"[]," * MAX_GROUPS + b"[]", b"1," * (MAX_VALUES + 1) + b"1"], ids=["groups", "values"]
)
def test_more_values_than_anybody_needs_are_refused(value: bytes) -> None:
    status, code, message = House().post(b'{"a":[' + value + b"]}")
    assert (status, code) == (413, "request_too_large")
    assert "holds more than" in message


@pytest.mark.parametrize(
    "value", [b"[]," * (MAX_GROUPS - 3) + b"[]", b"1," * (MAX_VALUES - 1) + b"1"], ids=["groups", "values"]
)
def test_as_many_values_as_there_may_be_are_taken(value: bytes) -> None:
    assert House().post(b'{"a":[' + value + b"]}")[0] == 200


def test_what_stands_in_texts_is_not_counted() -> None:
    text = b'[{,\\"' * (MAX_VALUES + 1)
    assert House().post(b'{"a":"' + text + b'"}')[0] == 200


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"[1]", "an array"), (b'"x"', "a string"), (b"1.5", "a number"), (b"true", "a boolean"), (b"null", "null")],
)
def test_json_that_is_no_object_is_refused_by_its_name(data: bytes, name: str) -> None:
    status, code, message = House().post(data)
    assert (status, code) == (400, "invalid_json")
    assert f"not {name}." in message


def test_a_body_that_stalls_is_waited_for_as_long_as_patience_lasts() -> None:
    house, socket = House(), Socket()
    body = Body(b'{"a": 1}' * 100, stalls_at=80)
    assert house.read(body, 800, **{"gunicorn.socket": socket}) == (408, "request_timeout")
    assert socket.timeouts == [PATIENCE, 7.0], "and what comes after has the time it had before"
    assert house.bodies == []


def test_a_body_that_ends_early_is_refused() -> None:
    house = House()
    assert house.read(Body(b'{"a": 1}'), 100)[0] == 400
    assert house.bodies == []


def test_a_connection_that_breaks_within_the_body_is_no_error_of_ours() -> None:
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    assert House().read(Broken(), 100)[0] == 400


def held_while_answered(house: House) -> list[int]:
    """How much room is held while each request that comes from now on is answered."""
    held: list[int] = []

    def view(name: str) -> Response:
        held.append(house.room.held)
        return Response("ok")

    house.layers = Layers(Validation(house.room, PATIENCE, 60.0, MOST), view=view)
    return held


def test_a_body_holds_its_room_until_its_answer_is_over() -> None:
    house = House()
    held = held_while_answered(house)
    data = b'{"a": "' + b"x" * 100_000 + b'"}'
    with house.layers.ask(method="POST", data=data) as response:
        assert response.status_code == 200
        assert house.room.held == COPIES * len(data)
    assert (held, house.room.held) == ([COPIES * len(data)], 0)
    assert house.post(data[:-1])[0] == 400
    assert house.room.held == 0


def test_a_text_that_takes_more_than_its_bytes_has_a_place_for_that() -> None:
    house = House()
    held = held_while_answered(house)
    plain, wide = "x" * 100_000, "x" * 100_000 + "🙂"
    bodies = [dumps({"messages": [{"content": text}]}) for text in (plain, wide)]
    bodies.append(('{"a": "' + plain + '\\ud83d\\ude42"}').encode())
    for body in bodies:
        house.layers.ask(method="POST", data=body).close()
    beside = [count - COPIES * len(body) for count, body in zip(held, bodies, strict=True)]
    assert beside[0] == 0
    assert all(4 * len(plain) < count < 4 * len(plain) + 100 for count in beside[1:]), beside
    assert house.room.held == 0


def test_texts_that_would_take_more_than_the_largest_body_are_refused_before_they_are_parsed() -> None:
    house = House()
    room = COPIES * MOST // 7 - 100
    for text, status in (("x" * room + "🙂", 200), ("x" * (room + 200) + "🙂", 413), ("é" * (MOST // 4), 200)):
        said = house.post(dumps({"a": text}))
        assert said[0] == status, said
    assert len(house.bodies) == 2
    images = [{"image": "x" * (MOST // 3)}, {"image": "x" * (MOST // 3)}, {"text": "🙂" * 5000}]
    assert house.post(dumps({"a": images}))[0] == 200, "each text counts by itself"


def test_the_place_is_given_back_when_all_else_is_done_that_may_let_others_run() -> None:
    house = House()
    held: list[int] = []

    def outer(request: Request, proceed: Next) -> Response:
        response = proceed(request)
        response.call_on_close(lambda: held.append(house.room.held))
        return response

    layers = Layers(outer, Validation(house.room, PATIENCE, 60.0, MOST), view=lambda name: Response("ok"))
    data = b'{"a": 1}'
    layers.ask(method="POST", data=data).close()
    assert (held, house.room.held) == ([COPIES * len(data)], 0)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_for_which_there_is_no_room_is_refused_however_it_is_sent(announced: bool) -> None:
    house = House()
    house.room.size, house.room.patience = 0, 0
    other = house.room.claim(SMALL_BYTES + 1)
    data = b'{"a": "' + b"x" * 100_000 + b'"}'
    overrides: dict[str, Any] = {"wsgi.input": Body(data, step=9000), "wsgi.input_terminated": True}
    if announced:
        overrides["CONTENT_LENGTH"] = str(len(data))
    with house.layers.ask(method="POST", environ_overrides=overrides) as response:
        assert (response.status_code, response.get_json()["code"]) == (503, "gateway_overloaded")
        assert response.headers["Retry-After"] == "5"
    other.release()
    overrides["wsgi.input"] = Body(data, step=9000)
    with house.layers.ask(method="POST", environ_overrides=overrides) as response:
        assert response.status_code == 200
    assert house.bodies == [{"a": "x" * 100_000}]
    assert house.room.held == 0
