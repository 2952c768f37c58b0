"""The simulated upstream answers each path in the form of the provider that has it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.upstreams import forms
from tests.upstreams.answers import TEXT
from tests.upstreams.forms import Form
from tests.upstreams.server import PATIENCE, Upstream

CALL = ("call_1", "weather", '{"city":"Köln"}')
FORMS = [value for value in vars(forms).values() if isinstance(value, Form)]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


def ask(upstream: Upstream, path: str, **body: Any) -> requests.Response:
    return requests.post(upstream.url + path, json={"model": "m", **body}, timeout=PATIENCE)


@pytest.mark.parametrize(
    ("path", "where", "words"),
    [
        ("/any/v1/messages", "content", "end_turn"),
        ("/any/v1/chat/completions", "choices", "system_fingerprint"),
        ("/any/api/paas/v4/chat/completions", "choices", "20261121000000abcdef"),
        ("/any/api/chat", "message", "done_reason"),
    ],
)
def test_a_chat_is_answered_in_the_form_of_its_path(upstream: Upstream, path: str, where: str, words: str) -> None:
    response = ask(upstream, path)
    assert response.headers["Content-Type"].startswith("application/json")
    assert where in response.json()
    assert words in response.text
    assert TEXT in response.text
    streamed = ask(upstream, path, stream=True)
    assert not streamed.headers["Content-Type"].startswith("application/json")
    assert streamed.text.count("\n") >= 4


def test_gemini_streams_by_its_path(upstream: Upstream) -> None:
    response = ask(upstream, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", contents=[])
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert '"finishReason":"STOP"' in response.text


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/messages/count_tokens", {"input_tokens": 33}),
        ("/v1beta/models/m:countTokens", {"totalTokens": 33}),
        ("/v1beta/models/m:batchEmbedContents", {"embeddings": [{"values": [0.5, -0.25]}]}),
    ],
)
def test_what_has_one_short_answer_gets_it(upstream: Upstream, path: str, answer: Any) -> None:
    assert ask(upstream, path).json() == answer


@pytest.mark.parametrize("path", ["/openai/v1/embeddings", "/ollama/api/embed"])
def test_embeddings_are_answered(upstream: Upstream, path: str) -> None:
    assert "[0.5, -0.25]" in ask(upstream, path).text


@pytest.mark.parametrize("path", ["/api/tags", "/v1/models?limit=1", "/v1beta/models?pageSize=1", "/v1/models"])
def test_models_are_listed(upstream: Upstream, path: str) -> None:
    response = requests.get(upstream.url + path, timeout=PATIENCE)
    assert response.status_code == 200
    assert len(response.json()) >= 1


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("piece", [1, 1000])
def test_every_form_says_the_same(form: Form, piece: int) -> None:
    streamed = b"".join(form.events(TEXT, "hm", [CALL], piece=piece)).decode()
    whole = form.body(TEXT, "hm", [CALL]).decode()
    for said in ("weather", "call_1"):
        assert said in streamed
        assert said in whole
    assert TEXT in json.dumps(json.loads(whole), ensure_ascii=False)
    assert (TEXT in streamed) == (piece == 1000)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_terminator_is_the_last_thing_said(form: Form) -> None:
    assert b"".join(form.events()).endswith(form.terminator)
