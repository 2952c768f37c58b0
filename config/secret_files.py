"""Secrets that stand in files, as container platforms hand them over: `NAME_FILE` has the path, the file the value."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from config.environment import CALLER_KEYS
from config.layers import Layer
from config.vendors import VENDORS

SUFFIX = "_FILE"
REDIS_PASSWORD = "REDIS_PASSWORD"  # noqa: S105 - a variable's name
SECRETS = frozenset(
    {CALLER_KEYS, REDIS_PASSWORD, "REDIS_URL", *(v.key_variable for v in VENDORS.values() if v.key_variable)}
)
"""The variables that may have a file by themselves; others may for `${NAME}` in the YAML file."""
REDIS_URL_PATH = ("store", "redis_url")


class Variables(dict[str, str]):
    """Variables, with the values of those that stand in files.

    `problems` tells of files that cannot be read. What nobody asks for is not read: `SSL_CERT_FILE` is no secret.
    """

    def __init__(self, given: Mapping[str, str], directory: Path, source: str = "") -> None:
        """`source` says in messages where the variables were found (" in .env")."""
        super().__init__({name: value for name, value in given.items() if value.strip()})
        self.problems: list[str] = []
        self._directory = directory
        self._source = source
        for name in sorted(SECRETS):
            if name in self and name + SUFFIX in self:
                self.problems.append(f"{name}{source}: is given and so is {name}{SUFFIX}; set one of them")
            elif name + SUFFIX in self:
                value = self._read(name, self.pop(name + SUFFIX))
                if value is not None:
                    self[name] = value

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # text alone
        """The value of `name`, or of the file that `NAME_FILE` names."""
        if name in self:
            return self[name]
        file = super().get(name + SUFFIX)
        value = self._read(name, file) if file is not None and not name.endswith(SUFFIX) else None
        return default if value is None else value

    def _read(self, name: str, file: str) -> str | None:
        try:
            text = (self._directory / file.strip()).read_text(encoding="utf-8-sig")  # some editors begin with a mark
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            self.problems.append(f"{name}{SUFFIX}{self._source}: {file!r} cannot be read: {reason}")
            return None
        # Several keys may stand one a line; in a variable they are separated by commas.
        return ",".join(_lines(text)) or None


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip())


def with_password(layer: Layer, password: str | None) -> None:
    """Put the password of redis into its address, unless that has one."""
    url, origin = layer.get(REDIS_URL_PATH), layer.origins.get(REDIS_URL_PATH)
    if not password or not isinstance(url, str) or "://" not in url:
        return
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    user, _, host = place.rpartition("@")
    if ":" not in user and origin is not None:
        layer.put(REDIS_URL_PATH, f"{scheme}://{user}:{quote(password, safe='')}@{host}{slash}{path}", origin)
