"""Tokens are counted roughly, with nothing lost."""

from hypothesis import given
from hypothesis import strategies as st

from demo.tokens import IMAGE_TOKENS, count, count_message, pieces


@given(st.text())
def test_the_pieces_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_words_and_signs_count_one_each() -> None:
    assert (count("Hello, world!"), count("你好"), count("")) == (4, 2, 0)


def test_an_image_counts_the_same_whatever_its_url() -> None:
    turn = count_message({"role": "user", "content": []})
    image = {"type": "image_url", "image_url": {"url": "data:" + "A" * 9_999}}
    assert count_message({"role": "user", "content": [image]}) == turn + IMAGE_TOKENS
