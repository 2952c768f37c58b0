"""What the Ollama provider promises of the requests it builds."""

import pytest

from core.errors import InvalidRequest, UpstreamBroken
from schemas.chat import HostedTool, ResponseFormat, Sampling, ThinkingOptions, Tool, ToolChoice
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.embedding import EmbeddingRequest, Embeddings
from tests.unit.core.ollama_kit import BASE, KEYLESS, provider, request, sent, target, user

WEATHER, CLOCK = Tool("weather", "tells it", {"type": "object", "properties": {"a": {}}}), Tool("clock")
EFFORT, SWITCH = ("reasoning_effort",), ("thinking",)


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/", "/v1", "/v1/", "/api/chat"])
def test_the_address_is_taken_as_clients_write_it(path):
    server = provider(BASE + path)
    assert server.build(request(), target(), KEYLESS, "req-1").url == f"{BASE}/api/chat"
    assert server.probe(KEYLESS).url == f"{BASE}/api/tags"
    assert (
        provider("https://ollama.com/api").build(request(), target(), KEYLESS, "r").url == "https://ollama.com/api/chat"
    )


def test_without_a_key_nothing_is_signed_and_with_one_it_is():
    plain = {"Content-Type": "application/json", "Accept": "application/x-ndjson", "X-Request-ID": "req-1", "X-A": "b"}
    server = provider(headers={"X-A": "b"})
    assert server.build(request(), target(), KEYLESS, "req-1").headers == plain
    cloud = Credential("ollama", "secret-1")
    built = server.build(request(), target(), cloud, "req-1")
    assert built.headers == {**plain, "Authorization": "Bearer secret-1"}
    assert server.probe(cloud).headers["Authorization"] == "Bearer secret-1"
    assert "Authorization" not in server.probe(KEYLESS).headers
    assert "secret-1" not in repr(built)


def test_a_plain_request_asks_for_nothing_the_client_did_not():
    assert sent(user("hi")) == (
        {"model": "qwen3:8b", "messages": [{"role": "user", "content": "hi"}], "stream": True},
        (),
    )


def test_sampling_goes_into_the_options():
    sampling = Sampling(
        temperature=0,
        top_p=0.9,
        top_k=40,
        max_tokens=100,
        stop=("a", "b"),
        seed=7,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
    )
    body, dropped = sent(sampling=sampling)
    assert body["options"] == {
        "temperature": 0,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "num_predict": 100,
        "stop": ["a", "b"],
    }
    assert dropped == ()
    assert sent(to=target(max_output=50), sampling=sampling)[0]["options"]["num_predict"] == 50


def test_ollamas_own_parameters_pass_over_what_was_derived():
    extra = {"options": {"num_ctx": 8192, "temperature": 0.1, "mirostat": 1}, "num_ctx": 4096, "keep_alive": "10m"}
    body, dropped = sent(sampling=Sampling(temperature=1, top_p=0.5), extra=extra)
    assert body["options"] == {"temperature": 0.1, "top_p": 0.5, "num_ctx": 8192, "mirostat": 1}
    assert (body["keep_alive"], dropped) == ("10m", ())
    assert sent(extra={"num_ctx": 4096, "keep_alive": 0})[0]["options"] == {"num_ctx": 4096}
    assert sent(extra={"keep_alive": 0})[0]["keep_alive"] == 0


def test_what_ollama_has_not_is_dropped_by_name_and_what_asks_for_nothing_is_not_missed():
    extra = {"logit_bias": {"5": 1}, "options": "odd", "store": False, "n": 1, "keep_alive": None, "logprobs": True}
    body, dropped = sent(
        user="u",
        tools=(Tool("f", strict=True), HostedTool("web_search", {})),
        parallel_tool_calls=False,
        extra=extra,
    )
    assert set(body) == {"model", "tools", "messages", "stream"}
    assert set(dropped) == {
        "user", "tools.strict", "tools.web_search", "parallel_tool_calls", "logit_bias", "options", "logprobs",
    }  # fmt: skip


def test_what_the_model_refuses_is_dropped_by_name():
    body, dropped = sent(to=target(refuses={"top_k", "response_format"}), sampling=Sampling(top_k=1),
                         response_format=ResponseFormat("json_object"))  # fmt: skip
    assert not body.keys() & {"options", "format"}
    assert set(dropped) == {"top_k", "response_format"}


@pytest.mark.parametrize(
    ("wanted", "form"),
    [
        (ResponseFormat("text"), None),
        (ResponseFormat("json_object"), "json"),
        (ResponseFormat("json_schema", {"type": "object"}, "a", strict=True), {"type": "object"}),
        (ResponseFormat("json_schema"), "json"),
    ],
)
def test_a_format_is_json_or_its_schema(wanted, form):
    body, dropped = sent(response_format=wanted)
    assert (body.get("format"), dropped) == (form, ())


def test_tools_keep_openais_shape():
    assert sent(tools=(WEATHER, CLOCK))[0]["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "tells it",
                "parameters": {"type": "object", "properties": {"a": {}}},
            },
        },
        {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}},
    ]


