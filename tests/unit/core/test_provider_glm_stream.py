"""What the GLM provider promises of the answers it reads."""

import pytest

from core import sse
from core.errors import ContextLengthExceeded, UpstreamServerError
from core.providers.glm import GLM
from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.codec import dumps
from schemas.stream import Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage
from tests.fakes import FakeClock

REQUEST = ChatRequest("m", (Message("user", (TextPart("hi"),)),), Native("openai", {}))

TEXT = (
    'data: {"id":"1","created":1,"model":"glm-5","choices":[{"index":0,"delta":{"role":"assistant",'
    '"reasoning_content":"思考… "}}]}\r\n\r\n'
    ": a comment\n\n"
    'data:{"id":1,"created":1,"model":"glm-5",'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":"Grüße 👋"}}]}\n\n'
    'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"，世界"}}],\n'
    'data: "usage":null}\n\n'
    'data: {"id":"1","web_search":[{"title":"t","refer":"ref_1"}]}\n\n'
    'data: {"id":"1","choices":[{"index":0,"finish_reason":"stop","delta":{"role":"assistant","content":""}}],'
    '"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,'
    '"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":5}}}\n\n'
    "data: [DONE]\n\n"
).encode()
TEXT_CHUNKS = [
    ReasoningDelta("思考… "),
    TextDelta("Grüße 👋"),
    TextDelta("，世界"),
    Finished("stop", Usage(uncached=5, read=4, output=12, reasoning=5)),
]


def call(index, arguments, finish="", **function):
    ident = {"id": f"call_{index}", "type": "function"} if function else {}
    piece = {"index": index, **ident, "function": {**function, "arguments": arguments}}
    choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": [piece]}}
    return b"data: " + dumps({"choices": [{**choice, "finish_reason": finish} if finish else choice]}) + b"\n\n"


TOOLS = b"".join(
    [
        call(0, "", name="weather"),
        call(0, '{"city":"'),
        call(0, '北京"'),
        call(1, '{"tz":8}', name="clock"),
        call(0, "}", finish="tool_calls"),
        b"data: [DONE]\n\n",
    ]
)
TOOLS_CHUNKS = [
    ToolCallDelta(0, "call_0", "weather", ""),
    ToolCallDelta(0, None, None, '{"city":"'),
    ToolCallDelta(0, None, None, '北京"'),
    ToolCallDelta(1, "call_1", "clock", '{"tz":8}'),
    ToolCallDelta(0, None, None, "}"),
    Finished("tool_calls"),
]


def provider():
    return GLM("glm", "https://api.z.ai/api/paas/v4", FakeClock())


def decoded(*blocks):
    return list(provider().decode(sse.decode(blocks), REQUEST))


@pytest.mark.parametrize(("stream", "chunks"), [(TEXT, TEXT_CHUNKS), (TOOLS, TOOLS_CHUNKS)])
def test_a_stream_cut_anywhere_is_the_same_answer(stream, chunks):
    assert decoded(stream) == chunks
    assert decoded(*(stream[at : at + 1] for at in range(len(stream)))) == chunks
    for at in range(1, len(stream)):
        assert decoded(stream[:at], stream[at:]) == chunks


def test_silence_at_every_byte_changes_nothing_but_keep_alives():
    end = TEXT.index(b'data: {"id":"1","choices":[{"index":0,"finish_reason"')
    blocks = [block for at in range(end) for block in (TEXT[at : at + 1], b"")]
    chunks = decoded(*blocks, TEXT[end:])
    assert [chunk for chunk in chunks if chunk != KeepAlive()] == TEXT_CHUNKS
    assert chunks.count(KeepAlive()) == end


def test_two_answers_read_in_turns_through_one_provider_do_not_mix():
    one = provider()
    streams = [one.decode(sse.decode([body]), REQUEST) for body in (TEXT, TOOLS, TOOLS)]
    seen = [[], [], []]
    for _ in range(max(len(TEXT_CHUNKS), len(TOOLS_CHUNKS))):
        for chunks, stream in zip(seen, streams, strict=True):
            chunks.extend(chunk for chunk in [next(stream, None)] if chunk is not None)
    assert seen == [TEXT_CHUNKS, TOOLS_CHUNKS, TOOLS_CHUNKS]


def test_a_call_that_comes_whole_is_one_piece():
    assert decoded(call(0, {"a": 1}, finish="tool_calls", name="f")) == [
        ToolCallDelta(0, "call_0", "f", '{"a":1}'),
        Finished("tool_calls"),
    ]


def ending(word, **delta):
    return b"data: " + dumps({"choices": [{"delta": delta, "finish_reason": word}]}) + b"\n\n"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "stop"),
        ("sensitive", "content_filter"),
        ("model_context_window_exceeded", "length"),
    ],
)
def test_every_end_of_glms_has_its_legal_word(word, reason):
    assert decoded(ending(word, content="a")) == [TextDelta("a"), Finished(reason)]


def test_a_network_error_is_an_error_even_after_text():
    with pytest.raises(UpstreamServerError, match="network_error"):
        decoded(ending("", content="a"), ending("network_error"))


def test_a_full_window_without_any_answer_is_a_prompt_too_long():
    with pytest.raises(ContextLengthExceeded):
        decoded(ending("model_context_window_exceeded", content=""))


def test_usage_without_cached_tokens_leaves_the_read_unknown():
    frame = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    assert decoded(b"data: " + dumps(frame)) == [Finished("stop", Usage(uncached=9, read=None, output=1))]
