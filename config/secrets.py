"""Every secret that the settings hold."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr


def secrets_of(value: Any) -> Iterator[str]:
    """The values that are masked wherever settings are shown; of an address that holds a password, that as well."""
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        yield text
        yield from _passwords(text)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name))
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from secrets_of(entry)
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from secrets_of(entry)


def _passwords(text: str) -> Iterator[str]:
    try:
        password = urlsplit(text).password
    except ValueError:
        return
    if password:
        yield from {password, unquote(password)}