@pytest.mark.parametrize(
    ("choice", "offered", "dropped"),
    [
        (None, ["weather", "clock"], ()),
        (ToolChoice("auto"), ["weather", "clock"], ()),
        (ToolChoice("none"), [], ()),
        (ToolChoice("required"), ["weather", "clock"], ("tool_choice",)),
        (ToolChoice("named", "clock"), ["clock"], ("tool_choice",)),
        (ToolChoice("auto", names=("clock",)), ["clock"], ()),
    ],
)
def test_a_choice_is_made_by_what_is_offered(choice, offered, dropped):
    body, names = sent(tools=(WEATHER, CLOCK), tool_choice=choice)
    assert ([tool["function"]["name"] for tool in body.get("tools", [])], names) == (offered, dropped)
    assert "tool_choice" not in body


def test_a_choice_without_tools_is_no_choice():
    assert sent(tool_choice=ToolChoice("required")) == sent()


def think(control, *, model="qwen3:8b", abilities=(), omit=(), **asked):
    to = target(model, control, abilities)
    body, dropped = sent(to=to, thinking=ThinkingOptions(**asked), omit=frozenset(omit))
    return body.get("think"), dropped


@pytest.mark.parametrize(
    ("control", "asked", "expected"),
    [
        ("switch", {}, (None, ())),
        ("switch", {"enabled": True}, (True, ())),
        ("switch", {"enabled": False}, (False, ())),
        ("switch", {"effort": "none"}, (False, ())),
        ("switch", {"effort": "minimal"}, (False, ())),
        ("switch", {"effort": "high"}, (True, EFFORT)),
        ("switch", {"budget": 4000}, (True, ())),
        ("adaptive", {"enabled": True}, (True, ())),
        ("switch", {"clear": False}, (None, ("clear_thinking",))),
        ("effort", {"enabled": True}, (True, ())),
        ("effort", {"effort": "none"}, (False, ())),
        ("effort", {"enabled": False, "effort": "high"}, (False, ())),
        ("effort", {"effort": "low"}, ("low", ())),
        ("effort", {"effort": "medium"}, ("medium", ())),
        ("effort", {"effort": "xhigh"}, ("high", ())),
        ("effort", {"effort": "max"}, ("max", ())),
        ("effort", {"budget": 2000}, ("low", ())),
        ("effort", {"effort": "odd"}, (None, EFFORT)),
        ("forced", {"effort": "none"}, ("low", EFFORT)),
        ("forced", {"enabled": False}, ("low", SWITCH)),
        ("forced", {"effort": "minimal"}, ("low", ())),
        ("none", {}, (None, ())),
        ("none", {"enabled": True}, (None, SWITCH)),
        ("none", {"effort": "high"}, (None, EFFORT)),
        ("none", {"enabled": False}, (None, ())),
    ],
)
def test_thinking_is_a_switch_or_a_level(control, asked, expected):
    assert think(control, **asked) == expected


def test_a_model_the_catalogue_does_not_know_is_asked_to_think_as_its_name_tells():
    unknown = {"abilities": {"thinking"}}
    assert think("none", enabled=True, **unknown) == (True, ())
    assert think("none", effort="high", **unknown) == (True, EFFORT)
    assert think("none", **unknown) == (None, ())
    assert think("none", model="gpt-oss:20b", effort="high", **unknown) == ("high", ())
    assert think("none", model="gpt-oss:20b", effort="none", **unknown) == ("low", EFFORT)
    assert think("effort", model="gpt-oss:20b", enabled=False) == ("low", SWITCH)


def test_a_model_that_has_refused_to_think_is_not_asked_again():
    assert think("none", abilities={"thinking"}, enabled=True, omit={"thinking@m"}) == (None, SWITCH)
    assert think("none", abilities={"thinking"}, enabled=True, omit={"thinking@other"}) == (True, ())


def test_embeddings_are_asked_for_and_read():
    asked = EmbeddingRequest("e", ("a", "b"), {}, dimensions=256)
    built = provider().embed(asked, target("nomic"), Credential("ollama", "k"), "req-1")
    assert (built.url, built.headers["Authorization"]) == (f"{BASE}/api/embed", "Bearer k")
    assert loads(built.body) == {"model": "nomic", "input": ["a", "b"], "dimensions": 256}
    body = dumps({"embeddings": [[1, 0.5], [2, 3]], "prompt_eval_count": 4})
    assert provider().read_embeddings(body) == Embeddings(((1.0, 0.5), (2.0, 3.0)), 4)
    assert provider().read_embeddings(b'{"embeddings": [[1]]}') == Embeddings(((1.0,),), None)


def test_token_numbers_are_refused():
    with pytest.raises(InvalidRequest) as caught:
        provider().embed(EmbeddingRequest("e", ((1, 2),), {}), target(), KEYLESS, "req-1")
    assert caught.value.param == "input"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"embeddings": 1}', b'{"embeddings": [[null]]}'])
def test_embeddings_that_are_none_are_broken(body):
    with pytest.raises(UpstreamBroken):
        provider().read_embeddings(body)
