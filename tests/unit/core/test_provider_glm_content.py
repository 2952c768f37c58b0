"""What the GLM provider promises of the messages, tools and formats it sends."""

import pytest

from core.errors import InvalidRequest
from core.providers.glm import GLM
from schemas.chat import (
    ChatRequest,
    HostedTool,
    ImagePart,
    Message,
    Native,
    OpaquePart,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCall,
    ToolChoice,
)
from schemas.codec import loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from tests.fakes import FakeClock

CREDENTIAL = Credential("glm", "id.secret")
NATIVE = Native("openai_chat", {})
HOSTS = (
    "https://open.bigmodel.cn/api/paas/v4",
    "https://api.z.ai/api/paas/v4",
    "https://api.z.ai/api/coding/paas/v4",
    "https://open.bigmodel.cn/api/coding/paas/v4",
)
WEATHER, CLOCK = Tool("weather", "tells it", {"type": "object"}), Tool("clock")


def user(*parts):
    return Message("user", tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def sent(*messages, base_url=HOSTS[1], abilities=(), control="switch", request_id="req-12345", **fields):
    """The parsed body, with the dropped names."""
    info = ModelInfo("m", "zai", 1000, 4096, {}, abilities=frozenset(abilities), thinking=control)
    request = ChatRequest("m", messages or (user("hi"),), NATIVE, **fields)
    built = GLM("glm", base_url, FakeClock()).build(request, Target("glm", "glm-9", info), CREDENTIAL, request_id)
    return loads(built.body), built.dropped


def test_text_parts_become_one_string():
    assert sent(user("a", "b"))[0]["messages"] == [{"role": "user", "content": "a\nb"}]


def test_history_keeps_calls_results_and_reasoning():
    history = (
        user("q"),
        Message("assistant", (), (ToolCall("c1", "weather", '{"a": 1}'),), reasoning="hm"),
        Message("tool", (TextPart("sun"),), tool_call_id="c1"),
    )
    assert sent(*history)[0]["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"a": 1}'}}],
        },
        {"role": "tool", "content": "sun", "tool_call_id": "c1"},
    ]


def test_without_a_user_the_last_system_message_asks():
    messages = [
        Message(role, (TextPart(text),)) for role, text in (("system", "a"), ("system", "b"), ("assistant", "c"))
    ]
    body, _ = sent(*messages)
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant"]


def test_a_conversation_of_the_assistant_alone_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        sent(Message("assistant", (TextPart("a"),)))
    assert caught.value.param == "messages"


def test_an_image_for_a_model_that_cannot_see_is_refused_by_its_place():
    with pytest.raises(InvalidRequest) as caught:
        sent(user("a"), user("look", ImagePart("https://i/1.png")))
    assert caught.value.param == "messages[1].content[1]"


@pytest.mark.parametrize(
    ("base_url", "url"),
    [(HOSTS[0], "QUJD"), (HOSTS[3], "QUJD"), (HOSTS[1], "data:image/png;base64,QUJD")],
)
def test_inline_images_lose_their_prefix_on_the_host_that_wants_it_so(base_url, url):
    body, _ = sent(user(ImagePart("data:image/png;base64,QUJD")), base_url=base_url, abilities={"vision"})
    assert body["messages"][0]["content"] == [{"type": "image_url", "image_url": {"url": url}}]


def test_linked_images_go_as_they_are_without_the_detail_glm_ignores():
    image = ImagePart("https://i/1.png", "high")
    body, dropped = sent(user("look", image), base_url=HOSTS[0], abilities={"vision"})
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://i/1.png"}},
    ]
    assert dropped == ("image_url.detail",)


@pytest.mark.parametrize("kind", ["video_url", "file_url"])
def test_videos_and_files_by_url_pass_for_models_that_see(kind):
    part = OpaquePart(kind, {"type": kind, kind: {"url": "https://f"}})
    assert sent(user(part), abilities={"vision"})[0]["messages"][0]["content"] == [
        {"type": kind, kind: {"url": "https://f"}}
    ]
    with pytest.raises(InvalidRequest, match="text only"):
        sent(user(part))


@pytest.mark.parametrize("kind", ["input_audio", "file"])
def test_contents_glm_does_not_know_are_refused_by_their_place(kind):
    with pytest.raises(InvalidRequest, match=kind) as caught:
        sent(user("a", OpaquePart(kind, {"type": kind})), abilities={"vision"})
    assert caught.value.param == "messages[0].content[1]"


def names(body):
    return [tool["function"]["name"] if tool["type"] == "function" else tool["type"] for tool in body["tools"]]


def test_a_choice_of_a_tool_that_glm_does_not_know_goes_as_that_tool_does():
    search = HostedTool("web_search_20250305", {"type": "web_search_20250305", "name": "web_search"})
    body, dropped = sent(tools=(search, WEATHER), tool_choice=ToolChoice("named", "web_search"))
    assert names(body) == ["weather"]
    assert "tool_choice" not in body
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert set(dropped) == {"tools.web_search_20250305", "tool_choice"}


