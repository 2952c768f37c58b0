"""The web form's frames build the message the site would build."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from demo.answers import Reply
from demo.tools import Call
from demo.web import events
from schemas.codec import loads

HEAD = {"id": "m1", "created": 1, "model": "glm-5"}


def frames(reply: Reply) -> list[dict[str, Any]]:
    *sent, ending = events(reply, HEAD, {"total_tokens": 3})
    assert ending == {"type": "chat:completion", "data": "[DONE]"}
    return [frame["data"] for frame in sent]


def message(sent: list[dict[str, Any]]) -> str:
    """The buffer, by the site's rule that an edit replaces everything from its index on."""
    buffer = ""
    for frame in sent:
        if "edit_index" in frame:
            buffer = buffer[: frame["edit_index"]] + frame["edit_content"]
        buffer += frame.get("delta_content", "")
    return buffer


@given(reasoning=st.text(), text=st.text())
def test_the_buffer_ends_as_thinking_block_plus_answer(reasoning: str, text: str) -> None:
    buffer = message(frames(Reply(reasoning, text)))
    quoted = reasoning.replace("\n", "\n> ")
    assert buffer.endswith(f"\n> {quoted}\n</details>\n{text}" if reasoning else text)
    assert buffer.startswith('<details type="reasoning" done="true" ' if reasoning else text)


@given(reasoning=st.text(), text=st.text())
def test_the_last_edit_stands_at_the_end_of_the_buffer(reasoning: str, text: str) -> None:
    sent = frames(Reply(reasoning, text))
    assert sent[-1]["edit_index"] == len(message(sent[:-1]))


def test_the_closing_edit_carries_the_first_words_of_the_answer() -> None:
    edit = next(frame for frame in frames(Reply("Hm", "Hi there")) if "edit_index" in frame)
    assert edit["edit_index"] == 32
    assert edit["edit_content"].endswith("</details>\nHi")


def test_the_phases_come_in_the_order_of_the_site() -> None:
    phases = [frame["phase"] for frame in frames(Reply("Hm", "Hi"))]
    assert phases == ["thinking", "answer", "other", "answer", "done", "other"]


def test_a_tool_call_is_a_block_in_the_message() -> None:
    sent = frames(Reply("", "", (Call("clock", '{"zone":"UTC"}'),), "tool_calls"))
    block = sent[0]["delta_content"]
    inner = block.removeprefix('<glm_block tool_call_name="clock">').removesuffix("</glm_block>")
    assert loads(inner)["data"]["metadata"]["arguments"] == '{"zone":"UTC"}'
