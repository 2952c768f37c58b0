"""Messages become items and messages again: the same bytes in their own dialect, the same sense in the other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from api.dialects.anthropic_messages import AnthropicMessages
from api.dialects.anthropic_messages_history import AnthropicMessagesHistory
from api.dialects.base import Inbound
from api.dialects.openai_chat import OpenAIChat
from api.dialects.openai_chat_history import OpenAIChatHistory
from core.errors import InvalidRequest
from schemas.chat import UNSIGNED, ThinkingBlock, ToolCall
from schemas.codec import dumps, loads
from schemas.conversation import StoredItem
from services.conversation_items import answer_items

Json = dict[str, Any]
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
OPENAI, ANTHROPIC = OpenAIChatHistory(), AnthropicMessagesHistory()
IMAGE: Json = {"type": "image_url", "image_url": {"url": PNG}}
SEEN: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
READ: Json = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "x"}'}}

OPENAI_MESSAGES: list[Json] = [
    {"role": "user", "content": "Hi"},
    {"content": "keys in another order", "role": "user"},
    {"role": "user", "name": "ann", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
    {"role": "user", "content": [{"type": "text", "text": "alone"}]},
    {"role": "user", "content": ""},
    {"role": "user", "content": [{"type": "text", "text": "see"}, IMAGE]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.org/a.png", "detail": "low"}}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.org/a.png", "detail": "auto"}}]},
    {"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}]},
    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
    {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "https://x.org/a.mp4"}}]},
    {"role": "user", "content": 5},
    {"role": "system", "content": "mind this"},
    {"role": "developer", "content": "and this"},
    {"role": "assistant", "content": "Hello"},
    {"role": "assistant", "content": None, "refusal": "No."},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "assistant", "content": "Looking", "tool_calls": [CALL, {**CALL, "id": "c2"}]},
    {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [CALL]},
    {"role": "assistant", "content": "x", "unknown": {"a": [1]}},
    {"role": "tool", "tool_call_id": "c1", "content": "seen"},
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "function", "name": "look", "content": "seen"},
]
THOUGHT: Json = {"type": "thinking", "thinking": "hm", "signature": "sig"}
USE: Json = {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}}
RESULT: Json = {"type": "tool_result", "tool_use_id": "t1", "content": "seen"}
FAILURE: Json = {**RESULT, "content": [{"type": "text", "text": "no"}], "is_error": True}
PLAIN: Json = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä"}}
SEARCH: Json = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}
ANTHROPIC_MESSAGES: list[Json] = [
    {"role": "user", "content": "Hi"},
    {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
    {"role": "user", "content": [{"type": "text", "text": "alone"}]},
    {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x.org/a.png"}}]},
    {"role": "user", "content": [PLAIN]},
    {"role": "assistant", "content": "Hello"},
    {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "a"}]},
    {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "zzz"}, USE]},
    {"role": "user", "content": [RESULT]},
    {"role": "user", "content": [FAILURE, {"type": "text", "text": "hm"}]},
    {"role": "assistant", "content": [SEARCH]},
]


def kept(history: Any, messages: Sequence[Json]) -> list[StoredItem]:
    """The items of the messages, as they come back from a store."""
    items = [item for number, message in enumerate(messages) for item in history.items(message, number)]
    records = loads(dumps([replace(item, item={"id": "x", **item.item}).record() for item in items]))
    return [StoredItem.of(record) for record in records]


def openai(items: Sequence[StoredItem]) -> list[Json]:
    """The messages of a request that goes on with these items."""
    return list(OPENAI.continued({"messages": []}, items)[0]["messages"])


def anthropic(items: Sequence[StoredItem]) -> list[Json]:
    return list(ANTHROPIC.continued({"messages": []}, items)[0]["messages"])


@pytest.mark.parametrize("message", OPENAI_MESSAGES, ids=str)
def test_what_an_openai_client_wrote_is_written_again_byte_for_byte(message: Json) -> None:
    assert dumps(openai(kept(OPENAI, [message]))) == dumps([message])


@pytest.mark.parametrize("message", ANTHROPIC_MESSAGES, ids=str)
def test_what_an_anthropic_client_wrote_is_written_again_byte_for_byte(message: Json) -> None:
    assert dumps(anthropic(kept(ANTHROPIC, [message]))) == dumps([message])


@pytest.mark.parametrize(("history", "messages"), [(OPENAI, OPENAI_MESSAGES), (ANTHROPIC, ANTHROPIC_MESSAGES)])
def test_a_whole_history_keeps_its_order(history: Any, messages: list[Json]) -> None:
    told, before = history.continued({"messages": [{"role": "user", "content": "next"}]}, kept(history, messages))
    instructions = len(told["messages"]) - before - 1
    assert dumps(told["messages"]) == dumps([*messages, {"role": "user", "content": "next"}])
    assert (before, instructions) == (len(messages), 0)


def test_simple_messages_are_not_kept_twice() -> None:
    simple = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert all(item.original is None for history in (OPENAI, ANTHROPIC) for item in kept(history, simple))


def test_marks_for_the_prompt_cache_stay_with_the_prompt_they_came_with() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x", **mark}], **mark}
    for history, message in (
        (ANTHROPIC, {"role": "user", "content": [result, {"type": "text", "text": "y", **mark}]}),
        (OPENAI, {"role": "user", "content": [{"type": "text", "text": "y", **mark}]}),
    ):
        items = kept(history, [message])
        told = history.continued({"messages": []}, items)[0]["messages"]
        assert dumps(told) == dumps([message]).replace(b"," + dumps(mark)[1:-1], b"")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "user"}, "messages[3].content"),
        ({"role": "tool", "content": "x"}, "messages[3].tool_call_id"),
        ({"role": "nobody", "content": "x"}, "messages[3].role"),
        ({"role": "user", "content": [IMAGE | {"image_url": "file:///x"}]}, "messages[3].content[0].image_url.url"),
    ],
)
def test_what_is_wrong_is_named(message: Json, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        OPENAI.items(message, 3)
    assert caught.value.param == field
    assert field in caught.value.message


# What a model has said

ANSWER = answer_items([ThinkingBlock("hm", "sig")], "Hello", [ToolCall("c1", "look", '{"at":1}')], "completed")
ANSWERED = [replace(item, item={"id": "x", **item.item}) for item in ANSWER]


def test_an_answer_is_told_in_each_dialect() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}
    assert openai(ANSWERED) == [
        {"role": "assistant", "content": "Hello", "reasoning_content": "hm", "tool_calls": [call]}
    ]
    assert anthropic(ANSWERED) == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "text", "text": "Hello"},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
            ],
        }
    ]


def test_thinking_and_answer_are_apart() -> None:
    reasoning, message, call = (item.item for item in ANSWERED)
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert reasoning["encrypted_content"] == "sig"
    assert message["content"] == [{"type": "output_text", "text": "Hello", "annotations": []}]
    assert call["call_id"] == "c1"


def test_thinking_that_led_to_no_call_is_told_to_openai_models_only_when_asked_for() -> None:
    items = answer_items([ThinkingBlock("hm")], "Hello", [], "completed")
    assert openai(items) == [{"role": "assistant", "content": "Hello"}]
    keeping = {"messages": [], "thinking": {"type": "enabled", "clear_thinking": False}}
    assert OPENAI.continued(keeping, items)[0]["messages"] == [
        {"role": "assistant", "content": "Hello", "reasoning_content": "hm"}
    ]


def test_thinking_that_nobody_signed_bears_the_gateways_own_mark() -> None:
    items = answer_items([ThinkingBlock("hm")], "Hello", [], "completed")
    assert anthropic(items)[0]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": UNSIGNED}


def test_sealed_thinking_is_told_to_who_sealed_it() -> None:
    items = answer_items([ThinkingBlock(data="zzz")], "Hello", [], "completed")
    assert anthropic(items)[0]["content"][0] == {"type": "redacted_thinking", "data": "zzz"}
    foreign = [replace(item, seal=None) for item in items]
    assert anthropic(foreign)[0]["content"][0]["type"] == "thinking", "a client's own seal is nobody's signature"


def test_what_was_broken_off_is_told_as_far_as_one_can_go_on_from_it() -> None:
    cut = answer_items([ThinkingBlock("hm")], "Half an ans", [ToolCall("c1", "look", '{"a')], "incomplete")
    assert openai(cut) == anthropic(cut) == [{"role": "assistant", "content": "Half an ans"}]
    assert openai(answer_items([ThinkingBlock("hm")], "", [], "incomplete")) == []
    assert openai(answer_items([], "", [ToolCall("c1", "look", '{"a')], "incomplete")) == []


def test_two_answers_in_a_row_stay_two_messages() -> None:
    items = [*kept(OPENAI, [{"role": "assistant", "content": "It is"}]), *ANSWERED]
    assert [message["content"] for message in openai(items)] == ["It is", "Hello"]


# From one dialect to the other


def test_an_openai_conversation_goes_on_in_anthropics_dialect() -> None:
    items = kept(
        OPENAI,
        [
            {"role": "user", "name": "ann", "content": [{"type": "text", "text": "see"}, IMAGE]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "seen"},
            {"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}]},
        ],
    )
    assert anthropic(items) == [
        {"role": "user", "content": [{"type": "text", "text": "see"}, SEEN]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "x"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "seen"}]},
        {"role": "user", "content": [{**READ, "title": "a.pdf"}]},
    ]


def test_an_anthropic_conversation_goes_on_in_openais_dialect() -> None:
    told = openai(kept(ANTHROPIC, ANTHROPIC_MESSAGES[:-1]))
    assert [message["role"] for message in told] == [
        "user", "user", "user", "user", "user", "assistant", "assistant", "assistant", "tool", "tool", "user",
    ]  # fmt: skip
    assert told[1]["content"] == [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert told[4]["content"] == [{"type": "text", "text": "ä"}]
    assert told[7]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":1}'}


@pytest.mark.parametrize("messages", [OPENAI_MESSAGES, ANTHROPIC_MESSAGES], ids=["openai", "anthropic"])
def test_every_history_is_a_request_that_both_dialects_take(messages: list[Json]) -> None:
    items = kept(OPENAI if messages is OPENAI_MESSAGES else ANTHROPIC, messages)
    end = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "next"}]}
    for dialect, history in ((OpenAIChat(), OPENAI), (AnthropicMessages(), ANTHROPIC)):
        body = history.continued(end, items)[0]
        request = dialect.parse(Inbound(body, b"", {}, "m", "hide"))
        assert request.messages[-1].text == "next"


def test_a_file_that_is_data_alone_is_told_in_both_dialects() -> None:
    part = {"type": "input_file", "file_data": "JVBERi0=", "filename": "a.pdf"}
    item = {"id": "msg_1", "type": "message", "role": "user", "status": "completed", "content": [part]}
    told = ANTHROPIC.continued({"messages": []}, [StoredItem(item)])[0]["messages"]
    assert told[0]["content"][0]["source"] == READ["source"]
    told = OPENAI.continued({"messages": []}, [StoredItem(item)])[0]["messages"]
    assert told[0]["content"][0]["file"]["file_data"] == PDF


def test_a_message_of_which_an_item_was_deleted_is_told_without_it() -> None:
    whole = {"role": "assistant", "content": "Looking", "name": "bot", "tool_calls": [CALL, {**CALL, "id": "c2"}]}
    items = kept(OPENAI, [whole])
    assert openai(items) == [whole]
    assert openai(items[:-1]) == [{"role": "assistant", "content": "Looking", "tool_calls": [CALL]}]
    assert openai(items[1:]) == [{"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "c2"}]}]


# Instructions


def test_an_openai_requests_instructions_stay_ahead_and_are_not_part_of_the_conversation() -> None:
    system = [{"role": "system", "content": "S"}, {"role": "developer", "content": "D"}]
    body = {"messages": [*system, {"role": "user", "content": "B"}, {"role": "system", "content": "later"}]}
    told, before = OPENAI.continued(body, kept(OPENAI, [{"role": "user", "content": "A"}]))
    assert [message["content"] for message in told["messages"]] == ["S", "D", "A", "B", "later"]
    assert before == 1
    assert [message["content"] for message in OPENAI.spoken(body)] == ["B", "later"]
    assert OPENAI.spoken({"messages": system}) == []


def test_a_conversation_that_begins_with_instructions_puts_them_behind_those_of_an_anthropic_request() -> None:
    items = kept(OPENAI, [{"role": "system", "content": "kept"}, {"role": "user", "content": "A"}])
    body = {"system": "asked", "messages": [{"role": "user", "content": "B"}]}
    told = ANTHROPIC.continued(body, items)[0]
    assert told["system"] == [{"type": "text", "text": "asked"}, {"type": "text", "text": "kept"}]
    assert [message["content"] for message in told["messages"]] == ["A", "B"]
    bare: Json = {"messages": []}
    assert ANTHROPIC.continued(bare, items)[0]["system"] == [{"type": "text", "text": "kept"}]
    assert "system" not in ANTHROPIC.continued(bare, items[1:])[0]