def test_an_image_that_a_tool_shows_is_told_in_words_to_a_model_that_cannot_see():
    shown = Message("tool", (TextPart("a map"), ImagePart("https://i/1.png")), tool_call_id="c1")
    calling = Message("assistant", (), (ToolCall("c1", "weather", "{}"),))
    body, dropped = sent(user("q"), calling, shown)
    assert body["messages"][2]["content"] == "a map\n[An image stood here, which this model cannot see.]"
    assert dropped == ("content.image",)


NO_ARGUMENTS = {"type": "object", "properties": {}}


def test_functions_and_hosted_tools_are_offered_and_unknown_ones_dropped():
    search = {"type": "web_search", "web_search": {"enable": True}}
    tools = (
        WEATHER,
        Tool("clock", strict=True),
        HostedTool("web_search", search),
        HostedTool("custom", {"type": "custom"}),
    )
    body, dropped = sent(tools=tools)
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "tells it", "parameters": NO_ARGUMENTS},
        },
        {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}},
        search,
    ]
    assert set(dropped) == {"tools.custom", "tools.strict"}


def test_more_than_128_tools_are_refused():
    assert len(sent(tools=tuple(Tool(f"f{n}") for n in range(128)))[0]["tools"]) == 128
    with pytest.raises(InvalidRequest, match="128") as caught:
        sent(tools=tuple(Tool(f"f{n}") for n in range(129)))
    assert caught.value.param == "tools"


def test_choosing_no_tool_sends_none():
    body, dropped = sent(tools=(WEATHER,), tool_choice=ToolChoice("none"))
    assert not {"tools", "tool_choice"} & set(body)
    assert dropped == ()


def test_auto_is_sent_as_it_is():
    body, dropped = sent(tools=(WEATHER, CLOCK), tool_choice=ToolChoice("auto"))
    assert (body["tool_choice"], names(body), dropped) == ("auto", ["weather", "clock"], ())


def test_a_required_call_is_asked_for_in_a_last_message():
    body, dropped = sent(user("hi"), tools=(WEATHER, CLOCK), tool_choice=ToolChoice("required"))
    assert body["tool_choice"] == "auto"
    assert body["messages"][0] == {"role": "user", "content": "hi"}
    assert body["messages"][-1]["role"] == "system"
    assert names(body) == ["weather", "clock"]
    assert dropped == ("tool_choice",)


def test_a_named_call_offers_that_tool_alone_and_asks_for_it():
    body, dropped = sent(tools=(WEATHER, CLOCK), tool_choice=ToolChoice("named", "clock"))
    assert names(body) == ["clock"]
    assert "clock" in body["messages"][-1]["content"]
    assert dropped == ("tool_choice",)


def test_a_subset_of_tools_is_offered_alone():
    body, dropped = sent(tools=(WEATHER, CLOCK), tool_choice=ToolChoice("auto", names=("clock",)))
    assert (names(body), dropped) == (["clock"], ())


def test_a_choice_of_a_tool_that_is_not_there_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        sent(tools=(WEATHER,), tool_choice=ToolChoice("named", "clock"))
    assert caught.value.param == "tool_choice"


def test_a_choice_without_any_tool_to_send_asks_for_nothing():
    body, _ = sent(tools=(HostedTool("custom", {}),), tool_choice=ToolChoice("required"))
    assert len(body["messages"]) == 1
    assert "tools" not in body


@pytest.mark.parametrize(
    ("stream", "abilities", "expected"),
    [(True, {"tool_stream"}, True), (False, {"tool_stream"}, None), (True, set(), None)],
)
def test_calls_are_streamed_when_the_client_streams_and_the_model_can(stream, abilities, expected):
    assert sent(tools=(WEATHER,), stream=stream, abilities=abilities)[0].get("tool_stream") is expected
    assert "tool_stream" not in sent(stream=stream, abilities=abilities)[0]


SCHEMA = ResponseFormat("json_schema", {"type": "object", "required": ["a"]}, "shape", strict=True)


def test_a_schema_goes_into_the_last_message_for_models_that_take_none():
    body, dropped = sent(response_format=SCHEMA)
    assert body["response_format"] == {"type": "json_object"}
    assert body["messages"][-1]["role"] == "system"
    assert '{"type":"object","required":["a"]}' in body["messages"][-1]["content"]
    assert dropped == ("response_format.json_schema",)


def test_a_schema_goes_as_one_to_models_that_take_it():
    body, dropped = sent(response_format=SCHEMA, abilities={"json_schema"})
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA.schema
    assert (len(body["messages"]), dropped) == (1, ())


@pytest.mark.parametrize(("kind", "fields"), [("text", None), ("json_object", {"type": "json_object"})])
def test_plain_formats(kind, fields):
    body, dropped = sent(response_format=ResponseFormat(kind))
    assert (body.get("response_format"), dropped) == (fields, ())
