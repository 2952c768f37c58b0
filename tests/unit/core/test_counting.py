"""What the offline token count counts."""

import pytest

from core.counting import TokenCounter
from schemas.chat import (
    ChatRequest,
    HostedTool,
    ImagePart,
    Message,
    Native,
    OpaquePart,
    Part,
    ResponseFormat,
    TextPart,
    ThinkingOptions,
    Tool,
    ToolCall,
)


@pytest.fixture(scope="module")
def counter() -> TokenCounter:
    return TokenCounter()


def request(*messages: Message, **more: object) -> ChatRequest:
    return ChatRequest("m", messages, Native("openai_chat", {}), **more)  # type: ignore[arg-type]


def user(*parts: Part) -> Message:
    return Message("user", parts)


def test_text_is_counted_in_tokens(counter: TokenCounter) -> None:
    assert counter.count_text("") == 0
    assert counter.count_text("hello world") == 2


def test_special_tokens_are_plain_text(counter: TokenCounter) -> None:
    assert counter.count_text("<|endoftext|>") > 1


def test_half_a_surrogate_pair_is_counted(counter: TokenCounter) -> None:
    assert counter.count_text("a \ud83d b") > 0


@pytest.mark.parametrize("letter", ["a", " ", "\n", "你", "\U0001f600", "\x00"])
def test_a_million_of_one_letter_is_counted(counter: TokenCounter, letter: str) -> None:
    assert counter.count_text(letter * 1_000_000) > 1000


def test_a_long_text_counts_as_its_parts_do(counter: TokenCounter) -> None:
    text = "the quick brown fox " * 10_000
    assert counter.count_text(text) == pytest.approx(10_000 * counter.count_text("the quick brown fox "), rel=0.3)
    assert counter.count_text(text + text) == pytest.approx(2 * counter.count_text(text), rel=0.01)


def test_a_message_costs_its_text_its_role_and_three_more(counter: TokenCounter) -> None:
    assert counter.count_request(request(user(TextPart("hello world")))) == 3 + 1 + 2 + 3
    assert counter.count_request(request(user(TextPart("hello world")), user())) == 3 + 1 + 2 + 3 + 1 + 3


@pytest.mark.parametrize(("detail", "tokens"), [("low", 85), ("high", 765), ("auto", 765), (None, 765)])
def test_an_image_costs_a_fixed_number_by_its_detail(counter: TokenCounter, detail: str | None, tokens: int) -> None:
    image = ImagePart("data:image/png;base64," + "A" * 10_000, detail)
    assert counter.count_request(request(user(image))) == counter.count_request(request(user())) + tokens


def test_other_parts_are_taken_for_an_image(counter: TokenCounter) -> None:
    video = OpaquePart("video_url", {"video_url": {"url": "https://example.org/a.mp4"}})
    assert counter.count_request(request(user(video))) == counter.count_request(request(user())) + 765


@pytest.mark.parametrize(
    "more",
    [
        request(user(), tools=(Tool("f", "does it", {"type": "object"}),)),
        request(user(), tools=(HostedTool("web_search", {"web_search": {"enable": True}}),)),
        request(user(), response_format=ResponseFormat("json_schema", {"type": "object"}, "n")),
        request(Message("user", (), (ToolCall("a", "f", "{}"),))),
        request(Message("user", (), name="bob")),
        request(Message("user", (), reasoning="why"), thinking=ThinkingOptions(clear=False)),
    ],
)
def test_everything_in_the_prompt_counts(counter: TokenCounter, more: ChatRequest) -> None:
    assert counter.count_request(more) > counter.count_request(request(user()))


def test_earlier_thinking_that_the_provider_drops_does_not_count(counter: TokenCounter) -> None:
    assert counter.count_request(request(Message("user", reasoning="why"))) == counter.count_request(request(user()))
