"""The parts of a chat.z.ai answer do not depend on how the site cut or edited it."""

from collections.abc import Iterator

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.providers.glm_web_buffer import Buffer
from core.providers.glm_web_split import Block, Part, Splitter
from core.providers.glm_web_tags import LEFTOVER
from schemas.stream import ReasoningDelta, TextDelta

OPENING = '<details type="reasoning" done="'
FRAGMENTS = [
    "<",
    "</",
    ">",
    "> ",
    "\n",
    "\n\n",
    " ",
    "a",
    "é",
    "月",
    "🌕",
    "details",
    "</details>",
    "<details",
    "summary>",
]
FRAGMENTS += ["<summary>", "<glm_", "think", "</think", "ing", '<details type="x">', "full", "</details ", "İ"]

reasonings = st.lists(st.sampled_from(FRAGMENTS)).map("".join).filter(lambda text: not LEFTOVER.search(text))
answers = (
    st.lists(st.sampled_from(FRAGMENTS), min_size=1)
    .map("".join)
    .filter(lambda text: not text.startswith("\n") and not LEFTOVER.search(text))
)


def fold(parts: list[Part]) -> tuple[str, str]:
    return (
        "".join(part.text for part in parts if isinstance(part, ReasoningDelta)),
        "".join(part.text for part in parts if isinstance(part, TextDelta)),
    )


def pieces(data: st.DataObject, text: str) -> Iterator[str]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    yield from (text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True))


def thinking(reasoning: str, *, bare: bool) -> str:
    marked = "> " + reasoning.replace("\n", "\n> ")
    # Sites may leave the space out on an empty line.
    return marked.replace("> \n", ">\n") if bare else marked


@given(st.data(), reasonings, answers, st.booleans(), st.sampled_from(["", "\n", "\n\n"]))
def test_deltas_cut_anywhere_give_exactly_the_reasoning_and_the_answer(
    data: st.DataObject, reasoning: str, answer: str, bare: bool, seam: str
) -> None:
    assume(not bare or ">" not in reasoning)
    whole = (
        f'{OPENING}false">\n<summary>Thinking…</summary>\n{thinking(reasoning, bare=bare)}\n</details>{seam}{answer}'
    )
    buffer = Buffer()
    parts = [part for piece in pieces(data, whole) for part in buffer.append(piece)]
    assert fold(parts + buffer.finish()) == (reasoning, answer)


@given(st.data(), reasonings, answers)
def test_a_closing_edit_repeats_no_reasoning_and_loses_no_answer(
    data: st.DataObject, reasoning: str, answer: str
) -> None:
    marked = thinking(reasoning, bare=False)
    first = data.draw(st.integers(0, len(answer)))
    buffer, parts = Buffer(), []
    for piece in pieces(data, f'{OPENING}false" view="">\n<summary>Thinking…</summary>\n{marked}'):
        parts += buffer.append(piece)
    closing = f'true" duration="2">\n<summary>Thought for 2 seconds</summary>\n{marked}\n</details>\n{answer[:first]}'
    parts += buffer.replace(len(OPENING), closing)
    for piece in pieces(data, answer[first:]):
        parts += buffer.append(piece)
    assert fold(parts + buffer.finish()) == (reasoning, answer)


@given(st.data(), st.lists(st.sampled_from([*FRAGMENTS, OPENING, "</details>\n", '<glm_block x="1">', "</glm_block>"])))
@settings(max_examples=300)
def test_any_buffer_splits_the_same_wherever_it_is_cut(data: st.DataObject, fragments: list[str]) -> None:
    whole, cut, text = Splitter(), Splitter(), "".join(fragments)
    expected = whole.feed(text) + whole.finish()
    found = [part for piece in pieces(data, text) for part in cut.feed(piece)] + cut.finish()
    assert fold(found) == fold(expected)
    assert [part for part in found if isinstance(part, Block)] == [part for part in expected if isinstance(part, Block)]


@given(st.lists(st.tuples(st.integers(-2, 12), st.text("abc ", max_size=9))))
def test_every_place_of_the_answer_is_sent_once_whatever_is_edited(edits: list[tuple[int, str]]) -> None:
    buffer, model, sent, longest = Buffer(), "", "", 0
    for index, text in edits:
        model = model[: max(index, 0)] + text
        sent += fold(buffer.replace(index, text))[1]
        longest = max(longest, len(model))
    sent += fold(buffer.finish())[1]
    assert len(sent) == longest


def test_a_megabyte_in_small_pieces_is_split_without_reading_it_again() -> None:
    line = "some words < 3 and\n> "
    whole = f"{OPENING}>\n> {line * 15_000}\n</details>\n{line * 15_000}<glm_block x='y'>{line * 15_000}</glm_block>."
    buffer = Buffer()
    parts = [part for start in range(0, len(whole), 3) for part in buffer.append(whole[start : start + 3])]
    reasoning, answer = fold(parts + buffer.finish())
    assert answer == line * 15_000 + "."
    assert reasoning == line.replace("> ", "") * 15_000
