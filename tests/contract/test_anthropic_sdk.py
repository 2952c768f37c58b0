"""The official Anthropic SDK against the running gateway, in front of Claude and of GLM."""

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from tests.clients import ANTHROPIC, Call
from tests.integration.providers_kit import KINDS, ONE_TRY, Kind, World, running_world
from tests.upstreams.answers import TEXT, glm_error
from tests.upstreams.anthropic_answers import anthropic_error
from tests.upstreams.steps import Drop, End, Events, Head, Hold, Step, html_page, stream

KEYS = {"admin": "admin-key-1", "user": "user-key-1"}
SETTINGS = {
    **ONE_TRY,
    "GATEWAY_API_KEYS": ",".join(f"{role}:{key}:{role}" for role, key in KEYS.items()),
    "GATEWAY__STREAM__KEEP_ALIVE": "0.2",
}
HI: Any = [{"role": "user", "content": "Hi"}]
CALLS: list[Call] = [("toolu_a", "weather", '{"city":"Köln","days":[1,2]}'), ("toolu_b", "clock", '{"zone":"CET"}')]
TOOLS: Any = [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in ("weather", "clock")]
THINKING: Any = {"type": "adaptive", "display": "summarized"}
PROVIDERS = pytest.mark.parametrize("kind", [KINDS["anthropic"], KINDS["glm-anthropic"], KINDS["glm"]], ids=str)

BUSY = {"anthropic": anthropic_error("overloaded_error", 529), "glm": glm_error("1305", 429)}

