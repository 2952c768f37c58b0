"""Conversations over HTTP: the OpenAI SDK's `client.conversations`, and chats of both dialects that go on with one."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import requests
from openai import OpenAI

from tests.gateway import Gateway, eventually
from tests.integration.conftest import environment
from tests.redis_server import RedisServer
from tests.upstreams.answers import TEXT, glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import AwaitClose, Drop, End, Events, Head, Hold, Step, stream, whole
from tests.upstreams.wire import Request

ANN, BOB = "ann-key-1", "bob-key-1"
KEYS = f"ann:{ANN},bob:{BOB},root:root-key-1:admin"
SMALL = {"GATEWAY__CONVERSATIONS__MAX_ITEM_BYTES": "4096", "GATEWAY__CONVERSATIONS__MAX_ITEMS": "60"}
MODEL = "glm-4.6"
CALLS = [("call_a", "weather", '{"city":"Köln"}')]
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
SYSTEM: Any = {"role": "system", "content": "Be brief."}
FILE = {"type": "input_image", "file_id": "f"}
BAD_FILE = {"type": "input_file", "file_url": "file:///etc/passwd"}
Json = dict[str, Any]


@pytest.fixture(scope="module", params=["embedded", "shared"])
def gateway(
    request: pytest.FixtureRequest, provider: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """One worker embedded, and two on a real redis; callers have keys."""
    directory = tmp_path_factory.mktemp(request.param)
    settings = environment(provider, GATEWAY_API_KEYS=KEYS, **SMALL)
    if request.param == "embedded":
        with Gateway(directory, **settings) as running:
            yield running
        return
    with RedisServer(directory) as redis, Gateway(directory, REDIS_URL=redis.url, WORKERS="2", **settings) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway, upstream: Upstream) -> Iterator[OpenAI]:
    """The SDK as Ann has it, in front of a provider at rest."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=ANN, max_retries=0, timeout=30) as one:
        yield one


@pytest.fixture
def conversation(client: OpenAI) -> str:
    """A new conversation of Ann's."""
    return client.conversations.create().id


def ask(client: OpenAI, conversation: str, text: str = "Hi", **fields: Any) -> Any:
    messages = fields.pop("messages", [{"role": "user", "content": text}])
    body = {"conversation": conversation, **fields.pop("extra_body", {})}
    return client.chat.completions.create(model=MODEL, messages=messages, extra_body=body, **fields)


def items(client: OpenAI, conversation: str) -> list[Any]:
    return list(client.conversations.items.list(conversation, order="asc"))


def told(client: OpenAI, conversation: str) -> list[tuple[str, str, str]]:
    """Role, text and status of each message."""
    found = [item for item in items(client, conversation) if item.type == "message"]
    return [(item.role, "".join(part.text for part in item.content), item.status) for item in found]


def turns(gateway: Gateway, conversation: str, key: str = ANN) -> list[Json]:
    path = f"/v1/conversations/{conversation}/turns?order=asc"
    found: list[Json] = gateway.get(path, headers=bearer(key)).json()["data"]
    return found


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def sent(upstream: Upstream, at: int = -1) -> list[Json]:
    """The messages of a request to the provider."""
    messages: list[Json] = upstream.requests[at].body["messages"]
    return messages


def encrypted(item: Any) -> str | None:
    sealed: str | None = item.encrypted_content
    return sealed


# client.conversations


