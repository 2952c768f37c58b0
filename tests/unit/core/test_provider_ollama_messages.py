"""What the Ollama provider promises of the conversation it sends."""

from schemas.chat import DocumentPart, ImagePart, Message, OpaquePart, TextPart, ThinkingBlock, ToolCall
from tests.unit.core.ollama_kit import sent, user

CALL = ToolCall("c1", "weather", '{"city": "Rome"}', signature="theirs")
TURN = Message("assistant", (TextPart("let me see"),), (CALL,), reasoning="hm", thinking=(ThinkingBlock("hm", "s"),))


def result(text, ident="c1", **fields):
    return Message("tool", (TextPart(text),), tool_call_id=ident, **fields)


def messages(*given, **fields):
    return sent(*given, **fields)[0]["messages"]


def test_every_role_keeps_its_place():
    early, late = (Message("system", (TextPart(text),)) for text in ("be brief", "now be long"))
    assert messages(early, user("a", "b"), Message("assistant", (TextPart("c"),)), late) == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": "c"},
        {"role": "system", "content": "now be long"},
    ]


def test_calls_have_objects_for_arguments_and_results_the_name_of_their_tool():
    assert messages(user("q"), TURN, result("sun"))[1:] == [
        {
            "role": "assistant",
            "content": "let me see",
            "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": {"city": "Rome"}}}],
            "thinking": "hm",
        },
        {"role": "tool", "content": "sun", "tool_name": "weather", "tool_call_id": "c1"},
    ]


def test_thinking_goes_back_only_while_the_tools_of_the_last_question_run():
    history = (user("q"), TURN, result("sun"), user("and now?"), TURN, result("rain"), TURN)
    thoughts = [message.get("thinking") for message in messages(*history)]
    assert thoughts == [None, None, None, None, "hm", None, "hm"]


def test_results_of_unknown_calls_keep_what_is_known():
    assert messages(user("q"), result("a", "c9", name="old"), result("b", "c8"))[1:] == [
        {"role": "tool", "content": "a", "tool_name": "old", "tool_call_id": "c9"},
        {"role": "tool", "content": "b", "tool_call_id": "c8"},
    ]


def test_a_failed_tool_says_so_once():
    told = messages(user("q"), TURN, result("no such city", is_error=True), result("Error: gone", is_error=True))[2:]
    assert [message["content"] for message in told] == ["Error: no such city", "Error: gone"]


def test_arguments_that_are_no_object_are_not_lost():
    turn = Message("assistant", (), (ToolCall("", "f", "[1]"), ToolCall("c2", "g", "")))
    assert messages(user("q"), turn)[1]["tool_calls"] == [
        {"function": {"name": "f", "arguments": {"arguments": [1]}}},
        {"id": "c2", "function": {"name": "g", "arguments": {}}},
    ]


def test_inline_images_go_as_bare_base64_also_those_of_tools():
    image = ImagePart("data:image/png;base64,QUJD")
    seen = Message("tool", (TextPart("look"), image), tool_call_id="c1")
    body, dropped = sent(user("see", image, image), TURN, seen)
    assert body["messages"][0] == {"role": "user", "content": "see", "images": ["QUJD", "QUJD"]}
    assert body["messages"][2]["images"] == ["QUJD"]
    assert dropped == ()


def test_linked_images_are_dropped_by_name_and_the_model_is_told():
    body, dropped = sent(user("see", ImagePart("https://i/a.png"), ImagePart("data:image/png;base64,QUJD", "high")))
    first = body["messages"][0]
    assert first["images"] == ["QUJD"]
    assert first["content"].startswith("see\n[")
    assert "https://i/a.png" not in first["content"]
    assert dropped == ("image_url", "image_url.detail")


def test_documents_of_text_are_text_and_everything_else_is_dropped_by_name():
    body, dropped = sent(
        user(
            DocumentPart(text="all of it", name="notes.txt"),
            DocumentPart(text="more"),
            DocumentPart(url="data:application/pdf;base64,QUJD"),
            OpaquePart("input_audio", {"type": "input_audio"}),
        ),
        Message("user", (TextPart("hi"),), name="Ann"),
    )
    assert [message["content"] for message in body["messages"]] == ["notes.txt:\nall of it\nmore", "hi"]
    assert dropped == ("file", "content.input_audio", "messages.name")
