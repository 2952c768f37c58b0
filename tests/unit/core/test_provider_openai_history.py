"""How a conversation from another dialect becomes one that OpenAI's form can carry."""

from typing import Any

from core.providers.draft import Draft
from core.providers.openai_history import can_read, portable
from schemas.chat import ChatRequest, DialectName, DocumentPart, ImagePart, Message, Native, OpaquePart, TextPart
from schemas.model import Ability, ModelInfo, Target

IMAGE = ImagePart("data:image/png;base64,AA==")
ASK = Message("user", (TextPart("ask"),))


def carried(
    *messages: Message,
    dialect: DialectName = "anthropic_messages",
    abilities: frozenset[Ability] = frozenset({"vision", "documents"}),
) -> tuple[tuple[Message, ...], tuple[Any, ...]]:
    request = ChatRequest("m", messages, Native(dialect, {}))
    draft = Draft(request, Target("p", "m", ModelInfo("m", "o", 0, 0, {}, abilities=abilities)), "r")
    return portable(draft, can_read), draft.dropped


def test_what_openai_wrote_stays_the_very_same() -> None:
    messages = (ASK, Message("tool", (IMAGE,), tool_call_id="c", is_error=True))
    assert carried(*messages, dialect="openai_chat") == (messages, ())


def test_plain_turns_stay_as_they_are() -> None:
    messages = (Message("system", (TextPart("s"),)), ASK, Message("tool", (TextPart("r"),), tool_call_id="c"))
    assert carried(*messages)[0] == messages


def test_what_tools_show_follows_all_their_results_in_a_message_of_the_user() -> None:
    one = Message("tool", (TextPart("a"), IMAGE), tool_call_id="c1")
    two = Message("tool", (IMAGE,), tool_call_id="c2")
    got, dropped = carried(one, two, ASK)
    assert [message.role for message in got] == ["tool", "tool", "user", "user"]
    assert [message.text for message in got[:2]] == ["a", "(see the next message)"]
    assert [part for part in got[2].parts if isinstance(part, ImagePart)] == [IMAGE, IMAGE]
    assert "c1" in got[2].text
    assert "c2" in got[2].text
    assert got[3] == ASK
    assert dropped == ()


def test_what_the_last_tool_shows_is_not_forgotten() -> None:
    assert carried(ASK, Message("tool", (IMAGE,), tool_call_id="c"))[0][-1].role == "user"


def test_a_tool_that_failed_says_so() -> None:
    def told(text: str) -> str:
        return carried(Message("tool", (TextPart(text),), tool_call_id="c", is_error=True))[0][0].text

    assert told("no such file") == "Error: no such file"
    assert told("IOError: no such file") == "IOError: no such file"


def test_documents_of_text_become_text() -> None:
    message = Message("user", (DocumentPart(text="body", name="a.txt"), DocumentPart(text="bare")))
    assert carried(message)[0][0].parts == (TextPart("a.txt:\nbody"), TextPart("bare"))
    pdf = DocumentPart("data:application/pdf;base64,AA==")
    assert carried(Message("user", (pdf,)))[0][0].parts == (pdf,)


def test_parts_that_only_their_provider_understands_are_dropped_by_name() -> None:
    message = Message("assistant", (OpaquePart("server_tool_use", {}), TextPart("x")))
    assert carried(message) == ((Message("assistant", (TextPart("x"),)),), ("content.server_tool_use",))


def test_what_the_model_cannot_read_is_told_in_words_and_dropped_by_name() -> None:
    pdf = DocumentPart("data:application/pdf;base64,AA==", name="a.pdf")
    shown = (Message("user", (TextPart("see"), IMAGE, pdf)), Message("tool", (IMAGE,), tool_call_id="c"))
    (asked, result), dropped = carried(*shown, abilities=frozenset())
    assert all(isinstance(part, TextPart) for part in (*asked.parts, *result.parts))
    assert asked.text.startswith("see\n[An image stood here")
    assert "(a.pdf)" in asked.text
    assert result.text == "[An image stood here, which this model cannot see.]"
    assert dropped == ("content.image", "content.document")


def test_a_model_that_sees_may_still_not_read_documents() -> None:
    pdf = DocumentPart("data:application/pdf;base64,AA==")
    (asked,), dropped = carried(Message("user", (IMAGE, pdf)), abilities=frozenset({"vision"}))
    assert asked.parts[0] == IMAGE
    assert dropped == ("content.document",)


def test_an_image_that_a_tool_shows_a_model_without_sight_is_no_reason_to_refuse_what_openai_wrote() -> None:
    asked, told = Message("user", (IMAGE,)), Message("tool", (TextPart("a"), IMAGE), tool_call_id="c")
    got, dropped = carried(asked, told, dialect="openai_chat", abilities=frozenset())
    assert got[0] == asked, "what the user shows is for the provider to judge"
    assert got[1].text == "a\n[An image stood here, which this model cannot see.]"
    assert dropped == ("content.image",)