def test_a_conversation_of_the_sdk(client: OpenAI) -> None:
    made = client.conversations.create(metadata={"topic": "x"}, items=[{"role": "user", "content": "Hi"}])
    assert made.object == "conversation"
    assert made.id.startswith("conv_")
    assert client.conversations.retrieve(made.id) == made
    updated = client.conversations.update(made.id, metadata={"topic": "y"})
    assert (updated.id, updated.created_at, updated.metadata) == (made.id, made.created_at, {"topic": "y"})
    deleted = client.conversations.delete(made.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (made.id, "conversation.deleted", True)
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(made.id)


def test_items_of_the_sdk(client: OpenAI, conversation: str) -> None:
    new: Any = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "see"},
         {"type": "input_image", "image_url": "https://example.org/cat.png"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "zzz"},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
        {"role": "assistant", "content": "A cat."},
    ]  # fmt: skip
    added = client.conversations.items.create(conversation, items=new)
    assert [item.type for item in added.data] == [
        "message", "reasoning", "function_call", "function_call_output", "message",
    ]  # fmt: skip
    assert (added.first_id, added.last_id, added.has_more) == (added.data[0].id, added.data[-1].id, False)
    assert items(client, conversation) == added.data
    assert [item.id for item in client.conversations.items.list(conversation, limit=2)] == [
        item.id for item in reversed(added.data)
    ], "the SDK turns the pages"
    for item in added.data:
        assert client.conversations.items.retrieve(item.id or "", conversation_id=conversation) == item
    sealed = client.conversations.items.retrieve(
        added.data[1].id or "", conversation_id=conversation, include=["reasoning.encrypted_content"]
    )
    assert (encrypted(sealed), encrypted(added.data[1])) == ("zzz", None)
    head = client.conversations.items.delete(added.data[0].id or "", conversation_id=conversation)
    assert head.id == conversation
    assert items(client, conversation) == added.data[1:]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("", {"metadata": {"a": 1}}, "metadata.a"),
        ("", {"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ("", {"metadata": {"a": "x" * 513}}, "metadata"),
        ("", {"items": [{"type": "computer_call"}]}, "items[0]"),
        ("", {"items": [{"role": "user", "content": "x"}] * 21}, "items"),
        ("", {"items": [{"role": "user", "content": "x" * 5000}]}, "items"),
        ("", {"items": [{"role": "tool", "content": "x"}]}, "items[0].role"),
        ("", {"items": [{"role": "user", "content": [FILE]}]}, "items[0].content[0]"),
        ("", {"items": [{"role": "user", "content": [BAD_FILE]}]}, "items[0].content[0]"),
        ("", {"items": [{"role": "user", "content": [{"type": "screenshot"}]}]}, "items[0].content[0]"),
        ("", {"items": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "items[0].content[0]"),
        ("", {"items": [{"type": "function_call", "call_id": "c", "name": "n"}]}, "items[0].arguments"),
        ("/ID/items", {"items": []}, "items"),
        ("/ID/items", {}, "items"),
        ("/ID", {}, "metadata"),
        ("/ID/items?include=everything", {"items": [{"role": "user", "content": "x"}]}, "include"),
        ("/import", {"object": "conversation.export", "version": 2}, "version"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_its_name(
    gateway: Gateway, conversation: str, path: str, body: Json, param: str
) -> None:
    answer = gateway.post("/v1/conversations" + path.replace("ID", conversation), body, headers=bearer(ANN))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert answer.json()["error"]["type"] == "invalid_request_error"


NEVER = '{"role": "user", "content": [{"type": "input_text", "text": "x", "n": [1, -1e400]}]}'


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/conversations", f'{{"items": [{NEVER}]}}', "items[0].content[0].n[1]"),
        ("/v1/conversations/ID/items", f'{{"items": [{NEVER}]}}', "items[0].content[0].n[1]"),
        (
            "/v1/conversations/import",
            f'{{"object": "conversation.export", "version": 1, "items": [{NEVER}]}}',
            "items[0].content[0].n[1]",
        ),
        ("/conversation/save", f'{{"name": "x", "messages": [{NEVER}]}}', "messages[0].content[0].n[1]"),
        (
            "/v2/chat/completions",
            f'{{"model": "glm-4.6", "conversation": "ID", "messages": [{NEVER}]}}',
            "messages[0].content[0].n[1]",
        ),
    ],
)
def test_a_number_that_nothing_can_keep_is_refused_and_leaves_nothing(
    gateway: Gateway, client: OpenAI, conversation: str, path: str, body: str, param: str
) -> None:
    def there() -> tuple[list[Json], list[Json]]:
        heads = gateway.get("/v1/conversations?limit=100", headers=bearer(ANN)).json()["data"]
        return heads, gateway.get(f"/v1/conversations/{conversation}/items", headers=bearer(ANN)).json()["data"]

    before = there()
    headers = {"Content-Type": "application/json", **bearer(ANN)}
    url = gateway.url + path.replace("ID", conversation)
    answer = requests.post(url, data=body.replace("ID", conversation), headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert there() == before


@pytest.mark.parametrize(
    ("turn", "param"),
    [
        ({"cost_usd": 1.7e308}, "turns[0].cost_usd"),
        ({"cost_usd": -1}, "turns[0].cost_usd"),
        ({"created_at": 1e300}, "turns[0].created_at"),
        ({"usage": {"input_tokens": 10**30}}, "turns[0].usage.input_tokens"),
        ({"usage": {"input_tokens": -1}}, "turns[0].usage.input_tokens"),
        ({"usage": {"output_tokens_details": {"reasoning_tokens": -1}}},
         "turns[0].usage.output_tokens_details.reasoning_tokens"),
        ({"usage": {"input_tokens": 5, "input_tokens_details": {"cached_tokens": -1}}},
         "turns[0].usage.input_tokens_details.cached_tokens"),
        ({"usage": {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 6}}}, "turns[0].usage"),
        ({"incomplete_details": {"reason": "x" * 65}}, "turns[0].incomplete_details.reason"),
    ],
)  # fmt: skip
def test_an_import_has_no_figures_that_cannot_be(gateway: Gateway, turn: Json, param: str) -> None:
    body = {
        "object": "conversation.export",
        "version": 1,
        "items": [{"role": "user", "content": "x", "id": "a"}],
        "turns": [{"created_at": 1, "status": "completed", "model": "m", "items": ["a"], **turn}],
    }
    answer = gateway.post("/v1/conversations/import", body, headers=bearer(ANN))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_copy_may_have_parts_of_whatever_type_a_chat_has_brought(
    gateway: Gateway, client: OpenAI, conversation: str
) -> None:
    new: Any = {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}
    client.conversations.items.create(conversation, items=[new])
    exported = gateway.get(f"/v1/conversations/{conversation}/export", headers=bearer(ANN)).json()
    other = {"type": "search_result", "source": "s", "title": "t", "content": []}
    exported["items"][0]["content"].append(other)
    imported = gateway.post("/v1/conversations/import", exported, headers=bearer(ANN)).json()
    again = gateway.get(f"/v1/conversations/{imported['id']}/export", headers=bearer(ANN)).json()
    assert again["items"][0]["content"] == [new["content"][0], other]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up", "after=nonsense", "limit=²"])
def test_a_list_that_cannot_be_meant_is_refused(gateway: Gateway, conversation: str, query: str) -> None:
    for path in (f"/v1/conversations?{query}", f"/v1/conversations/{conversation}/items?{query}"):
        answer = gateway.get(path, headers=bearer(ANN))
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])


