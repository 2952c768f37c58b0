"""What is remembered of a request, and how a later one finds it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.prompt_cache.donors import Mark, donor_of, read_donor
from core.prompt_cache.names import keeping, matches, sought
from core.prompt_cache.rules import RULES
from schemas.usage import Usage
from tests.unit.core.prompt_cache_kit import (
    AT_ANTHROPIC,
    AT_ZAI,
    CLAUDE,
    GLM,
    HOUR,
    NOW,
    Memory,
    blocks,
    claude,
    prompt,
    talk,
)

USAGE = Usage(uncached=8_000, read=2_000, output=5)
WRITTEN = Usage(uncached=100, read=2_000, write_short=3_000, write_long=400, output=5)
LONG = [f"turn {index} " * 5 for index in range(400)]


def found(memory, asked):
    return list(matches({name: memory[name] for name in sought(asked) if name in memory}, asked))


def test_a_donor_is_the_same_when_it_is_read_again():
    for asked, usage, rules in ((prompt(talk("a", "b")), USAGE, GLM), (claude(blocks("a", "汉")), WRITTEN, CLAUDE)):
        donor = donor_of(asked, NOW + 1.5, usage, rules)
        assert read_donor(donor.text()) == donor


@pytest.mark.parametrize(
    "text", ["", "{}", "3", "null", "[]", "[1]", "[0, 1, [], {}]", "[1, 2, [], {}]", '["a"]', "[1"]
)
def test_anything_else_is_no_donor(text):
    assert read_donor(text) is None


def test_a_donor_is_short():
    body = blocks("a", "b", "c", marks=(0, 1, 2), thinking={"type": "adaptive"}, output_config={"effort": "high"})
    assert len(donor_of(claude(body), NOW, WRITTEN, CLAUDE).text()) < 500


def test_a_provider_that_caches_by_itself_keeps_the_whole_prompt():
    asked = prompt(talk("a", "b"))
    donor = donor_of(asked, NOW + 1, USAGE, GLM)
    assert (donor.total, donor.cached, donor.read) == (10_000, 10_000, 2_000)
    assert donor.marks == (Mark(2, asked.chain.characters(), 300.0),)
    assert not donor.is_marked


def test_anthropic_keeps_what_is_marked_each_for_its_time():
    body = blocks("a", "b", "c")
    body["messages"][0]["content"][0]["cache_control"] = HOUR
    asked = claude(body)
    donor = donor_of(asked, NOW + 1, WRITTEN, CLAUDE)
    assert (donor.total, donor.cached, donor.written_short, donor.written_long) == (5_500, 5_400, 3_000, 400)
    sizes = [asked.chain.characters(1), asked.chain.characters(3)]
    assert donor.marks == (Mark(1, sizes[0], 3600.0), Mark(3, sizes[1], 300.0))
    assert donor.is_marked
    assert donor.client_marked


def test_of_more_marks_than_are_heeded_the_last_ones_count():
    donor = donor_of(claude(blocks(*"abcdef", marks=(0, 1, 2, 3, 5))), NOW, WRITTEN, CLAUDE)
    assert [mark.length for mark in donor.marks] == [2, 3, 4, 6]


def test_new_models_of_openai_keep_what_ends_at_a_mark_and_the_whole_unless_that_is_switched_off():
    part = {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    body = {"messages": [{"role": "user", "content": [part, {"type": "text", "text": "b"}]}]}
    rules = RULES["openai"]
    assert [mark[::2] for mark in donor_of(prompt(body), NOW, USAGE, rules).marks] == [(1, 43_200.0), (2, 1800.0)]
    explicit = {**body, "prompt_cache_options": {"mode": "explicit"}}
    assert [mark.length for mark in donor_of(prompt(explicit), NOW, USAGE, rules).marks] == [1]
    assert donor_of(prompt(talk("a", prompt_cache_options={"mode": "explicit"})), NOW, USAGE, rules) is None


@pytest.mark.parametrize(
    ("asked", "usage", "rules"),
    [
        (prompt(talk("a")), None, GLM),
        (prompt(talk("a")), USAGE, None),
        (prompt(talk("a")), Usage(output=5), GLM),
        (prompt(talk("a")), Usage(uncached=1_023, read=0), GLM),
        (prompt({}), USAGE, GLM),
        (claude(blocks("a", marks=())), WRITTEN, CLAUDE),
        (claude(blocks("a")), Usage(uncached=9_000, read=0, write_short=0), CLAUDE),
    ],
)
def test_what_left_nothing_in_a_cache_is_no_donor(asked, usage, rules):
    assert donor_of(asked, NOW, usage, rules) is None


def test_a_provider_that_reports_no_reading_may_have_kept_the_prompt_all_the_same():
    assert donor_of(prompt(talk("a")), NOW, Usage(uncached=5_000, output=1), GLM).cached == 5_000


def test_it_is_remembered_for_longer_than_it_lives():
    assert donor_of(prompt(talk("a")), NOW, USAGE, GLM).lifetime == 3600
    assert donor_of(claude(blocks("a", mark=HOUR)), NOW, WRITTEN, CLAUDE).lifetime == 7200


def test_a_conversation_that_goes_on_finds_all_of_the_one_before():
    memory = Memory()
    memory.remember(prompt(talk("a", "b", "c")), USAGE)
    (match,) = found(memory, prompt(talk("a", "b", "c", "d", "e"), NOW + 9))
    assert (match.shared, match.is_kept, match.donor.length) == (3, True, 3)


def test_a_conversation_that_forks_finds_what_it_shares():
    memory = Memory()
    memory.remember(prompt(talk("a", "b", "c")), USAGE)
    (match,) = found(memory, prompt(talk("a", "b", "x"), NOW + 9))
    assert (match.shared, match.is_kept) == (2, False)


def test_of_several_the_one_that_shares_most_comes_first():
    memory = Memory()
    for turns in (("a", "b", "c", "d"), ("a", "b"), ("a",)):
        memory.remember(prompt(talk(*turns)), USAGE)
    assert [match.shared for match in found(memory, prompt(talk("a", "b", "c", "d", "e"), NOW + 9))] == [4, 2, 1]


@pytest.mark.parametrize("field", ["tenant", "model"])
def test_tenants_and_models_are_kept_apart(field):
    memory = Memory()
    memory.remember(prompt(talk("a")), USAGE)
    assert found(memory, prompt(talk("a"), NOW + 9))
    assert not found(memory, prompt(talk("a"), NOW + 9, replace(AT_ZAI, **{field: "other"})))


def test_another_key_is_found_and_another_provider_by_what_the_client_sent():
    memory = Memory()
    memory.remember(prompt(talk("a")), USAGE)
    (rotated,) = found(memory, prompt(talk("a"), NOW + 9, replace(AT_ZAI, account="key-2")))
    (moved,) = found(memory, prompt(talk("a"), NOW + 9, replace(AT_ZAI, family="deepseek")))
    assert (rotated.shared, moved.shared, moved.is_kept) == (1, 1, True)


def test_a_request_that_started_later_or_is_the_same_is_no_donor():
    memory = Memory()
    memory.remember(prompt(talk("a"), NOW + 10), USAGE)
    assert not found(memory, prompt(talk("a"), NOW + 9))
    assert not found(memory, prompt(talk("a"), NOW + 10))


def test_names_tell_nothing_of_whose_they_are_and_are_few():
    asked = prompt(talk(*LONG))
    kept = keeping(donor_of(asked, NOW, USAGE, GLM), asked)
    assert len(kept) <= 49
    assert len(set(kept.values())) == 1
    assert len(sought(asked)) <= 160
    assert not any("tenant" in name for name in (*kept, *sought(asked)))
    assert all(len(name) < 64 for name in kept)


def test_another_provider_knows_nothing_of_a_prompt_that_only_begins_the_same():
    memory = Memory()
    memory.remember(prompt(talk("a", "b", "c")), USAGE)
    assert not found(memory, prompt(talk("a", "b", "x"), NOW + 9, replace(AT_ZAI, family="deepseek")))


def test_the_end_of_a_long_conversation_is_found_when_a_fork_has_taken_all_other_names():
    memory = Memory()
    memory.remember(prompt(talk(*LONG[:250])), USAGE)
    memory.remember(prompt(talk(*LONG[:249], *("fork" for _ in range(200))), NOW + 1), USAGE)
    asked = prompt(talk(*LONG[:300]), NOW + 9, client=talk("in other words"))
    assert [match.shared for match in found(memory, asked)][:1] == [250]


def test_the_first_block_that_differs_is_told_by_all_that_is_known():
    memory = Memory()
    memory.remember(prompt(talk(*"abcde")), USAGE)
    memory.remember(prompt(talk(*"abcdefg"), NOW + 10), USAGE)
    (match,) = found(memory, prompt(talk(*"abcXe"), NOW + 9, client=talk(*"abcde")))
    assert (match.is_kept, match.block) == (True, "messages[3]")


@pytest.mark.parametrize("more", [1, 2, 40, 120])
def test_a_long_conversation_is_found_whole_after_a_turn_of_many_blocks(more):
    memory = Memory()
    memory.remember(prompt(talk(*LONG[:250])), USAGE)
    match = found(memory, prompt(talk(*LONG[: 250 + more]), NOW + 9))[0]
    assert (match.shared, match.is_kept) == (250, True)


def test_a_long_conversation_that_was_changed_early_is_found_by_its_beginning():
    memory = Memory()
    memory.remember(prompt(talk(*LONG)), USAGE)
    changed = [*LONG]
    changed[10] = "changed"
    assert found(memory, prompt(talk(*changed), NOW + 9))[0].shared == 10


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 400))
def test_of_what_two_conversations_share_all_but_an_eighth_of_a_prompt_is_found(before, now, common):
    common = min(common, before, now)
    first, second = LONG[:common] + ["x"] * (before - common), LONG[:common] + ["y"] * (now - common)
    memory = Memory()
    memory.remember(prompt(talk(*first)), USAGE)
    known = found(memory, prompt(talk(*second), NOW + 9))
    shared = known[0].shared if known else 0
    assert shared <= common
    assert common - shared <= max(before, now) / 8


def test_what_went_to_anthropic_is_found_there():
    memory = Memory()
    memory.remember(claude(blocks("a", "b")), WRITTEN, CLAUDE)
    (match,) = found(memory, claude(blocks("a", "b", "c", "d"), NOW + 9, AT_ANTHROPIC))
    assert (match.shared, match.donor.cached) == (2, 5_400)
