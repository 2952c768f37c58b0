"""How the events of an OpenAI-form provider reach an OpenAI client."""

from typing import Any

from api.dialects.openai_chat import OpenAIChat
from core import sse
from schemas.answer import Answer
from schemas.codec import dumps, loads
from schemas.stream import ChatChunk, Finished, KeepAlive, Passed, RawEvent, ReasoningDelta, TextDelta
from schemas.usage import Usage
from tests.unit.api.reply_kit import reply_to

Json = dict[str, Any]
USAGE = Usage(uncached=3, output=2)


def frame(delta: Json, finish: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "up-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "vendor",
        "choices": [choice],
        **more,
    }


def raw(value: Json, data: bytes | None = None) -> RawEvent:
    return RawEvent(dumps(value) if data is None else data, None, value)


def sent(*chunks: ChatChunk, **fields: Any) -> list[bytes]:
    """The data of each event the client gets."""
    frames = b"".join(OpenAIChat().frames(chunks, reply_to(stream=True, **fields)))
    return [event.data for event in sse.decode([frames])]


def values(*chunks: ChatChunk, **fields: Any) -> list[Json]:
    return [loads(data) for data in sent(*chunks, **fields)[:-1]]


ROLE = Passed(raw(frame({"role": "assistant", "content": ""})))
HELLO = TextDelta("Hi", raw(frame({"content": "Hi"}, system_fingerprint="fp", obfuscation="xy")))
END = Finished("stop", USAGE, raw=(raw(frame({}, "stop")),))


def test_an_event_goes_on_as_it_came_under_the_name_that_was_asked_for() -> None:
    odd = (
        b'{ "id":"up-1","object":"chat.completion.chunk", "created":7,"model": "vendor","choices":'
        b'[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}], "z": 1.0}'
    )
    chunk = TextDelta("Hi", raw(loads(odd), odd))
    assert sent(ROLE, chunk, END)[1] == odd.replace(b'"vendor"', b'"glm-\\"4.6\\""')


def test_all_events_have_the_providers_id_and_time_and_the_role_stands_once() -> None:
    again = TextDelta("!", raw(frame({"role": "assistant", "content": "!"}) | {"id": "up-2", "created": 9}))
    got = values(ROLE, HELLO, again, TextDelta(" made here"), END)
    assert {(one["id"], one["created"], one["model"], one["object"]) for one in got} == {
        ("up-1", 7, 'glm-"4.6"', "chat.completion.chunk")
    }
    assert ["role" in one["choices"][0]["delta"] for one in got] == [True, False, False, False, False]
    assert got[1]["system_fingerprint"] == "fp"


def test_what_is_missing_is_made_up_for() -> None:
    bare = TextDelta("Hi", raw({"choices": [{"delta": {"content": "Hi"}}]}))
    first, last = values(
        bare, Finished("stop", USAGE, raw=(raw({"choices": [{"delta": None, "finish_reason": "stop"}]}),))
    )
    assert first["id"] == "chatcmpl-1"
    assert first["created"] == 1_795_200_000
    assert first["choices"] == [{"delta": {"role": "assistant", "content": "Hi"}, "index": 0, "finish_reason": None}]
    assert last["choices"] == [{"delta": {}, "finish_reason": "stop", "index": 0}]


def test_usage_is_hidden_from_those_who_did_not_ask() -> None:
    told = raw(frame({}) | {"choices": [], "usage": {"prompt_tokens": 3}})
    with_usage = frame({}, "stop", usage={"prompt_tokens": 3})
    assert not any("usage" in one for one in values(ROLE, HELLO, Finished("stop", USAGE, raw=(*END.raw, told))))
    assert not any("usage" in one for one in values(ROLE, HELLO, Finished("stop", USAGE, raw=(raw(with_usage),))))


def test_usage_is_told_once_as_the_provider_told_it() -> None:
    told = raw({**frame({}), "choices": [], "usage": {"prompt_tokens": 3, "x": 1}})
    asked = {"stream_options": {"include_usage": True}}
    assert values(ROLE, HELLO, Finished("stop", USAGE, raw=(*END.raw, told)), **asked)[-1]["usage"]["x"] == 1
    assert values(ROLE, HELLO, END, **asked)[-1]["usage"]["prompt_tokens"] == 3
    within = values(ROLE, HELLO, Finished("stop", USAGE, raw=(raw(frame({}, "stop", usage={"x": 2})),)), **asked)
    assert [one["usage"] for one in within if one.get("usage")] == [{"x": 2}]


def test_hidden_thinking_is_in_no_event() -> None:
    secret = {"content": "Hi", "reasoning": "no", "reasoning_content": "no", "reasoning_details": [{"text": "no"}]}
    details = Passed(raw(frame({"reasoning_details": [{"text": "no"}]})))
    chunks = (ROLE, details, ReasoningDelta("no", hidden=True), TextDelta("Hi", raw(frame(secret))), END)
    assert b"no" not in b"".join(sent(*chunks)).replace(b"annotations", b"").replace(b"null", b"")


def test_a_keep_alive_is_a_comment() -> None:
    frames = list(OpenAIChat().frames([KeepAlive(), ROLE, HELLO, KeepAlive(), END], reply_to(stream=True)))
    assert frames[0] == frames[3] == sse.KEEP_ALIVE


def test_an_end_that_was_changed_here_is_written_here() -> None:
    got = values(ROLE, HELLO, Finished("content_filter", USAGE))
    assert got[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert got[-1]["id"] == "up-1"


def test_a_whole_answer_keeps_every_field() -> None:
    message = {"role": "assistant", "content": "Hi", "audio": {"id": "a"}, "reasoning": "hm"}
    native = {"id": "up-1", "created": 7, "model": "vendor", "service_tier": "flex", "choices": [
        {"index": 0, "message": message, "logprobs": {"content": []}, "finish_reason": "stop"}]}  # fmt: skip
    answer = Answer("Hi", "hm", (), "stop", USAGE, native=native)
    got = loads(OpenAIChat().render(answer, reply_to()))
    assert (got["model"], got["object"], got["service_tier"]) == ('glm-"4.6"', "chat.completion", "flex")
    assert got["choices"][0]["message"] == {"role": "assistant", "content": "Hi", "audio": {"id": "a"}}
    assert got["choices"][0]["logprobs"] == {"content": []}


def test_a_whole_answer_of_a_provider_that_does_not_stream_becomes_events() -> None:
    native = {"id": "up-1", "object": "chat.completion", "choices": [{"message": {"content": "Hi"}}], "usage": {"x": 1}}
    whole = RawEvent(dumps(native), "body", native)
    got = values(TextDelta("Hi", whole), Finished("stop", USAGE, raw=(whole,)), stream_options={"include_usage": True})
    assert [one["object"] for one in got] == ["chat.completion.chunk"] * 4
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in got[:3]) == "Hi"
    assert got[-1]["usage"]["prompt_tokens"] == 3
