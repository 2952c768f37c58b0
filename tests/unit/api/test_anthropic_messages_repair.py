"""What becomes of a malformed history."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.anthropic_messages_pairing import MISSING
from api.dialects.anthropic_messages_repair import repaired
from schemas.codec import dumps
from tests.unit.api.anthropic_messages_kit import parse

PNG = {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
QUOTED = "Result of a tool call that is not part of this conversation:\n"


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(name: str = "t1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "f", "input": {}, **fields}


def result(name: str = "t1", content: Any = "done", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": content, **fields}


def missing(name: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "is_error": True, "content": MISSING}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def repair(*messages: Any) -> tuple[list[Any], list[str]]:
    """The messages after the repair, and the names. What was given stays as it was; a second repair finds nothing."""
    body = {"model": "m", "messages": list(messages)}
    before = deepcopy(body)
    mended, names = repaired(body)
    assert body == before
    assert (mended is body) is (names == ())
    assert repaired(mended) == (mended, ())
    assert {**mended, "messages": None} == {**body, "messages": None}
    return mended["messages"], list(names)


SOUND: list[list[Any]] = [
    [user("a")],
    [user("a"), assistant([call()]), user([result(), text("b")]), assistant("c")],
    [user("a"), assistant([call("t1"), call("t2")]), user([result("t2"), result("t1")])],
    [user("a"), assistant([call("t1")]), assistant([call("t2")]), user([result("t1")]), user([result("t2")])],
    [user("a"), assistant([call()]), user([result()]), system("b"), assistant("c")],
    [user("a"), assistant([call()]), system("b"), user([result()])],
    [user("a"), assistant([call()]), user([result(content=None)]), assistant([call()]), user([result(content=[])])],
    [user("a"), assistant([{"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}]), user("b")],
    [user("a"), assistant([{"type": "thinking", "thinking": "", "signature": "s"}]), user("b")],
    [user(""), user([]), user([text("")])],
]


@pytest.mark.parametrize("messages", SOUND)
def test_a_sound_history_stays_the_same_object(messages: list[Any]) -> None:
    assert repair(*messages) == (messages, [])


@pytest.mark.parametrize(
    ("given_input", "mended"),
    [
        ('{"a": [1]}', {"a": [1]}),
        ("[1]", {"value": [1]}),
        ("5", {"value": 5}),
        ("null", {}),
        (" ", {}),
        ('{"a"', {"value": '{"a"'}),
        (["a"], {"value": ["a"]}),
        (7, {"value": 7}),
        (None, {}),
    ],
)
def test_arguments_become_an_object(given_input: Any, mended: dict[str, Any]) -> None:
    messages, names = repair(user("a"), assistant([call(input=given_input)]), user([result()]))
    assert messages[1]["content"] == [call(input=mended)]
    assert names == ["tool_input"]


def test_arguments_that_are_left_out_are_none() -> None:
    bare = {"type": "tool_use", "id": "t1", "name": "f"}
    assert repair(user("a"), assistant([bare]))[0][1]["content"] == [call()]


def test_a_missing_result_is_put_first_into_the_next_turn_of_the_user() -> None:
    messages, names = repair(
        user("a"), assistant([call("t1"), call("t2"), call("t3")]), user([result("t2"), text("b")])
    )
    assert messages[2]["content"] == [missing("t1"), missing("t3"), result("t2"), text("b")]
    assert names == ["tool_result_missing"] * 2


@pytest.mark.parametrize(("said", "blocks"), [("b", [text("b")]), ("", []), ([text("b")], [text("b")])])
def test_a_missing_result_goes_ahead_of_what_was_said_instead(said: Any, blocks: list[Any]) -> None:
    messages, names = repair(user("a"), assistant([call()]), user(said), assistant("c"))
    assert messages[2] == user([missing("t1"), *blocks])
    assert names == ["tool_result_missing"]


def test_a_turn_is_made_for_a_missing_result_where_there_is_none() -> None:
    messages, names = repair(user("a"), assistant([call()]), system("b"), assistant("c"))
    assert messages == [user("a"), assistant([call()]), user([missing("t1")]), system("b"), assistant("c")]
    assert names == ["tool_result_missing"]


def test_a_call_at_the_very_end_gets_an_answer_too() -> None:
    messages = [user("a"), assistant([call("t1")]), user([result("t1")]), assistant([text("b"), call("t2")])]
    assert repair(*messages) == ([*messages, user([missing("t2")])], ["tool_result_missing"])


def test_a_result_without_its_call_is_quoted() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    messages, names = repair(
        user("a"), assistant("b"), user([result(content="x"), result("t2", [text("y"), PNG, text("z")], **mark)])
    )
    assert messages[2]["content"] == [text(f"{QUOTED}x"), {**text(f"{QUOTED}y\nz"), **mark}, PNG]
    assert names == ["tool_result_orphan"] * 2


def test_only_the_turn_right_before_has_the_calls_of_a_result() -> None:
    messages, names = repair(
        user("a"), assistant([call()]), user([result()]), assistant("b"), user([result(content="late")])
    )
    assert messages[4]["content"] == [text(f"{QUOTED}late")]
    assert names == ["tool_result_orphan"]


def test_a_second_result_for_one_call_is_quoted() -> None:
    messages, names = repair(user("a"), assistant([call()]), user([result(), result(content="again")]))
    assert messages[2]["content"] == [result(), text(f"{QUOTED}again")]
    assert names == ["tool_result_orphan"]


def test_what_is_not_concerned_is_not_rewritten() -> None:
    first = user("a")
    assert repair(first, assistant("b"), user("c"), user([result()]))[0][2] == user("c")
    assert repair(first, assistant(""), user("b"))[0][0] is first
    apart = [assistant([call("t1"), call("t2")]), user([result("t1")]), user([result("t2")])]
    assert repair(*apart, assistant(""))[0] == apart


def test_results_move_ahead_of_everything_else_in_their_turn() -> None:
    calls = assistant([call("t1"), call("t2"), call("t3")])
    messages, names = repair(
        user("a"),
        calls,
        user([result("t1"), text("b"), result("t2")]),
        system("s"),
        user([result("t3")]),
        assistant("c"),
    )
    assert messages[2:] == [
        user([result("t1"), result("t2"), result("t3"), text("b")]),
        system("s"),
        assistant("c"),
    ]
    assert names == ["tool_result_order"] * 2


@pytest.mark.parametrize("content", ["", [], None, [text("")], [text(""), text("")]])
def test_a_turn_in_which_the_model_says_nothing_is_left_out(content: Any) -> None:
    assert repair(user("a"), assistant(content), user("b")) == ([user("a"), user("b")], ["empty_turn"])


def test_empty_text_is_left_out() -> None:
    messages, names = repair(
        user([text(""), text("a")]),
        assistant([text(""), call(), text("")]),
        user([result(content=[text(""), text("b")]), text("")]),
    )
    assert messages == [user([text("a")]), assistant([call()]), user([result(content=[text("b")])])]
    assert names == ["empty_text"] * 5


@pytest.mark.parametrize(
    ("content", "mended"),
    [
        (text("a"), [text("a")]),
        ({"a": 1}, '{"a":1}'),
        ({"type": 5}, '{"type":5}'),
        (5, "5"),
        (True, "true"),
        (None, ""),
    ],
)
def test_content_of_another_kind_becomes_a_block_or_text(content: Any, mended: Any) -> None:
    assert repair(user(content)) == ([user(mended)], ["content"])
    if content is not None:
        nested = repair(assistant([call()]), user([result(content=content)]))
        assert nested == ([assistant([call()]), user([result(content=mended)])], ["content"])


def test_what_is_beyond_mending_is_left_as_it_is() -> None:
    for messages in (None, "x", {}, [None, 5, "x", {"role": "user"}, {"role": "tool", "content": 5}, user(["x", 5])]):
        body = {"messages": messages}
        assert repaired(body) == (body, ())
        assert repaired(body)[0] is body
    assert repair(user("a"), 5, assistant(""), None, user({"type": "text"}))[0][1:3] == [5, None]


def test_a_repaired_request_is_not_forwarded_as_it_came() -> None:
    request = parse(messages=[user("a"), assistant([call(input="{}")]), user("b")])
    assert request.repairs == ("tool_input", "tool_result_missing")
    assert request.native.raw == b""
    assert request.native.body["messages"][2]["content"] == [missing("t1"), text("b")]
    assert [message.role for message in request.messages] == ["user", "assistant", "tool", "user"]
    assert request.messages[2].is_error


WORDS = st.sampled_from(["", "a"])
IDS = st.sampled_from(["t1", "t2", "t3"])
BLOCKS = st.lists(
    WORDS.map(text)
    | st.builds(call, IDS, input=st.sampled_from([{}, "{}", None]))
    | st.builds(result, IDS, WORDS | st.lists(WORDS.map(text), max_size=2) | st.just(5)),
    max_size=5,
)
HISTORY = st.lists(
    st.builds(lambda role, content: {"role": role, "content": content},
              st.sampled_from(["user", "assistant", "system"]), WORDS | BLOCKS | st.none()),
    min_size=1, max_size=8,
)  # fmt: skip


@given(HISTORY)
def test_every_history_of_known_blocks_ends_up_sound(history: list[Any]) -> None:
    messages, _ = repair(*history)
    open_calls: set[str] = set()
    answered = leading = True
    for message in messages:
        blocks = message["content"] if isinstance(message["content"], list) else [text(message["content"])]
        if message["role"] == "assistant":
            assert any(block != text("") for block in blocks)
            assert not (answered and open_calls)
            open_calls |= {block["id"] for block in blocks if block["type"] == "tool_use"}
            answered, leading = False, True
            continue
        answered = True
        for block in blocks if message["role"] == "user" else ():
            leading = leading and block["type"] == "tool_result"
            if block["type"] == "tool_result":
                assert leading
                open_calls.remove(block["tool_use_id"])
    assert not open_calls or not answered


def test_a_long_history_costs_linear_time() -> None:
    def steps(turns: int) -> int:
        """How often the repair looks at a message or block of a history in which everything is wrong."""
        looks = 0

        class Counted(dict[str, Any]):
            def get(self, key: str, default: Any = None) -> Any:
                nonlocal looks
                looks += 1
                return super().get(key, default)

        blocks = [Counted(text("x")), Counted(result("t9")), Counted(result("t1"))]
        turn = [Counted(assistant([Counted(call("t1")), Counted(call("t2"))])), Counted(user(blocks))]
        repaired({"messages": turn * turns})
        return looks

    assert steps(400) <= 2.1 * steps(200)


def test_a_body_of_a_megabyte_stays_the_bytes_it_was() -> None:
    messages = [user("x" * 1_000_000), assistant([call()]), user([result(content="y" * 100_000)])]
    request = parse(messages=messages)
    assert request.native.raw == b"as it came"
    assert dumps(request.native.body["messages"]) == dumps(messages)