MakeClient = Callable[..., Anthropic]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway with a key for an admin and one for a user."""
    with running_world(tmp_path_factory.mktemp("anthropic-sdk"), SETTINGS) as one:
        one.headers = {"X-Gateway-Key": KEYS["admin"]}
        yield one


@pytest.fixture(scope="module")
def make_client(running: World) -> Iterator[MakeClient]:
    """Makes clients; the newer SDKs send their key as a bearer, the older ones as `x-api-key`."""
    made: list[Anthropic] = []

    def make(key: str = KEYS["user"], **options: Any) -> Anthropic:
        given = {"max_retries": 0, "timeout": 30, **options}
        made.append(Anthropic(base_url=running.gateway.url, api_key=key, **given))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(scope="module")
def client(make_client: MakeClient) -> Anthropic:
    """The SDK as an ordinary user has it, without its own retries."""
    return make_client()


# Answers


@PROVIDERS
def test_an_answer(world: World, client: Anthropic, kind: Kind) -> None:
    message = client.messages.create(model=kind.asked, max_tokens=100, messages=HI)
    assert (message.type, message.role, message.model) == ("message", "assistant", kind.asked)
    assert [(block.type, getattr(block, "text", None)) for block in message.content] == [("text", TEXT)]
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (5, 4, 12)
    assert message.id.startswith("msg_")
    assert message._request_id


@PROVIDERS
def test_a_stream(world: World, client: Anthropic, kind: Kind) -> None:
    with client.messages.create(model=kind.asked, max_tokens=100, messages=HI, stream=True) as events:
        seen = [event.type for event in events]
    assert seen[0] == "message_start"
    assert seen[1] == "content_block_start"
    assert seen[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(seen[2:-3]) == {"content_block_delta"}


@PROVIDERS
def test_the_streaming_helper(world: World, client: Anthropic, kind: Kind) -> None:
    world.answers(kind.form, piece=1)
    with client.messages.stream(model=kind.asked, max_tokens=100, messages=HI) as events:
        assert "".join(events.text_stream) == TEXT
        final = events.get_final_message()
    assert final.model == kind.asked
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == 12
    assert (final.usage.input_tokens, final.usage.cache_read_input_tokens) == (5, 4)


@PROVIDERS
@pytest.mark.parametrize("streamed", [False, True])
def test_thinking(world: World, client: Anthropic, kind: Kind, streamed: bool) -> None:
    world.answers(kind.form, "Yes.", "Let me see.")
    asking: Any = {"model": kind.asked, "max_tokens": 4096, "messages": HI, "thinking": THINKING}
    message = helped(client, asking) if streamed else client.messages.create(**asking)
    thought, said = message.content
    assert (thought.type, said.type) == ("thinking", "text")
    assert thought.thinking == "Let me see."
    assert thought.signature
    assert said.text == "Yes."
    history: Any = [*HI, {"role": "assistant", "content": message.content}, {"role": "user", "content": "Sure?"}]
    assert client.messages.create(**{**asking, "messages": history}).stop_reason == "end_turn"


def helped(client: Anthropic, asking: Any) -> Any:
    """The message that the streaming helper puts together."""
    with client.messages.stream(**asking) as events:
        return events.get_final_message()


@PROVIDERS
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("piece", [1, 100])
def test_parallel_tool_calls_and_their_results(
    world: World, client: Anthropic, kind: Kind, streamed: bool, piece: int
) -> None:
    world.answers(kind.form, "I look.", "", CALLS, piece=piece)
    asking: Any = {"model": kind.asked, "max_tokens": 100, "messages": HI, "tools": TOOLS}
    message = helped(client, asking) if streamed else client.messages.create(**asking)
    assert message.stop_reason == "tool_use"
    text, *calls = message.content
    assert text.text == "I look."
    assert [(call.id, call.name, call.input) for call in calls] == [
        ("toolu_a", "weather", {"city": "Köln", "days": [1, 2]}),
        ("toolu_b", "clock", {"zone": "CET"}),
    ]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "fine"} for call in calls]
    history: Any = [*HI, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    assert client.messages.create(**{**asking, "messages": history}).content[0].text == TEXT
    told = str(world.sent.body["messages"])
    assert all(told.count(f"'{ident}'") == 2 for ident, _, _ in CALLS), "each call with its result"


@PROVIDERS
def test_the_streaming_helper_sees_tool_calls_grow(world: World, client: Anthropic, kind: Kind) -> None:
    world.answers(kind.form, "", "", CALLS[:1], piece=3)
    with client.messages.stream(model=kind.asked, max_tokens=100, messages=HI, tools=TOOLS) as events:
        pieces = [event for event in events if event.type == "input_json"]
    assert "".join(event.partial_json for event in pieces).replace(" ", "") == CALLS[0][2]
    assert pieces[-1].snapshot == {"city": "Köln", "days": [1, 2]}


@PROVIDERS
def test_everything_a_request_may_have(world: World, client: Anthropic, kind: Kind) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    marked = {"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}
    content: Any = [image, {"type": "text", "text": "Hi"}] if kind.name == "anthropic" else "Hi"
    message = client.messages.create(
        model=kind.asked,
        max_tokens=100,
        system=[marked],  # type: ignore[list-item] # a block as JSON has it
        messages=[{"role": "user", "content": content}],
        metadata={"user_id": "user-123456"},
        stop_sequences=["END"],
        tools=TOOLS,
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        service_tier="auto",
        extra_body={} if kind.name == "anthropic" else {"temperature": 1.0},
    )
    assert message.content[0].type == "text"
    assert "S" in str(world.sent.body)


@PROVIDERS
def test_a_stream_that_the_client_closes_is_closed_upstream(world: World, client: Anthropic, kind: Kind) -> None:
    world.upstream.script(Head(), Events(kind.form.events("half of it")[:4]), Hold(f"closes {kind}"))
    with client.messages.create(model=kind.asked, max_tokens=100, messages=HI, stream=True) as events:
        next(iter(events))
    assert world.upstream.wait_closed()
    assert world.sent.disconnected.is_set()


@PROVIDERS
def test_keep_alives_are_not_seen_by_the_sdk(world: World, client: Anthropic, kind: Kind) -> None:
    gate = f"late {kind}"
    world.upstream.script(Hold(gate), Head(), Events(kind.form.events("late")), End())
    with client.messages.stream(model=kind.asked, max_tokens=100, messages=HI) as events:
        assert events.response.status_code == 200, "which is sent with the first keep-alive"
        world.upstream.release(gate=gate)
        assert "".join(events.text_stream) == "late"


@PROVIDERS
def test_keep_alives_are_pings_once_the_message_has_begun(world: World, kind: Kind) -> None:
    events, gate = kind.form.events("late", piece=1), f"pings {kind}"
    world.upstream.script(Head(), Events(events[:4]), Hold(gate), Events(events[4:]), End())
    response = ANTHROPIC.post(world.gateway, kind.asked, stream=True, headers=world.headers)
    lines = response.iter_lines(chunk_size=1)
    before = list(takewhile(lambda line: line != b"event: ping", lines))
    assert b"event: content_block_delta" in before
    world.upstream.release(gate=gate)
    assert b"event: message_stop" in list(lines)


# Counting


@pytest.mark.parametrize("name", ["anthropic", "anthropic-compatible"])
def test_tokens_are_counted_by_a_provider_that_can(world: World, client: Anthropic, name: str) -> None:
    kind = KINDS[name]
    count = client.messages.count_tokens(model=kind.asked, messages=HI, system="S", tools=TOOLS)
    assert count.input_tokens == 33
    assert world.sent.path.endswith("/v1/messages/count_tokens")
    assert world.sent.body["model"] == kind.model
    assert count._request_id


@pytest.mark.parametrize("name", ["glm", "glm-anthropic", "openai", "ollama"])
def test_tokens_are_estimated_for_a_provider_that_cannot(world: World, client: Anthropic, name: str) -> None:
    few = client.messages.count_tokens(model=KINDS[name].asked, messages=HI).input_tokens
    long: Any = [{"role": "user", "content": "hello " * 1000}]
    many = client.messages.count_tokens(model=KINDS[name].asked, messages=long).input_tokens
    assert 0 < few < 20
    assert 900 < many < 1500
    assert not world.upstream.requests


def test_gemini_counts_for_an_anthropic_client(world: World, client: Anthropic) -> None:
    assert client.messages.count_tokens(model=KINDS["gemini"].asked, messages=HI).input_tokens == 33
    assert world.sent.path.endswith(":countTokens")


def test_a_count_that_fails_is_estimated(world: World, client: Anthropic) -> None:
    world.upstream.script(html_page(500))
    assert 0 < client.messages.count_tokens(model=KINDS["anthropic"].asked, messages=HI).input_tokens < 20


# Models


def test_models(world: World, client: Anthropic) -> None:
    models = {model.id: model for model in client.models.list(limit=10)}
    assert {"claude-opus-4-8", "glm-4.6"} <= set(models)
    model = models["claude-opus-4-8"]
    assert model.type == "model"
    assert model.display_name
    assert model.created_at, "the epoch where the day of release is not known, as Anthropic has it"


def test_pages_of_models_go_on_where_the_last_one_ended(world: World, client: Anthropic) -> None:
    page = client.models.list(limit=2)
    assert len(page.data) == 2
    assert page.has_more
    assert page.last_id == page.data[-1].id
    following = client.models.list(limit=2, after_id=page.last_id)
    assert not {model.id for model in page.data} & {model.id for model in following.data}
    back = client.models.list(limit=2, before_id=following.data[0].id)
    assert [model.id for model in back.data] == [model.id for model in page.data]


def test_one_model(world: World, client: Anthropic) -> None:
    assert client.models.retrieve("glm-4.6").id == "glm-4.6"
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.models.retrieve("no-such-model")
    assert kind_of(caught.value) == "not_found_error"


# Errors


def kind_of(error: anthropic.APIStatusError) -> str:
    """The type of the error in Anthropic's words."""
    assert isinstance(error.body, dict)
    assert error.body["type"] == "error"
    assert error.body["request_id"] == error.request_id == error.response.headers["request-id"]
    return str(error.body["error"]["type"])


