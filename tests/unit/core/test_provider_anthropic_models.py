"""What is known of Anthropic's models by their names."""

import pytest

from core.providers.anthropic_models import (
    effort_level,
    is_claude,
    takes_prefill,
    takes_system_in_place,
    thinks_unasked,
)

IN_PLACE = (
    "claude-opus-4-8 claude-opus-5 claude-opus-5-5 claude-sonnet-5-5 claude-haiku-5-5 claude-fable-5 claude-mythos-5-2"
)
NOT_IN_PLACE = (
    "claude-opus-4-7 claude-sonnet-5 claude-sonnet-4-6 claude-haiku-4-5 claude-3-5-haiku-20241022 glm-5.3 gpt-6"
)
PREFILL = (
    "claude-opus-4-5-20251101 claude-sonnet-4-5 claude-haiku-4-5-20251001 claude-sonnet-4-20250514 claude-opus-4-1 "
    "claude-3-7-sonnet-20250219 claude-2.1 anthropic/claude-opus-4.5 us.anthropic.claude-sonnet-4-5-20250929-v1:0"
)
NO_PREFILL = "claude-opus-4-6 claude-sonnet-4.6 claude-opus-5 claude-sonnet-5-5 claude-fable-5-2 glm-4.5 claude"


@pytest.mark.parametrize(
    ("knows", "having", "lacking"),
    [
        (takes_system_in_place, IN_PLACE, NOT_IN_PLACE),
        (takes_prefill, PREFILL, NO_PREFILL),
        (
            thinks_unasked,
            "claude-opus-5 claude-sonnet-5 claude-fable-5-1 claude-opus-5-5",
            "claude-opus-4-8 claude-haiku-5-5 claude-3-5-sonnet-20241022 glm-5.3",
        ),
        (is_claude, "claude-opus-5 anthropic/Claude-x", "glm-5.3 opus"),
    ],
)
def test_a_model_knows_what_its_generation_knows(knows, having, lacking):
    assert [model for model in having.split() if not knows(model)] == []
    assert [model for model in lacking.split() if knows(model)] == []


def test_an_effort_that_a_model_lacks_is_the_next_lower_one():
    assert effort_level("claude-opus-4-6", "xhigh") == "high"
    assert effort_level("claude-opus-4-7", "xhigh") == "xhigh"
    assert effort_level("claude-opus-4-6", "max") == "max"
    assert effort_level("glm-5.3", "xhigh") == "xhigh"
