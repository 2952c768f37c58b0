"""A large marked prompt that is neither read nor written is a loss, even without an earlier one."""

from dataclasses import replace

import pytest

from core.prompt_cache.rules import RULES
from core.prompt_cache.silent import silent_cache_loss
from schemas.usage import Usage
from tests.unit.core.prompt_cache_kit import CLAUDE, GLM, NOW, Memory, blocks, claude, price, prompt, talk

OPUS = price("claude-opus-5-5")
SILENT = Usage(uncached=400_000, read=0, write_short=0, write_long=0, output=5)
SAYS = ["x" * 1_000, "y" * 1_000, "z" * 1_000, "w" * 1_000]


def test_all_that_was_marked_is_lost_at_the_price_of_input_less_that_of_reading():
    finding = silent_cache_loss(claude(blocks(*SAYS)), SILENT, OPUS, CLAUDE)
    assert (finding.cause, finding.expected, finding.lost, finding.read) == ("ignored", 400_000, 400_000, 0)
    assert finding.lost_usd == pytest.approx(400_000 * 3.8 / 1e6)
    assert (finding.provider_fault, finding.estimated, finding.hit_ratio, finding.saved_usd) == (True, False, 0.0, 0.0)


def test_what_stands_behind_the_last_mark_is_not_lost():
    finding = silent_cache_loss(claude(blocks(*SAYS, marks=(0, 2))), SILENT, OPUS, CLAUDE)
    assert finding.lost == pytest.approx(300_000, rel=0.01)
    assert finding.estimated


def test_no_earlier_request_is_needed():
    asked = claude(blocks(*SAYS))
    assert Memory().judge(asked, SILENT, "claude-opus-5-5", CLAUDE).cause == "cold"
    assert silent_cache_loss(asked, SILENT, OPUS, CLAUDE) is not None


@pytest.mark.parametrize(
    "usage",
    [
        None,
        Usage(uncached=400_000, output=5),
        Usage(uncached=400_000, read=0, output=5),
        Usage(uncached=400_000, write_short=0, output=5),
        replace(SILENT, read=1),
        replace(SILENT, write_short=1),
        replace(SILENT, write_long=1),
        replace(SILENT, uncached=1_024),
    ],
)
def test_what_was_read_or_written_or_not_reported_or_is_small_is_no_loss(usage):
    assert silent_cache_loss(claude(blocks(*SAYS)), usage, OPUS, replace(CLAUDE, minimum=0)) is None


def test_one_of_the_two_kinds_of_writing_is_enough_to_be_reported():
    assert silent_cache_loss(claude(blocks(*SAYS)), replace(SILENT, write_long=None), OPUS, CLAUDE) is not None
    assert silent_cache_loss(claude(blocks(*SAYS)), replace(SILENT, write_short=None), OPUS, CLAUDE) is not None


def test_a_prompt_without_marks_or_marked_for_less_than_the_minimum_is_no_loss():
    assert silent_cache_loss(claude(blocks(*SAYS, marks=())), SILENT, OPUS, CLAUDE) is None
    short = claude(blocks("x", *SAYS, marks=(0,)))
    assert silent_cache_loss(short, replace(SILENT, uncached=4_000), OPUS, CLAUDE) is None


@pytest.mark.parametrize("rules", [None, GLM, RULES["gemini"], RULES["openai-before-5.6"]])
def test_a_cache_that_reports_no_writes_cannot_be_told_to_be_silent(rules):
    assert silent_cache_loss(claude(blocks(*SAYS)), SILENT, OPUS, rules) is None


def test_a_mark_of_openais_own_counts_and_its_automatic_one_does_not():
    part = {"type": "text", "text": "a" * 1_000, "prompt_cache_breakpoint": {"mode": "explicit"}}
    marked = prompt({"messages": [{"role": "user", "content": [part]}]}, NOW)
    sol = price("gpt-6.1-sol")
    assert silent_cache_loss(marked, SILENT, sol, RULES["openai"]).lost == 400_000
    assert silent_cache_loss(prompt(talk("a" * 1_000)), SILENT, sol, RULES["openai"]) is None


def test_at_an_unknown_price_the_tokens_are_told():
    finding = silent_cache_loss(claude(blocks(*SAYS)), SILENT, None, CLAUDE, notional=True)
    assert (finding.lost, finding.lost_usd, finding.saved_usd, finding.notional) == (400_000, None, None, True)
