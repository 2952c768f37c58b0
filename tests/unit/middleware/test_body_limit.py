"""Bodies that are too large are refused, and what the client still sends is taken in."""

from typing import Any

import pytest
from flask import Response, request

from middleware.body_limit import BodyLimit
from tests.unit.middleware.layered_kit import Body, Layers, Socket

LIMIT = 100
PATIENCE = 30.0


class House:
    """An application that takes bodies of a hundred bytes; `seen` is what its view has read."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.layers = Layers(BodyLimit(LIMIT, PATIENCE), view=self._view)

    def _view(self, name: str) -> Response:
        self.seen.append(request.get_data())
        return Response("ok")

    def send(self, body: Body, length: int | None = None, **environ: Any) -> tuple[int, str | None]:
        """Status and error code for a body of announced length, or of none as chunks have it."""
        overrides = {"wsgi.input": body, "wsgi.input_terminated": True, **environ}
        if length is not None:
            overrides["CONTENT_LENGTH"] = str(length)
        response = self.layers.ask(method="POST", environ_overrides=overrides)
        return response.status_code, (response.get_json(silent=True) or {}).get("code")


@pytest.mark.parametrize("size", [0, 1, LIMIT])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_up_to_the_limit_is_taken(size: int, announced: bool) -> None:
    house = House()
    assert house.send(Body(b"x" * size), size if announced else None) == (200, None)
    assert house.seen == [b"x" * size]


@pytest.mark.parametrize("size", [LIMIT + 1, 10_000])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused_after_all_of_it_was_taken_in(size: int, announced: bool) -> None:
    house, body = House(), Body(b"x" * size)
    assert house.send(body, size if announced else None) == (413, "request_too_large")
    assert house.seen == []
    assert body.tell() == size, "a client that still writes would see a broken connection and not the answer"


def test_a_body_that_is_read_in_pieces_is_bounded_as_a_whole() -> None:
    house = House()

    def read_in_pieces(name: str) -> Response:
        stream = request.environ["wsgi.input"]
        while piece := stream.read(30):
            house.seen.append(piece)
        return Response("ok")

    house.layers = Layers(BodyLimit(LIMIT, PATIENCE), view=read_in_pieces)
    assert house.send(Body(b"x" * 1000)) == (413, "request_too_large")
    assert len(b"".join(house.seen)) <= LIMIT


def test_a_client_that_announces_too_much_and_stalls_is_not_waited_for_long() -> None:
    house, socket = House(), Socket()
    assert house.send(Body(b"x" * 1000, stalls_at=500), 1000, **{"gunicorn.socket": socket}) == (
        413,
        "request_too_large",
    )
    assert socket.timeouts == [PATIENCE, 7.0]


def test_a_client_that_sends_without_end_is_not_listened_to_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("middleware.body_limit.MAX_DRAINED_BYTES", 1000)
    for length in (None, 10**9):
        body = Body(b"x" * 50_000)
        assert House().send(body, length) == (413, "request_too_large")
        assert body.tell() < 3000


@pytest.mark.parametrize("length", ["-1", "many", ""])
def test_a_length_that_is_none_is_not_believed(length: str) -> None:
    house = House()
    overrides = {"wsgi.input": Body(b"x" * 1000), "wsgi.input_terminated": True, "CONTENT_LENGTH": length}
    response = house.layers.ask(method="POST", environ_overrides=overrides)
    assert response.status_code in (200, 413)
    assert all(len(seen) <= LIMIT for seen in house.seen)