def test_each_sees_their_own(gateway: Gateway, client: OpenAI, conversation: str) -> None:
    ask(client, conversation)
    (first, *_) = items(client, conversation)
    stranger = OpenAI(base_url=f"{gateway.url}/v1", api_key=BOB, max_retries=0)
    attempts: list[Any] = [
        lambda: stranger.conversations.retrieve(conversation),
        lambda: stranger.conversations.update(conversation, metadata={}),
        lambda: stranger.conversations.delete(conversation),
        lambda: stranger.conversations.items.list(conversation),
        lambda: stranger.conversations.items.retrieve(first.id, conversation_id=conversation),
        lambda: stranger.conversations.items.delete(first.id, conversation_id=conversation),
        lambda: stranger.conversations.items.create(conversation, items=[{"role": "user", "content": "x"}]),
        lambda: ask(stranger, conversation),
    ]
    for attempt in attempts:
        with pytest.raises(openai.NotFoundError) as caught:
            attempt()
        assert caught.value.response.json()["error"]["message"] == f"Conversation with id {conversation!r} not found."
    stranger.close()
    for key in (BOB, "root-key-1"):
        assert gateway.get(f"/v1/conversations/{conversation}/export", headers=bearer(key)).status_code == 404
        assert gateway.get(f"/v1/conversations/{conversation}/turns", headers=bearer(key)).status_code == 404
        assert gateway.get("/v1/conversations", headers=bearer(key)).json()["data"] == []
        answer = gateway.post("/conversation/load", {"id": conversation}, headers=bearer(key))
        assert answer.status_code == 404
    assert gateway.get(f"/v1/conversations/{conversation}").status_code == 401
    assert len(items(client, conversation)) == 2


