"""Whatever a client of either dialect may ask, no provider of another form refuses how it is put to it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients import ANTHROPIC, OPENAI, Dialect
from tests.integration.providers_kit import KINDS, STREAMED_OR_NOT, Kind, World, running_world, ways

Json = dict[str, Any]

PNG = "iVBORw0KGgo="
LONG = "mcp__a_server_with_a_long_name__" + "tool_" * 12
IDENT = "toolu_" + "0123456789" * 5
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FOREIGN = ways(lambda kind, dialect, _: kind.native != dialect.name)
CLAUDES_IMAGE: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
CLAUDES_PDF: Json = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}
CLAUDES_LINK: Json = {"type": "document", "source": {"type": "url", "url": "https://d/1.pdf"}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Fetches no links: nothing is behind those that stand here."""
    with running_world(tmp_path_factory.mktemp("world"), links={"fetch": False}) as one:
        yield one


def claudes(kind: Kind) -> dict[str, Json]:
    """What Anthropic's clients send, by what is special about it."""
    used = {"type": "tool_use", "id": IDENT, "name": LONG, "input": {"city": "Köln"}}
    shown = [{"type": "text", "text": "a map"}, CLAUDES_IMAGE]
    result = {"type": "tool_result", "tool_use_id": IDENT, "content": shown}
    tool = {"name": LONG, "description": "d", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    asked = [CLAUDES_IMAGE, CLAUDES_PDF, CLAUDES_LINK, {"type": "text", "text": "Hi"}]
    thought = [{"type": "thinking", "thinking": "hm", "signature": "EqQB/w=="}, used]
    loop = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": thought},
        {"role": "user", "content": [result, {"type": "text", "text": "And?"}]},
    ]
    return {
        "tool loop": {"messages": loop, "tools": [tool, search], "tool_choice": {"type": "any"}},
        "hosted tools": {"tools": [search], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        "hosted choice": {"tools": [search, tool], "tool_choice": {"type": "tool", "name": "web_search"}},
        "files": {"messages": [{"role": "user", "content": asked}]},
        "no thinking": {"thinking": {"type": "disabled"}, "max_tokens": 64_000},
        "all effort": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}, "max_tokens": 500_000},
        "budget": {"thinking": {"type": "enabled", "budget_tokens": 40_000}, "max_tokens": 64_000},
        "sampling": {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop_sequences": list("abcdefg")},
        "schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "system": {"system": [{"type": "text", "text": "S"}], "metadata": {"user_id": "u" * 200}},
    }


def openais(kind: Kind) -> dict[str, Json]:
    """What OpenAI's clients send, by what is special about it."""
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"city":"Köln"}'}}
    tool = {"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"}}
    loop = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hi", "name": "zoe"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "a map"}, image]},
    ]
    return {
        "tool loop": {"messages": loop, "tools": [tool], "tool_choice": "required", "parallel_tool_calls": False},
        "no choice": {"tools": [tool], "tool_choice": "none"},
        "named": {"tools": [tool], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        "no thinking": {"reasoning_effort": "none", "max_completion_tokens": 64_000},
        "all effort": {"reasoning_effort": "max", "max_tokens": 500_000},
        "sampling": {"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": list("abcd"), "presence_penalty": 0.1},
        "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}},
        "extras": {"user": "u" * 200, "metadata": {"a": "b"}, "store": True, "verbosity": "low", "logprobs": True},
    }


@FOREIGN
def test_what_is_asked_in_another_form_is_put_as_the_provider_takes_it(
    world: World, kind: Kind, dialect: Dialect, stream: bool
) -> None:
    cases = claudes(kind) if dialect is ANTHROPIC else openais(kind)
    refused = {}
    for name, fields in cases.items():
        heard = dialect.ask(world.gateway, kind.asked, stream=stream, **fields)
        if heard.status != 200:
            refused[name] = heard.error
    assert refused == {}


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS.values() if kind.native == "openai" or kind.name == "glm"], ids=str
)
@STREAMED_OR_NOT
def test_a_tool_is_called_as_the_client_called_it_however_long_its_name(world: World, kind: Kind, stream: bool) -> None:
    world.plays(lambda request: kind.form.answer(request, "", "", [("c1", _name_sent(request.body), "{}")]))
    heard = ANTHROPIC.ask(world.gateway, kind.asked, stream=stream, **ANTHROPIC.tools(LONG))
    assert [name for _, name, _ in heard.calls] == [LONG]


def _name_sent(body: Json) -> str:
    name: str = body["tools"][0]["function"]["name"]
    assert len(name) == 64
    return name


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=str)
def test_the_upstream_of_these_tests_does_refuse(world: World, dialect: Dialect) -> None:
    fields = {"no_such_parameter": 1, "headers": dialect.headers()}
    kind = f"{dialect.name}/{'gpt-5.4' if dialect is OPENAI else 'claude-opus-4-8'}"
    heard = dialect.ask(world.gateway, kind, **fields)
    assert heard.status == 400
    assert "no_such_parameter" in str(heard.error)
