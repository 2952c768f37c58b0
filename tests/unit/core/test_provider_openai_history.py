"""How a conversation from another dialect becomes one that OpenAI's form can carry."""

from typing import Any

from core.providers.draft import Draft
from core.providers.openai_history import portable
from schemas.chat import ChatRequest, DialectName, DocumentPart, ImagePart, Message, Native, OpaquePart, TextPart
from schemas.model import ModelInfo, Target

IMAGE = ImagePart("data:image/png;base64,AA==")
ASK = Message("user", (TextPart("ask"),))


def carried(
    *messages: Message, dialect: DialectName = "anthropic_messages"
) -> tuple[tuple[Message, ...], tuple[Any, ...]]:
    request = ChatRequest("m", messages, Native(dialect, {}))
    draft = Draft(request, Target("p", "m", ModelInfo("m", "o", 0, 0, {})), "r")
    return portable(draft), draft.dropped


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
