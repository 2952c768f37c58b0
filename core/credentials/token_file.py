"""The forms a token file may have."""

from dataclasses import dataclass, field
from typing import Any

from schemas import codec

LARGEST_WEIGHT = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One token of the file."""

    token: str = field(repr=False)
    name: str | None = None
    weight: int = 1


def parse(content: bytes) -> list[Entry]:
    """The entries of a list of strings or objects (`token`, `name`, `weight`), or of `{"tokens": [that list]}`.

    Surrounding white space is dropped, empty tokens are left out. Raises ValueError saying what is wrong with which
    entry, counted from 0, and showing none of it.
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
    return Entry(_token(index, fields.get("token")), _name(index, fields.get("name")), _weight(index, fields))


def _token(index: int, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'has an entry {index} without a string "token"')  # noqa: TRY004 - as above
    token = value.strip()
    if not all("!" <= character <= "~" for character in token):
        raise ValueError(f"has an entry {index} whose token holds spaces or characters that no header can carry")
    return token


def _name(index: int, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f'has an entry {index} whose "name" is not a string')
    return value.strip() or None if value else None


def _weight(index: int, fields: dict[str, Any]) -> int:
    weight = fields.get("weight", 1)
    if type(weight) is not int or not 1 <= weight <= LARGEST_WEIGHT:
        raise ValueError(f'has an entry {index} whose "weight" is not a whole number from 1 to {LARGEST_WEIGHT}')
    return weight
