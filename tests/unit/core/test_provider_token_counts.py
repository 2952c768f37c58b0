"""What is believed of the tokens that providers tell, whatever form they tell it in."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from core.providers import gemini_answer, glm_web_answer, ollama_answer, openai_stream
from core.providers.anthropic_usage import Figures
from core.providers.foreign_json import count
from core.providers.openai_embeddings import read_embeddings
from core.providers.token_counts import told
from schemas.codec import dumps
from schemas.usage import Usage


def anthropic(prompt: Any, output: Any) -> Usage | None:
    figures = Figures()
    figures.add({"input_tokens": prompt, "output_tokens": output})
    return figures.usage(produced=True)


READERS: dict[str, Callable[[Any, Any], Usage | None]] = {
    "openai": lambda prompt, output: openai_stream.read_usage({"prompt_tokens": prompt, "completion_tokens": output}),
    "glm-web": lambda prompt, output: glm_web_answer.read_usage({"prompt_tokens": prompt, "completion_tokens": output}),
    "gemini": lambda prompt, output: gemini_answer.read_usage(
        # What it leaves out is zero, so that it has to say that it does not know.
        {"promptTokenCount": prompt, "candidatesTokenCount": output, "cachedContentTokenCount": None}
    ),
    "ollama": lambda prompt, output: ollama_answer.read_usage({"prompt_eval_count": prompt, "eval_count": output}),
    "anthropic": anthropic,
}
GARBAGE = (1e30, 10**400, -1, -1e30, float("inf"), float("nan"), "12", [1], {"tokens": 3}, True)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda value: repr(value)[:12])
def test_a_count_that_cannot_be_is_no_count_and_says_so_in_the_log(reader: str, garbage: object) -> None:
    with capture_logs() as logs:
        prompt_broken, output_broken = READERS[reader](garbage, 7), READERS[reader](5, garbage)
    assert prompt_broken == Usage(output=7)
    assert output_broken == Usage(uncached=5)
    assert [line["event"] for line in logs] == ["token_count_not_believed"] * 2
    assert {line["log_level"] for line in logs} == {"warning"}
    assert all(len(line["told"]) < 50 for line in logs)


@pytest.mark.parametrize("reader", READERS)
def test_the_largest_counts_that_can_be_are_taken_as_they_are(reader: str) -> None:
    with capture_logs() as logs:
        assert READERS[reader](10_000_000, 1_000_000) == Usage(uncached=10_000_000, output=1_000_000)
        assert READERS[reader](10_000_001, 1_000_000) == Usage(output=1_000_000)
        assert READERS[reader](10_000_000, 1_000_001) == Usage(uncached=10_000_000)
    assert len(logs) == 2


def test_what_is_not_told_is_nothing_to_warn_of() -> None:
    with capture_logs() as logs:
        assert told(None) is None
    assert logs == []


@pytest.mark.parametrize("garbage", [10**30, -1, "12", True])
def test_embeddings_believe_no_more(garbage: object) -> None:
    body = dumps({"data": [{"embedding": [1.0]}], "usage": {"prompt_tokens": garbage}})
    assert read_embeddings(body).prompt_tokens is None


def test_a_number_that_no_float_holds_is_no_count() -> None:
    assert count(10**400) is None