# Chats


@pytest.mark.parametrize("streamed", [False, True])
def test_both_turns_are_kept_and_told_again(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream, streamed: bool
) -> None:
    def say(text: str) -> None:
        answer = ask(client, conversation, messages=[SYSTEM, {"role": "user", "content": text}], stream=streamed)
        assert not streamed or list(answer)

    upstream.script(stream(glm_stream("Yes.", "Let me see.")))
    say("First")
    say("Second")
    say("Third")
    first, second, third = (sent(upstream, at) for at in (-3, -2, -1))
    assert [message["content"] for message in third] == ["Be brief.", "First", "Yes.", "Second", TEXT, "Third"]
    assert [message["role"] for message in third] == ["system", *["user", "assistant"] * 2, "user"]
    raw = [upstream.requests[at].raw_body for at in (-3, -2, -1)]
    prompts = [body[: body.index(b"]")] for body in raw]
    assert prompts[1].startswith(prompts[0]), "a prompt begins with the bytes of the one before"
    assert prompts[2].startswith(prompts[1])
    assert b"conversation" not in raw[2], "which is the gateway's own affair"
    assert (first, second) == (third[:2], third[:4])
    assert told(client, conversation) == [
        ("user", "First", "completed"), ("assistant", "Yes.", "completed"),
        ("user", "Second", "completed"), ("assistant", TEXT, "completed"),
        ("user", "Third", "completed"), ("assistant", TEXT, "completed"),
    ]  # fmt: skip
    (thought,) = [item for item in items(client, conversation) if item.type == "reasoning"]
    assert thought.content[0].text == "Let me see."
    one, _, last = turns(gateway, conversation)
    assert (one["status"], one["model"], one["provider"], one["upstream_model"]) == ("completed", MODEL, "glm", MODEL)
    assert (one["usage"]["total_tokens"], one["finish_reason"], one["incomplete_details"]) == (21, "stop", None)
    assert one["cost_usd"] > 0
    assert last["items"] == [item.id for item in items(client, conversation)][-2:]
    head: Any = client.conversations.retrieve(conversation)
    assert (head.turn_count, head.usage["total_tokens"]) == (3, 63)
    assert head.cost_usd == pytest.approx(3 * one["cost_usd"])


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_thinking_is_kept_apart_however_it_is_shown(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream, version: str
) -> None:
    upstream.script(stream(glm_stream("Yes.", "Let me see.")))
    body = {"model": MODEL, "conversation": {"id": conversation}, "messages": [{"role": "user", "content": "Hi"}]}
    answer = gateway.post(f"/{version}/chat/completions", body, headers=bearer(ANN))
    assert (answer.headers["X-Conversation-ID"], answer.headers["X-Gateway-Turn"]) == (conversation, "completed")
    assert ("<think>" in answer.text) == (version == "v1")
    assert [item.type for item in items(client, conversation)] == ["message", "reasoning", "message"]
    assert told(client, conversation)[1] == ("assistant", "Yes.", "completed")


def test_a_header_names_the_conversation_too(gateway: Gateway, client: OpenAI, conversation: str) -> None:
    headers = {"X-Conversation-ID": conversation}
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}], extra_headers=headers)
    assert len(items(client, conversation)) == 2
    with pytest.raises(openai.BadRequestError, match="the same"):
        ask(client, "conv_other", extra_headers=headers)


