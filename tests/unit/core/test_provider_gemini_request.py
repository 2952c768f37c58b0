"""What the Gemini provider promises of the request around the conversation."""

import pytest

from schemas.chat import HostedTool, ResponseFormat, Sampling, Tool, ToolChoice
from schemas.codec import dumps, loads
from schemas.credential import Credential
from tests.unit.core.gemini_kit import BASE, CREDENTIAL, KEY, provider, request, sent, target, user

DRAFT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA = {"$schema": DRAFT, "type": "object", "properties": {"a": {}}}


@pytest.mark.parametrize(
    "base_url",
    [BASE, f"{BASE}/", f"{BASE}/openai/", f"{BASE}/models", "https://generativelanguage.googleapis.com"],
)
def test_the_base_is_taken_as_clients_write_it(base_url):
    built = provider(base_url).build(request(), target(), CREDENTIAL, "req-1")
    assert built.url == f"{BASE}/models/gemini-3.7-flash:streamGenerateContent?alt=sse"
    assert provider(base_url).probe(CREDENTIAL).url == f"{BASE}/models?pageSize=1"


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-pro", "models/gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "models/gemini-2.5-pro"),
        ("tunedModels/mine", "tunedModels/mine"),
        ("../x?key=1#a b", "models/..%2Fx%3Fkey%3D1%23a%20b"),
        ("models/a/../b", "models/a%2F..%2Fb"),
    ],
)
def test_a_models_name_cannot_lead_to_another_path(model, path):
    built = provider().build(request(), target(model), CREDENTIAL, "req-1")
    assert built.url == f"{BASE}/{path}:streamGenerateContent?alt=sse"


def test_the_key_travels_in_a_header_of_its_own_and_nowhere_else():
    built = provider(headers={"X-Team": "a"}).build(request(), target(), CREDENTIAL, "req-1")
    assert built.headers == {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "X-Request-ID": "req-1",
        "X-Team": "a",
        "x-goog-api-key": KEY,
    }
    assert KEY not in built.url
    assert KEY.encode() not in built.body
    assert KEY not in repr(built)


def test_a_callers_own_headers_sign_instead_of_the_key():
    own = Credential("gemini", "", headers={"x-goog-api-key": "theirs"})
    assert provider().build(request(), target(), own, "req-1").headers["x-goog-api-key"] == "theirs"
    assert provider().probe(own).headers == {"Accept": "application/json", "x-goog-api-key": "theirs"}


