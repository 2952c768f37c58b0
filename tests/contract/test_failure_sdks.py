"""What goes wrong upstream makes the official SDKs raise their own exceptions, and try again only where it helps."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.contract.failures_kit import (
    BUSY,
    EVERY_REFUSAL,
    FAILED,
    FORBIDDEN,
    FORMS,
    NO_MODEL,
    NO_MONEY,
    NOT_ENTITLED,
    OUR_KEY,
    REFUSALS,
    SAID,
    TOO_FAST,
    TOO_LARGE,
    TOO_LATE,
    WRONG,
    Told,
    Words,
    refusal,
    told_event,
)
from tests.integration.providers_kit import STREAMED_OR_NOT, Kind, World
from tests.upstreams import steps
from tests.upstreams.answers import TEXT

HI: Any = [{"role": "user", "content": "Hi"}]
RAISED: dict[Told, tuple[type[openai.APIStatusError], type[anthropic.APIStatusError]]] = {
    WRONG: (openai.BadRequestError, anthropic.BadRequestError),
    OUR_KEY: (openai.InternalServerError, anthropic.InternalServerError),
    NO_MONEY: (openai.RateLimitError, anthropic.RateLimitError),
    FORBIDDEN: (openai.PermissionDeniedError, anthropic.PermissionDeniedError),
    NOT_ENTITLED: (openai.PermissionDeniedError, anthropic.PermissionDeniedError),
    NO_MODEL: (openai.NotFoundError, anthropic.NotFoundError),
    TOO_LARGE: (openai.APIStatusError, anthropic.APIStatusError),
    TOO_FAST: (openai.RateLimitError, anthropic.RateLimitError),
    FAILED: (openai.InternalServerError, anthropic.InternalServerError),
    BUSY: (openai.InternalServerError, anthropic.InternalServerError),
    TOO_LATE: (openai.InternalServerError, anthropic.InternalServerError),
}
"""What each SDK raises; some have a class of their own beneath it."""


@pytest.fixture(scope="module")
def gpt(running: World) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK without second tries of its own."""
    url = f"{running.gateway.url}/v1"
    with openai.OpenAI(base_url=url, api_key="any", max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def claude(running: World) -> Iterator[anthropic.Anthropic]:
    """Anthropic's SDK without second tries of its own."""
    with anthropic.Anthropic(base_url=running.gateway.url, api_key="any", max_retries=0, timeout=30) as client:
        yield client


@EVERY_REFUSAL
@STREAMED_OR_NOT
def test_openais_sdk_raises_its_own(
    world: World, gpt: openai.OpenAI, kind: Kind, words: Words, told: Told, stream: bool
) -> None:
    world.upstream.script(refusal(kind, words))
    with pytest.raises(RAISED[told][0]) as caught:
        gpt.chat.completions.create(model=kind.asked, messages=HI, stream=stream)
    error = caught.value
    assert (error.status_code, error.type, error.code) == (told.status, told.type, told.code)
    assert error.request_id
    assert told is OUR_KEY or SAID in error.message


@EVERY_REFUSAL
@STREAMED_OR_NOT
def test_anthropics_sdk_raises_its_own(
    world: World, claude: anthropic.Anthropic, kind: Kind, words: Words, told: Told, stream: bool
) -> None:
    world.upstream.script(refusal(kind, words))
    with pytest.raises(RAISED[told][1]) as caught:
        claude.messages.create(model=kind.asked, max_tokens=100, messages=HI, stream=stream)
    error = caught.value
    assert error.status_code == told.claude_status
    assert isinstance(error.body, dict)
    assert error.body["error"]["type"] == told.claude_type
    assert error.request_id
    assert told is OUR_KEY or SAID in error.message


@EVERY_REFUSAL
def test_openais_sdk_raises_in_the_middle_of_a_stream(
    world: World, gpt: openai.OpenAI, kind: Kind, words: Words, told: Told
) -> None:
    events = [*kind.form.events(TEXT, piece=1)[:5], told_event(kind, words)]
    world.upstream.script(steps.stream(events, headers=kind.form.headers))
    chunks = gpt.chat.completions.create(model=kind.asked, messages=HI, stream=True)
    with pytest.raises(openai.APIError) as caught:
        list(chunks)
    assert caught.value.type == told.type


@EVERY_REFUSAL
def test_anthropics_sdk_raises_in_the_middle_of_a_stream(
    world: World, claude: anthropic.Anthropic, kind: Kind, words: Words, told: Told
) -> None:
    events = [*kind.form.events(TEXT, piece=1)[:5], told_event(kind, words)]
    world.upstream.script(steps.stream(events, headers=kind.form.headers))
    said: list[str] = []
    with (
        pytest.raises(anthropic.APIError) as caught,
        claude.messages.stream(model=kind.asked, max_tokens=100, messages=HI) as stream,
    ):
        said.extend(stream.text_stream)
    assert said
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == told.claude_type


@FORMS
def test_the_sdks_do_not_repeat_what_would_fail_again(
    world: World, gpt: openai.OpenAI, claude: anthropic.Anthropic, kind: Kind
) -> None:
    for name in ("no money", "bad key"):
        told, words = REFUSALS[name]
        for ask in (asking(gpt), asking(claude)):
            world.rest()
            world.upstream.script(refusal(kind, words[kind.name]), times=None)
            with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
                ask(kind)
            assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"
            assert len(world.upstream.requests) == 1, told


@FORMS
def test_the_sdks_repeat_what_may_pass(
    world: World, gpt: openai.OpenAI, claude: anthropic.Anthropic, kind: Kind
) -> None:
    for ask in (asking(gpt), asking(claude)):
        world.rest()
        world.upstream.script(refusal(kind, REFUSALS["failed"][1][kind.name]))
        ask(kind)
        assert len(world.upstream.requests) == 2


def asking(client: Any) -> Any:
    """Asks once, and once more if the SDK thinks that it helps."""
    patient = client.with_options(max_retries=1)
    if isinstance(client, openai.OpenAI):
        return lambda kind: patient.chat.completions.create(model=kind.asked, messages=HI)
    return lambda kind: patient.messages.create(model=kind.asked, max_tokens=100, messages=HI)
