"""The scripts that make several steps in redis one."""

from collections.abc import Mapping
from hashlib import sha1
from pathlib import Path

_FOLDER = Path(__file__).with_name("scripts")
_WITH_WINDOWS = ("take", "correct")


class Script:
    """The text of a script, and the name that redis gives it."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.sha = sha1(source, usedforsecurity=False).hexdigest()


def load_scripts() -> Mapping[str, Script]:
    """Every script by its name, with the functions on windows ahead of those that use them."""
    sources = {file.stem: file.read_bytes() for file in sorted(_FOLDER.glob("*.lua"))}
    windows = sources.pop("windows")
    return {name: Script(windows + text if name in _WITH_WINDOWS else text) for name, text in sources.items()}
