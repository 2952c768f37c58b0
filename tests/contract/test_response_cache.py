"""Answers that are given again: the same words, calls, reason and usage, for every provider, in both dialects."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.clients import ANTHROPIC, OPENAI, Call, Dialect, Heard
from tests.gateway import eventually
from tests.integration.providers_kit import (
    BOTH_DIALECTS,
    KINDS,
    ONE_TRY,
    Kind,
    World,
    running_world,
    ways,
)
from tests.upstreams.answers import TEXT
from tests.upstreams.steps import Drop, Head, Send

CALLS: list[Call] = [("call_a", "weather", '{"city":"Köln","days":[1,2]}')]
USE = {"X-Cache": "use"}
KEYS = "ann:key-of-ann,bob:key-of-bob,root:key-of-root:admin"
GLM = KINDS["glm"]
NAMED = "our-own-name"
GOLD = {"x-tier": "gold"}
NEVER = ("groq", "openai")
"""Kinds whose answers are kept for no time."""


@pytest.fixture(scope="module")
def caching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = {"enabled": True, "max_entry_bytes": 20_000, "models": {"*gpt-5.4": 0}, "providers": {"groq": 0}}
    with running_world(
        tmp_path_factory.mktemp("caching"),
        {**ONE_TRY, "GATEWAY_API_KEYS": KEYS},
        response_cache=settings,
        routes=[{"name": "gold", "match": {"headers": GOLD}, "targets": [{"model": GLM.asked}]}],
        models={NAMED: {"upstream": {"glm": GLM.model}}},
    ) as one:
        one.headers = {"X-Gateway-Key": "key-of-root"}
        yield one


@pytest.fixture
def world(caching: World) -> World:
    caching.rest()
    return caching


def ask(
    world: World,
    dialect: Dialect,
    kind: Kind,
    text: str,
    *,
    stream: bool = False,
    who: str = "ann",
    wish: str | None = "use",
    **fields: Any,
) -> Heard:
    wishes = {} if wish is None else {"X-Cache": wish}
    headers = {"X-Gateway-Key": f"key-of-{who}", **wishes, **fields.pop("headers", {})}
    return dialect.ask(world.gateway, kind.asked, text, stream, headers=headers, **fields)


def cache(heard: Heard) -> str | None:
    return heard.headers.get("X-Gateway-Cache")


def words(heard: Heard) -> tuple[Any, ...]:
    """What was said, whichever way it was sent: how arguments are spaced differs between the two."""
    calls = [(ident, name, json.loads(arguments)) for ident, name, arguments in heard.calls]
    return heard.text, heard.thinking, heard.signatures, calls, heard.reason


def said(heard: Heard) -> Heard:
    """What a client understands of an answer, without what belongs to its transport."""
    return replace(heard, headers={}, body=b"")


@ways(lambda kind, dialect, stream: kind.name not in NEVER)
@pytest.mark.parametrize("again", [False, True], ids=["then-whole", "then-stream"])
def test_the_same_question_gets_the_same_answer_and_asks_no_provider(
    world: World, kind: Kind, dialect: Dialect, stream: bool, again: bool, request: pytest.FixtureRequest
) -> None:
    question = request.node.name
    world.answers(kind.form, TEXT, "a thought", CALLS, piece=3)
    fields = {**dialect.tools("weather"), **dialect.thinking()}
    first = ask(world, dialect, kind, question, stream=stream, **fields)
    assert (first.status, cache(first), len(world.upstream.requests)) == (200, "miss", 1)
    second = ask(world, dialect, kind, question, stream=again, **fields)
    assert (second.status, cache(second), len(world.upstream.requests)) == (200, "hit", 1)
    assert second.ended
    if stream == again:
        assert said(second) == said(first)
    else:
        assert words(second) == words(first)
    assert second.headers["X-Gateway-Provider"] == kind.name
    assert second.headers["X-Gateway-Cost-USD"] == "0"


def test_an_answer_that_is_given_again_is_counted_with_the_model_that_gave_it(world: World) -> None:
    kinds = [
        replace(GLM, model=NAMED),
        *(kind for kind in KINDS.values() if kind.name not in NEVER and kind is not GLM),
    ]
    for kind in kinds:
        world.answers(kind.form, TEXT, times=1)
        assert [cache(ask(world, OPENAI, kind, "counted", who="bob")) for _ in range(2)] == ["miss", "hit"]

    def rows() -> dict[str, list[int]]:
        usage = world.gateway.get("/v1/usage?group_by=provider,model", headers={"X-Gateway-Key": "key-of-bob"}).json()
        counted: dict[str, list[int]] = {}
        for row in usage["data"]:
            counted.setdefault(row["provider"], []).append(row["requests"])
        return counted

    assert eventually(lambda: sum(map(sum, rows().values())) >= 2 * len(kinds))
    assert {name: counts for name, counts in rows().items() if len(counts) > 1} == {}


@BOTH_DIALECTS
def test_nothing_is_kept_unless_it_is_asked_for_or_certain_to_be_the_same(world: World, dialect: Dialect) -> None:
    for _ in range(2):
        assert cache(ask(world, dialect, GLM, "by the way", wish=None)) is None
    assert len(world.upstream.requests) == 2
    words = [cache(ask(world, dialect, GLM, "for sure", wish=None, temperature=0)) for _ in range(2)]
    assert words == ["miss", "hit"]
    assert len(world.upstream.requests) == 3


def test_an_answer_is_given_again_on_its_own_route_alone(world: World) -> None:
    who = {"X-Gateway-Key": "key-of-ann", "X-Cache": "use"}
    asked = [OPENAI.ask(world.gateway, NAMED, "by route", headers={**who, **tier}) for tier in ({}, GOLD, {}, GOLD)]
    assert [cache(heard) for heard in asked] == ["miss", "miss", "hit", "hit"]


def test_a_client_may_want_a_new_answer_or_none_of_this(world: World) -> None:
    world.answers(GLM.form, "old", times=1)
    world.answers(GLM.form, "new", times=None)
    assert ask(world, OPENAI, GLM, "wishes").text == "old"
    bypass = ask(world, OPENAI, GLM, "wishes", wish="bypass", temperature=0)
    assert (bypass.text, cache(bypass)) == ("new", "bypass")
    assert ask(world, OPENAI, GLM, "wishes").text == "old"
    fresh = ask(world, OPENAI, GLM, "wishes", wish="Refresh")
    assert (fresh.text, cache(fresh)) == ("new", "refresh")
    again = ask(world, OPENAI, GLM, "wishes")
    assert (again.text, cache(again)) == ("new", "hit")
    wrong = ask(world, OPENAI, GLM, "wishes", wish="maybe")
    assert (wrong.status, wrong.error and wrong.error["param"]) == (400, "X-Cache")


def test_what_one_caller_was_told_is_no_other_callers(world: World) -> None:
    assert [cache(ask(world, OPENAI, GLM, "private", who=who)) for who in ("ann", "bob", "ann", "bob")] == [
        *("miss", "miss", "hit", "hit"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.5},
        {"max_tokens": 7},
        {"seed": 1},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "differs"}]},
        {"tools": OPENAI.tools("weather")["tools"]},
        {"metadata": {"run": "2"}},
        {"headers": {"X-Thinking": "field"}},
    ],
    ids=str,
)
def test_another_question_is_another_question(world: World, other: dict[str, Any]) -> None:
    ask(world, OPENAI, GLM, "differs")
    assert cache(ask(world, OPENAI, GLM, "differs", **other)) == "miss"


def test_another_way_in_is_another_question(world: World) -> None:
    body = {"model": GLM.asked, "messages": [{"role": "user", "content": "ways in"}]}
    headers = {"X-Gateway-Key": "key-of-ann", **USE}
    for path in ("/v1/chat/completions", "/v2/chat/completions"):
        answer = world.gateway.post(path, body, headers=headers)
        assert answer.headers["X-Gateway-Cache"] == "miss"
    assert cache(ask(world, ANTHROPIC, GLM, "ways in")) == "miss"


def test_half_an_answer_is_not_kept(world: World) -> None:
    world.answers(GLM.form, finish_reason="length", times=1)
    assert cache(ask(world, OPENAI, GLM, "cut short")) == "miss"
    assert cache(ask(world, OPENAI, GLM, "cut short")) == "miss"
    world.upstream.script([Head(), Send(b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n'), Drop()])
    broken = ask(world, OPENAI, GLM, "broken", stream=True)
    assert broken.error
    assert cache(ask(world, OPENAI, GLM, "broken", stream=True)) == "miss"


def test_what_is_too_long_or_to_be_kept_for_no_time_is_not_kept(world: World) -> None:
    world.answers(GLM.form, "word " * 10_000, times=None)
    assert [cache(ask(world, OPENAI, GLM, "long")) for _ in range(2)] == ["miss", "miss"]
    world.upstream.reset()
    for kind in map(KINDS.get, NEVER):
        assert [cache(ask(world, OPENAI, kind, "no time")) for _ in range(2)] == ["miss", "miss"]


def test_a_kept_answer_costs_nothing_and_is_counted(world: World) -> None:
    for _ in range(3):
        ask(world, OPENAI, GLM, "counted")
    metrics = world.gateway.get("/v1/metrics", headers=world.headers).text
    assert 'glm_response_cache_total{result="hit"}' in metrics
