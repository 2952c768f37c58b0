"""OpenAI's and Anthropic's SDK for Python, through the gateway, to a real llama.cpp that speaks both forms."""

import json
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import OpenAI

from tests.gateway import Gateway, eventually
from tests.real import tiny_model
from tests.real.kit import KEY, missing
from tests.real.llama_server import LlamaServer

if TYPE_CHECKING:
    from anthropic import Anthropic

INSTANCES = ("chats", "messages")
"""The instances of the gateway: llama.cpp as an endpoint in OpenAI's form, and as one in Anthropic's."""
TALK = "".join(tiny_model.TALK)
FIRST_THREE = "".join(tiny_model.TALK[:3])
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SCHEMA = {
    "type": "object", "properties": {"city": {"const": "Köln"}}, "required": ["city"], "additionalProperties": False,
}  # fmt: skip
Json = dict[str, Any]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    """The model server of all tests here."""
    with LlamaServer(tmp_path_factory.mktemp("llama")) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(llama: LlamaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that has llama.cpp twice, as `chats` and as `messages`."""
    settings = {
        "GATEWAY_API_KEYS": f"somebody:{KEY}",
        "GATEWAY__PROVIDERS__CHATS__KIND": "openai-compatible",
        "GATEWAY__PROVIDERS__CHATS__BASE_URL": f"{llama.url}/v1",
        "GATEWAY__PROVIDERS__CHATS__AUTH": "none",
        "GATEWAY__PROVIDERS__MESSAGES__KIND": "anthropic-compatible",
        "GATEWAY__PROVIDERS__MESSAGES__BASE_URL": llama.url,
        "GATEWAY__PROVIDERS__MESSAGES__AUTH": "none",
        "GATEWAY__RETRY__MAX_ATTEMPTS": "1",
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), **settings) as running:
        yield running


@pytest.fixture(params=INSTANCES)
def model(request: pytest.FixtureRequest) -> str:
    """The model's name at each of the two instances."""
    return f"{request.param}/tiny"


@pytest.fixture
def chats(gateway: Gateway) -> Iterator[OpenAI]:
    """OpenAI's SDK."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def messages(gateway: Gateway) -> Iterator["Anthropic"]:
    """Anthropic's SDK."""
    if find_spec("anthropic") is None:
        missing("the package anthropic")
    from anthropic import Anthropic

    with Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0, timeout=30) as client:
        yield client


def said(text: str) -> Any:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def chat_tool() -> Any:
    """A tool in OpenAI's form."""
    return [{"type": "function", "function": {"name": "weather", "description": "Looks.", "parameters": PARAMETERS}}]


def message_tool() -> Any:
    """The same in Anthropic's."""
    return [{"name": "weather", "description": "Looks.", "input_schema": PARAMETERS}]


# OpenAI's SDK


def test_a_chat_is_answered_whole_and_counted(chats: OpenAI, model: str) -> None:
    answer = chats.chat.completions.create(model=model, messages=said("Hi"))
    assert answer.choices[0].message.content == TALK
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == model
    assert answer.usage is not None
    assert answer.usage.completion_tokens == len(tiny_model.TALK) + 1
    assert answer.usage.prompt_tokens == 22
    assert answer.usage.total_tokens == 30


def test_a_chat_is_streamed_token_by_token_and_counted(chats: OpenAI, model: str) -> None:
    options: Any = {"include_usage": True}
    with chats.chat.completions.create(model=model, messages=said("Hi"), stream=True, stream_options=options) as chunks:
        seen = list(chunks)
    pieces = [chunk.choices[0].delta.content for chunk in seen if chunk.choices and chunk.choices[0].delta.content]
    assert pieces == list(tiny_model.TALK)
    assert seen[-1].usage is not None
    assert (seen[-1].usage.prompt_tokens, seen[-1].usage.completion_tokens) == (22, 8)


def test_a_chat_ends_at_its_limit(chats: OpenAI, model: str) -> None:
    answer = chats.chat.completions.create(model=model, messages=said("Hi"), max_tokens=3)
    assert answer.choices[0].message.content == FIRST_THREE
    assert answer.choices[0].finish_reason == "length"


def test_a_streamed_chat_ends_at_its_limit(chats: OpenAI, model: str) -> None:
    with chats.chat.completions.create(model=model, messages=said("Hi"), max_tokens=3, stream=True) as chunks:
        choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == FIRST_THREE
    assert choices[-1].finish_reason == "length"


