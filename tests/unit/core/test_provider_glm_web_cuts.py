"""A chat.z.ai stream says the same wherever its bytes, its events and its edits are cut."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import GatewayError
from core.sse import SILENCE, Event, decode, encode
from schemas.codec import loads
from schemas.stream import Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from tests.unit.core.glm_web_events import (
    DETAILS,
    END,
    THINKING,
    TOOLS,
    a_provider,
    a_request,
    block,
    edit,
    event,
    said,
)

Said = tuple[str, str, list[tuple[str, str, str]], Finished | str]
"""Reasoning, answer, calls with their ids, and the end or the code of what broke it off."""

OPENED = '<details type="reasoning" done="'
TEXTS = [
    "The moon", " 月", "🌕", "\n", "\n\n", "> ", "a < b", "<", "</", "<details", "<details>", "</details>",
    "</details >",
    "</details\n", "<summary>", "</summary  >", "</thinking>", "<Full>", "<glm_block", "</glm_block>", DETAILS,
    OPENED, 'true" duration="2">\n<summary>Thought</summary>\n', "\n</details>\n",
    block("look", {"id": "c1", "arguments": "{}"}),
    block("look", {"arguments": '{"q":"<b>"}'}), block("site_tool", {"id": "c9", "arguments": "{}"}), "é</details>",
]  # fmt: skip
"""What a buffer is made of, to be cut anywhere."""

texts = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4).map("".join)
deltas = st.builds(
    lambda text, phase: {"delta_content": text, "phase": phase}, texts, st.sampled_from(["thinking", "answer"])
)
edits = st.builds(
    lambda at, text: {"edit_index": at, "edit_content": text, "phase": "answer"}, st.integers(-2, 200), texts
)
pieces_of_calls = st.builds(
    lambda name, arguments, ident: {
        "phase": "tool_call", "delta_name": name, "delta_arguments": arguments, "metadata": {"tool_call_id": ident},
    },
    st.sampled_from(["look", "site_tool"]), st.sampled_from(["{}", '{"q":"Köln"}']), st.sampled_from(["c1", "c2"]),
)  # fmt: skip
streams = st.lists(st.one_of(deltas, deltas, edits, pieces_of_calls), min_size=1, max_size=6)


def outcome(events: Iterable[Event], *tools: str) -> Said:
    """What a stream comes to."""
    reasoning, answer, calls, end = "", "", list[tuple[str, str, str]](), "unfinished"
    result: Finished | str = end
    try:
        for chunk in a_provider().decode(events, a_request(*tools)):
            if isinstance(chunk, ReasoningDelta):
                reasoning += chunk.text
            elif isinstance(chunk, TextDelta):
                answer += chunk.text
            elif isinstance(chunk, ToolCallDelta):
                calls.append((str(chunk.id), str(chunk.name), chunk.arguments))
            elif isinstance(chunk, Finished):
                result = chunk
            else:
                assert isinstance(chunk, KeepAlive)
    except GatewayError as error:
        result = str(error.code or error.type)
    return reasoning, answer, calls, result


Cut = Callable[[str], list[str]]


def letters(text: str) -> list[str]:
    return list(text)


def cut_at(cuts: Iterable[int]) -> Cut:
    places = sorted(cuts)

    def cut(text: str) -> list[str]:
        inner = [place % (len(text) + 1) for place in places]
        return [text[start:end] for start, end in zip([0, *sorted(inner)], [*sorted(inner), len(text)], strict=True)]

    return cut


def recut(inner: dict[str, Any], cut: Cut) -> Iterator[dict[str, Any]]:
    """The same change of the buffer, or the same piece of a call, in several events.

    The rest of an edit is added to where it ends; what else the event says comes with the last.
    """
    rest = dict(inner)
    for field, more in (
        ("edit_content", "delta_content"),
        ("delta_content", "delta_content"),
        ("delta_arguments", "delta_arguments"),
    ):
        text = rest.get(field)
        if not isinstance(text, str) or len(text) < 2:
            continue
        first, *others = cut(text)
        kept = {name: rest[name] for name in ("phase", "edit_index", "delta_name", "metadata") if name in rest}
        yield {**kept, field: first}
        last = others.pop() if others else ""
        kept = {"phase": rest["phase"]} if "phase" in rest else {}
        for other in others:
            yield {**kept, more: other}
        for name in ("edit_index", "delta_name", field, "metadata"):
            rest.pop(name, None)
        rest[more] = last + rest.get(more, "") if more != field else last
    yield rest


def inner_of(recording: bytes) -> list[tuple[Event, dict[str, Any] | None]]:
    """The events of a recording, with what each says of the buffer."""
    found = []
    for one in decode([recording]):
        frame = None if one.data.startswith(b"[DONE]") else loads(one.data)
        inner = frame.get("data") if isinstance(frame, dict) else None
        found.append((one, inner if isinstance(inner, dict) else None))
    return found


def recorded(recording: bytes, cut: Cut) -> list[Event]:
    return [
        again
        for one, inner in inner_of(recording)
        for again in ([one] if inner is None else [event(**part) for part in recut(inner, cut)])
    ]


@pytest.mark.parametrize("recording", [THINKING, TOOLS], ids=["thinking", "tools"])
def test_a_recording_reads_the_same_in_single_letters(recording: bytes) -> None:
    assert outcome(recorded(recording, letters), "get_weather") == outcome(decode([recording]), "get_weather")


@given(st.lists(st.integers(0, 400), min_size=1, max_size=4))
def test_a_recording_reads_the_same_wherever_its_events_are_cut(cuts: list[int]) -> None:
    for recording in (THINKING, TOOLS):
        assert outcome(recorded(recording, cut_at(cuts)), "get_weather") == outcome(decode([recording]), "get_weather")


@given(streams, st.lists(st.integers(0, 400), min_size=1, max_size=4))
@settings(max_examples=150)
def test_any_stream_reads_the_same_wherever_its_events_are_cut(inners: list[dict[str, Any]], cuts: list[int]) -> None:
    expected = outcome([*(event(**inner) for inner in inners), event(**END)], "look")
    for cut in (letters, cut_at(cuts)):
        parts = [event(**part) for inner in inners for part in recut(inner, cut)]
        assert outcome([*parts, event(**END)], "look") == expected


@given(streams, st.lists(st.integers(0, 5000), max_size=6), st.booleans())
def test_any_stream_reads_the_same_wherever_its_bytes_are_cut(
    inners: list[dict[str, Any]], cuts: list[int], windows: bool
) -> None:
    events = [*(event(**inner) for inner in inners), event(**END)]
    data = b"".join(encode(one.data) for one in events)
    data = data.replace(b"\n", b"\r\n") if windows else data
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    blocks = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    assert outcome(decode(one for one in blocks if one), "look") == outcome(events, "look")


@given(streams, st.lists(st.integers(0, 8), max_size=3))
def test_silence_between_events_changes_nothing(inners: list[dict[str, Any]], gaps: list[int]) -> None:
    events = [*(event(**inner) for inner in inners), event(**END)]
    quiet = list(events)
    for gap in gaps:
        quiet.insert(min(gap, len(events) - 1), SILENCE)
    assert outcome(quiet, "look") == outcome(events, "look")


LONG = "x" * 1500
THINKS = '<details type="reasoning">\n'
REST = "> a\n</details>\nHi"
ODD = {
    "a closing tag with many blanks": THINKS + "> a\n</details" + " " * 30 + ">\nHi",
    "a closing tag with some blanks": THINKS + "> a\n</details" + " " * 20 + ">\nHi",
    "a summary with blanks": THINKS + "<summary>T</summary" + " " * 12 + ">\n" + REST,
    "a summary with too many": THINKS + "<summary>T</summary" + " " * 30 + ">\n" + REST,
    "a long summary tag": THINKS + f'<summary x="{LONG * 2}">T</summary>\n' + REST,
    "a long opening tag": f'<details class="{LONG}" type="reasoning">\n' + REST,
    "one too long for a tag": f'<details class="{LONG * 2}" type="reasoning">\n' + REST,
    "a long block tag": f'<glm_block x="{LONG}">{{}}</glm_block>Hi',
    "one too long for a block tag": f'<glm_block x="{LONG * 2}">{{}}</glm_block>Hi',
    "a letter like an s": THINKS.replace("s", "\N{LATIN SMALL LETTER LONG S}", 1) + REST,
    "an i without a dot": THINKS.replace("i", "\N{LATIN SMALL LETTER DOTLESS I}", 1) + REST,
    "a sign like a k": "<glm_bloc\N{KELVIN SIGN} x>{}</glm_block>Hi",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_tags_read_the_same_in_single_letters(text: str) -> None:
    whole = outcome([said(text), event(**END)])
    assert outcome([*map(said, text), event(**END)]) == whole
    assert outcome([edit(0, text[:1]), *map(said, text[1:]), event(**END)]) == whole


def test_what_an_edit_takes_back_in_time_is_not_sent_however_it_came() -> None:
    for first in ("</details\n", "<details", "<glm_block x", "\n"):
        expected = outcome([said(first), edit(0, "The moon"), event(**END)])
        assert outcome([*map(said, first), edit(0, "The moon"), event(**END)]) == expected
