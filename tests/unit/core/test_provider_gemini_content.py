"""What the Gemini provider promises of the conversation it sends."""

from base64 import b64encode
from dataclasses import replace

import pytest

from core.errors import InvalidRequest
from core.providers.gemini_content import SIGNATURES, UNSIGNED
from schemas.chat import DocumentPart, ImagePart, Message, OpaquePart, TextPart, ThinkingBlock, ToolCall
from tests.unit.core.gemini_kit import sent, target, user

SYSTEM = Message("system", (TextPart("be brief"),))
CALL = ToolCall("c1", "weather", '{"city": "Rome", "deep": {"a": [1, null]}}')


def result(text, ident="c1", **fields):
    return Message("tool", (TextPart(text),), tool_call_id=ident, **fields)


def contents(*messages, to=None, **fields):
    return sent(*messages, to=to or target("gemini-2.5-pro", "none"), **fields)[0]["contents"]


def test_leading_system_messages_become_the_instruction_and_later_ones_stay_where_they_are():
    late = Message("system", (TextPart("now be long"),))
    body, dropped = sent(SYSTEM, SYSTEM, user("a"), Message("assistant", (TextPart("b"),)), late, user("c"))
    assert body["systemInstruction"] == {"parts": [{"text": "be brief"}, {"text": "be brief"}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "a"}]},
        {"role": "model", "parts": [{"text": "b"}]},
        {"role": "user", "parts": [{"text": "now be long"}, {"text": "c"}]},
    ]
    assert dropped == ()


def test_without_anybody_else_the_last_instruction_asks():
    body, _ = sent(SYSTEM, Message("system", (TextPart("say hi"),)))
    assert body["systemInstruction"] == {"parts": [{"text": "be brief"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "say hi"}]}]
    assert "systemInstruction" not in sent(SYSTEM)[0]


@pytest.mark.parametrize("messages", [(user(""),), (Message("assistant"),)])
def test_a_conversation_in_which_nobody_says_anything_is_refused(messages):
    with pytest.raises(InvalidRequest) as caught:
        sent(*messages)
    assert caught.value.param == "messages"


def test_empty_text_is_left_out_as_gemini_refuses_it():
    assert contents(user("", "a"), Message("assistant", (TextPart(""),)), user("b")) == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}
    ]


