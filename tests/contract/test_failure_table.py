"""What goes wrong upstream is the same error for a client whoever answers, however it asks, and wherever it is told."""

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from tests.clients import OPENAI, Dialect, Heard
from tests.contract.failures_kit import (
    BROKEN,
    BUSY,
    EVERY_REFUSAL,
    FAILED,
    FORBIDDEN,
    FORMS,
    NO_MODEL,
    NO_MONEY,
    OUR_KEY,
    QUOTED,
    REFUSALS,
    SAID,
    TOO_FAST,
    TOO_LARGE,
    TOO_LATE,
    WRONG,
    Told,
    Words,
    refusal,
    told_event,
)
from tests.integration.providers_kit import (
    BOTH_DIALECTS,
    KINDS,
    ONE_TRY,
    STREAMED_OR_NOT,
    Kind,
    World,
    running_world,
)
from tests.upstreams import steps
from tests.upstreams.answers import TEXT
from tests.upstreams.steps import JSON, SSE, Drop, End, Head, Raw, Send, Step, empty, html_page, whole
from tests.upstreams.wire import gzipped_each

STATUSES: Mapping[int, Told] = {
    400: WRONG,
    401: OUR_KEY,
    402: NO_MONEY,
    403: FORBIDDEN,
    404: NO_MODEL,
    408: TOO_LATE,
    413: TOO_LARGE,
    429: TOO_FAST,
    500: FAILED,
    502: FAILED,
    503: BUSY,
    504: TOO_LATE,
    529: BUSY,
}
"""What a bare status means, whoever sends it."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that logs all it can; at the end no key may have been printed."""
    with running_world(tmp_path_factory.mktemp("failures"), {**ONE_TRY, "LOG_LEVEL": "DEBUG"}) as one:
        yield one
    assert not [kind for kind in KINDS.values() if kind.key in one.gateway.output]


def check(heard: Heard, told: Told, dialect: Dialect, kind: Kind) -> None:
    """`heard` is what `told` says, in the dialect's own shape, and no key is in it."""
    assert heard.error is not None
    status = heard.status
    if dialect is OPENAI:
        assert (status, heard.error["type"], heard.error["code"]) == (told.status, told.type, told.code)
        assert "request-id" not in heard.headers
    else:
        assert (status, heard.error["type"]) == (told.claude_status, told.claude_type)
        assert heard.headers["request-id"]
    assert heard.headers["X-Request-ID"]
    assert heard.headers["Content-Type"] == "application/json"
    if told.final:
        assert heard.headers["x-should-retry"] == "false"
    elif heard.status == 429 or heard.status >= 500:
        assert "x-should-retry" not in heard.headers
    assert kind.key not in heard.body.decode() + str(heard.headers)
    assert not heard.text


# Refusals


@EVERY_REFUSAL
@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_a_refusal_is_told_in_the_clients_own_form(
    world: World, kind: Kind, words: Words, told: Told, dialect: Dialect, stream: bool
) -> None:
    world.upstream.script(refusal(kind, words))
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    check(heard, told, dialect, kind)
    assert heard.error is not None
    if told is not OUR_KEY:
        assert heard.error["message"].startswith(SAID), "in the provider's own words"


@EVERY_REFUSAL
@BOTH_DIALECTS
@pytest.mark.parametrize(
    ("stream", "form"), [(False, "body"), (True, "body"), (True, "event")], ids=["whole", "stream-body", "stream"]
)
def test_a_refusal_inside_a_200_is_no_answer(
    world: World, kind: Kind, words: Words, told: Told, dialect: Dialect, stream: bool, form: str
) -> None:
    in_body = refusal(kind, (200, *words[1:]))
    world.upstream.script(
        in_body if form == "body" else steps.stream([told_event(kind, words)], headers=kind.form.headers)
    )
    check(dialect.ask(world.gateway, kind.asked, stream=stream), told, dialect, kind)


@EVERY_REFUSAL
@BOTH_DIALECTS
def test_a_refusal_in_the_middle_of_a_stream_is_its_last_event(
    world: World, kind: Kind, words: Words, told: Told, dialect: Dialect
) -> None:
    before = kind.form.events(TEXT, piece=1)[:5]
    world.upstream.script(steps.stream([*before, told_event(kind, words)], headers=kind.form.headers))
    heard = dialect.ask(world.gateway, kind.asked, stream=True)
    assert heard.status == 200
    assert heard.error is not None
    assert heard.error["type"] == (told.type if dialect is OPENAI else told.claude_type)
    assert heard.text
    assert TEXT.startswith(heard.text)
    assert not heard.ended
    assert kind.key not in heard.body.decode()


@FORMS
@BOTH_DIALECTS
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("stream", "form"), [(False, "html"), (True, "nothing")], ids=["html", "nothing"])
def test_a_bare_status_means_the_same_whoever_sends_it(
    world: World, kind: Kind, dialect: Dialect, stream: bool, status: int, form: str
) -> None:
    page = html_page(status, QUOTED.replace("KEY", kind.key))
    world.upstream.script(page if form == "html" else whole(b"", status))
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    check(heard, STATUSES[status], dialect, kind)
    assert SAID not in heard.body.decode(), "a page is not the provider's own word"


# When to come back


