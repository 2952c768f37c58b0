"""What an OpenAI client gets of the answers of an OpenAI-form provider, its own fields included."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core import sse
from core.errors import GatewayError, UpstreamBroken
from schemas.chat import ThinkingMode
from schemas.codec import dumps, loads
from tests.unit.services.passage_kit import (
    DONE,
    GLM_API,
    VENDOR,
    Event,
    body,
    deltas,
    frame,
    reasons,
    to_anthropic,
    to_openai,
    values,
)

FUNCTIONS = [{"name": "f", "parameters": {"type": "object"}}]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def call(arguments: Any = "{}", name: str | None = "f", **fields: Any) -> dict[str, Any]:
    return {**fields, "type": "function", "function": {"name": name, "arguments": arguments}}


# What is no text


ODD: list[dict[str, Any]] = [
    {"refusal": "I won't."},
    {"function_call": {"name": "f", "arguments": "{}"}},
    {"audio": {"id": "a", "data": "AAAA", "transcript": "Hi"}},
    {"images": [{"type": "image_url", "image_url": {"url": "data:,"}}]},
]


@pytest.mark.parametrize("said", ODD, ids=lambda said: next(iter(said)))
def test_an_answer_without_text_is_an_answer_and_keeps_its_fields(said: dict[str, Any]) -> None:
    finish = "function_call" if "function_call" in said else "stop"
    passage = to_openai(functions=FUNCTIONS)
    whole = body({"content": None, **said}, finish, x_new=1)
    assert passage.whole(whole) == {**whole, "model": "asked"}
    sent = passage.streamed(frame(role="assistant", content=None), frame(**said), frame(finish), DONE)
    assert said in deltas(sent)
    assert reasons(sent) == [finish]


@pytest.mark.parametrize("said", ODD[:3], ids=lambda said: next(iter(said)))
def test_other_clients_are_told_of_it_too(said: dict[str, Any]) -> None:
    got = to_anthropic(VENDOR).folded(frame(**said), frame("stop"), DONE)
    (block,) = got["content"]
    if block["type"] == "tool_use":
        assert (block["name"], block["input"], got["stop_reason"]) == ("f", {}, "tool_use")
        assert block["id"].startswith("call_")
    else:
        assert block["text"] in ("I won't.", "Hi")


def test_what_no_other_client_can_be_told_is_not_asked_for_again() -> None:
    assert to_anthropic(VENDOR).folded(frame(images=[1]), frame("stop"), DONE)["content"] == []


@pytest.mark.parametrize("delta", [{}, {"role": "assistant", "content": "", "refusal": None, "tool_calls": []}])
def test_an_answer_of_nothing_is_none(delta: dict[str, Any]) -> None:
    with pytest.raises(UpstreamBroken):
        to_openai().streamed(frame(**delta), frame("stop"), DONE)
    with pytest.raises(UpstreamBroken):
        to_openai().whole(body(delta))


# Malformed calls

MALFORMED = {
    "no index": [call(id="a"), call(id="b")],
    "twice the same index": [call(id="a", index=0), call(id="b", index=0)],
    "an object as arguments": [call({}, index=0, id="a"), call({}, index=1, id="b")],
    "numbers as ids": [call(index=0, id=1), call(index=1, id=2)],
    "no ids": [call(index=0), call(index=1)],
}


@pytest.mark.parametrize("calls", MALFORMED.values(), ids=MALFORMED)
def test_calls_leave_well_formed(calls: list[dict[str, Any]]) -> None:
    events = [frame(tool_calls=[{**one, "extra_content": {"thought_signature": "s"}}]) for one in calls]
    told = [one["tool_calls"] for one in deltas(to_openai().streamed(*events, frame("tool_calls"), DONE)) if one]
    assert [len(one) for one in told] == [1, 1]
    assert [one[0]["index"] for one in told] == [0, 1]
    assert [one[0]["function"] for one in told] == [{"name": "f", "arguments": "{}"}] * 2
    assert len({one[0]["id"] for one in told if one[0]["id"] and isinstance(one[0]["id"], str)}) == 2
    assert [one[0]["extra_content"] for one in told] == [{"thought_signature": "s"}] * 2


@pytest.mark.parametrize("calls", MALFORMED.values(), ids=MALFORMED)
def test_calls_of_a_whole_answer_leave_well_formed(calls: list[dict[str, Any]]) -> None:
    calls = [{**one, "extra_content": {"thought_signature": "s"}} for one in calls]
    got = to_openai().whole(body({"content": None, "tool_calls": calls}, "stop", citations=["u"]))
    made = got["choices"][0]["message"]["tool_calls"]
    assert [one["function"]["arguments"] for one in made] == ["{}", "{}"]
    assert len({one["id"] for one in made if isinstance(one["id"], str) and one["id"]}) == 2
    assert [one["extra_content"] for one in made] == [{"thought_signature": "s"}] * 2
    assert (got["id"], got["citations"], got["choices"][0]["finish_reason"]) == ("up-1", ["u"], "tool_calls")


def test_id_and_name_leave_in_the_first_piece_only() -> None:
    pieces = [call('{"a"', index=0, id="a"), call(":1}", index=0, id="a")]
    sent = deltas(to_openai().streamed(*(frame(tool_calls=[one]) for one in pieces), frame("tool_calls"), DONE))
    assert sent[1]["tool_calls"] == [{"index": 0, "type": "function", "function": {"arguments": ":1}"}}]


def test_a_name_that_comes_after_its_id_is_waited_for() -> None:
    events = [
        frame(role="assistant", tool_calls=[{"index": 0, "id": "a", "function": {"arguments": '{"a"'}}]),
        frame(tool_calls=[{"index": 0, "function": {"name": "f"}}]),
        frame(tool_calls=[{"index": 0, "function": {"arguments": ":1}"}}]),
        frame("tool_calls"),
        DONE,
    ]
    sent = deltas(to_openai().streamed(*events))
    assert [one["tool_calls"][0] for one in sent if "tool_calls" in one] == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
    ]
    (block,) = to_anthropic(VENDOR).folded(*events)["content"]
    assert block == {"type": "tool_use", "id": "a", "name": "f", "input": {"a": 1}}


def test_a_name_that_never_comes_is_a_broken_answer_unless_it_was_cut() -> None:
    begun = frame(tool_calls=[{"index": 0, "id": "a", "function": {"arguments": "{"}}])
    with pytest.raises(UpstreamBroken):
        to_openai().streamed(begun, frame("tool_calls"), DONE)
    assert reasons(to_openai().streamed(frame(content="Hi"), begun, frame("length"), DONE)) == ["length"]


@pytest.mark.parametrize("provider", [VENDOR, GLM_API], ids=lambda provider: provider.name)
@pytest.mark.parametrize("arguments", ["", None], ids=repr)
def test_a_call_without_arguments_has_an_empty_object(provider: Any, arguments: Any) -> None:
    events = [frame(tool_calls=[call(arguments, index=0, id="a")]), frame("tool_calls"), DONE]
    sent = deltas(to_openai(provider).streamed(*events))
    pieces = [one["tool_calls"][0]["function"] for one in sent if "tool_calls" in one]
    assert "".join(piece.get("arguments") or "" for piece in pieces) == "{}"
    for got in (
        to_openai(provider).folded(*events),
        to_openai(provider).whole(body({"tool_calls": [call(arguments, id="a")]}, "tool_calls")),
    ):
        assert got["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_a_call_that_was_cut_ahead_of_its_arguments_is_not_made_whole() -> None:
    sent = to_openai().streamed(frame(tool_calls=[call("", index=0, id="a")]), frame("length"), DONE)
    assert [one["tool_calls"][0]["function"]["arguments"] for one in deltas(sent)] == [""]


# The end


@pytest.mark.parametrize(
    ("word", "calls", "told"),
    [("eos_token", [], "stop"), ("stop", [call(index=0, id="a")], "tool_calls"), ("tool_calls", [], "stop")],
)
def test_an_answer_ends_with_one_of_openais_words(word: str, calls: list[Any], told: str) -> None:
    said = {"content": "Hi", **({"tool_calls": calls} if calls else {})}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.5}
    counted = Event(dumps({"choices": [], "usage": usage}))
    sent = to_openai(stream_options={"include_usage": True}, stream=True).streamed(
        frame(**said), frame(word), frame(word), counted, DONE
    )
    assert reasons(sent) == [told]
    assert values(sent)[-1]["usage"] == usage
    got = to_openai().whole(body(said, word, usage=usage))
    assert got["choices"][0]["finish_reason"] == told
    assert (got["id"], got["usage"]) == ("up-1", usage)


def test_text_after_the_finish_reason_is_delivered_once_and_ahead_of_it() -> None:
    sent = to_openai().streamed(frame(content="a"), frame("stop"), frame(content="b"), frame("stop", content="c"), DONE)
    assert [one["content"] for one in deltas(sent)] == ["a", "b", "c"]
    assert reasons(sent) == ["stop"]
    assert values(sent)[-1]["choices"][0]["finish_reason"] == "stop"


def test_text_that_comes_after_its_usage_is_delivered_once() -> None:
    counted = Event(dumps({"choices": [], "usage": {"prompt_tokens": 1}}))
    sent = to_openai().streamed(counted, frame(content="a"), counted, frame(content="b"), frame("stop"), counted, DONE)
    assert [one["content"] for one in deltas(sent)] == ["a", "b"]
    assert not any("usage" in one for one in values(sent))


def test_a_second_finish_reason_that_tells_the_usage_leaves_the_usage_only() -> None:
    last = loads(frame("stop").data) | {"usage": {"prompt_tokens": 1, "x": 1}}
    asked = to_openai(stream_options={"include_usage": True}, stream=True)
    sent = asked.streamed(frame(content="a"), frame("stop"), Event(dumps(last)), DONE)
    assert reasons(sent) == ["stop"]
    assert [one["usage"] for one in values(sent) if one.get("usage")] == [{"prompt_tokens": 1, "x": 1}]


def test_only_the_choice_that_was_asked_for_is_told() -> None:
    both = loads(frame(content="a").data)
    both["choices"].append({"index": 1, "delta": {"content": "no"}, "finish_reason": None})
    events = [frame(index=1, content="no"), Event(dumps(both)), frame("length", index=1), frame("stop"), DONE]
    sent = to_openai().streamed(*events)
    assert [one["content"] for one in deltas(sent)] == ["a"]
    assert reasons(sent) == ["stop"]
    whole = body({"content": "a"})
    whole["choices"].insert(0, {"index": 1, "message": {"content": "no"}, "finish_reason": "stop"})
    got = to_openai().whole(whole)
    assert [(one["index"], one["message"]["content"]) for one in got["choices"]] == [(0, "a")]


def test_probabilities_are_told_once() -> None:
    value = loads(frame("stop", reasoning="hm", content="Hi").data)
    value["choices"][0]["logprobs"] = {"content": [{"token": "Hi"}]}
    sent = to_openai(mode="field").streamed(Event(dumps(value)), DONE)
    assert [one["choices"][0].get("logprobs") for one in values(sent) if one["choices"][0].get("logprobs")] == [
        {"content": [{"token": "Hi"}]}
    ]


def test_an_event_in_several_lines_stays_one() -> None:
    data = frame(content="a").data.replace(b',"choices"', b',\n"choices"')
    assert [one["content"] for one in deltas(to_openai().streamed(Event(data), frame("stop"), DONE))] == ["a"]


# Thinking

SHOWN: dict[ThinkingMode, tuple[str, str | None]] = {
    "tags": ("<think>hm</think>\n\nHi", None),
    "field": ("Hi", "hm"),
    "hide": ("Hi", None),
}
DETAILS = [{"type": "reasoning.encrypted", "data": "x"}]


@pytest.mark.parametrize("mode", SHOWN)
@pytest.mark.parametrize(
    "message",
    [
        {"content": "Hi", "reasoning": "hm", "reasoning_details": DETAILS},
        {"content": "Hi", "reasoning_content": "<think>hm</think>", "reasoning_details": DETAILS},
        {"content": "<think>hm</think>Hi", "reasoning_details": DETAILS},
    ],
    ids=["in a field", "in a field and tags", "in tags"],
)
def test_a_whole_answer_that_thinks_keeps_every_other_field(mode: ThinkingMode, message: dict[str, Any]) -> None:
    kept = {"annotations": [{"type": "url_citation"}], "refusal": None}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cost": 0.25}
    told = body({**message, **kept}, usage=usage, citations=["https://a"])
    got = to_openai(mode=mode).whole(told)
    said = got["choices"][0].pop("message")
    assert got == {**told, "model": "asked", "choices": [{"index": 0, "logprobs": None, "finish_reason": "stop"}]}
    content, reasoning = SHOWN[mode]
    assert (said["content"], said.get("reasoning_content")) == (content, reasoning)
    assert kept.items() <= said.items()
    assert said.get("reasoning_details") == (DETAILS if mode == "field" else None)


def test_a_whole_answer_that_thinks_ahead_of_a_call_has_no_text() -> None:
    got = to_openai(mode="hide").whole(body({"content": "", "reasoning": "hm", "tool_calls": [CALL]}, "tool_calls"))
    assert got["choices"][0]["message"] == {"role": "assistant", "content": "", "tool_calls": [CALL]}


def test_a_refusal_stays_in_its_field_behind_thinking() -> None:
    got = to_openai().whole(body({"content": None, "reasoning": "hm", "refusal": "No."}))
    message = got["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == ("<think>hm</think>\n\n", "No.")


def test_a_whole_answer_that_was_stopped_here_is_made_here() -> None:
    got = to_openai(stop=["END"]).whole(body({"content": "Hi END more"}, citations=["u"]))
    assert got["choices"][0]["message"]["content"] == "Hi "
    assert (got["id"], "citations" in got) == ("made-here", False)


def test_a_stream_that_thinks_in_a_field_is_forwarded_as_it_came() -> None:
    thought = frame(reasoning="hm", reasoning_details=DETAILS)
    later = frame(reasoning="more", reasoning_details=DETAILS)
    sent = deltas(to_openai(mode="field").streamed(thought, later, frame(content="Hi"), frame("stop"), DONE))
    assert [one.get("reasoning_details") for one in sent[:2]] == [DETAILS, DETAILS]
    assert [one.get("reasoning_content") for one in sent[:2]] == ["hm", "more"]


# Whatever comes

MANGLED = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.text(max_size=3) | st.sampled_from(["stop", "eos"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "reasoning",
                    "refusal",
                    "tool_calls",
                    "function_call",
                    "function",
                    "arguments",
                    "audio",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
CALLS = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": MANGLED, "arguments": MANGLED})},
    optional={"index": MANGLED, "id": MANGLED},
)
CHOICES = st.fixed_dictionaries(
    {"delta": MANGLED | st.fixed_dictionaries({"tool_calls": st.lists(CALLS | MANGLED, max_size=3)})},
    optional={"finish_reason": MANGLED, "index": MANGLED, "message": MANGLED, "logprobs": MANGLED},
)


@example([{"choices": [{"delta": [None], "finish_reason": "0"}]}])
@given(st.lists(st.fixed_dictionaries({"choices": st.lists(CHOICES, max_size=2) | MANGLED}), max_size=5))
def test_whatever_a_provider_sends_leaves_as_a_well_formed_stream_or_not_at_all(frames: list[Any]) -> None:
    try:
        sent = to_openai(mode="field").streamed(*(Event(dumps(one)) for one in frames), DONE)
    except GatewayError:
        return
    assert len(reasons(sent)) == 1
    assert set(reasons(sent)) <= {"stop", "length", "tool_calls", "content_filter", "function_call"}
    begun: set[int] = set()
    for piece in (one for said in deltas(sent) for one in said.get("tool_calls") or () if "function" in one):
        assert isinstance(piece["function"].get("arguments", ""), str)
        assert (piece["index"] in begun) != bool(piece.get("id") and piece["function"].get("name"))
        begun.add(piece["index"])


@example({"role": None, "content": "0"}, None)
@given(MANGLED | st.fixed_dictionaries({"tool_calls": st.lists(CALLS | MANGLED, max_size=3)}), MANGLED)
def test_whatever_a_whole_answer_says_is_rendered_or_refused(message: Any, finish: Any) -> None:
    told = {"choices": [{"message": message, "finish_reason": finish}]}
    try:
        got = to_openai().whole(told)
    except GatewayError:
        return
    assert got["choices"][0]["finish_reason"] in {"stop", "length", "tool_calls", "content_filter", "function_call"}
    assert got["choices"][0]["message"]["role"] == "assistant"


def test_a_stream_of_malformed_calls_reads_the_same_wherever_it_is_cut() -> None:
    events = [
        frame(content="é"),
        *(frame(tool_calls=[one]) for one in MALFORMED["twice the same index"]),
        frame("stop"),
    ]
    data = b"".join(b"data: " + event.data + b"\r\n\r\n" for event in [*events, DONE])
    expected = [event.data for event in to_openai().streamed(*sse.decode([data]))]
    for cut in range(1, len(data)):
        assert [event.data for event in to_openai().streamed(*sse.decode([data[:cut], data[cut:]]))] == expected


def test_the_same_tool_called_twice_without_ids_is_two_calls() -> None:
    calls = [
        {"index": 0, "id": "", "function": {"name": "Read", "arguments": f'{{"p":{number}}}'}} for number in (1, 2)
    ]
    for frames in ([frame(tool_calls=calls)], [frame(tool_calls=[one]) for one in calls]):
        sent = deltas(to_openai().streamed(*frames, frame("tool_calls"), DONE))
        told = [one for said in sent for one in said.get("tool_calls") or ()]
        assert [one["function"]["arguments"] for one in told] == ['{"p":1}', '{"p":2}']
        assert len({one["id"] for one in told}) == 2
        assert [one["index"] for one in told] == [0, 1]
        assert {one["type"] for one in told} == {"function"}


def test_calls_whose_pieces_interleave_under_one_number_are_told_apart_by_their_ids() -> None:
    begun = [{"index": 0, "id": name, "function": {"name": "f", "arguments": ""}} for name in "ab"]
    rest = [{"index": 0, "id": name, "function": {"arguments": f'{{"{name}":1}}'}} for name in "ab"]
    sent = deltas(to_openai().streamed(frame(tool_calls=begun), frame(tool_calls=rest), frame("tool_calls"), DONE))
    told = [(one["index"], one["function"]["arguments"]) for said in sent for one in said.get("tool_calls") or ()]
    assert told[2:] == [(0, '{"a":1}'), (1, '{"b":1}')]


def test_a_stream_that_ends_with_all_of_it_once_more_says_it_once() -> None:
    again = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}
    sent = deltas(to_openai().streamed(frame(content="hello"), Event(dumps(again)), DONE))
    assert "".join(said.get("content") or "" for said in sent) == "hello"
