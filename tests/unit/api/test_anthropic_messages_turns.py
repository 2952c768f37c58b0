"""What becomes of the system prompt and the turns."""

from typing import Any

from schemas.chat import UNSIGNED, Message, OpaquePart, TextPart, ThinkingBlock, ToolCall
from tests.unit.api.anthropic_messages_kit import HI, parse

MARK = {"type": "ephemeral", "ttl": "1h"}
CALL = {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": ["世", 1]}}


def turns(*messages: dict[str, Any], **fields: Any) -> tuple[Message, ...]:
    request = parse(messages=list(messages), **fields)
    assert request.repairs == ()
    return request.messages


def user(*blocks: dict[str, Any] | str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": b} if isinstance(b, str) else b for b in blocks]}


def assistant(*blocks: dict[str, Any] | str) -> dict[str, Any]:
    return {**user(*blocks), "role": "assistant"}


def result(content: Any = "done", call: str = "t1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": content, **fields}


def test_the_system_prompt_comes_first_with_a_part_for_each_block() -> None:
    system = [{"type": "text", "text": "You are A."}, {"type": "text", "text": "Long.", "cache_control": MARK}]
    assert turns(*HI, system=system)[0] == Message("system", (TextPart("You are A."), TextPart("Long.", MARK)))
    assert turns(*HI, system="Be brief.")[0] == Message("system", (TextPart("Be brief."),))


def test_an_empty_system_prompt_is_none() -> None:
    for system in ("", [], None):
        assert [message.role for message in turns(*HI, system=system)] == ["user"]


def test_a_line_that_changes_with_every_request_is_kept_out_of_the_prompt_but_not_out_of_the_callers_body() -> None:
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=1f2e;"}
    request = parse(system=[billing, {"type": "text", "text": "You are A."}])
    assert request.messages[0].parts == (TextPart("You are A."),)
    assert request.native.body["system"][0] is billing
    assert [message.role for message in parse(system=[billing]).messages] == ["user"]


def test_instructions_in_the_middle_stay_where_they_stand() -> None:
    told = turns(
        user("a"),
        {"role": "system", "content": "Environment"},
        assistant("b"),
        user("c"),
        {"role": "system", "content": [{"type": "text", "text": "now", "cache_control": MARK}]},
    )
    assert [message.role for message in told] == ["user", "system", "assistant", "user", "system"]
    assert told[4].parts == (TextPart("now", MARK),)


def test_turns_of_one_role_are_not_merged() -> None:
    assert [message.text for message in turns(user("a"), user("b"), assistant("c"), assistant("d"))] == list("abcd")


def test_results_become_messages_of_their_own_and_the_rest_of_the_turn_follows() -> None:
    calls = assistant(CALL, {**CALL, "id": "t2"})
    told = turns(user("go"), calls, user(result(), result("no", "t2", is_error=True), "And now?"))
    assert told[2:] == (
        Message("tool", (TextPart("done"),), tool_call_id="t1"),
        Message("tool", (TextPart("no"),), tool_call_id="t2", is_error=True),
        Message("user", (TextPart("And now?"),)),
    )


def test_a_turn_of_results_only_says_nothing_more() -> None:
    assert [message.role for message in turns(user("go"), assistant(CALL), user(result()))][2:] == ["tool"]


def test_calls_carry_their_input_as_compact_json() -> None:
    call = {**CALL, "cache_control": MARK}
    answered = user({"type": "tool_result", "tool_use_id": "t1", "content": "seen"})
    message = turns(user("go"), assistant("Let me see.", call), answered)[1]
    assert message.parts == (TextPart("Let me see."),)
    assert message.tool_calls == (ToolCall("t1", "look", '{"at":["世",1]}', cache=MARK),)


def test_thinking_keeps_its_blocks_and_signatures() -> None:
    message = turns(
        user("go"),
        assistant(
            {"type": "thinking", "thinking": "one", "signature": "s1"},
            {"type": "redacted_thinking", "data": "secret"},
            {"type": "thinking", "thinking": "", "signature": "s2"},
            {"type": "thinking", "thinking": "two", "signature": "s3"},
            "Hi",
        ),
    )[1]
    assert message.thinking == (
        ThinkingBlock("one", "s1"),
        ThinkingBlock(data="secret"),
        ThinkingBlock("", "s2"),
        ThinkingBlock("two", "s3"),
    )
    assert message.reasoning == "one\ntwo"
    assert message.parts == (TextPart("Hi"),)


def test_a_signature_of_our_own_making_is_none() -> None:
    for signature in (UNSIGNED, "gateway:other", "", None):
        block = {"type": "thinking", "thinking": "hm", "signature": signature}
        assert turns(user("go"), assistant(block, "Hi"))[1].thinking == (ThinkingBlock("hm"),)
        assert turns(user("go"), assistant({**block, "thinking": ""}, "Hi"))[1].thinking == ()
    assert turns(user("go"), assistant({"type": "thinking", "thinking": "hm"}, "Hi"))[1].reasoning == "hm"


def test_a_turn_without_thinking_has_no_reasoning() -> None:
    redacted = {"type": "redacted_thinking", "data": "x"}
    assert turns(user("go"), assistant("Hi"))[1].reasoning is None
    assert turns(user("go"), assistant(redacted))[1].reasoning is None


def test_blocks_that_run_at_the_provider_are_carried_as_they_came() -> None:
    blocks = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]},
        {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_2", "content": {"type": "x", "text": 5}},
        {"type": "something_new", "text": ["odd"], "content": 7, "input": None},
    ]
    parts = turns(user("go"), assistant(*blocks, "Found."))[1].parts
    assert parts == (*(OpaquePart(block["type"], block) for block in blocks), TextPart("Found."))


def test_what_stands_in_a_turn_where_it_means_nothing_is_carried_as_it_came() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert turns(user("go", thinking, CALL))[0].parts == (
        TextPart("go"),
        OpaquePart("thinking", thinking),
        OpaquePart("tool_use", CALL),
    )


def test_a_user_may_say_nothing() -> None:
    for content in ("", [], [{"type": "text", "text": ""}]):
        assert turns({"role": "user", "content": content}) == (Message("user"),)
