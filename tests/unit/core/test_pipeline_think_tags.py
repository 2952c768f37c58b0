"""How think tags in text are read, however the text is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pipeline.think_tags import MAX_BLANK, ThinkTags
from schemas.stream import TextDelta


def split(pieces: list[str], *, opened: bool = False) -> tuple[str, str]:
    """Reasoning and answer of one run of text that came in these pieces."""
    tags = ThinkTags(opened=opened)
    reasoning, answer = "", ""
    for piece in pieces:
        chunks = [TextDelta(piece)] if tags.unchanged(piece) else tags.feed(piece)
        for chunk in chunks:
            assert chunk.text
            if isinstance(chunk, TextDelta):
                answer += chunk.text
            else:
                reasoning += chunk.text
    for chunk in tags.end():
        if isinstance(chunk, TextDelta):
            answer += chunk.text
        else:
            reasoning += chunk.text
    return reasoning, answer


# What the model wrote, and of that the reasoning and the answer (None: all of it, as it stands).
CASES: dict[str, tuple[str, str, str | None]] = {
    "plain text": ("just text", "", "just text"),
    "one block": ("<think>why</think>answer", "why", "answer"),
    "the long name": ("<thinking>why</thinking>answer", "why", "answer"),
    "names mixed": ("<thinking>why</think>answer", "why", "answer"),
    "blanks ahead of the block": (" \n<think>why</think>answer", "why", "answer"),
    "upper case": ("<Think>why</THINK>answer", "why", "answer"),
    "attributes": ('<think lang="en" x>why</think >answer', "why", "answer"),
    "two newlines behind are dropped": ("<think>why</think>\n\nanswer", "why", "answer"),
    "no more than two": ("<think>why</think>\n\n\nanswer", "why", "\nanswer"),
    "newlines later stay": ("<think>why</think>\na\n\nb\n", "why", "a\n\nb\n"),
    "blanks inside stay": ("<think>\nwhy\n</think>a", "\nwhy\n", "a"),
    "a blank block is nothing": ("<think>\n\n</think>\n\nanswer", "", "answer"),
    "no closing tag": ("<think>why, and on", "why, and on", ""),
    "a closing tag that is cut off": ("<think>why</thi", "why</thi", ""),
    "an opening tag that is cut off": ("<thi", "", "<thi"),
    "several blocks": ("<think>a</think>\n\n<think>b</think>\nanswer", "a\nb", "answer"),
    "a blank block between": ("<think>a</think><think> </think><think>b</think>c", "a\nb", "c"),
    "first closing tag ends the block": (
        "<think>say </think> here</think>rest",
        "say ",
        " here</think>rest",
    ),
    "an opening tag inside is thinking": ("<think>a<think>b</think>c", "a<think>b", "c"),
    "details inside is thinking": ("<think>a</details>b</think>c", "a</details>b", "c"),
    "tags quoted after thinking": (
        "<think>a</think>Use `<think>` and `</think>`.",
        "a",
        "Use `<think>` and `</think>`.",
    ),
    "tags quoted without thinking": ("Use <think>x</think>.", "", "Use <think>x</think>."),
    "orphan at the start": ("</think>\n\nanswer", "", "answer"),
    "orphan behind blanks": ("\n</think>answer", "", "answer"),
    "orphan after text": ("scratch</think>answer", "", "scratchanswer"),
    "only the first orphan": ("a</think>b</think>c", "", "ab</think>c"),
    "orphan in inline code": ("see `</think>` there", "", "see `</think>` there"),
    "orphan in a code block": ("```\nx\n</think>\n```", "", "```\nx\n</think>\n```"),
    "orphan in quotes": ('{"tag": "</think>"}', "", '{"tag": "</think>"}'),
    "orphan after code": ("`x` done</think>!", "", "`x` done!"),
    "a lone angle": ("if a < b and c <d", "", "if a < b and c <d"),
    "an angle at the very start": ("<div>x</div>", "", "<div>x</div>"),
    "a longer name": ("<thinker>x</thinker>", "", "<thinker>x</thinker>"),
    "a self-closing tag is text": ("<think/>x <think />", "", "<think/>x <think />"),
    "a self-closing tag at the start": ("<think />x", "", "<think />x"),
    "an angle inside a tag": ("<think <think>a</think>b", "", "<think <think>a</think>b"),
    "attributes without end": ("<think " + "x" * 300 + ">a", "", "<think " + "x" * 300 + ">a"),
    "attributes whose lower case is longer": ("<think " + "İ" * 200 + ">a</think>b", "a", "b"),
    "box marks": ("<|begin_of_box|>42<|end_of_box|> it is", "", "42 it is"),
    "box marks in thinking": ("<think>a<|begin_of_box|>b</think>c", "ab", "c"),
    "box marks around the block": ("<|begin_of_box|><think>a</think>b<|end_of_box|>", "a", "b"),
    "other marks stay": ("a <|user|> b <|end_of", "", "a <|user|> b <|end_of"),
    "only blanks": (" \n ", "", " \n "),
    "too many blanks are the answer": (
        " " * (MAX_BLANK + 1) + "<think>a</think>",
        "",
        " " * (MAX_BLANK + 1) + "<think>a</think>",
    ),
    "details": (
        '<details type="reasoning" done="true">\n<summary>Thought</summary>\n> one\n>\n> > two\n></details>\nanswer',
        "one\n\n> two\n",
        "answer",
    ),
    "details with a closing tag of its own line": (
        '<details type="reasoning" done="false">\n<summary>Thinking…</summary>\n> a\n> b\n</details>\nHi',
        "a\nb",
        "Hi",
    ),
    "details without marks": ("<details type=reasoning>a > b\n>c\n</details>d", "a > b\nc", "d"),
    "details without end": ('<details type="reasoning">\n<summary>T</summary>\n> a\n> b\n', "a\nb", ""),
    "details cut in the summary": ('<details type="reasoning">\n<summary>Thin', "", ""),
    "details of another kind": ("<details><summary>x</summary>y</details>", "", None),
    "details after thinking": ('<think>a</think><details type="reasoning">b</details>c', "a\nb", "c"),
    "details with text beside the summary": (
        '<DETAILS type="reasoning"><SUMMARY>T</summary>> a\n> b</DETAILS>c',
        "a\nb",
        "c",
    ),
    "details with a summary that has no end": (
        '<details type="reasoning"><summary>' + "x" * 1500 + "</details>a",
        "x" * 509,
        "a",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_read_alike_for_every_cut(case: str) -> None:
    text, reasoning, answer = CASES[case]
    expected = (reasoning, text if answer is None else answer)
    assert split([text]) == expected
    assert split(list(text)) == expected
    for at in range(len(text)):
        assert split([text[:at], text[at:]] if at else [text]) == expected


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("why</think>\n\nanswer", "why", "answer"),
        ("\n<think>why</think>answer", "why", "answer"),
        ("why, and on", "why, and on", ""),
        ("</think>answer", "", "answer"),
        ("a</think><think>b</think>c", "a\nb", "c"),
        ("a<think>b</think>c</think>", "a<think>b", "c</think>"),
    ],
)
def test_a_template_that_opened_the_block_makes_the_start_reasoning(text: str, reasoning: str, answer: str) -> None:
    assert split([text], opened=True) == (reasoning, answer)
    assert split(list(text), opened=True) == (reasoning, answer)


def test_a_lone_angle_is_sent_as_soon_as_it_cannot_be_a_tag() -> None:
    tags = ThinkTags()
    assert tags.feed("a <") == [TextDelta("a ")]
    assert tags.feed("b") == [TextDelta("<b")]


def test_ordinary_text_is_never_held() -> None:
    tags = ThinkTags()
    assert tags.feed("a") == [TextDelta("a")]
    assert tags.unchanged("b > c")
    assert not tags.unchanged("b < c")


def test_after_a_tool_call_a_block_may_come_again() -> None:
    tags = ThinkTags()
    tags.feed("answer")
    tags.end()
    assert [chunk.text for chunk in tags.feed("<think>why</think>more")] == ["why", "more"]


def test_a_tool_call_ends_a_block_that_is_still_open() -> None:
    tags = ThinkTags()
    tags.feed("<think>why")
    tags.end()
    assert tags.feed("answer") == [TextDelta("answer")]


FRAGMENTS = st.sampled_from(
    [
        *("<think>", "</think>", "<Thinking>", "</thinking >", "<think a=1>", "<thi", "nk>", "<", "</", ">", "/", "|>"),
        *('<details type="reasoning">', "</details>", "<summary>", "</summary>", "<summary>T</summary>\n", "\n> ", ">"),
        *("<|begin_of_box|>", "<|end_of_box|>", "<|", "\n", "\n\n", " ", "`", "```\n", '"', "a", "bc", "é", "你"),
        " " * 100,
        "x" * 200,
    ]
)


@st.composite
def cut_text(draw: st.DrawFn) -> tuple[str, list[str]]:
    text = "".join(draw(st.lists(FRAGMENTS, min_size=1, max_size=14)))
    cuts = sorted(draw(st.sets(st.integers(1, len(text)), max_size=12)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return text, [piece for piece in pieces if piece]


@settings(deadline=None)
@given(cut_text(), st.booleans())
def test_any_text_with_any_tags_is_read_alike_for_any_cut(cut: tuple[str, list[str]], opened: bool) -> None:
    text, pieces = cut
    assert split(pieces, opened=opened) == split([text], opened=opened)


@settings(deadline=None)
@given(cut_text())
def test_text_without_tags_comes_out_whole(cut: tuple[str, list[str]]) -> None:
    text, pieces = cut
    text = text.replace("<", "‹")
    assert split([piece.replace("<", "‹") for piece in pieces]) == ("", text)


@pytest.mark.parametrize("unit", ["<", "<think ", "<think>", "</think>", "<details ", "\n> ", "`<", "a"])
def test_long_text_in_single_characters_comes_to_an_end(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    reasoning, answer = split(list(text))
    assert len(reasoning) + len(answer) <= len(text)