def test_an_unknown_model_is_not_found(world: World, client: Anthropic) -> None:
    for streamed in (False, True):
        with pytest.raises(anthropic.NotFoundError) as caught:
            client.messages.create(model="glm-4.66", max_tokens=100, messages=HI, stream=streamed)
        assert kind_of(caught.value) == "not_found_error"
        assert "glm-4.6" in caught.value.message


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("max_tokens", 0.5, "max_tokens"),
        ("messages", [], "messages"),
        ("messages", [{"role": "nobody", "content": "Hi"}], "messages[0].role"),
        ("tools", [{"input_schema": {}}], "tools[0].name"),
    ],
)
def test_a_wrong_field_is_named(world: World, client: Anthropic, field: str, value: Any, named: str) -> None:
    asking: Any = {"model": "glm-4.6", "max_tokens": 100, "messages": HI, field: value}
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**asking)
    assert kind_of(caught.value) == "invalid_request_error"
    assert named in caught.value.message
    assert not world.upstream.requests


def test_a_wrong_key_is_an_authentication_error(world: World, make_client: MakeClient) -> None:
    stranger = make_client(key="wrong")
    for ask in (stranger.models.list, lambda: stranger.messages.create(model="glm-4.6", max_tokens=9, messages=HI)):
        with pytest.raises(anthropic.AuthenticationError) as caught:
            ask()
        assert kind_of(caught.value) == "authentication_error"


