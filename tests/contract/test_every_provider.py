"""Every provider keeps the same promises to the clients of both dialects, whether they stream or not."""

import json
import struct
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.clients import ANTHROPIC, OPENAI, Call, Dialect
from tests.integration.providers_kit import BOTH_DIALECTS, KINDS, Kind, World, every_kind, every_way, ways
from tests.upstreams.answers import TEXT
from tests.upstreams.steps import End, Head, Hold, Send, Step, whole

THOUGHT = "Let me see…\nYes, 世界."
CALLS: list[Call] = [("call_a", "weather", '{"city":"Köln","days":[1,2]}'), ("call_b", "clock", '{"zone":"CET"}')]
STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
"""Anthropic's words for OpenAI's."""


def parsed(calls: list[Call]) -> list[tuple[str, str, Any]]:
    """The calls with their arguments as values: how they are spaced is the provider's business."""
    return [(ident, name, json.loads(arguments)) for ident, name, arguments in calls]


@every_way
@pytest.mark.parametrize("piece", [1, 1000])
def test_the_text_arrives_whole(world: World, kind: Kind, dialect: Dialect, stream: bool, piece: int) -> None:
    world.answers(kind.form, piece=piece)
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    assert (heard.status, heard.text, heard.thinking, heard.calls) == (200, TEXT, "", [])
    assert heard.ended
    assert len(world.upstream.requests) == 1