def test_a_plain_request_asks_for_nothing_the_client_did_not():
    assert sent(user("hi")) == ({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, ())


def test_sampling_goes_under_geminis_names():
    sampling = Sampling(
        temperature=0,
        top_p=0.9,
        top_k=40,
        max_tokens=100,
        stop=("a", "b", "c", "d", "e", "f"),
        seed=7,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
    )
    body, dropped = sent(sampling=sampling)
    assert body["generationConfig"] == {
        "temperature": 0,
        "topP": 0.9,
        "topK": 40,
        "seed": 7,
        "presencePenalty": 0.5,
        "frequencyPenalty": -0.5,
        "maxOutputTokens": 100,
        "stopSequences": ["a", "b", "c", "d", "e"],
    }
    assert dropped == ()


@pytest.mark.parametrize(("limit", "asked", "given"), [(1000, 5000, 1000), (1000, 5, 5), (0, 5000, 5000)])
def test_the_answer_is_never_asked_to_be_longer_than_the_model_can_write(limit, asked, given):
    body, _ = sent(to=target(max_output=limit), sampling=Sampling(max_tokens=asked))
    assert body["generationConfig"]["maxOutputTokens"] == given


@pytest.mark.parametrize("seed", [2**31, -(2**31), 2**63 - 1, -(2**63)])
def test_a_large_seed_becomes_one_of_32_bits_and_always_the_same(seed):
    first, second = (sent(sampling=Sampling(seed=seed))[0]["generationConfig"]["seed"] for _ in range(2))
    assert first == second
    assert 0 <= first < 2**31


def test_penalties_of_nothing_are_not_sent():
    assert sent(sampling=Sampling(presence_penalty=0, frequency_penalty=0.0)) == sent()


def test_what_the_model_refuses_is_dropped_by_name():
    body, dropped = sent(
        to=target(refuses={"top_k", "temperature"}), sampling=Sampling(top_k=1, temperature=1, top_p=1)
    )
    assert body["generationConfig"] == {"topP": 1}
    assert set(dropped) == {"top_k", "temperature"}


def test_json_is_asked_for_with_its_cleaned_schema():
    assert sent(response_format=ResponseFormat("json_object"))[0]["generationConfig"] == {
        "responseMimeType": "application/json"
    }
    body, dropped = sent(response_format=ResponseFormat("json_schema", SCHEMA, "answer", "it", strict=True))
    assert body["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "properties": {"a": {}}},
    }
    assert dropped == ()
    assert sent(response_format=ResponseFormat("text")) == sent()


@pytest.mark.parametrize(
    ("model", "choice", "goes"),
    [
        ("gemini-3.7-flash", None, True),
        ("gemini-3.7-flash", ToolChoice("auto"), True),
        ("gemini-3.7-flash", ToolChoice("required"), False),
        ("gemini-3.7-flash", ToolChoice("named", "f"), False),
        ("gemini-2.5-pro", None, False),
    ],
)
def test_json_with_tools_goes_only_where_gemini_takes_both(model, choice, goes):
    body, dropped = sent(
        to=target(model, "none"),
        tools=(Tool("f"),),
        tool_choice=choice,
        response_format=ResponseFormat("json_object"),
    )
    assert ("responseMimeType" in body.get("generationConfig", {}), dropped) == (
        goes,
        () if goes else ("response_format",),
    )


def test_geminis_own_parameters_pass_under_either_spelling():
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    body, dropped = sent(extra={"safety_settings": safety, "cached_content": "cachedContents/1", "labels": {"a": "b"}})
    assert (body["safetySettings"], body["cachedContent"]) == (safety, "cachedContents/1")
    assert (body["labels"], dropped) == ({"a": "b"}, ())
    body, dropped = sent(extra={"safetySettings": safety, "cachedContent": "cachedContents/2"})
    assert (body["safetySettings"], body["cachedContent"], dropped) == (safety, "cachedContents/2", ())


@pytest.mark.parametrize("wrapped", [True, False])
def test_what_googles_clients_put_into_extra_body_is_found_there(wrapped):
    google = {
        "safety_settings": [],
        "cached_content": "cachedContents/1",
        "thinking_config": {"thinking_budget": 800, "include_thoughts": True, "odd": 1},
        "other": {"thinking_budget": 1},
    }
    extra = {"extra_body": {"google": google, "odd": 1}} if wrapped else {"google": google}
    body, dropped = sent(extra=extra)
    assert body["safetySettings"] == []
    assert body["cachedContent"] == "cachedContents/1"
    assert body["generationConfig"] == {"thinkingConfig": {"thinkingBudget": 800, "includeThoughts": True}}
    assert set(dropped) == ({"extra_body.google.other", "extra_body.odd"} if wrapped else {"google.other"})


def test_what_gemini_has_not_is_dropped_by_name_and_what_asks_for_nothing_is_not_missed():
    extra = {
        "logit_bias": {"5": 1},
        "logprobs": True,
        "top_logprobs": 0,
        "store": False,
        "service_tier": "auto",
        "metadata": {},
        "prompt_cache_key": "k",
        "extra_body": "odd",
        "google": None,
        "a\nb": 1,
    }
    body, dropped = sent(user("hi"), user="u", tools=(Tool("f", strict=True),), parallel_tool_calls=False, extra=extra)
    assert set(body) == {"contents", "tools"}
    assert set(dropped) == {
        "user", "parallel_tool_calls", "tools.strict", "logit_bias", "logprobs", "prompt_cache_key", "extra_body",
        "other",
    }  # fmt: skip


def test_hosted_tools_of_others_are_dropped_by_name_and_googles_own_pass():
    tools = (
        HostedTool("google_search", {"type": "google_search"}),
        HostedTool("code_execution", {"type": "code_execution", "code_execution": {"a": 1}}),
        HostedTool("web_search", {"type": "web_search"}),
    )
    body, dropped = sent(tools=tools, parallel_tool_calls=True)
    assert body["tools"] == [{"googleSearch": {}}, {"codeExecution": {"a": 1}}]
    assert "toolConfig" not in body
    assert dropped == ("tools.web_search",)


def test_building_changes_nothing_of_the_request_and_always_writes_the_same():
    asked = request(
        user("hi"), tools=(Tool("f", parameters=SCHEMA),), response_format=ResponseFormat("json_schema", SCHEMA)
    )
    first, second = (provider().build(asked, target(), CREDENTIAL, "req-1") for _ in range(2))
    assert first == second
    assert dumps(SCHEMA) == dumps({"$schema": DRAFT, "type": "object", "properties": {"a": {}}})
    assert list(loads(first.body)) == ["tools", "contents", "generationConfig"]
