"""What any OpenAI-compatible provider promises of the request it builds."""

from datetime import date

from core.providers.draft import Draft
from core.providers.openai_compatible import OpenAICompatible
from schemas.chat import (
    ChatRequest,
    ImagePart,
    Message,
    Native,
    ResponseFormat,
    Sampling,
    TextPart,
    ThinkingOptions,
    Tool,
    ToolCall,
    ToolChoice,
)
from schemas.codec import loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Price, Target
from tests.fakes import FakeClock

INFO = ModelInfo(
    "m", "o", 1000, 100, {}, abilities=frozenset({"vision"}), thinking="effort", prices=(Price(date(2026, 1, 1)),)
)
TARGET = Target("p", "vendor-model", INFO)
CREDENTIAL = Credential("p", "sk-verysecret")
NATIVE = Native("anthropic_messages", {})


def provider(base_url="https://host/v1"):
    return OpenAICompatible("p", base_url, FakeClock())


def user(text):
    return Message("user", (TextPart(text),))


def request(*messages, **fields):
    return ChatRequest("m", messages or (user("hi"),), NATIVE, **fields)


def built(chat):
    return provider().build(chat, TARGET, CREDENTIAL, "req-12345")


def body(chat):
    return loads(built(chat).body)


def test_both_forms_of_the_base_url_lead_to_chat_completions():
    for url in ("https://host/v1", "https://host/v1/", "https://host/v1/chat/completions"):
        sent = provider(url).build(request(), TARGET, CREDENTIAL, "req-12345")
        assert sent.url == "https://host/v1/chat/completions"


def test_upstream_is_always_asked_for_a_stream_with_usage():
    sent = body(request(stream=False))
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}
    assert sent["model"] == "vendor-model"


def test_the_key_travels_in_the_header_and_is_not_shown():
    sent = built(request())
    assert sent.headers["Authorization"] == "Bearer sk-verysecret"
    assert "sk-verysecret" not in repr(sent)


def test_the_same_request_is_the_same_bytes_and_a_longer_one_begins_alike():
    first = request(user("a"), tools=(Tool("f"),))
    longer = request(user("a"), user("b"), tools=(Tool("f"),))
    assert built(first).body == built(first).body
    head, _ = built(first).body.split(b'],"stream"')
    assert built(longer).body.startswith(head)


def test_every_part_of_a_conversation_is_carried():
    messages = (
        Message("system", (TextPart("s"),), name="boss"),
        Message("user", (TextPart("look"), ImagePart("https://i/1.png", "high"))),
        Message("assistant", (), (ToolCall("c1", "f", ""),)),
        Message("tool", (TextPart("a"), TextPart("b")), tool_call_id="c1"),
    )
    assert body(request(*messages))["messages"] == [
        {"role": "system", "content": "s", "name": "boss"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "https://i/1.png", "detail": "high"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "content": "a\nb", "tool_call_id": "c1"},
    ]


def test_parameters_are_carried_under_openai_names():
    sent = body(
        request(
            sampling=Sampling(0.5, 0.9, 10, ("a", "b", "c", "d", "e"), 7, 0.1, 0.2),
            tools=(Tool("f", "does", {"type": "object"}, strict=True),),
            tool_choice=ToolChoice("named", "f"),
            parallel_tool_calls=False,
            thinking=ThinkingOptions(effort="high"),
            response_format=ResponseFormat("json_schema", {"type": "object"}, "shape", strict=True),
            user="u",
        )
    )
    assert sent["stop"] == ["a", "b", "c", "d"]
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"], sent["seed"]) == (0.5, 0.9, 10, 7)
    assert (sent["presence_penalty"], sent["frequency_penalty"]) == (0.1, 0.2)
    assert sent["tools"][0]["function"] == {
        "name": "f",
        "description": "does",
        "parameters": {"type": "object", "properties": {}},
        "strict": True,
    }
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert sent["parallel_tool_calls"] is False
    assert sent["reasoning_effort"] == "high"
    assert sent["response_format"]["json_schema"] == {"name": "shape", "schema": {"type": "object"}, "strict": True}
    assert (sent["user"], sent["model"]) == ("u", "vendor-model")


def test_a_subset_of_tools_is_sent_as_allowed_tools():
    choice = ToolChoice("auto", names=("f",))
    assert body(request(tools=(Tool("f"),), tool_choice=choice))["tool_choice"]["allowed_tools"]["mode"] == "auto"


def test_the_probe_lists_models_with_the_credential():
    probe = provider().probe(CREDENTIAL)
    assert (probe.method, probe.url) == ("GET", "https://host/v1/models")
    assert probe.headers["Authorization"] == "Bearer sk-verysecret"


def test_names_that_could_break_a_header_are_not_repeated():
    draft = Draft(request(), TARGET, "r")
    for name in ("seed", "a\r\nSet-Cookie: x", "seed", "naïve", "tools.custom"):
        draft.drop(name)
    assert draft.dropped == ("seed", "other", "tools.custom")