@every_way
def test_what_was_asked_reaches_the_provider(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    dialect.ask(world.gateway, kind.asked, "a question of Zoë's", stream=stream)
    assert world.sent.path.startswith(kind.path.removesuffix("/chat/completions"))
    assert "a question of Zoë's" in json.dumps(world.sent.body, ensure_ascii=False)
    assert kind.model in json.dumps(world.sent.body) + world.sent.path


@every_way
def test_the_provider_is_sent_its_own_key_only(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    dialect.ask(world.gateway, kind.asked, stream=stream)
    told = json.dumps(world.sent.headers)
    expected = [] if kind.name == "ollama" else [kind.name]
    assert [name for name, other in KINDS.items() if other.key in told] == expected
    assert kind.key not in world.sent.path


@every_way
def test_parallel_tool_calls_arrive_whole(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    world.answers(kind.form, "", "", CALLS, piece=3)
    heard = dialect.ask(world.gateway, kind.asked, stream=stream, **dialect.tools("weather", "clock"))
    assert parsed(heard.calls) == parsed(CALLS)
    assert heard.text == ""
    assert heard.reason == ("tool_calls" if dialect is OPENAI else "tool_use")


@every_way
def test_text_before_a_tool_call_stays_before_it(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    world.answers(kind.form, "I look.", "", CALLS[:1])
    heard = dialect.ask(world.gateway, kind.asked, stream=stream, **dialect.tools("weather"))
    assert heard.text == "I look."
    assert parsed(heard.calls) == parsed(CALLS[:1])


@every_way
def test_thinking_comes_apart_from_the_answer(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    world.answers(kind.form, "Yes.", THOUGHT)
    heard = dialect.ask(world.gateway, kind.asked, stream=stream, **dialect.thinking())
    assert (heard.text, heard.thinking) == ("Yes.", THOUGHT)
    if dialect is ANTHROPIC:
        assert len(heard.signatures) == 1
        assert heard.signatures[0]


@ways(lambda kind, dialect, _: not dialect.name == kind.native == "anthropic")
def test_thinking_is_not_shown_to_a_client_that_did_not_ask(
    world: World, kind: Kind, dialect: Dialect, stream: bool
) -> None:
    """Apart from what comes in the client's own form, which is forwarded as it came."""
    world.answers(kind.form, "Yes.", THOUGHT)
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    assert (heard.text, heard.thinking, heard.signatures) == ("Yes.", "", [])


@every_way
def test_usage_is_counted_as_the_dialect_counts(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    world.answers(kind.form)
    asking = {"stream_options": {"include_usage": True}} if dialect is OPENAI and stream else {}
    usage = dialect.ask(world.gateway, kind.asked, stream=stream, **asking).usage
    assert usage is not None
    cached = 4 if kind.caches else None
    if dialect is OPENAI:
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (9, 12, 21)
        assert (usage.get("prompt_tokens_details") or {}).get("cached_tokens") == cached
        assert "estimated" not in usage
    else:
        assert (usage["input_tokens"], usage["output_tokens"]) == (9 - (cached or 0), 12)
        assert usage.get("cache_read_input_tokens") == cached


@every_kind
def test_a_stream_that_did_not_ask_for_usage_has_none(world: World, kind: Kind) -> None:
    world.answers(kind.form)
    assert OPENAI.ask(world.gateway, kind.asked, stream=True).usage is None


@every_way
def test_why_an_answer_ends_is_told(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    for word, own in kind.form.words.items():
        calls = CALLS[:1] if word == "tool_calls" else []
        world.answers(kind.form, "Well", "", calls, finish_reason=own)
        heard = dialect.ask(world.gateway, kind.asked, stream=stream, **dialect.tools("weather"))
        assert heard.reason == (word if dialect is OPENAI else STOP_REASONS[word])
        assert heard.text == "Well"


@every_way
def test_the_model_is_called_as_the_client_called_it(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    assert heard.models == {kind.asked}


@every_way
def test_the_path_of_an_answer_is_told(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    headers = dialect.ask(world.gateway, kind.asked, stream=stream, headers={"X-Request-ID": "trace-1"}).headers
    assert headers["X-Gateway-Provider"] == kind.name
    assert headers["X-Gateway-Upstream-Model"] == kind.model
    assert headers["X-Gateway-Attempts"] == "1"
    assert headers["X-Request-ID"] == "trace-1"
    assert headers.get("request-id") == ("trace-1" if dialect is ANTHROPIC else None)
    assert headers["Content-Type"].startswith("text/event-stream" if stream else "application/json")


@every_kind
@BOTH_DIALECTS
def test_an_answer_in_one_piece_serves_a_stream_too(world: World, kind: Kind, dialect: Dialect) -> None:
    world.upstream.script(whole(kind.form.body("whole", "", CALLS)))
    heard = dialect.ask(world.gateway, kind.asked, stream=True, **dialect.tools("weather", "clock"))
    assert heard.text == "whole"
    assert parsed(heard.calls) == parsed(CALLS)
    assert heard.ended


@ways(lambda kind, dialect, stream: stream or kind.native != dialect.name)
def test_two_answers_at_once_do_not_mix(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    """Wherever the provider is asked to stream."""
    texts = {"alpha": "one of these", "omega": "another one."}
    for name, text in texts.items():
        events = kind.form.events(text)
        gated: list[Step] = [step for event in events for step in (Hold(f"{kind}{dialect}{name}"), Send(event))]
        world.upstream.script(Head(headers=kind.form.headers), gated, End(), when=lambda r, n=name: n in str(r.body))
    with ThreadPoolExecutor() as pool:
        asked = {name: pool.submit(dialect.ask, world.gateway, kind.asked, name, stream=stream) for name in texts}
        for _ in range(len(events)):
            for name in texts:
                assert world.upstream.wait_held(gate=f"{kind}{dialect}{name}")
                world.upstream.release(gate=f"{kind}{dialect}{name}")
        assert {name: future.result().text for name, future in asked.items()} == texts


@pytest.mark.parametrize("name", ["openai", "openai-compatible", "openrouter", "gemini", "ollama", "glm"])
@pytest.mark.parametrize("packed", [False, True], ids=["floats", "base64"])
def test_embeddings_come_as_they_are_asked_for(world: World, name: str, packed: bool) -> None:
    asking = {"model": f"{name}/embedder", "input": "Hi", "encoding_format": "base64" if packed else "float"}
    response = world.gateway.post("/v1/embeddings", asking)
    assert response.status_code == 200, response.text
    body = response.json()
    (row,) = body["data"]
    vector = struct.unpack("<2f", b64decode(row["embedding"])) if packed else tuple(row["embedding"])
    assert vector == (0.5, -0.25)
    assert body["model"] == f"{name}/embedder"
    assert response.headers["X-Gateway-Provider"] == name
    assert response.headers["X-Gateway-Capacity-Keys"] == "1"