@pytest.mark.parametrize("way", ["x-api-key", "Authorization"])
def test_the_key_is_taken_from_either_header(world: World, running: World, way: str) -> None:
    options: Any = {"api_key": KEYS["user"]} if way == "x-api-key" else {"auth_token": KEYS["user"]}
    with Anthropic(base_url=running.gateway.url, max_retries=0, **options) as other:
        sent = {"x-api-key": KEYS["user"]} if way == "x-api-key" else {}
        message = other.messages.create(model="glm-4.6", max_tokens=9, messages=HI, extra_headers=sent)
    assert message.stop_reason == "end_turn"


@PROVIDERS
@pytest.mark.parametrize("tail", [[Drop()], [Drop(reset=True)], [End()]], ids=["closed", "reset", "ended"])
def test_a_fault_in_the_middle_of_a_stream_is_an_api_error(
    world: World, client: Anthropic, kind: Kind, tail: list[Any]
) -> None:
    world.upstream.script(Head(), Events(kind.form.events("half of it", piece=1)[:5]), *tail)
    said: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(model=kind.asked, max_tokens=100, messages=HI) as events,
    ):
        said.extend(events.text_stream)
    assert said
    assert "half of it".startswith("".join(said))
    assert kind_of(caught.value) == "api_error"
    assert len(world.upstream.requests) == 1


@pytest.mark.parametrize(("name", "refusal"), BUSY.items(), ids=BUSY)
def test_a_failure_after_a_keep_alive_is_an_api_error(
    world: World, client: Anthropic, name: str, refusal: list[Step]
) -> None:
    world.upstream.script(Hold(f"fails {name}"), refusal)
    with client.messages.create(model=KINDS[name].asked, max_tokens=100, messages=HI, stream=True) as events:
        world.upstream.release(gate=f"fails {name}")
        with pytest.raises(anthropic.APIStatusError) as caught:
            list(events)
    assert kind_of(caught.value) == "overloaded_error"


# Headers


@pytest.mark.parametrize("counts", [False, True], ids=["messages", "count_tokens"])
def test_the_betas_of_the_sdk_reach_claude(world: World, client: Anthropic, counts: bool) -> None:
    asking: Any = {"model": KINDS["anthropic"].asked, "messages": HI, "betas": ["context-1m-2025-08-07"]}
    if counts:
        assert client.beta.messages.count_tokens(**asking).input_tokens == 33
    else:
        assert client.beta.messages.create(max_tokens=100, **asking).stop_reason == "end_turn"
    assert "context-1m-2025-08-07" in world.sent.headers["anthropic-beta"].split(",")


@PROVIDERS
def test_the_path_of_an_answer_is_told(world: World, client: Anthropic, kind: Kind) -> None:
    answer = client.messages.with_raw_response.create(model=kind.asked, max_tokens=100, messages=HI)
    assert answer.headers["x-gateway-provider"] == kind.name
    assert answer.headers["x-gateway-upstream-model"] == kind.model
    assert answer.headers["x-gateway-attempts"] == "1"
    assert answer.headers["request-id"] == answer.headers["x-request-id"] == answer.parse()._request_id
    assert float(answer.headers["x-gateway-cost-usd"]) > 0


def test_a_schema_reaches_a_provider_of_another_form(world: World, client: Anthropic) -> None:
    world.upstream.script(stream(KINDS["glm"].form.events('{"degrees":7}')))
    schema = {"type": "object", "properties": {"degrees": {"type": "integer"}}, "required": ["degrees"]}
    message = client.messages.create(
        model=KINDS["glm"].asked,
        max_tokens=100,
        messages=HI,
        extra_body={"output_config": {"format": {"type": "json_schema", "schema": schema}}},
    )
    assert message.content[0].text == '{"degrees":7}'
    assert "degrees" in str(world.sent.body), "in one way or another"
