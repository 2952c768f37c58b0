"""What a client of Anthropic's Messages gets of an answer that a content filter has searched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import FilterPattern
from core.errors import UpstreamBroken
from core.sse import Event
from schemas.chat import UNSIGNED
from schemas.codec import loads
from tests.unit.core.anthropic_kit import STOP, closed, delta, ended, event, opened, started
from tests.unit.services.passage_kit import (
    CLAUDE,
    DONE,
    GLM_API,
    VENDOR,
    Passage,
    body,
    frame,
    plain,
    reasons,
    searching,
    to_anthropic,
    to_openai,
)

Json = dict[str, Any]
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]}
CITATION = {"type": "web_search_result_location", "cited_text": "x"}
LOOKS = {**SEARCH, "input": {"query": "q"}}


def streamed_blocks(first: str, last: str) -> list[Event]:
    return [
        opened(0, "thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking=first),
        delta(0, "signature_delta", signature="sig"),
        closed(0),
        opened(1, "text", text=""),
        delta(1, "text_delta", text="I look. "),
        closed(1),
        event("content_block_start", index=2, content_block=SEARCH),
        delta(2, "input_json_delta", partial_json='{"query":"q"}'),
        closed(2),
        event("content_block_start", index=3, content_block=FOUND),
        closed(3),
        opened(4, "text", text=""),
        delta(4, "citations_delta", citation=CITATION),
        delta(4, "text_delta", text=last),
        closed(4),
        opened(5, "text", text=""),
        delta(5, "text_delta", text=" End."),
        closed(5),
        event("content_block_start", index=6, content_block={"type": "brand_new", "x": 1}),
        closed(6),
        opened(7, "tool_use", id="t", name="f", input={}),
        closed(7),
    ]


def end(**more: Any) -> Event:
    fields = {"stop_reason": "pause_turn", "stop_sequence": None, "container": {"id": "c"}, **more}
    return event(
        "message_delta", delta=fields, usage={"output_tokens": 9, "server_tool_use": {"web_search_requests": 1}}
    )


def folded(events: list[Event]) -> Json:
    """The message as an SDK puts it together. Fails when an event belongs to no open block."""
    message: Json = {}
    open_at: int | None = None
    for value in (loads(one.data) for one in events):
        kind = value["type"]
        if kind == "message_start":
            message = {**value["message"], "content": []}
        elif kind == "content_block_start":
            assert (open_at, value["index"]) == (None, len(message["content"]))
            open_at = value["index"]
            message["content"].append(dict(value["content_block"]))
        elif kind == "content_block_delta":
            assert value["index"] == open_at
            _add(message["content"][-1], value["delta"])
        elif kind == "content_block_stop":
            assert value["index"] == open_at
            open_at = None
            _close(message["content"][-1])
        elif kind == "message_delta":
            assert open_at is None
            message |= {**value["delta"], "usage": {**message["usage"], **value["usage"]}}
    assert loads(events[-1].data) == {"type": "message_stop"}
    return message


def _add(block: Json, delta: Json) -> None:
    kind = delta["type"]
    if kind == "citations_delta":
        block.setdefault("citations", []).append(delta["citation"])
        return
    name = {"input_json_delta": "partial_json", "text_delta": "text", "thinking_delta": "thinking"}.get(
        kind, "signature"
    )
    block[name] = block.get(name, "") + delta[name]


def _close(block: Json) -> None:
    if "partial_json" in block:
        block["input"] = loads(block.pop("partial_json"))


def searched(**fields: Any) -> Passage:
    return to_anthropic(pipeline=searching(), thinking={"type": "adaptive"}, **fields)


def kinds(message: Json) -> list[str]:
    return [block["type"] for block in message["content"]]


def test_a_stream_keeps_what_holds_no_text_and_its_end() -> None:
    got = folded(searched().streamed(started(input_tokens=1), *streamed_blocks("hm", "Found."), end(), STOP))
    assert got["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "I look. "},
        LOOKS,
        FOUND,
        {"type": "text", "text": "Found. End.", "citations": [CITATION]},
        {"type": "brand_new", "x": 1},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]
    assert (got["id"], got["stop_reason"], got["container"]) == ("msg_1", "pause_turn", {"id": "c"})
    assert got["usage"]["server_tool_use"] == {"web_search_requests": 1}


def test_a_stream_is_searched_across_blocks_of_text_and_its_thinking_loses_a_false_signature() -> None:
    blocks = streamed_blocks("a bomb", "a bo")
    blocks[17] = delta(5, "text_delta", text="mb!")
    got = folded(searched().streamed(started(input_tokens=1), *blocks, end(), STOP))
    assert kinds(got)[2:4] == ["server_tool_use", "web_search_tool_result"]
    assert got["content"][0] == {"type": "thinking", "thinking": "a ****", "signature": UNSIGNED}
    assert got["content"][4]["text"] == "a ****!"


def test_a_redacted_block_keeps_its_data_behind_text_that_was_altered() -> None:
    blocks = [
        opened(0, "text", text=""),
        delta(0, "text_delta", text="bomb"),
        closed(0),
        opened(1, "thinking", thinking="", signature=""),
        delta(1, "signature_delta", signature="sig"),
        closed(1),
        opened(2, "redacted_thinking", data="blob"),
        closed(2),
    ]
    got = folded(searched().streamed(started(input_tokens=1), *blocks, ended("end_turn", output_tokens=1), STOP))
    assert got["content"] == [
        {"type": "text", "text": "****"},
        {"type": "thinking", "thinking": "", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
    ]


def test_a_stream_that_is_blocked_ends_as_a_refusal() -> None:
    pattern = FilterPattern(name="secret", pattern="bomb", action="block", max_length=4)
    passage = to_anthropic(pipeline=searching(pattern))
    got = folded(passage.streamed(started(input_tokens=1), *streamed_blocks("hm", "a bomb"), end(), STOP))
    assert got["stop_reason"] == "refusal"
    assert kinds(got)[-1] == "text"
    assert got["content"][-1]["text"] == "a "


def whole(thought: str, *texts: str) -> Json:
    blocks = [{"type": "text", "text": text, "citations": [CITATION]} for text in texts]
    thinking = {"type": "thinking", "thinking": thought, "signature": "sig"}
    redacted = {"type": "redacted_thinking", "data": "blob"}
    called = {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "direct"}}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "container": {"id": "c"},
        "content": [thinking, redacted, LOOKS, FOUND, *blocks, {"type": "brand_new"}, called],
        "stop_reason": "pause_turn", "stop_sequence": None, "stop_details": {"x": 1}, "usage": {"output_tokens": 9},
    }  # fmt: skip


def test_a_whole_answer_in_which_nothing_was_found_is_the_providers() -> None:
    told = whole("hm", "Found.", " End.")
    assert searched().whole(told) == {**told, "model": "asked"}


def test_a_whole_answer_keeps_all_but_the_text_that_was_altered() -> None:
    told = whole("a bomb", "a bo", "mb!")
    got = searched().whole(told)
    assert got["content"] == [
        {"type": "thinking", "thinking": "a ****", "signature": UNSIGNED},
        *told["content"][1:4],
        {"type": "text", "text": "a ****!"},
        *told["content"][6:],
    ]
    assert {**got, "content": 0} == {**told, "model": "asked", "content": 0}


TEXTS = st.lists(st.sampled_from(["bo", "mb", "b", "omb", " x ", "<think>", "<"]), min_size=1, max_size=4)
BLOCKS = st.lists(st.tuples(st.sampled_from(["text", "thinking", "server_tool_use", "tool_use"]), TEXTS), max_size=6)


@given(BLOCKS)
def test_whatever_blocks_come_the_stream_is_well_formed_and_holds_no_match(blocks: list[tuple[str, list[str]]]) -> None:
    events = [started(input_tokens=1)]
    for index, (kind, texts) in enumerate(blocks):
        events += [opened(index, kind, **({"text": ""} if kind == "text" else {"id": f"c{index}", "name": "f"}))]
        if kind == "text":
            events += [delta(index, "text_delta", text=text) for text in texts]
            events.insert(-1, delta(index, "citations_delta", citation=CITATION))
        elif kind == "thinking":
            events += [delta(index, "thinking_delta", thinking=text) for text in texts]
            events.append(delta(index, "signature_delta", signature="sig"))
        else:
            events.append(delta(index, "input_json_delta", partial_json="{}"))
        events.append(closed(index))
    got = folded(searched().streamed(*events, ended("end_turn", output_tokens=1), STOP))
    kept = [block["id"] for block in got["content"] if block["type"] in ("server_tool_use", "tool_use")]
    assert kept == [f"c{index}" for index, (kind, _) in enumerate(blocks) if kind in ("server_tool_use", "tool_use")]
    assert not any("bomb" in block.get("text", "") + block.get("thinking", "") for block in got["content"])


# A turn without a word

SILENT = [started(input_tokens=1), ended("end_turn", output_tokens=0), STOP]


@pytest.mark.parametrize("pipeline", [plain, searching])
def test_a_turn_that_claude_ends_without_a_word_is_an_answer_for_everyone(pipeline: Any) -> None:
    assert folded(to_anthropic(pipeline=pipeline()).streamed(*SILENT))["stop_reason"] == "end_turn"
    passage = to_openai(CLAUDE, pipeline())
    assert reasons(passage.streamed(*SILENT)) == ["stop"]
    silent = {**whole("hm"), "content": [], "stop_reason": "end_turn"}
    assert to_anthropic(pipeline=pipeline()).whole(silent)["content"] == []


@pytest.mark.parametrize("provider", [VENDOR, GLM_API], ids=lambda provider: provider.name)
def test_an_empty_answer_of_another_form_is_none(provider: Any) -> None:
    with pytest.raises(UpstreamBroken):
        to_anthropic(provider).streamed(frame(role="assistant", content=""), frame("stop"), DONE)


# Arguments that are no object


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("[1, 2]", {"value": [1, 2]}),
        (" 7", {"value": 7}),
        ("nope", {"raw": "nope"}),
        ('"text"', {"value": "text"}),
        ("", {}),
        (" \n", {}),
        (' {"a": 1}', {"a": 1}),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_arguments_read_the_same_streamed_and_whole(arguments: str, told: Json, size: int) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
    pieces = [arguments[at : at + size] for at in range(0, len(arguments), size)]
    first = frame(tool_calls=[{**call, "index": 0, "function": {"name": "f", "arguments": ""}}])
    rest = [frame(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in pieces]
    streamed = folded(to_anthropic(VENDOR).streamed(first, *rest, frame("tool_calls"), DONE))
    got = to_anthropic(VENDOR).whole(body({"tool_calls": [call]}, "tool_calls"))
    assert [block["input"] for block in streamed["content"]] == [told]
    assert [block["input"] for block in got["content"]] == [told]
