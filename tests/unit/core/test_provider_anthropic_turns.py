"""What becomes of an OpenAI client's conversation in Anthropic's form."""

from base64 import b64encode

import pytest

from core.errors import InvalidRequest
from core.providers.anthropic_body import safe_id
from core.providers.anthropic_turns import BEGIN, CONTINUE
from schemas.chat import DocumentPart, ImagePart, Message, OpaquePart, TextPart, ThinkingBlock, ToolCall
from schemas.codec import loads
from tests.unit.core.anthropic_kit import assistant, body, built, chat, compatible, result, system, target, user

OLD, NEW = target("claude-opus-4-5"), target("claude-opus-4-8")
PNG = "data:image/png;base64,iVBORw0KGgo="


def text(value):
    return {"type": "text", "text": value}


def turns(*messages, to=NEW, **fields):
    return body(chat(*messages, **fields), to)["messages"]


def content(*parts):
    return turns(Message("user", parts))[0]["content"]


def call(ident="c1", arguments="{}"):
    return ToolCall(ident, "f", arguments)


def test_system_messages_at_the_start_become_the_system_prompt():
    sent = body(chat(system("a"), system("b"), user()))
    assert sent["system"] == [text("a"), text("b")]
    assert sent["messages"] == [{"role": "user", "content": [text("hi")]}]


def test_later_system_messages_stay_in_place_where_the_model_takes_them():
    messages = (user(), system("a"), system("b"), assistant("x"), result("c1"), system("c"))
    assert [turn["role"] for turn in turns(*messages)] == ["user", "system", "assistant", "user", "system"]
    assert turns(*messages)[1]["content"] == [text("a"), text("b")]
    assert "system" not in body(chat(*messages))


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        ((user(), system("a"), user("b")), 0),
        ((user(), assistant("x"), system("a"), user("b")), 2),
        ((user(), assistant("x"), system("a")), 2),
    ],
)
def test_where_anthropic_takes_no_system_message_it_is_marked_text_of_the_users(messages, place):
    sent = turns(*messages)
    assert text("<system>\na\n</system>") in sent[place]["content"]
    assert {turn["role"] for turn in sent} <= {"user", "assistant"}


@pytest.mark.parametrize("model", ["claude-opus-4-5", "claude-sonnet-5", "glm-5.3"])
def test_models_without_system_messages_in_place_read_them_as_text_of_the_users(model):
    sent = turns(user(), system("a"), assistant("x"), user("b"), to=target(model))
    assert sent[0] == {"role": "user", "content": [text("hi"), text("<system>\na\n</system>")]}


def test_turns_of_one_role_in_a_row_are_one():
    sent = turns(user("a"), user("b"), assistant("x"), assistant("y"), user("c"))
    assert [len(turn["content"]) for turn in sent] == [2, 2, 1]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "user"]


def test_results_of_tools_stand_first_in_the_users_turn():
    calls = (call("c1"), call("c2"))
    sent = turns(user(), assistant("", *calls), result("c1"), user("and"), result("c2"), to=OLD)
    assert [block["type"] for block in sent[2]["content"]] == ["tool_result", "tool_result", "text"]
    assert [block["tool_use_id"] for block in sent[2]["content"][:2]] == ["c1", "c2"]


def test_a_result_keeps_its_images_and_its_failure():
    failed = result("c1", TextPart("no"), ImagePart(PNG), is_error=True)
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    assert turns(user(), assistant("", call()), failed)[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": [text("no"), image], "is_error": True}
    ]


def test_a_result_of_nothing_has_no_content():
    sent = turns(user(), assistant("", call()), result("c1", TextPart("")))
    assert sent[2]["content"] == [{"type": "tool_result", "tool_use_id": "c1"}]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"a": 1.0}', {"a": 1.0}),
        ("", {}),
        ('{"a": ', {"arguments": '{"a": '}),
        ("[1]", {"arguments": "[1]"}),
        ('"x"', {"arguments": '"x"'}),
    ],
)
def test_arguments_become_the_object_that_anthropic_demands(arguments, given):
    sent = turns(user(), assistant("so", call("c1", arguments)), result("c1"))
    assert sent[1]["content"] == [text("so"), {"type": "tool_use", "id": "c1", "name": "f", "input": given}]


def test_ids_that_anthropic_refuses_are_changed_alike_on_both_sides():
    sent = turns(user(), assistant("", call("functions.f:0")), result("functions.f:0"))
    assert sent[1]["content"][0]["id"] == sent[2]["content"][0]["tool_use_id"] == safe_id("functions.f:0")


