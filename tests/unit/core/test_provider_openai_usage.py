"""What any OpenAI-compatible provider promises of token counts."""

import pytest

from core.providers.openai_compatible import OpenAICompatible
from schemas.usage import Usage
from tests.fakes import FakeClock


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 1}, Usage(uncached=9, read=None, output=1)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 0}}, Usage(uncached=9, read=0)),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}}, Usage(uncached=0, read=5)),
        ({"prompt_tokens": 3, "prompt_tokens_details": None}, Usage(uncached=3)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3}},
            Usage(uncached=4, read=2, write_short=3),
        ),
        (
            {"completion_tokens": 8, "completion_tokens_details": {"reasoning_tokens": 6}},
            Usage(output=8, reasoning=6),
        ),
        ({"words": 3}, None),
        ({"prompt_tokens": "many"}, None),
    ],
)
def test_usage_is_disjoint_never_negative_and_what_is_not_told_is_unknown(raw, usage):
    assert OpenAICompatible("p", "https://host/v1", FakeClock()).usage(raw) == usage
