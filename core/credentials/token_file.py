"""The forms a token file may have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas import codec

LARGEST = 2**53
NUMBERS: Mapping[str, tuple[int, int]] = {
    "weight": (1, 1000),
    "priority": (0, 2),
    "slots": (1, LARGEST),
    "requests_per_minute": (1, LARGEST),
    "input_tokens_per_minute": (1, LARGEST),
    "output_tokens_per_minute": (1, LARGEST),
}
"""The fields of an entry that are whole numbers, with the least and the largest of each."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One token with what is said of it; a number that is not said is not among `numbers`."""

    token: str = field(repr=False)
    name: str | None = None
    account: str | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)


def parse(content: bytes) -> list[Entry]:
    """The entries of a list of strings or objects, or of `{"tokens": [that list]}`.

    An object has a `token`, and may have `name`, `account` and the fields of NUMBERS; others are ignored. Surrounding
    white space is dropped, empty tokens are left out. Raises ValueError saying what is wrong with which entry, counted
    from 0, and showing none of it.
    """
    entries = [_entry(index, item) for index, item in enumerate(_items(content))]
    return [entry for entry in entries if entry.token]


def _items(content: bytes) -> list[Any]:
    if not content.strip():
        raise ValueError("is empty")  # a writer may have emptied it a moment before it writes; no tokens is []
    try:
        value = codec.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        raise ValueError("is not valid JSON") from None  # the parser's message may quote the content
    if isinstance(value, dict):
        value = value.get("tokens")
    if not isinstance(value, list):
        raise ValueError('is neither a list nor an object with a list "tokens"')  # noqa: TRY004 - content, not a type
    return value


def _entry(index: int, item: Any) -> Entry:
    fields = {"token": item} if isinstance(item, str) else item
    if not isinstance(fields, dict):
        raise ValueError(f"has an entry {index} that is neither a string nor an object")  # noqa: TRY004 - as above
    token = _token(index, fields.get("token"))
    return Entry(token, _text(index, fields, "name"), _text(index, fields, "account"), _numbers(index, fields))


def _token(index: int, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'has an entry {index} without a string "token"')  # noqa: TRY004 - as above
    token = value.strip()
    if not all("!" <= character <= "~" for character in token):
        raise ValueError(f"has an entry {index} whose token holds spaces or characters that no header can carry")
    return token


def _text(index: int, fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f'has an entry {index} whose "{name}" is not a string')
    return value.strip() or None if value else None


def _numbers(index: int, fields: Mapping[str, Any]) -> dict[str, int]:
    numbers = {}
    for name, (least, most) in NUMBERS.items():
        value = fields.get(name)
        if value is None:
            continue
        if type(value) is not int or not least <= value <= most:
            wanted = f"from {least}" + (f" to {most}" if most < LARGEST else "")
            raise ValueError(f'has an entry {index} whose "{name}" is not a whole number {wanted}')
        numbers[name] = value
    return numbers