def test_a_chat_ends_at_its_stop_word(chats: OpenAI, model: str) -> None:
    answer = chats.chat.completions.create(model=model, messages=said("Hi"), stop=["real", "server"])
    assert answer.choices[0].message.content == "Hello from a "
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_chat_calls_a_tool_and_takes_its_result(chats: OpenAI, model: str, streamed: bool) -> None:
    if streamed:
        with chats.chat.completions.stream(model=model, messages=said("Hi"), tools=chat_tool()) as events:
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = chats.chat.completions.create(model=model, messages=said("Hi"), tools=chat_tool()).choices[0]
    assert choice.finish_reason == "tool_calls"
    call = choice.message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}
    history = [*said("Hi"), choice.message.to_dict(), result]
    last = chats.chat.completions.create(model=model, messages=history, tools=chat_tool())
    assert last.choices[0].message.content == TALK


def test_a_chat_keeps_to_a_schema(chats: OpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    answer = chats.chat.completions.create(model="chats/tiny", messages=said("Hi"), response_format=form)
    assert json.loads(answer.choices[0].message.content or "") == {"city": "Köln"}


def test_texts_become_vectors_in_their_order(chats: OpenAI) -> None:
    answer = chats.embeddings.create(model="chats/tiny", input=["a", "c", "a"])
    directions = [row.embedding.index(1.0) for row in answer.data]
    assert directions[1] - directions[0] == ord("c") - ord("a")
    assert directions[2] == directions[0]
    assert all(sum(row.embedding) == 1.0 for row in answer.data)
    assert answer.usage.prompt_tokens == 3


def test_a_prompt_that_is_too_long_is_a_bad_request(chats: OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chats.chat.completions.create(model=model, messages=said("x" * 2 * tiny_model.CONTEXT))
    assert caught.value.code == "context_length_exceeded"


# Anthropic's SDK


def test_a_message_is_answered_whole_and_counted(messages: "Anthropic", model: str) -> None:
    answer = messages.messages.create(model=model, max_tokens=100, messages=said("Hi"))
    assert [(block.type, block.text) for block in answer.content] == [("text", TALK)]
    assert answer.stop_reason == "end_turn"
    assert answer.model == model
    assert answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) == 22
    assert answer.usage.output_tokens == 8


def test_a_message_is_streamed_token_by_token_and_counted(messages: "Anthropic", model: str) -> None:
    with messages.messages.stream(model=model, max_tokens=100, messages=said("Hi")) as stream:
        pieces = list(stream.text_stream)
        answer = stream.get_final_message()
    assert pieces == list(tiny_model.TALK)
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens == 8


@pytest.mark.parametrize("streamed", [False, True])
def test_a_message_ends_at_its_limit(messages: "Anthropic", model: str, streamed: bool) -> None:
    answer = ask(messages, streamed, model=model, max_tokens=3, messages=said("Hi"))
    assert answer.content[0].text == FIRST_THREE
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == 3


@pytest.mark.parametrize("streamed", [False, True])
def test_a_message_calls_a_tool_and_takes_its_result(messages: "Anthropic", model: str, streamed: bool) -> None:
    fields: Json = {"model": model, "max_tokens": 100, "tools": message_tool()}
    answer = ask(messages, streamed, **fields, messages=said("Hi"))
    assert answer.stop_reason == "tool_use"
    call = answer.content[-1]
    assert (call.name, call.input) == ("weather", {"city": "Paris"})
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Sunny."}]}
    history = [*said("Hi"), {"role": "assistant", "content": [block.to_dict() for block in answer.content]}, result]
    assert ask(messages, streamed, **fields, messages=history).content[0].text == TALK


def test_the_server_counts_a_prompt_as_it_will_count_the_answers(messages: "Anthropic") -> None:
    assert messages.messages.count_tokens(model="messages/tiny", messages=said("Hi")).input_tokens == 22


def ask(client: Any, streamed: bool, **fields: Any) -> Any:
    """The answer of Anthropic's SDK, whichever way it comes."""
    if not streamed:
        return client.messages.create(**fields)
    with client.messages.stream(**fields) as stream:
        return stream.get_final_message()


# Clients that leave


@pytest.mark.parametrize(
    ("model", "streamed"),
    # A whole chat in its own form is not among them, as llama.cpp itself does not look whether anybody still waits.
    [("chats/tiny", True), ("messages/tiny", True), ("messages/tiny", False)],
)
def test_a_client_that_hangs_up_frees_the_servers_slot(
    llama: LlamaServer, gateway: Gateway, model: str, streamed: bool
) -> None:
    before = len(llama.released())
    with closing(OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=0.5)) as client:
        if streamed:
            chunks = client.chat.completions.create(model=model, messages=said("endless"), stream=True)
            next(iter(chunks))
            chunks.close()
        else:
            with pytest.raises(openai.APITimeoutError):
                client.chat.completions.create(model=model, messages=said("endless"))
    assert eventually(lambda: len(llama.released()) > before)
    assert llama.released()[-1] < tiny_model.CONTEXT - 100
