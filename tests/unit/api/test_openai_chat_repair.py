"""How a malformed history of an OpenAI client is mended."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.dialects.openai_chat_repair import MISSING_RESULT, repaired

Json = dict[str, Any]
ASK: Json = {"role": "user", "content": "ask"}


def calls(*ids: str) -> Json:
    made = [{"id": ident, "type": "function", "function": {"name": "f", "arguments": "{}"}} for ident in ids]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(ident: str, content: Any = "r") -> Json:
    return {"role": "tool", "tool_call_id": ident, "content": content}


def mend(*messages: Any) -> tuple[list[Json], tuple[str, ...]]:
    body, names = repaired({"model": "m", "messages": list(messages)})
    again, more = repaired(body)
    assert (again, more) == (body, ()), "what is mended stays mended"
    return list(body["messages"]), names


def test_a_sound_history_is_the_very_same_body() -> None:
    body = {"messages": [ASK, calls("a", "b"), result("b"), result("a"), ASK, calls("c"), result("c")]}
    assert repaired(body)[0] is body


def test_a_missing_result_is_said_to_be_missing() -> None:
    messages, names = mend(ASK, calls("a", "b"), result("a"), ASK)
    assert messages[2:] == [result("a"), result("b", MISSING_RESULT), ASK]
    assert names == ("tool_result_missing",)


def test_calls_that_are_the_last_word_or_stand_ahead_of_another_turn_get_their_results_too() -> None:
    missing = result("a", MISSING_RESULT)
    assert mend(ASK, calls("a")) == ([ASK, calls("a"), missing], ("tool_result_missing",))
    said = {"role": "assistant", "content": "so"}
    assert mend(ASK, calls("a"), said)[0] == [ASK, calls("a"), missing, said]


def test_a_tool_that_returned_nothing_returned_an_empty_text() -> None:
    assert mend(ASK, calls("a"), result("a", None))[0][2] == result("a", "")


def test_a_result_without_a_call_becomes_the_users_words() -> None:
    messages, names = mend(ASK, result("x", [{"type": "text", "text": "42"}]))
    assert messages[1] == {"role": "user", "content": "The result of a tool call: 42"}
    assert names == ("tool_result_orphan",)


def test_a_second_result_of_one_call_is_an_orphan() -> None:
    assert mend(ASK, calls("a"), result("a"), result("a"))[1] == ("tool_result_orphan",)


def test_a_late_result_moves_behind_its_call() -> None:
    messages, names = mend(ASK, calls("a"), ASK, result("a"))
    assert messages == [ASK, calls("a"), result("a"), ASK]
    assert names == ("tool_result_order",)


def test_empty_turns_of_the_assistant_are_left_out() -> None:
    for content in ("", None, []):
        messages, names = mend(ASK, {"role": "assistant", "content": content}, ASK)
        assert messages == [ASK, ASK]
        assert names == ("empty_turn",)


def test_content_that_is_no_text_becomes_what_it_must_have_meant() -> None:
    part = {"type": "text", "text": "x"}
    assert mend({"role": "user", "content": part})[0] == [{"role": "user", "content": [part]}]
    assert mend({"role": "user", "content": 5})[0] == [{"role": "user", "content": "5"}]
    assert mend(ASK, calls("a"), result("a", {"t": 1}))[0][2] == result("a", '{"t":1}')


@given(st.recursive(st.none() | st.text() | st.integers(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_no_body_makes_it_fail(messages: Any) -> None:
    for body in ({"messages": messages}, {"messages": [messages, ASK, calls("a"), {"role": messages}]}):
        assert isinstance(repaired(body)[1], tuple)