def test_own_thinking_goes_back_ahead_of_all_else_and_no_other():
    blocks = (
        ThinkingBlock("a", "sig", issuer="anthropic"),
        ThinkingBlock(data="blob"),
        ThinkingBlock("b", "sig", issuer="glm"),
        ThinkingBlock("c", "gateway:unsigned"),
        ThinkingBlock("unsigned"),
    )
    asked = chat(user(), assistant("x", thinking=blocks), user("b"))
    kept = [
        {"type": "thinking", "thinking": "a", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
        text("x"),
    ]
    sent = built(asked)
    assert loads(sent.body)["messages"][1]["content"] == kept
    assert sent.dropped == ("messages.thinking",)
    assert body(asked, provider=compatible())["messages"][1]["content"] == kept[1:]


def test_refused_thinking_is_left_out():
    asked = assistant("x", thinking=(ThinkingBlock("a", "sig", issuer="anthropic"),))
    sent = turns(user(), asked, user("b"), omit=frozenset({"thinking_replay"}))
    assert sent[1]["content"] == [text("x")]


@pytest.mark.parametrize(
    ("url", "block"),
    [
        ("https://i/1.png", {"type": "image", "source": {"type": "url", "url": "https://i/1.png"}}),
        (
            "data:image/jpg;base64,AAAA",
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
        ),
        (
            "DATA:image/gif,%00%01",
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/gif", "data": b64encode(b"\0\1").decode()},
            },
        ),
        (
            "data:application/pdf;base64,AAAA",
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
        ),
    ],
)
def test_images_come_by_address_or_in_base64(url, block):
    assert content(ImagePart(url)) == [block]


@pytest.mark.parametrize(
    ("part", "source"),
    [
        (DocumentPart(url="https://d/1.pdf"), {"type": "url", "url": "https://d/1.pdf"}),
        (
            DocumentPart(url="data:application/pdf;base64,AAAA"),
            {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
        ),
        (DocumentPart(text="plain"), {"type": "text", "media_type": "text/plain", "data": "plain"}),
        (
            DocumentPart(url="data:text/markdown;charset=utf-8;base64,w6k="),
            {"type": "text", "media_type": "text/plain", "data": "é"},
        ),
        (DocumentPart(url="data:text/plain,a%20b"), {"type": "text", "media_type": "text/plain", "data": "a b"}),
    ],
)
def test_documents_come_by_address_in_base64_or_as_text(part, source):
    assert content(part) == [{"type": "document", "source": source}]


def test_a_document_keeps_its_name():
    assert content(DocumentPart(text="a", name="notes.txt"))[0]["title"] == "notes.txt"


def test_a_data_url_that_is_none_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        content(DocumentPart(url="data:text/plain;base64,%%%"))
    assert caught.value.param == "messages"


def test_what_cannot_be_carried_is_named():
    asked = Message("user", (TextPart("a"), OpaquePart("input_audio", {}), ImagePart("https://i", "high")), name="Bob")
    shown = Message("assistant", (TextPart("x"), ImagePart("https://i")))
    sent = built(chat(Message("system", (TextPart("s"),), name="boss"), asked, shown, user("b")))
    assert sent.dropped == ("messages.name", "content.input_audio", "image_url.detail", "content.image")
    assert [block["type"] for block in loads(sent.body)["messages"][0]["content"]] == ["text", "image"]
    assert loads(sent.body)["messages"][1]["content"] == [text("x")]


def test_blank_text_is_never_sent():
    sent = body(
        chat(system(" "), Message("user", (TextPart(""), TextPart("\n"), TextPart("hi"))), assistant(" "), user())
    )
    assert sent["messages"] == [{"role": "user", "content": [text("hi"), text("hi")]}]
    assert "system" not in sent


def test_a_conversation_that_the_assistant_begins_is_opened_for_it():
    assert turns(assistant("x"), user())[0] == {"role": "user", "content": [text(BEGIN)]}


def test_instructions_without_a_question_are_asked_by_the_user():
    sent = body(chat(system("a"), system("b")))
    assert (sent["system"], sent["messages"]) == ([text("a")], [{"role": "user", "content": [text("b")]}])
    assert "system" not in body(chat(system("a")))


def test_a_conversation_without_content_is_refused():
    with pytest.raises(InvalidRequest):
        built(chat(user("")))


def test_a_last_message_of_the_assistants_is_a_beginning_only_where_the_model_takes_one():
    assert turns(user(), assistant("Once upon \n"), to=OLD)[-1] == {
        "role": "assistant",
        "content": [text("Once upon")],
    }
    for model in ("claude-opus-4-6", "claude-opus-5-5", "glm-5.3"):
        sent = turns(user(), assistant("Once upon "), to=target(model))
        assert sent[-2]["content"] == [text("Once upon ")]
        assert sent[-1] == {"role": "user", "content": [text(CONTINUE)]}


def test_the_same_conversation_is_the_same_bytes_and_a_longer_one_begins_alike():
    first = chat(system("s"), user("a"))
    longer = chat(system("s"), user("a"), assistant("x"), user("b"))
    head = built(first).body.partition(b'],"stream"')[0]
    assert built(first).body == built(first).body
    assert built(longer).body.startswith(head)
