"""What goes wrong upstream is the same error for a client whoever answers, however it asks, and wherever it is told."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clients import ANTHROPIC, OPENAI, Dialect, Heard
from tests.integration.providers_kit import BOTH_DIALECTS, KINDS, STREAMED_OR_NOT, Kind, World, running_world
from tests.upstreams.anthropic_answers import anthropic_error, anthropic_error_event
from tests.upstreams.answers import TEXT, error_event, glm_error
from tests.upstreams.openai_answers import openai_error, openai_error_event
from tests.upstreams.steps import JSON, SSE, Drop, End, Head, Raw, Step, empty, html_page, stream, whole
from tests.upstreams.wire import gzipped_each

FORMS = pytest.mark.parametrize("kind", [KINDS[name] for name in ("anthropic", "openai", "glm")], ids=str)
SAID = "simulated failure of the model"
QUOTED = f"{SAID}, for key KEY and Bearer KEY"


@dataclass(frozen=True)
class Told:
    """What a client is told: status, type and code in OpenAI's words, status and type in Anthropic's.

    `final` tells the SDKs not to try again by themselves.
    """

    status: int
    type: str
    code: str | None
    claude_status: int
    claude_type: str
    final: bool = False


WRONG = Told(400, "invalid_request_error", None, 400, "invalid_request_error")
OUR_KEY = Told(502, "server_error", "upstream_unauthorized", 502, "api_error", final=True)
NO_MONEY = Told(429, "insufficient_quota", "insufficient_quota", 429, "rate_limit_error", final=True)
FORBIDDEN = Told(403, "permission_error", "upstream_forbidden", 403, "permission_error")
NOT_ENTITLED = Told(403, "permission_error", "model_not_found", 403, "permission_error")
NO_MODEL = Told(404, "invalid_request_error", "model_not_found", 404, "not_found_error")
TOO_LARGE = Told(413, "invalid_request_error", "request_too_large", 413, "request_too_large")
TOO_FAST = Told(429, "rate_limit_error", "rate_limit_exceeded", 429, "rate_limit_error")
FAILED = Told(502, "server_error", "upstream_server_error", 502, "api_error")
BUSY = Told(503, "service_unavailable_error", "overloaded", 529, "overloaded_error")
TOO_LATE = Told(504, "server_error", "upstream_timeout", 504, "timeout_error")
BROKEN = Told(502, "server_error", "upstream_broken", 502, "api_error")
EMPTY = Told(502, "server_error", "upstream_empty_answer", 502, "api_error")
UNREACHABLE = Told(502, "server_error", "upstream_unreachable", 502, "api_error")

Words = tuple[Any, ...]
REFUSALS: Mapping[str, tuple[Told, Mapping[str, Words]]] = {
    "bad request": (
        WRONG,
        {
            "anthropic": (400, "invalid_request_error"),
            "openai": (400, "invalid_request_error", None),
            "glm": (400, "1210"),
        },
    ),
    "bad key": (
        OUR_KEY,
        {
            "anthropic": (401, "authentication_error"),
            "openai": (401, "invalid_request_error", "invalid_api_key"),
            "glm": (401, "1000"),
        },
    ),
    "no money": (
        NO_MONEY,
        {
            "anthropic": (402, "billing_error"),
            "openai": (429, "insufficient_quota", "insufficient_quota"),
            "glm": (429, "1113"),
        },
    ),
    "not entitled": (
        NOT_ENTITLED,
        {"anthropic": (403, "permission_error"), "glm": (403, "1220")},
    ),
    "forbidden": (
        FORBIDDEN,
        {"openai": (403, "permission_error", "insufficient_permissions"), "glm": (429, "1314")},
    ),
    "no such model": (
        NO_MODEL,
        {
            "anthropic": (404, "not_found_error"),
            "openai": (404, "invalid_request_error", "model_not_found"),
            "glm": (400, "1211"),
        },
    ),
    "too large": (TOO_LARGE, {"anthropic": (413, "request_too_large")}),
    "too fast": (
        TOO_FAST,
        {
            "anthropic": (429, "rate_limit_error"),
            "openai": (429, "requests", "rate_limit_exceeded"),
            "glm": (429, "1302"),
        },
    ),
    "failed": (
        FAILED,
        {"anthropic": (500, "api_error"), "openai": (500, "server_error", None), "glm": (500, "1234")},
    ),
    "busy": (
        BUSY,
        {
            "anthropic": (529, "overloaded_error"),
            "openai": (503, "service_unavailable_error", "server_is_overloaded"),
            "glm": (429, "1305"),
        },
    ),
    "too late": (TOO_LATE, {"anthropic": (504, "timeout_error")}),
}
"""What a provider refuses, what that is for the client, and the status and the words of each form for it."""
ROWS = [
    pytest.param(KINDS[form], words, told, id=f"{form}-{name}")
    for name, (told, forms) in REFUSALS.items()
    for form, words in forms.items()
]
EVERY_REFUSAL = pytest.mark.parametrize(("kind", "words", "told"), ROWS)

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
    with running_world(tmp_path_factory.mktemp("failures"), top_level()) as one:
        yield one
        assert not [kind for kind in KINDS.values() if kind.key in one.gateway.output]


def top_level() -> dict[str, str]:
    from tests.integration.providers_kit import ONE_TRY

    return {**ONE_TRY, "LOG_LEVEL": "DEBUG"}


def refusal(kind: Kind, words: Words, headers: Mapping[str, str] | None = None, said: str = QUOTED) -> list[Step]:
    """An HTTP error in the form of `kind`, which quotes the key."""
    status, *rest = words
    message = said.replace("KEY", kind.key)
    if kind.name == "anthropic":
        return anthropic_error(rest[0], status, message, headers)
    if kind.name == "openai":
        return openai_error(status, rest[0], rest[1], message, headers=headers)
    (step, body, end) = glm_error(rest[0], status, message)
    return [Head(status, {**JSON, **(headers or {})}, length=step.length), body, end]  # type: ignore[attr-defined]


def told_event(kind: Kind, words: Words) -> bytes:
    """The same in a stream."""
    message = QUOTED.replace("KEY", kind.key)
    if kind.name == "anthropic":
        return anthropic_error_event(words[1], message)
    return openai_error_event(words[1], words[2], message) if kind.name == "openai" else error_event(words[1], message)


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
    assert heard.headers.get("x-should-retry") == ("false" if told.final else None)
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
@STREAMED_OR_NOT
@pytest.mark.parametrize("form", ["body", "event"])
def test_a_refusal_inside_a_200_is_no_answer(
    world: World, kind: Kind, words: Words, told: Told, dialect: Dialect, stream: bool, form: str
) -> None:
    in_body = refusal(kind, (200, *words[1:]))
    world.upstream.script(in_body if form == "body" else stream_steps([told_event(kind, words)]))
    check(dialect.ask(world.gateway, kind.asked, stream=stream), told, dialect, kind)


@EVERY_REFUSAL
@BOTH_DIALECTS
def test_a_refusal_in_the_middle_of_a_stream_is_its_last_event(
    world: World, kind: Kind, words: Words, told: Told, dialect: Dialect
) -> None:
    before = kind.form.events(TEXT)[:4]
    world.upstream.script(stream_steps([*before, told_event(kind, words)]))
    heard = dialect.ask(world.gateway, kind.asked, stream=True)
    assert heard.status == 200
    assert heard.error is not None
    assert heard.error["type"] == (told.type if dialect is OPENAI else told.claude_type)
    assert heard.text
    assert TEXT.startswith(heard.text)
    assert not heard.ended
    assert kind.key not in heard.body.decode()


def stream_steps(events: list[bytes]) -> list[Step]:
    return stream(events)


@FORMS
@BOTH_DIALECTS
@STREAMED_OR_NOT
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("form", ["html", "nothing"])
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
NO_ANSWERS: Mapping[str, tuple[Told, Build]] = {
    "html in a 200": (BROKEN, lambda kind: html_page(200, QUOTED.replace("KEY", kind.key))),
    "html that calls itself json": (BROKEN, lambda kind: whole(f"<html>{kind.key}</html>".encode())),
    "broken json": (BROKEN, lambda kind: whole(kind.form.body()[:-20])),
    "broken json in a stream": (BROKEN, lambda kind: stream([f"data: {{broken {kind.key}\n\n".encode()])),
    "json that is no object": (BROKEN, lambda _: whole(b"[1, 2]")),
    "nothing at all": (BROKEN, lambda _: empty()),
    "nothing of json": (BROKEN, lambda _: whole(b"")),
    "no more than the end": (BROKEN, lambda kind: stream([kind.form.terminator])),
    "an answer that says nothing": (EMPTY, lambda kind: stream(kind.form.events("", usage=None)[:1])),
    "an encoding nobody asked for": (BROKEN, lambda kind: encoded(kind.form.body(), "br")),
    "no zip": (BROKEN, lambda kind: encoded(kind.form.body(), "gzip")),
    "a closed connection": (UNREACHABLE, lambda _: [Drop()]),
    "a reset connection": (UNREACHABLE, lambda _: [Drop(reset=True)]),
    "headers and no more": (BROKEN, lambda _: [Head(200, SSE), Drop()]),
    "no http": (UNREACHABLE, lambda _: [Raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), Drop()]),
    "a redirect": (BROKEN, lambda kind: [Head(302, {"Location": f"http://127.0.0.1:1/?{kind.key}"}, length=0)]),
}


def encoded(body: bytes, encoding: str, status: int = 200, headers: Mapping[str, str] = JSON) -> list[Step]:
    """A whole body that is called encoded."""
    return whole(body, status, {**headers, "Content-Encoding": encoding})


@FORMS
@BOTH_DIALECTS
@STREAMED_OR_NOT
@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_is_an_error(world: World, kind: Kind, dialect: Dialect, stream: bool, name: str) -> None:
    told, build = NO_ANSWERS[name]
    world.upstream.script(build(kind))
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    if told.status == 502:
        # Which of the codes for a failed provider it is, is of no use to a client.
        assert heard.error is not None
        told = Told(**{**told.__dict__, "code": heard.error.get("code")})
        assert heard.error.get("code", "upstream_").startswith("upstream_")
    check(heard, told, dialect, kind)
    assert heard.error is not None
    assert "html" not in heard.error["message"]


# Answers that come in an odd way

WAYS: Mapping[str, Build] = {
    "a stream that calls itself text": lambda kind: stream(kind.form.events(), headers={"Content-Type": "text/plain"}),
    "a stream that calls itself json": lambda kind: stream(kind.form.events(), headers=JSON),
    "a stream of no type": lambda kind: stream(kind.form.events(), headers={}),
    "a zipped stream": lambda kind: [
        Head(200, {**SSE, "Content-Encoding": "gzip"}),
        *(Raw(chunk) for chunk in as_chunks(gzipped_each(kind.form.events()))),
        End(),
    ],
    "a zipped body": lambda kind: encoded(gzip.compress(kind.form.body()), "gzip"),
    "json behind blank lines": lambda kind: whole(b"\n\n \n" + kind.form.body()),
    "a body until the end": lambda kind: [Head(200, JSON, until_close=True), Raw(kind.form.body()), Drop()],
}


def as_chunks(blocks: list[bytes]) -> list[bytes]:
    """The blocks framed as chunks."""
    return [b"%x\r\n%b\r\n" % (len(block), block) for block in blocks]


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
@BOTH_DIALECTS
@pytest.mark.parametrize("form", ["zipped", "html by name", "text by name"])
def test_a_refusal_that_comes_in_an_odd_way_is_one(
    world: World, kind: Kind, words: Words, told: Told, dialect: Dialect, form: str
) -> None:
    raw = next(step for step in refusal(kind, words) if isinstance(step, Raw))
    types = {"html by name": "text/html", "text by name": "text/plain"}
    if form == "zipped":
        world.upstream.script(encoded(gzip.compress(raw.data), "gzip", words[0]))
    else:
        world.upstream.script(whole(raw.data, words[0], {"Content-Type": types[form]}))
    check(dialect.ask(world.gateway, kind.asked), told, dialect, kind)


def test_the_table_names_every_status_of_a_refusal() -> None:
    used = {words[0] for _, forms in REFUSALS.values() for words in forms.values()}
    assert used <= set(STATUSES)
    assert json.dumps(sorted(used))
