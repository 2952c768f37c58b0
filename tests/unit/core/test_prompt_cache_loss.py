"""What lost tokens cost: the worked examples to the last digit, and the laws that hold for any figures."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.pricing import cost_of
from core.prompt_cache.loss import fee_usd, lost_tokens, lost_usd, saved_usd, written_usd
from core.prompt_cache.rules import RULES
from schemas.model import Price
from schemas.usage import Usage
from tests.unit.core.prompt_cache_kit import CLAUDE, GLM, Memory, blocks, claude, price, prompt, talk

ANTHROPIC, OPENAI, OLDER = RULES["anthropic"], RULES["openai"], RULES["openai-before-5.6"]


def exactly(value: float):
    """Equal but for what binary fractions cannot hold."""
    return pytest.approx(value, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("model", "rules", "expected", "usage", "lost", "usd"),
    [
        ("glm-5.3", GLM, 48_000, Usage(50_000, 0), 48_000, 0.05472),
        ("glm-5.3", GLM, 48_000, Usage(37_200, 12_800), 35_200, 0.040128),
        ("claude-opus-5-5", ANTHROPIC, 60_000, Usage(200, 0, 60_500, 0), 60_000, 0.288),
        ("claude-opus-5-5", ANTHROPIC, 60_000, Usage(200, 0, 0, 60_500), 60_000, 0.468),
        ("claude-opus-5-5", ANTHROPIC, 60_000, Usage(60_700, 0, 0, 0), 60_000, 0.228),
        ("claude-haiku-5-5", ANTHROPIC, 80_000, Usage(0, 0, 80_000, 0), 80_000, 0.0092),
        ("claude-haiku-5-5", ANTHROPIC, 150_000, Usage(0, 0, 150_000, 0), 150_000, 0.08625),
        ("gpt-6.1-sol", OPENAI, 100_000, Usage(0, 0, 100_352), 100_000, 0.24),
        ("gpt-6.1-sol", OPENAI, 100_000, Usage(100_352, 0, 0), 100_000, 0.19),
        ("gpt-5.2", OLDER, 100_000, Usage(100_000, 0), 100_000, 0.1575),
        ("gpt-oss-120b", RULES["groq"], 20_000, Usage(20_000, 0), 20_000, 0.0015),
        ("grok-4.7", RULES["grok"], 100_000, Usage(100_000, 0), 100_000, 0.15),
        ("grok-4.7", RULES["grok"], 100_000, Usage(200_001, 0), 100_000, 0.30),
        ("gemini-4-argon", RULES["gemini"], 100_000, Usage(100_000, 0), 100_000, 0.19),
        ("gemini-3.1-pro-preview", RULES["gemini"], 250_000, Usage(250_000, 0), 250_000, 0.90),
        ("deepseek-v4-flash", RULES["deepseek"], 100_000, Usage(100_000, 0), 100_000, 0.0294),
    ],
)
def test_the_worked_examples(model, rules, expected, usage, lost, usd):
    tier = price(model, usage.prompt)
    assert lost_tokens(expected, usage.read) == lost
    assert lost_usd(lost, usage, tier, rules) == exactly(usd)
    assert _by_costs(lost, usage, tier, rules) == pytest.approx(usd, rel=1e-9)


def test_two_keys_in_turn_lose_a_turn_each_time():
    memory, lost, usd, causes = Memory(), [], 0.0, []
    says = [f"turn {index}" for index in range(19)]
    for turn in range(1, 11):
        asked = prompt(talk(*says[: 2 * turn - 1]), 100.0 * turn)
        asked = replace(asked, identity=replace(asked.identity, account=f"key-{turn % 2}"))
        read = max(0, 4_000 * (turn - 2))
        usage = Usage(uncached=4_000 * turn - read, read=read, output=1)
        finding = memory.judge(asked, usage)
        memory.remember(asked, usage)
        causes.append(finding.cause)
        lost.append(finding.lost)
        usd += finding.lost_usd
    assert lost == [0] + 9 * [4_000]
    assert causes == ["cold"] + 9 * ["rotated"]
    assert usd == exactly(0.04104)


def test_the_anthropic_example_is_judged_from_what_was_sent_and_answered():
    memory = Memory()
    memory.remember(claude(blocks("a", "b")), Usage(10, 40_000, 20_000, 0, 5), CLAUDE)
    finding = memory.judge(
        claude(blocks("a", "b", "c"), 1_795_000_060), Usage(200, 0, 60_500, 0, 5), "claude-opus-5-5", CLAUDE
    )
    assert (finding.expected, finding.lost, finding.estimated) == (60_000, 60_000, False)
    assert finding.lost_usd == exactly(0.288)


@pytest.mark.parametrize(
    ("expected", "read", "lost"),
    [
        (1_000, 744, 0),
        (1_000, 743, 257),
        (100_000, 95_000, 0),
        (100_000, 94_999, 5_001),
        (100, 5_000, 0),
        (0, 0, 0),
    ],
)
def test_a_little_less_than_expected_is_no_loss(expected, read, lost):
    assert lost_tokens(expected, read) == lost


def test_what_was_written_for_long_is_counted_ahead_of_what_was_written_for_short():
    tier = Price(date(2026, 1, 1), input=4, cached=0.2, write_short=5, write_long=8)
    usage = Usage(uncached=30, read=0, write_short=20, write_long=10)
    assert lost_usd(10, usage, tier, ANTHROPIC) == exactly(10 * 7.8 / 1e6)
    assert lost_usd(25, usage, tier, ANTHROPIC) == exactly((10 * 7.8 + 15 * 4.8) / 1e6)
    assert lost_usd(40, usage, tier, ANTHROPIC) == exactly((10 * 7.8 + 20 * 4.8 + 10 * 3.8) / 1e6)


def test_where_writing_is_free_what_was_written_is_plain_input():
    for usage in (Usage(0, 0, 100), Usage(0, 0, None, 100)):
        assert lost_usd(100, usage, price("glm-5.3"), GLM) == exactly(100 * 1.14 / 1e6)


@pytest.mark.parametrize(
    ("usage", "tier"),
    [
        (Usage(100, 0), None),
        (Usage(100, 0), Price(date(2026, 1, 1), input=4)),
        (Usage(100, 0), Price(date(2026, 1, 1), cached=0.2)),
        (Usage(0, 0, 100), Price(date(2026, 1, 1), input=4, cached=0.2)),
    ],
)
def test_a_loss_at_an_unknown_price_is_unknown_and_not_zero(usage, tier):
    assert lost_usd(100, usage, tier, ANTHROPIC) is None


def test_a_price_that_is_not_needed_may_be_unknown():
    tier = Price(date(2026, 1, 1), input=4, cached=0.2)
    assert lost_usd(100, Usage(100, 0, 0, 0), tier, ANTHROPIC) == exactly(100 * 3.8 / 1e6)
    assert lost_usd(0, Usage(100, 0), None, ANTHROPIC) == 0


def test_where_reading_costs_more_than_input_nothing_is_lost():
    assert lost_usd(100, Usage(100, 0), Price(date(2026, 1, 1), input=1, cached=2), GLM) == 0


def test_what_is_saved_is_what_reading_saves_less_what_writing_costs():
    tier = Price(date(2026, 1, 1), input=4, cached=0.2, write_short=5, write_long=8)
    assert saved_usd(Usage(5, 1_000, 100, 10), tier, ANTHROPIC) == exactly((1_000 * 3.8 - 100 - 40) / 1e6)
    assert saved_usd(Usage(5, 0, 100, 0), tier, ANTHROPIC) == exactly(-100 / 1e6)
    assert saved_usd(Usage(5, 1_000), price("glm-5.3"), GLM) == exactly(1_000 * 1.14 / 1e6)
    assert saved_usd(Usage(5, 1_000), None, GLM) is None
    assert saved_usd(Usage(5, 1_000), Price(date(2026, 1, 1), input=4), GLM) is None
    assert saved_usd(Usage(5, 0, 100), Price(date(2026, 1, 1), input=4, cached=1), ANTHROPIC) is None


def test_a_fee_is_what_writing_costs_above_input_where_there_is_one():
    tier = price("claude-opus-5-5")
    assert fee_usd(Usage(5, 1_000, 100, 10), tier, ANTHROPIC) == exactly((100 * 1 + 10 * 4) / 1e6)
    assert fee_usd(Usage(5, 1_000), price("glm-5.3"), GLM) == fee_usd(Usage(5, 1_000), None, None) == 0
    assert fee_usd(Usage(5, 0, 100), None, ANTHROPIC) is None


def test_a_write_that_nobody_reads_cost_its_fee():
    assert written_usd(1_000, 100, price("claude-opus-5-5")) == exactly((1_000 * 1 + 100 * 4) / 1e6)
    assert written_usd(1_000, 0, None) is None


def _by_costs(lost: int, usage: Usage, tier: Price, rules) -> float:
    """What the request cost, less what it would have cost if the lost tokens had been read."""
    long = min(lost, usage.write_long or 0) if rules.write_fee else 0
    short = min(lost - long, usage.write_short or 0) if rules.write_fee else 0
    read = replace(
        usage,
        uncached=usage.uncached - (lost - long - short),
        read=usage.read + lost,
        write_short=None if usage.write_short is None else usage.write_short - short,
        write_long=None if usage.write_long is None else usage.write_long - long,
    )
    return cost_of(replace(usage, output=0), tier) - cost_of(replace(read, output=0), tier)


counts = st.integers(0, 300_000)
prices = st.tuples(*(st.floats(0, 10) for _ in range(4))).map(
    lambda steps: Price(
        date(2026, 1, 1),
        cached=steps[0],
        input=steps[0] + steps[1],
        write_short=steps[0] + steps[1] + steps[2],
        write_long=steps[0] + steps[1] + steps[2] + steps[3],
        output=1.0,
    )
)


@given(counts, counts, counts, counts, prices, st.floats(0, 1))
def test_the_loss_is_what_the_request_cost_above_the_same_with_the_lost_tokens_read(
    uncached, read, short, long, tier, share
):
    usage = Usage(uncached, read, short, long)
    lost = int((uncached + short + long) * share)
    usd = lost_usd(lost, usage, tier, ANTHROPIC)
    assert usd >= 0
    assert usd == pytest.approx(_by_costs(lost, usage, tier, ANTHROPIC), rel=1e-6, abs=1e-9)


@given(counts, counts)
def test_no_more_is_lost_than_was_expected_and_never_less_than_nothing(expected, read):
    assert 0 <= lost_tokens(expected, read) <= expected
    assert lost_tokens(expected, read) == 0 or lost_tokens(expected, read) == expected - read
