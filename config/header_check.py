"""Which headers of the configuration can be sent."""

import re

from pydantic import SecretStr

from config.masking import mask_text

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
OWN_HEADERS = frozenset({"connection", "content-length", "content-type", "host", "transfer-encoding"})
"""Headers that say how a request is sent, which no setting may change."""


def sendable(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """The headers. Raises ValueError for one that cannot be sent, or that is the gateway's own."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{mask_text(repr(name))} is no name of a header")
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"the header {name} is the gateway's own")
        if not _VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of the header {name} cannot be sent")
    return headers
