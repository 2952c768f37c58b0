"""What may stand in a header."""

import pytest

from api.header_values import header_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("glm-4.7", "glm-4.7"),
        ("meta/llama 3 (70b):free", "meta/llama 3 (70b):free"),
        ("100%", "100%"),
        ("模型", "%E6%A8%A1%E5%9E%8B"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil: 1"),
        ("50% 模", "50%25 %E6%A8%A1"),
    ],
)
def test_printable_ascii_stands_as_it_is_and_all_else_is_encoded(text: str, value: str) -> None:
    assert header_value(text) == value