def test_both_dialects_go_on_with_one_conversation(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    ask(client, conversation, "From OpenAI")
    with anthropic.Anthropic(base_url=gateway.url, api_key=ANN, max_retries=0) as other:
        headers = {"X-Conversation-ID": conversation}
        asked: Any = {"model": MODEL, "max_tokens": 100, "system": "Be brief.", "extra_headers": headers}
        message = other.messages.create(messages=[{"role": "user", "content": "From Anthropic"}], **asked)
        assert message.content[0].text == TEXT
        with other.messages.stream(messages=[{"role": "user", "content": "And again"}], **asked) as events:
            assert events.get_final_text() == TEXT
    assert [message["content"] for message in sent(upstream)] == [
        "Be brief.", "From OpenAI", TEXT, "From Anthropic", TEXT, "And again",
    ]  # fmt: skip
    ask(client, conversation, "Back")
    assert [message["role"] for message in sent(upstream)] == ["user", "assistant"] * 3 + ["user"]
    assert len(turns(gateway, conversation)) == 4


def test_a_prompt_is_counted_with_the_conversation_it_goes_on_with(
    gateway: Gateway, client: OpenAI, conversation: str
) -> None:
    messages: Any = [{"role": "user", "content": "And now?"}]
    said = [{"role": "user", "content": "many words " * 40}, {"role": "assistant", "content": "more words " * 40}]
    with anthropic.Anthropic(base_url=gateway.url, api_key=ANN, max_retries=0) as other:
        alone = other.messages.count_tokens(model=MODEL, messages=messages).input_tokens
        whole = other.messages.count_tokens(model=MODEL, messages=[*said, *messages]).input_tokens  # type: ignore[list-item] # plain dicts
        client.conversations.items.create(conversation, items=[{"type": "message", **one} for one in said])  # type: ignore[misc] # plain dicts
        headers = {"X-Conversation-ID": conversation}
        counted = other.messages.count_tokens(model=MODEL, messages=messages, extra_headers=headers).input_tokens
        assert alone < whole == counted
        assert len(items(client, conversation)) == 2, "counting adds nothing"
        missing = {"X-Conversation-ID": "conv_" + "0" * 48}
        with pytest.raises(anthropic.NotFoundError):
            other.messages.count_tokens(model=MODEL, messages=messages, extra_headers=missing)
    body = {"model": MODEL, "messages": messages}
    assert gateway.post("/v1/messages/count_tokens", body, headers={**headers, **bearer(BOB)}).status_code == 404


def test_tool_calls_and_their_results_are_told_again(client: OpenAI, conversation: str, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream("", "I need the weather.", CALLS)))
    ask(client, conversation, "How is the weather?", tools=TOOLS)
    result = {"role": "tool", "tool_call_id": "call_a", "content": "fine"}
    ask(client, conversation, messages=[result], tools=TOOLS)
    question, call, answer = sent(upstream)
    assert (question["content"], answer) == ("How is the weather?", result)
    function = {"name": "weather", "arguments": '{"city":"Köln"}'}
    assert call["tool_calls"] == [{"id": "call_a", "type": "function", "function": function}]
    assert call["reasoning_content"] == "I need the weather.", "which led to the call"
    ask(client, conversation, "Thanks", tools=TOOLS)
    assert sent(upstream)[:3] == [question, call, answer]
    assert [item.type for item in items(client, conversation)] == [
        "message", "reasoning", "function_call", "function_call_output", "message", "message", "message",
    ]  # fmt: skip


def test_items_that_were_added_are_part_of_the_prompt(client: OpenAI, conversation: str, upstream: Upstream) -> None:
    client.conversations.items.create(conversation, items=[{"role": "developer", "content": "Speak Latin."}])
    client.conversations.items.create(conversation, items=[{"role": "user", "content": "Salve!"}])
    ask(client, conversation, messages=[])
    assert [(m["role"], m["content"]) for m in sent(upstream)] == [("system", "Speak Latin."), ("user", "Salve!")]
    assert told(client, conversation)[2] == ("assistant", TEXT, "completed")


def test_an_error_names_the_message_as_the_client_counts(client: OpenAI, conversation: str) -> None:
    for _ in range(3):
        ask(client, conversation)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, conversation, messages=[SYSTEM, {"role": "user", "content": "x"}, {"role": "user"}])
    assert caught.value.param == "messages[2].content"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, conversation, messages=[SYSTEM, {"role": "user", "content": "x", "tool_calls": "none"}])
    assert caught.value.param == "messages[1].tool_calls"
    assert len(items(client, conversation)) == 6


