"""What of a chat.z.ai message buffer is sent, while frames add to it or edit it."""

import pytest

from schemas.stream import TextDelta
from tests.unit.core.glm_web_events import DETAILS, a_provider, a_request, edit, said, texts


def test_an_answer_without_thinking_is_kept_as_it_is() -> None:
    assert texts([said("\n\n> a\n"), said("<details>b</details>\n </thinking> <")]) == (
        "",
        "\n\n> a\n<details>b</details>\n </thinking> <",
    )


def test_an_edit_past_the_end_adds_to_the_end() -> None:
    assert texts([said("Hel"), edit(99, "lo")]) == ("", "Hello")


def test_an_edit_counts_code_points() -> None:
    assert texts([said("🌕🌕"), edit(2, " rund")]) == ("", "🌕🌕 rund")


def test_an_edit_that_extends_what_was_sent_sends_the_extension_only() -> None:
    assert texts([said("Hello wor"), edit(6, "world")]) == ("", "Hello world")


def test_an_edit_that_shortens_the_answer_unsends_nothing_and_repeats_nothing() -> None:
    assert texts([said("Hello world"), edit(5, ""), said(" wor"), said("ld!")]) == ("", "Hello world!")


def test_the_answer_goes_on_behind_an_edit_of_what_was_sent() -> None:
    assert texts([said("Hello world"), edit(6, "earth"), said(" and stars")]) == ("", "Hello world and stars")


def test_an_edit_that_shortens_what_was_sent_sends_nothing_until_it_is_outgrown() -> None:
    assert texts([said("Hello world"), edit(5, " you"), said(", and more")]) == ("", "Hello worldand more")


def test_the_answer_goes_on_once_an_edit_restores_what_was_sent() -> None:
    assert texts([said("Hello world"), edit(6, "moon"), said("!"), edit(6, "world, again")]) == (
        "",
        "Hello world, again",
    )


def test_a_changed_reasoning_goes_on_behind_what_was_sent_of_it() -> None:
    closing = 'true">\n<summary>Thought</summary>\n> quite other\n</details>\nHi'
    frames = [said(DETAILS + "one way", "thinking"), edit(32, closing), said(" there")]
    assert texts(frames) == ("one wayther", "Hi there")


def test_an_edit_of_everything_from_the_start_repeats_nothing() -> None:
    assert texts([said("Hel"), edit(0, "Hello"), edit(-3, "Hello!")]) == ("", "Hello!")


# The reasoning block


@pytest.mark.parametrize(
    ("raw", "reasoning"),
    [
        ("a\n> b", "a\nb"),
        ("a\n>\n> b", "a\n\nb"),
        ("a\n> > quoted", "a\n> quoted"),
        ("a > b\n> c", "a > b\nc"),
        ("a\n>b", "a\nb"),
        ("a\nbare", "a\nbare"),
        ("use </details> here\n> b", "use </details> here\nb"),
        ("a</thinking><Full>b</Full>", "ab"),
        ("a < b <i> </", "a < b <i> </"),
        ("a\n> ", "a\n"),
    ],
)
def test_only_the_marks_are_taken_from_the_reasoning(raw: str, reasoning: str) -> None:
    whole = DETAILS + raw + "\n</details>\nHi"
    assert texts([said(whole)]) == (reasoning, "Hi")
    assert texts([said(letter) for letter in whole]) == (reasoning, "Hi")


@pytest.mark.parametrize(("seam", "answer"), [("", "Hi"), ("\n", "Hi"), ("\n\n", "Hi"), ("\n\n\n", "\nHi")])
def test_at_most_two_newlines_are_dropped_ahead_of_the_answer(seam: str, answer: str) -> None:
    assert texts([said(letter) for letter in DETAILS + "a\n</details>" + seam + "Hi"]) == ("a", answer)


def test_leftover_tags_are_removed_ahead_of_the_answer_and_kept_within_it() -> None:
    whole = DETAILS + "a\n</details>\n</thinking><Full>Write </thinking> there"
    assert texts([said(letter) for letter in whole]) == ("a", "Write </thinking> there")


def test_several_reasoning_blocks_are_all_reasoning() -> None:
    again = '<DETAILS class="x" type="reasoning">\n<summary>2</summary>\n> two\n</DETAILS>\n'
    whole = DETAILS + "one\n</details>\nFirst\n" + again + "Second"
    assert texts([said(whole)]) == texts([said(letter) for letter in whole]) == ("one\ntwo", "First\nSecond")


def test_an_unclosed_reasoning_block_is_reasoning_to_the_end() -> None:
    assert texts([said(DETAILS + "a\n> b\n", "thinking")]) == ("a\nb", "")


def test_the_text_ahead_of_a_possible_tag_is_not_held_back() -> None:
    found = a_provider().decode([said("if a <"), said(" b")], a_request())
    assert [next(found), next(found)] == [TextDelta("if a "), TextDelta("< b")]