@FORMS
@BOTH_DIALECTS
@STREAMED_OR_NOT
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "7"}, "7"), ({"retry-after": "2.4"}, "3"), ({"retry-after-ms": "900"}, "1")],
    ids=["seconds", "fraction", "milliseconds"],
)
def test_a_client_is_told_when_to_come_back(
    world: World, kind: Kind, dialect: Dialect, stream: bool, headers: dict[str, str], seconds: str
) -> None:
    words = REFUSALS["too fast"][1][kind.name]
    world.upstream.script(refusal(kind, words, headers))
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    check(heard, TOO_FAST, dialect, kind)
    assert heard.headers["Retry-After"] == seconds
    again = dialect.ask(world.gateway, kind.asked, stream=stream)
    assert again.status == 429
    assert 1 <= int(again.headers["Retry-After"]) <= int(seconds)
    assert len(world.upstream.requests) == 1, "a key that cools down is not asked again"


@FORMS
@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_a_client_is_told_when_to_come_back_though_the_provider_did_not_say(
    world: World, kind: Kind, dialect: Dialect, stream: bool
) -> None:
    world.upstream.script(refusal(kind, REFUSALS["too fast"][1][kind.name]))
    first = dialect.ask(world.gateway, kind.asked, stream=stream)
    second = dialect.ask(world.gateway, kind.asked, stream=stream)
    assert [first.status, second.status] == [429, 429]
    assert int(second.headers["Retry-After"]) >= 1
    assert len(world.upstream.requests) == 1


# Answers that are none

Build = Callable[[Kind], list[Step]]
NO_ANSWERS: Mapping[str, Build] = {
    "html in a 200": lambda kind: html_page(200, QUOTED.replace("KEY", kind.key)),
    "html that calls itself json": lambda kind: whole(f"<html>{kind.key}</html>".encode()),
    "broken json": lambda kind: whole(kind.form.body()[:-20]),
    "broken json in a stream": lambda kind: steps.stream([f"data: {{broken {kind.key}\n\n".encode()]),
    "json that is no object": lambda _: whole(b"[1, 2]"),
    "nothing at all": lambda _: empty(),
    "nothing of json": lambda _: whole(b""),
    "no more than the end": lambda kind: steps.stream([kind.form.terminator]),
    "an answer that says nothing": lambda kind: steps.stream(kind.form.events("", usage=None)[:1]),
    "an encoding nobody asked for": lambda kind: encoded(kind.form.body(), "br"),
    "no zip": lambda kind: encoded(kind.form.body(), "gzip"),
    "a closed connection": lambda _: [Drop()],
    "a reset connection": lambda _: [Drop(reset=True)],
    "headers and no more": lambda _: [Head(200, SSE), Drop()],
    "no http": lambda _: [Raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), Drop()],
    "a redirect": lambda kind: [Head(302, {"Location": f"http://127.0.0.1:1/?{kind.key}"}, length=0)],
}


def encoded(body: bytes, encoding: str, status: int = 200, headers: Mapping[str, str] = JSON) -> list[Step]:
    """A whole body that is called encoded."""
    return whole(body, status, {**headers, "Content-Encoding": encoding})


@FORMS
@BOTH_DIALECTS
@STREAMED_OR_NOT
@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_is_an_error(world: World, kind: Kind, dialect: Dialect, stream: bool, name: str) -> None:
    world.upstream.script(NO_ANSWERS[name](kind))
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    assert heard.error is not None
    code = heard.error.get("code")
    check(heard, replace(BROKEN, code=code), dialect, kind)
    assert dialect is not OPENAI or str(code).startswith("upstream_"), "which of them is the same to a client"
    assert "html" not in heard.error["message"]


# Answers that come in an odd way

WAYS: Mapping[str, Build] = {
    "a stream that calls itself text": lambda kind: steps.stream(
        kind.form.events(), headers={"Content-Type": "text/plain"}
    ),
    "a stream that calls itself json": lambda kind: steps.stream(kind.form.events(), headers=JSON),
    "a stream of no type": lambda kind: steps.stream(kind.form.events(), headers={}),
    "a zipped stream": lambda kind: [
        Head(200, {**SSE, "Content-Encoding": "gzip"}),
        *map(Send, gzipped_each(kind.form.events())),
        End(),
    ],
    "a zipped body": lambda kind: encoded(gzip.compress(kind.form.body()), "gzip"),
    "json behind blank lines": lambda kind: whole(b"\n\n \n" + kind.form.body()),
    "a body until the end": lambda kind: [Head(200, JSON, until_close=True), Raw(kind.form.body()), Drop()],
}


@FORMS
@BOTH_DIALECTS
@STREAMED_OR_NOT
@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_comes_in_an_odd_way_is_one(
    world: World, kind: Kind, dialect: Dialect, stream: bool, way: str
) -> None:
    world.upstream.script(WAYS[way](kind))
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    assert (heard.status, heard.text, heard.ended) == (200, TEXT, True)


@EVERY_REFUSAL
@pytest.mark.parametrize("form", ["zipped", "html by name", "text by name"])
def test_a_refusal_that_comes_in_an_odd_way_is_one(
    world: World, kind: Kind, words: Words, told: Told, form: str
) -> None:
    raw = next(step for step in refusal(kind, words) if isinstance(step, Raw))
    types = {"html by name": "text/html", "text by name": "text/plain"}
    if form == "zipped":
        world.upstream.script(encoded(gzip.compress(raw.data), "gzip", words[0]))
    else:
        world.upstream.script(whole(raw.data, words[0], {"Content-Type": types[form]}))
    check(OPENAI.ask(world.gateway, kind.asked), told, OPENAI, kind)