@pytest.mark.parametrize("named", [5, {}, {"id": None}, ["conv_1"], ""])
def test_what_names_no_conversation_is_refused(gateway: Gateway, named: Any) -> None:
    answer = gateway.chat(conversation=named, headers=bearer(ANN))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "conversation")


def test_a_full_conversation_is_refused_before_anybody_is_asked(
    client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    for _ in range(3):
        client.conversations.items.create(conversation, items=[{"role": "user", "content": "x"}] * 20)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, conversation)
    assert caught.value.code == "conversation_full"
    assert upstream.requests == []


# Answers that are not whole


def leave(gateway: Gateway, upstream: Upstream, conversation: str, *, stream: bool, reads: bool) -> None:
    """Ask on a bare socket, and close it in the middle of the answer."""
    asked = {"conversation": conversation, "messages": [{"role": "user", "content": "Hi"}]}
    body = json.dumps({"model": MODEL, "stream": stream, **asked}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANN}\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert upstream.wait_requests(1)
        if reads:
            while b"world" not in connection.recv(4096):
                pass
    assert upstream.requests[0].disconnected.wait(10)


def test_what_was_said_is_kept_when_the_client_leaves(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    upstream.script([Head(), Events(glm_stream("Hello world and more", piece=6)[:2]), AwaitClose()])
    leave(gateway, upstream, conversation, stream=True, reads=True)
    assert eventually(lambda: len(items(client, conversation)) == 2)
    assert told(client, conversation) == [("user", "Hi", "completed"), ("assistant", "Hello world ", "incomplete")]
    (turn,) = turns(gateway, conversation)
    assert (turn["status"], turn["incomplete_details"]) == ("incomplete", {"reason": "client_closed_request"})
    assert turn["usage"]["estimated"] is True
    ask(client, conversation, "Go on")
    assert [message["content"] for message in sent(upstream)] == ["Hi", "Hello world ", "Go on"]


def test_an_answer_that_has_not_begun_leaves_nothing_when_the_client_leaves(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    upstream.script([Head(), AwaitClose()])
    leave(gateway, upstream, conversation, stream=True, reads=False)
    ask(client, conversation, "Again")
    assert [message["content"] for message in sent(upstream)] == ["Again"]
    assert len(turns(gateway, conversation)) == 1


def test_what_was_said_is_kept_when_the_provider_breaks_off(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    upstream.script([Head(), Events(glm_stream("Half an answer")[:1]), Drop()])
    with pytest.raises(openai.APIError):
        list(ask(client, conversation, stream=True))
    assert told(client, conversation)[1][2] == "incomplete"
    (turn,) = turns(gateway, conversation)
    assert turn["incomplete_details"]["reason"].startswith("upstream_")
    assert turn["usage"]["estimated"] is True


def test_a_request_that_failed_leaves_nothing_and_can_be_sent_again(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    refusal = whole(b'{"error":{"code":"1211","message":"no such model"}}', 400)
    upstream.script(refusal)
    with pytest.raises(openai.APIStatusError):
        ask(client, conversation)
    assert items(client, conversation) == []
    ask(client, conversation)
    assert len(items(client, conversation)) == 2


def test_an_answer_that_was_cut_short_is_marked(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    upstream.script(stream(glm_stream("And so", finish_reason="length")))
    ask(client, conversation)
    assert told(client, conversation)[1] == ("assistant", "And so", "incomplete")
    assert turns(gateway, conversation)[0]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_retry_takes_the_place_of_what_was_broken_off(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    ask(client, conversation, "Before")
    for retries, length in ((0, 4), (1, 4), (0, 6)):
        upstream.script([Head(), Events(glm_stream("Half an answer")[:1]), Drop()])
        headers = {"x-stainless-retry-count": str(retries)}
        with pytest.raises(openai.APIError):
            list(ask(client, conversation, "Same", stream=True, extra_headers=headers))
        assert len(items(client, conversation)) == length
    ask(client, conversation, "Other", extra_headers={"x-stainless-retry-count": "1"})
    assert len(items(client, conversation)) == 8, "it asks something else"
    ask(client, conversation, "Other", extra_headers={"x-stainless-retry-count": "1"})
    assert len(items(client, conversation)) == 10, "the one before is whole"
    assert [message["content"] for message in sent(upstream)].count("Same") == 2


# At the same time


def asks(name: str) -> Callable[[Request], bool]:
    return lambda request: name in str(request.body["messages"])


def test_two_turns_at_once_are_both_kept_one_after_the_other(
    client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    for name in ("one", "two"):
        answer = glm_stream(f"about {name}")
        steps: list[Step] = [Head(), Events(answer[:1]), Hold(name), Events(answer[1:]), End()]
        upstream.script(steps, when=asks(name))
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, client, conversation, name) for name in ("one", "two")]
        assert upstream.wait_held(1, "one")
        assert upstream.wait_held(1, "two")
        upstream.release(gate="two")
        asked[1].result(30)
        upstream.release(gate="one")
        asked[0].result(30)
    assert [text for _, text, _ in told(client, conversation)] == ["two", "about two", "one", "about one"]
    assert sent(upstream)[-1]["content"] in ("one", "two")
    assert all(len(sent(upstream, at)) == 1 for at in (0, 1)), "neither knew of the other"


def test_one_conversation_over_many_turns_at_once_loses_none(
    gateway: Gateway, client: OpenAI, conversation: str
) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: ask(client, conversation, f"question {number}"), range(16)))
    messages = told(client, conversation)
    assert [role for role, _, _ in messages] == ["user", "assistant"] * 16
    assert sorted(text for role, text, _ in messages if role == "user") == sorted(f"question {n}" for n in range(16))
    assert len({item["id"] for item in turns(gateway, conversation)}) == 16


def test_a_conversation_that_is_deleted_meanwhile_is_gone_and_the_answer_is_given(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    upstream.script([Head(), Hold(), Events(glm_stream("late")), End()])
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(
            requests.post,
            f"{gateway.url}/v2/chat/completions",
            json={"model": MODEL, "conversation": conversation, "messages": [{"role": "user", "content": "Hi"}]},
            headers=bearer(ANN),
            timeout=30,
        )
        assert upstream.wait_held(1)
        client.conversations.delete(conversation)
        upstream.release()
        answer = asked.result(30)
    assert answer.json()["choices"][0]["message"]["content"] == "late"
    assert answer.headers["X-Gateway-Turn"] == "unstored"
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(conversation)


# Copies


def test_what_is_exported_can_be_imported(
    gateway: Gateway, client: OpenAI, conversation: str, upstream: Upstream
) -> None:
    client.conversations.update(conversation, metadata={"topic": "x"})
    upstream.script(stream(glm_stream("", "I need the weather.", CALLS)))
    ask(client, conversation, "How is the weather?", tools=TOOLS)
    ask(client, conversation, messages=[{"role": "tool", "tool_call_id": "call_a", "content": "fine"}], tools=TOOLS)
    exported = gateway.get(f"/v1/conversations/{conversation}/export", headers=bearer(ANN)).json()
    imported = gateway.post("/v1/conversations/import", exported, headers=bearer(BOB)).json()
    assert imported["id"] != conversation
    again = gateway.get(f"/v1/conversations/{imported['id']}/export", headers=bearer(BOB)).json()
    assert without_ids(again) == without_ids(exported)
    assert [turn["items"] for turn in again["turns"]] == [
        [item["id"] for item in again["items"]][:3],
        [item["id"] for item in again["items"]][3:],
    ]
    assert imported["metadata"] == {"topic": "x"}
    ask(client, conversation, "So?", tools=TOOLS)
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=BOB, max_retries=0) as bob:
        ask(bob, imported["id"], "So?", tools=TOOLS)
    assert sent(upstream, -1) == sent(upstream, -2)


def without_ids(exported: Json) -> Json:
    head = {name: exported["conversation"][name] for name in ("metadata", "turn_count", "usage", "model", "item_count")}
    bare = [{name: value for name, value in item.items() if name != "id"} for item in exported["items"]]
    turned = [{k: v for k, v in turn.items() if k not in ("id", "items")} for turn in exported["turns"]]
    return {"head": head, "items": bare, "turns": turned, "cost": pytest.approx(exported["conversation"]["cost_usd"])}


def test_saved_by_name_and_loaded_again(gateway: Gateway, client: OpenAI, upstream: Upstream) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        SYSTEM,
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "seen"},
        {"role": "assistant", "content": "Hello"},
    ]
    body = {"name": "my chat", "messages": messages, "model": MODEL, "metadata": {"a": "b"}}
    saved = gateway.post("/conversation/save", body, headers=bearer(ANN)).json()
    assert (saved["status"], saved["name"], saved["messages"]) == ("saved", "my chat", 5)
    by_name = gateway.get("/conversation/load?name=my chat", headers=bearer(ANN)).json()
    assert gateway.post("/conversation/load", {"name": "my chat"}, headers=bearer(ANN)).json() == by_name
    assert gateway.post("/conversation/load", {"id": saved["id"]}, headers=bearer(ANN)).json() == by_name
    assert by_name["messages"] == messages
    assert (by_name["id"], by_name["model"], by_name["metadata"]) == (saved["id"], MODEL, {"a": "b"})
    assert by_name["token_usage"]["total_tokens"] == 0
    ask(client, saved["id"], "Go on")
    assert sent(upstream) == [*messages, {"role": "user", "content": "Go on"}]
    assert gateway.get("/conversation/load?name=my chat", headers=bearer(BOB)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": "../../etc/passwd", "messages": []},
        {"name": "/etc/passwd", "messages": []},
        {"name": "a\\b", "messages": []},
        {"name": "a\n", "messages": []},
        {"name": "", "messages": []},
        {"messages": []},
        {"name": "x", "file": "x.json", "messages": []},
        {"name": "x", "messages": "none"},
        {"name": "x", "messages": [{"role": "user", "content": "a"}, {"role": "user"}]},
    ],
)
def test_what_is_no_name_is_refused(gateway: Gateway, upstream: Upstream, body: Json) -> None:
    answer = gateway.post("/conversation/save", body, headers=bearer(ANN))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] in {"name", "file", "messages", "messages[1].content"}