def test_a_tool_loop_carries_calls_and_results_and_no_thinking():
    turn = Message(
        "assistant",
        (TextPart("let me see"),),
        (CALL, ToolCall("c2", "clock", "")),
        reasoning="hm",
        thinking=(ThinkingBlock("hm", "sig", issuer="anthropic"),),
    )
    assert contents(user("q"), turn, result('{"sun": true}'), result("12:00", "c2"), user("thanks")) == [
        {"role": "user", "parts": [{"text": "q"}]},
        {
            "role": "model",
            "parts": [
                {"text": "let me see"},
                {
                    "functionCall": {
                        "id": "c1",
                        "name": "weather",
                        "args": {"city": "Rome", "deep": {"a": [1, None]}},
                    }
                },
                {"functionCall": {"id": "c2", "name": "clock", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "weather", "response": {"sun": True}}},
                {"functionResponse": {"id": "c2", "name": "clock", "response": {"result": "12:00"}}},
                {"text": "thanks"},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ('{"a": 1}', {"a": 1}),
        (' {"a": 1}\n', {"a": 1}),
        ('{"a": 1', {"result": '{"a": 1'}),
        ("[1, 2]", {"result": "[1, 2]"}),
        ("5", {"result": "5"}),
        ("", {"result": ""}),
        ("{}", {}),
    ],
)
def test_only_json_objects_are_results_as_they_are(text, response):
    part = contents(user("q"), Message("assistant", (), (CALL,)), result(text))[-1]["parts"][0]
    assert part["functionResponse"]["response"] == response


def test_a_failed_tool_says_so_even_in_json():
    history = (user("q"), Message("assistant", (), (CALL,)), result('{"code": 5}', is_error=True))
    assert contents(*history)[-1]["parts"][0]["functionResponse"]["response"] == {"error": '{"code": 5}'}


def test_a_result_finds_its_function_by_the_call_else_by_its_own_name():
    history = (
        user("q"),
        Message("assistant", (), (CALL,)),
        result("a"),
        result("b", "c9", name="old"),
        result("c", "c8"),
    )
    parts = contents(*history)[-1]["parts"]
    assert [part["functionResponse"]["name"] for part in parts] == ["weather", "old", "unknown"]


def test_what_a_tool_shows_stands_behind_its_result():
    seen = Message("tool", (TextPart("look"), ImagePart("data:image/png;base64,QUJD")), tool_call_id="c1")
    parts = contents(user("q"), Message("assistant", (), (CALL,)), seen, result("b", "c1"))[-1]["parts"]
    assert parts[0]["functionResponse"]["response"] == {"result": "look"}
    assert parts[1] == {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
    assert parts[2]["functionResponse"]["response"] == {"result": "b"}


@pytest.mark.parametrize("arguments", ["{broken", "[1]", '"text"', "NaN"])
def test_arguments_that_are_no_object_are_not_lost(arguments):
    turn = Message("assistant", (), (replace(CALL, arguments=arguments),))
    args = contents(user("q"), turn)[1]["parts"][0]["functionCall"]["args"]
    assert list(args) == ["arguments"]


def test_arguments_nested_as_deep_as_json_may_be_are_carried():
    turn = Message("assistant", (), (replace(CALL, arguments='{"a":' * 190 + "1" + "}" * 190),))
    deep = contents(user("q"), turn, result('{"a":' * 190 + "1" + "}" * 190))
    assert deep[1]["parts"][0]["functionCall"]["args"].keys() == {"a"}
    assert deep[2]["parts"][0]["functionResponse"]["response"].keys() == {"a"}


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("data:image/webp;base64,QUJD", {"inlineData": {"mimeType": "image/webp", "data": "QUJD"}}),
        ("DATA:IMAGE/PNG;charset=x;BASE64,QUI%3D", {"inlineData": {"mimeType": "image/png", "data": "QUI="}}),
        ("data:;base64,QUJD", {"inlineData": {"mimeType": "image/jpeg", "data": "QUJD"}}),
        ("data:image/svg+xml,%3Csvg/%3E", {"inlineData": {"mimeType": "image/svg+xml", "data": "PHN2Zy8+"}}),
        ("https://i/a.PNG?x=.gif", {"fileData": {"mimeType": "image/png", "fileUri": "https://i/a.PNG?x=.gif"}}),
        ("https://i/a", {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://i/a"}}),
        ("https://[broken", {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://[broken"}}),
    ],
)
def test_images_go_inline_or_as_a_link_with_a_type(url, part):
    assert contents(user("look", ImagePart(url)))[0]["parts"] == [{"text": "look"}, part]


def test_a_data_url_that_is_none_is_refused_by_its_place():
    with pytest.raises(InvalidRequest) as caught:
        sent(SYSTEM, user("a", ImagePart("data:image/png;base64")))
    assert caught.value.param == "messages[1].content[1]"


def test_documents_go_as_files_or_as_text():
    parts = contents(
        user(
            DocumentPart(url="data:application/pdf;base64,QUJD"),
            DocumentPart(url="https://d/paper"),
            DocumentPart(text="all of it", name="notes.txt"),
            DocumentPart(text="more"),
            DocumentPart(text=""),
        )
    )[0]["parts"]
    assert parts == [
        {"inlineData": {"mimeType": "application/pdf", "data": "QUJD"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://d/paper"}},
        {"text": "notes.txt:\nall of it"},
        {"text": "more"},
    ]


def test_audio_goes_inline_and_other_media_are_dropped_by_name():
    sound = b64encode(b"x").decode()
    body, dropped = sent(
        user(
            "listen",
            OpaquePart("input_audio", {"type": "input_audio", "input_audio": {"data": sound, "format": "mp3"}}),
            OpaquePart("input_audio", {"type": "input_audio", "input_audio": {"data": sound, "format": "flac"}}),
            OpaquePart("input_audio", {"type": "input_audio", "input_audio": "odd"}),
            OpaquePart("video_url", {"type": "video_url"}),
            ImagePart("https://i/a.png", "high"),
        )
    )
    kinds = [part["inlineData"]["mimeType"] for part in body["contents"][0]["parts"] if "inlineData" in part]
    assert kinds == ["audio/mp3", "audio/flac"]
    assert dropped == ("content.input_audio", "content.video_url", "image_url.detail")


def test_instructions_are_text_and_names_of_speakers_are_dropped():
    shown = Message("system", (TextPart("a"), ImagePart("https://i/a.png"), DocumentPart(url="https://d")))
    body, dropped = sent(shown, Message("user", (TextPart("hi"),), name="Ann"))
    assert body["systemInstruction"] == {"parts": [{"text": "a"}]}
    assert dropped == ("image_url", "file", "messages.name")


def signatures(*calls, to, **fields):
    turn = Message("assistant", (), calls)
    parts = contents(user("q"), turn, result("a"), turn, result("a"), to=to, **fields)
    return [
        part.get("thoughtSignature") for content in parts if content["role"] == "model" for part in content["parts"]
    ]


SIGNED = replace(CALL, signature="c2ln")
OTHER = ToolCall("c2", "clock", "{}")


@pytest.mark.parametrize(
    ("model", "control", "demanded"),
    [
        ("gemini-3.7-flash", "effort", True),
        ("gemini-4-argon", "forced", True),
        ("gemini-flash-latest", "none", True),
        ("gemini-3-flash-preview", "none", True),
        ("gemini-2.5-pro", "budget", False),
        ("gemini-2.5-pro", "none", False),
        ("gemma-4-26b", "none", False),
    ],
)
def test_models_that_sign_get_a_placeholder_on_the_first_unsigned_call_of_each_turn(model, control, demanded):
    to = target(model, control)
    first = UNSIGNED if demanded else None
    assert signatures(CALL, OTHER, to=to) == [first, None, first, None]
    assert signatures(SIGNED, OTHER, to=to) == ["c2ln", None, "c2ln", None]
    assert signatures(CALL, replace(OTHER, signature="b"), to=to) == [first, "b", first, "b"]


def test_signatures_that_were_refused_are_replaced_whatever_the_model():
    to = target("gemini-2.5-pro", "budget")
    assert signatures(SIGNED, OTHER, to=to, omit=frozenset({SIGNATURES})) == [UNSIGNED, None, UNSIGNED, None]


def test_a_call_without_an_id_has_none():
    turn = Message("assistant", (), (ToolCall("", "f", "{}"),))
    parts = contents(user("q"), turn, Message("tool", (TextPart("a"),), name="f"))
    assert parts[1]["parts"][0]["functionCall"] == {"name": "f", "args": {}}
    assert parts[2]["parts"][0]["functionResponse"] == {"name": "f", "response": {"result": "a"}}


def test_a_long_history_of_one_speaker_is_one_turn():
    assert len(contents(*(user(str(n)) for n in range(1000)))) == 1
