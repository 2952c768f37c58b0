"""Which tool calls a chat.z.ai answer makes, in each form the site writes them."""

from typing import Any

import pytest

from core.sse import decode
from schemas.chat import ToolChoice
from schemas.stream import Finished, TextDelta, ToolCallDelta
from schemas.usage import Usage
from tests.unit.core.glm_web_events import (
    DETAILS,
    END,
    TOOLS,
    a_provider,
    a_request,
    block,
    calls,
    chunks,
    edit,
    event,
    said,
    texts,
)


def test_a_recorded_call_of_the_clients_tool_is_given_once_in_its_finished_form() -> None:
    found = chunks(decode([TOOLS]), "get_weather")
    assert "".join(chunk.text for chunk in found if isinstance(chunk, TextDelta)).rstrip() == "Ich schaue nach."
    assert found[-2:] == [
        ToolCallDelta(0, "call_w", "get_weather", '{"city":"Zürich"}'),
        Finished("tool_calls", Usage(uncached=30, output=12)),
    ]
    assert sum(isinstance(chunk, ToolCallDelta) for chunk in found) == 1


def test_blocks_of_the_sites_own_tools_vanish() -> None:
    found = chunks(decode([TOOLS]))
    assert found[-1] == Finished("stop", Usage(uncached=30, output=12))
    assert "glm_block" not in "".join(chunk.text for chunk in found if isinstance(chunk, TextDelta))


def test_a_block_in_single_letters_is_one_call() -> None:
    raw = "So: " + block("f", {"id": "c1", "arguments": {"a": "<b>"}}) + " done"
    events = [said(letter, "tool_call") for letter in raw]
    assert calls(events, "f") == [ToolCallDelta(0, "c1", "f", '{"a":"<b>"}')]
    assert texts(events) == ("", "So:  done")


def test_a_later_form_of_a_call_replaces_the_earlier_one() -> None:
    forms = [block("f", {"id": "c1", "arguments": arguments}) for arguments in ("{}", '{"a":1}', "")]
    assert calls([edit(0, form) for form in forms], "f") == [ToolCallDelta(0, "c1", "f", '{"a":1}')]


def test_two_blocks_without_an_id_are_two_calls_with_ids_of_their_own() -> None:
    first, second = calls([said(block("f", {"arguments": "{}"}) * 2)], "f")
    assert (first.index, second.index) == (0, 1)
    assert first.id
    assert second.id not in (None, first.id)


def test_a_block_between_two_lines_of_reasoning_is_neither() -> None:
    whole = DETAILS + "a\n" + block("search", {"id": "c"}) + "> b\n</details>\nHi"
    assert texts([said(letter) for letter in whole]) == ("a\nb", "Hi")


@pytest.mark.parametrize("cut_off", ["<glm_block", '<glm_block tool_call_name="f">{"data":{"meta'])
def test_a_block_that_was_cut_off_is_no_call(cut_off: str) -> None:
    assert calls([said("a" + cut_off)], "f") == []


def test_an_answer_that_only_speaks_of_blocks_is_not_lost() -> None:
    assert texts([said("The tag <glm_block> is"), said(" odd.")]) == ("", "The tag <glm_block> is odd.")


def test_calls_streamed_in_pieces_come_out_whole() -> None:
    pieces = [
        event(phase="tool_call", delta_name="get_", metadata={"tool_call_id": "c1"}),
        event(phase="tool_call", delta_name="time", delta_arguments='{"zone":', metadata={"tool_call_id": "c1"}),
        event(phase="tool_call", delta_arguments='"CET"}'),
        event(phase="tool_call", delta_name="search", delta_arguments="{}", metadata={"tool_call_id": "c2"}),
    ]
    assert calls(pieces, "get_time") == [ToolCallDelta(0, "c1", "get_time", '{"zone":"CET"}')]


@pytest.mark.parametrize("place", ["inner", "choice"])
def test_openai_like_calls_come_out_whole(place: str) -> None:
    entries: list[list[dict[str, Any]]] = [
        [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": '{"a"'}}],
        [{"index": 0, "function": {"arguments": ":1}"}}, {"index": 1, "id": "c2", "function": {"name": "g"}}],
    ]
    wrap = {
        "inner": lambda entry: event(tool_calls=entry),
        "choice": lambda entry: event(choices=[{"delta": {"tool_calls": entry}}]),
    }[place]
    found = calls([wrap(entry) for entry in entries], "f", "g")
    assert found == [ToolCallDelta(0, "c1", "f", '{"a":1}'), ToolCallDelta(1, "c2", "g", "{}")]


def test_no_call_is_made_when_the_client_forbade_calls() -> None:
    request = a_request("f", choice=ToolChoice("none"))
    found = list(a_provider().decode([said("a" + block("f", {"id": "c"})), event(**END)], request))
    assert found == [TextDelta("a"), Finished("stop")]
