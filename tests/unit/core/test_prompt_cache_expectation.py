"""How much of a prompt should be read from the cache, by the rules of its provider."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.prompt_cache.expectation import Expectation, expectation
from core.prompt_cache.rules import RULES
from schemas.usage import Usage
from tests.unit.core.prompt_cache_kit import AT_ZAI, CLAUDE, GLM, HOUR, NOW, Memory, blocks, claude, prompt, talk

TEN = [f"turn {index} " + "x" * 1_000 for index in range(10)]
USAGE = Usage(uncached=8_000, read=2_000, output=5)
WRITTEN = Usage(uncached=500, read=2_000, write_short=8_000, write_long=0, output=5)


def expected(memory, asked, rules=GLM, total=None) -> Expectation:
    match = memory.match(asked, rules)
    assert match is not None
    return expectation(match, asked, rules, total)


def promised(tokens: int, standing: str) -> Expectation:
    return Expectation(tokens, estimated=False, standing=standing)


def estimate(tokens: int, standing: str) -> Expectation:
    return Expectation(tokens, estimated=True, standing=standing)


def after(*turns, rules=GLM, usage=USAGE, then=TEN[:5], seconds=60.0, total=None, **fields) -> Expectation:
    """What a prompt of these turns should read, so long after the first half of ten turns was sent."""
    memory = Memory()
    memory.remember(prompt(talk(*then)), usage, rules)
    return expected(memory, prompt(talk(*turns, **fields), NOW + seconds), rules, total)


def after_claude(*, then, now, usage=WRITTEN, seconds=60.0) -> Expectation:
    memory = Memory()
    memory.remember(claude(then), usage, CLAUDE)
    return expected(memory, claude(now, NOW + seconds), CLAUDE)


def test_a_prompt_that_contains_all_of_an_earlier_one_reads_exactly_that():
    assert after(*TEN) == promised(10_000, "due")
    # The step in which a provider reads is for less than a whole prompt.
    assert after(*TEN, rules=RULES["openai-before-5.6"]) == promised(10_000, "due")


def test_of_anthropic_what_was_read_or_written_is_read_exactly():
    then, now = blocks(*TEN[:5], marks=(4,)), blocks(*TEN[:7], marks=(6,))
    assert after_claude(then=then, now=now) == promised(10_000, "due")


def test_a_part_of_an_earlier_prompt_is_estimated_by_its_characters():
    promise = after(*TEN[:4], "changed")
    assert promise.estimated
    assert promise.tokens == pytest.approx(8_000, abs=20)


def test_an_estimate_is_rounded_down_to_the_step_of_the_provider():
    assert after(*TEN[:4], "changed", rules=RULES["openai-before-5.6"]).tokens == 62 * 128
    assert after(*TEN[:4], "changed", rules=replace(GLM, granularity=3_000)).tokens == 6_000


def test_of_two_estimates_the_lower_one_counts():
    """The tail of the donor, or of this prompt, may have more tokens to the character than what they share."""
    assert after(*TEN[:4], "changed", total=6_000).tokens == pytest.approx(6_000 * 4 / 4.01, abs=40)
    assert after(*TEN[:4], "changed", total=60_000).tokens == pytest.approx(8_000, abs=20)


def test_nothing_shorter_than_the_minimum_is_expected():
    assert after(*TEN, rules=replace(GLM, minimum=10_000)).tokens == 10_000
    assert after(TEN[0], "changed", rules=replace(GLM, minimum=2_500)).tokens == 0


def test_no_more_is_expected_than_the_prompt_has():
    assert after(*TEN, total=9_000).tokens == 9_000


@pytest.mark.parametrize(("seconds", "standing"), [(300.0, "due"), (300.5, "expired")])
def test_the_life_counts_from_the_start_of_one_request_to_that_of_the_next(seconds, standing):
    assert after(*TEN, seconds=seconds) == Expectation(10_000, estimated=standing == "expired", standing=standing)


def test_a_mark_for_an_hour_outlives_one_for_minutes():
    then = blocks(*TEN[:5], marks=(4,))
    then["messages"][1]["content"][0]["cache_control"] = HOUR
    now = blocks(*TEN[:7], marks=(1, 6))
    assert after_claude(then=then, now=now) == promised(10_000, "due")
    late = after_claude(then=then, now=now, seconds=900.0)
    assert (late.standing, late.estimated) == ("due", True)
    assert late.tokens == pytest.approx(4_000, abs=60)
    assert after_claude(then=then, now=now, seconds=3_601.0).standing == "expired"


def test_anthropic_reads_up_to_a_mark_that_stands_ahead_of_what_differs():
    then = blocks(*TEN[:5], marks=(1, 4))
    promise = after_claude(then=then, now=blocks(*TEN[:4], "changed", marks=(1, 4)))
    assert promise.estimated
    assert promise.tokens == pytest.approx(4_000, abs=60)
    without = after_claude(then=blocks(*TEN[:5], marks=(4,)), now=blocks(*TEN[:4], "changed"))
    assert (without.tokens, without.standing) == (0, "due")


def test_anthropic_looks_back_over_twenty_blocks_only():
    then = blocks(*TEN[:5], marks=(4,))
    near, far = ([*TEN[:5], *(f"more {index}" for index in range(more))] for more in (19, 20))
    assert after_claude(then=then, now=blocks(*near)) == promised(10_000, "due")
    assert after_claude(then=then, now=blocks(*far)).standing == "unreached"
    assert after_claude(then=then, now=blocks(*far, marks=(10, -1))).standing == "due"
    assert after_claude(then=then, now=blocks(*far, marks=(1,))).standing == "unreached"


def test_new_models_of_openai_read_at_marks_without_looking_back_only_so_far():
    many = [*TEN[:5], *(f"more {index}" for index in range(60))]
    assert after(*many, rules=RULES["openai"]) == promised(10_000, "due")
    assert after(*TEN[:4], "changed", rules=RULES["openai"]).tokens == 0


def test_a_parallel_request_that_had_not_begun_to_answer_has_left_only_what_it_read_itself():
    def race(read, *turns):
        memory = Memory()
        usage = Usage(uncached=10_000 - read, read=read, output=5)
        memory.remember(prompt(talk(*TEN[:5])), usage, begun=3.0)
        return expected(memory, prompt(talk(*(turns or TEN)), NOW + 2.9))

    assert race(0) == promised(10_000, "racing")
    assert race(500).standing == "racing"
    assert race(6_000) == promised(6_000, "due")
    assert race(6_000, *TEN[:2], "changed").tokens == pytest.approx(4_000, abs=20)


def test_the_earlier_request_of_which_most_is_due_is_chosen():
    memory = Memory()
    memory.remember(prompt(talk(*TEN[:3]), NOW - 100), Usage(uncached=6_000, read=0, output=1))
    memory.remember(prompt(talk(*TEN[:5]), NOW - 400), USAGE)
    asked = prompt(talk(*TEN), NOW)
    assert memory.match(asked).donor.total == 6_000
    memory.remember(prompt(talk(*TEN[:4]), NOW - 20), Usage(uncached=8_000, read=0, output=1))
    assert memory.match(asked).donor.total == 8_000


def test_a_donor_whose_names_another_has_taken_over_is_found_whole_by_what_the_client_sent():
    memory = Memory()
    memory.remember(prompt(talk(*TEN[:3])), Usage(uncached=6_000, read=0, output=1))
    memory.remember(prompt(talk(*TEN[:5]), NOW + 11), USAGE)
    match = memory.match(prompt(talk(*TEN), NOW + 10))
    assert (match.donor.total, match.shared, match.is_kept) == (6_000, 3, True)


def test_where_nothing_is_due_what_would_have_been_most_is_chosen():
    memory = Memory()
    memory.remember(prompt(talk(*TEN[:5]), NOW - 400), USAGE)
    memory.remember(prompt(talk(*TEN[:2]), NOW - 500), Usage(uncached=4_000, read=0, output=1))
    assert expected(memory, prompt(talk(*TEN), NOW)) == estimate(10_000, "expired")


def test_what_would_have_been_more_is_told_beside_what_is_due():
    memory = Memory()
    memory.remember(prompt(talk(*TEN[:5]), NOW - 400), USAGE)
    assert memory.match(prompt(talk(*TEN), NOW)).lapsed is None
    memory.remember(prompt(talk(TEN[0], "fork"), NOW - 10), Usage(uncached=2_000, read=0, output=1))
    match = memory.match(prompt(talk(*TEN), NOW))
    assert (match.donor.total, match.lapsed.donor.total) == (2_000, 10_000)
    memory.remember(prompt(talk(*TEN[:7]), NOW - 10), Usage(uncached=14_000, read=0, output=1))
    assert memory.match(prompt(talk(*TEN), NOW)).lapsed is None


def test_what_is_due_but_too_short_to_be_cached_does_not_hide_what_has_expired():
    memory = Memory()
    memory.remember(prompt(talk(*TEN[:5]), NOW - 400), USAGE)
    memory.remember(prompt(talk(TEN[0], "fork"), NOW - 10), Usage(uncached=2_000, read=0, output=1))
    assert memory.match(prompt(talk(*TEN), NOW), replace(GLM, minimum=3_000)).donor.total == 10_000


def test_nothing_is_found_of_nothing_or_for_a_model_without_a_cache():
    memory = Memory()
    assert memory.match(prompt(talk("a"))) is None
    memory.remember(prompt(talk("a")), USAGE)
    assert memory.match(prompt(talk("a"), NOW + 9), None) is None


def test_tokens_that_another_model_counted_are_an_estimate():
    memory = Memory()
    memory.remember(prompt(talk(*TEN[:5])), USAGE)
    other = prompt(talk(*TEN), NOW + 9, replace(AT_ZAI, upstream_model="glm-5"))
    assert expected(memory, other) == estimate(10_000, "due")


def test_tokens_that_the_provider_did_not_count_are_an_estimate():
    estimated = after(*TEN, usage=replace(USAGE, source="estimated"))
    assert estimated == estimate(10_000, "due")


makers = st.sampled_from(sorted(RULES))


@given(makers, st.integers(0, 10), st.integers(1, 10), st.integers(1, 10), st.integers(0, 60_000), st.floats(0, 7_200))
def test_no_more_is_expected_than_the_donor_or_the_prompt_has(maker, common, then, now, total, seconds):
    rules, memory = RULES[maker], Memory()
    common = min(common, then, now)
    first, second = (
        blocks(*TEN[:common], *(word * 2_000 for _ in range(size - common))) for word, size in (("a", then), ("b", now))
    )
    memory.remember(claude(first), Usage(1_000, 0, 9_000, 0, 5), rules)
    asked = claude(second, NOW + 2 + seconds)
    match = memory.match(asked, rules)
    if match is not None:
        assert 0 <= expectation(match, asked, rules, total).tokens <= min(10_000, total)
