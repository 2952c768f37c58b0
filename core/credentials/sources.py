"""Where credentials come from."""

from collections.abc import Iterable
from os import fstat
from pathlib import Path

import structlog

from config.settings import KeyLimitSettings, KeySettings, ProviderSettings
from core.credentials.token_file import NUMBERS, Entry, parse
from schemas.credential import Credential
from schemas.limit import KeyLimits


class FileSource:
    """The tokens of a file, read again when it has changed.

    `problem` says why the newest content could not be used, without showing any of it; None when it could. A file that
    does not exist holds no tokens.
    """

    def __init__(self, provider: str, path: Path, limits: KeyLimitSettings | None = None) -> None:
        """`limits` are those of a token for which the file has none."""
        self._limits = limits or KeyLimitSettings()
        self.credentials: tuple[Credential, ...] = ()
        self.problem: str | None = None
        self._provider = provider
        self._path = path
        self._seen: object = None
        self._log = structlog.get_logger(__name__)

    def poll(self) -> tuple[Credential, ...] | None:
        """The new list when the file has changed, by size, time or inode, and can be used; None when the list stays."""
        try:
            content = self._read()
            if content is None:
                return None
            self.credentials = _credentials(self._provider, parse(content), self._limits)
        except ValueError as error:
            self._refuse(str(error))
            return None
        self.problem = None
        return self.credentials

    def _read(self) -> bytes | None:
        """The content if it has changed since the last call, an empty list's for a missing file."""
        try:
            with self._path.open("rb") as file:
                stat = fstat(file.fileno())
                return file.read() if self._changed((stat.st_mtime_ns, stat.st_size, stat.st_ino)) else None
        except FileNotFoundError:
            return b"[]" if self._changed("missing") else None
        except OSError as error:
            if self._changed(error.errno):
                self._refuse(f"cannot be read: {error.strerror or type(error).__name__}")
            return None

    def _changed(self, seen: object) -> bool:
        changed, self._seen = seen != self._seen, seen
        return changed

    def _refuse(self, problem: str) -> None:
        """Keep the old list, with one warning for each change."""
        self.problem = f"{self._path} {problem}"
        self._log.warning("token_file_broken", problem=self.problem, kept=len(self.credentials))


class ProviderSource:
    """All credentials of one provider instance: the keys in its settings, then the tokens of its file.

    A key that stands in several places is what the first of them says: `keys`, `api_keys`, the file. An instance that
    is asked without a key has one credential that is empty.
    """

    def __init__(self, provider: str, settings: ProviderSettings) -> None:
        bare = (Entry(secret) for key in settings.api_keys if (secret := key.get_secret_value().strip()))
        unsigned = (Credential(provider, ""),) if settings.auth == "none" else ()
        known = (*map(_entry, settings.keys), *bare)
        self._keys = (*_credentials(provider, known, settings.key_limits), *unsigned)
        file = settings.token_file
        self._file = FileSource(provider, file, settings.key_limits) if file else None
        self._polled = False

    @property
    def problem(self) -> str | None:
        """Why the file's newest content could not be used."""
        return self._file.problem if self._file else None

    def poll(self) -> tuple[Credential, ...] | None:
        """All credentials the first time and whenever the file has changed; None when they stay as they are."""
        tokens = self._file.poll() if self._file else None
        first, self._polled = not self._polled, True
        return _unique((*self._keys, *(tokens or ()))) if first or tokens is not None else None


def _entry(key: KeySettings) -> Entry:
    numbers = {name: value for name in NUMBERS if (value := getattr(key, name)) is not None}
    return Entry(key.key.get_secret_value(), key.name, key.account, numbers)


def _credentials(provider: str, entries: Iterable[Entry], limits: KeyLimitSettings) -> tuple[Credential, ...]:
    return _unique(_credential(provider, entry, limits) for entry in entries)


def _credential(provider: str, entry: Entry, defaults: KeyLimitSettings) -> Credential:
    said = {**defaults.model_dump(), **entry.numbers}
    limits = KeyLimits(said["requests_per_minute"], said["input_tokens_per_minute"], said["output_tokens_per_minute"])
    return Credential(
        provider,
        entry.token,
        entry.name,
        said.get("weight", 1),
        priority=said.get("priority", 0),
        slots=said["slots"],
        account=entry.account,
        limits=limits,
    )


def _unique(credentials: Iterable[Credential]) -> tuple[Credential, ...]:
    first: dict[str, Credential] = {}
    for credential in credentials:
        first.setdefault(credential.secret, credential)
    return tuple(first.values())
