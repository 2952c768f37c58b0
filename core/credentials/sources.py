"""Where credentials come from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from os import fstat
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from config.settings import KeyLimitSettings, KeySettings, ProviderSettings
from core.credentials.token_file import NUMBERS, Entry, parse
from core.prompt_cache.rules import GENERIC, family_of
from schemas.credential import Credential
from schemas.limit import KeyLimits

ANYBODYS = GENERIC | {"ollama"}
"""Kinds whose vendor is whoever is at the address."""

PLAN = "plan"
"""The purse of what is paid by a flat fee."""


@dataclass(frozen=True, slots=True)
class Common:
    """What all credentials of one place have in common; `limits` are those of one of which none are said."""

    provider: str
    limits: KeyLimitSettings = field(default_factory=KeyLimitSettings)
    vendor: str | None = None
    purse: str = ""


class FileSource:
    """The tokens of a file, read again when it has changed.

    `problem` says why the newest content could not be used, without showing any of it; None when it could. A file that
    does not exist holds no tokens.
    """

    def __init__(self, common: Common, path: Path, before: "FileSource | None" = None) -> None:
        """`before` is who has read this file, or another, until now."""
        self.path = path
        self.credentials: tuple[Credential, ...] = ()
        if before is not None and before.path == path:
            self.credentials = before.credentials
        self.problem: str | None = None
        self._common = common
        self._seen: object = None
        self._log = structlog.get_logger(__name__)

    def poll(self) -> tuple[Credential, ...] | None:
        """The new list when the file has changed, by size, time or inode, and can be used; None when the list stays."""
        try:
            content = self._read()
            if content is None:
                return None
            self.credentials = _credentials(self._common, parse(content))
        except ValueError as error:
            self._refuse(str(error))
            return None
        self.problem = None
        return self.credentials

    def _read(self) -> bytes | None:
        """The content if it has changed since the last call, an empty list's for a missing file."""
        try:
            with self.path.open("rb") as file:
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
        self.problem = f"{self.path} {problem}"
        self._log.warning("token_file_broken", problem=self.problem, kept=len(self.credentials))


class ProviderSource:
    """All credentials of one provider instance: the keys in its settings, then the tokens of its file.

    A key that stands in several places is what the first of them says: `keys`, `api_keys`, the file. An instance that
    is asked without a key has one credential that is empty.
    """

    def __init__(self, provider: str, settings: ProviderSettings, before: "ProviderSource | None" = None) -> None:
        """`before` has the tokens that hold while the file cannot be used."""
        common = _common(provider, settings)
        bare = (Entry(secret) for key in settings.api_keys if (secret := key.get_secret_value().strip()))
        unsigned = (Credential(provider, ""),) if settings.auth == "none" else ()
        known = (_credential(_common(provider, settings, key.base_url), _entry(key)) for key in settings.keys)
        self._keys = (*_unique((*known, *_credentials(common, bare))), *unsigned)
        self.file = self._opened(common, settings.token_file, before)
        self._polled = False

    def _opened(self, common: Common, path: Path | None, before: "ProviderSource | None") -> FileSource | None:
        return FileSource(common, path, before.file if before is not None else None) if path else None

    @property
    def problem(self) -> str | None:
        """Why the file's newest content could not be used."""
        return self.file.problem if self.file else None

    def poll(self) -> tuple[Credential, ...] | None:
        """All credentials the first time and whenever the file has changed; None when they stay as they are."""
        tokens = self.file.poll() if self.file else None
        first, self._polled = not self._polled, True
        if tokens is None and not first:
            return None
        return _unique((*self._keys, *(self.file.credentials if self.file else ())))


def _common(provider: str, settings: ProviderSettings, url: str | None = None) -> Common:
    """What holds for credentials of the instance that are used at `url`, its own address unless given."""
    vendor = family_of(settings.kind, provider)
    if settings.kind in ANYBODYS:
        vendor = _host(url or settings.base_url) or provider
    return Common(provider, settings.key_limits, vendor, PLAN if settings.flat_fee(url) else "")


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _entry(key: KeySettings) -> Entry:
    numbers = {name: value for name in NUMBERS if (value := getattr(key, name)) is not None}
    return Entry(key.key.get_secret_value(), key.name, key.account, numbers)


def _credentials(common: Common, entries: Iterable[Entry]) -> tuple[Credential, ...]:
    return _unique(_credential(common, entry) for entry in entries)


def _credential(common: Common, entry: Entry) -> Credential:
    said = {**common.limits.model_dump(), **entry.numbers}
    limits = KeyLimits(said["requests_per_minute"], said["input_tokens_per_minute"], said["output_tokens_per_minute"])
    return Credential(
        common.provider,
        entry.token,
        entry.name,
        said.get("weight", 1),
        priority=said.get("priority", 0),
        slots=said["slots"],
        account=entry.account,
        limits=limits,
        vendor=common.vendor,
        purse=common.purse,
    )


def _unique(credentials: Iterable[Credential]) -> tuple[Credential, ...]:
    first: dict[str, Credential] = {}
    for credential in credentials:
        first.setdefault(credential.secret, credential)
    return tuple(first.values())