# Without what it needs


def test_a_store_that_goes_away_takes_no_answer_with_it(upstream: Upstream, tmp_path: Path) -> None:
    with RedisServer(tmp_path) as redis:
        settings = environment(upstream, REDIS_URL=redis.url, WORKERS="1")
        with Gateway(tmp_path, **settings) as gateway:
            ident = gateway.post("/v1/conversations", {}).json()["id"]
            gateway.chat(conversation=ident)
            upstream.script([Head(), Hold(), Events(glm_stream("late")), End()])
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(gateway.chat, version="v2", conversation=ident)
                assert upstream.wait_held(1)
                redis.stop()
                upstream.release()
                answer = asked.result(30)
            assert answer.json()["choices"][0]["message"]["content"] == "late"
            assert answer.headers["X-Gateway-Turn"] == "unstored"
            assert gateway.events("turn_not_stored")
            assert 'glm_conversation_turns_total{outcome="unstored"} 1.0' in gateway.get("/metrics").text
            refused = gateway.chat(conversation=ident)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
            for known in (ident, "conv_" + "0" * 48):
                answer = gateway.get(f"/v1/conversations/{known}")
                assert answer.status_code == 503, "nobody can tell now what is there"
            assert gateway.chat().status_code == 200, "what is part of no conversation goes on"


def test_where_conversations_are_turned_off_nothing_is_kept(upstream: Upstream, tmp_path: Path) -> None:
    with Gateway(tmp_path, **environment(upstream, GATEWAY__CONVERSATIONS__ENABLED="false")) as gateway:
        assert gateway.post("/v1/conversations", {}).status_code == 404
        assert gateway.get("/conversation/load?name=x").status_code == 404
        refused = gateway.chat(conversation="conv_1")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "conversation")
        answer = gateway.chat(headers={"X-Conversation-ID": "somebody's own"})
        assert answer.status_code == 200
        assert "X-Conversation-ID" not in answer.headers
