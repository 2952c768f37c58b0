"""The configuration as it is read again while the gateway runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from config.circles import circles
from config.describe import plain
from config.loader import ConfigurationError, Location, files, load_with_places
from config.settings import Settings

FIXED = (
    "server.host",
    "server.port",
    "server.workers",
    "server.data_dir",
    "server.worker_connections",
    "server.head_timeout",
    "server.drain_seconds",
    "server.shutdown_seconds",
    "server.max_requests",
    "telemetry",
    "store.redis_url",
    "store.prefix",
    "store.timeout",
    "store.ca_file",
    "store.sentinel_username",
    "store.sentinel_password",
    "logging.format",
    "logging.file",
    "logging.max_bytes",
    "logging.backup_count",
    "logging.requests.file",
)
"""What a process is started with, and keeps until it ends."""


UNGUARDED = (
    "access.keys: without a key, and without signed tokens, the gateway is open to its own machine; one that runs with "
    "them does not open before it is started anew"
)
"""An emptied file, or a secret that is not there, is a mistake far more often than a wish."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A configuration that can be used. `settings` are to be in effect, `shown` is the same with secrets masked.

    `version` is the same wherever the same is in effect; `needs_restart` names what the files say and is not.
    """

    settings: Settings
    version: str
    shown: Mapping[str, Any]
    needs_restart: tuple[str, ...] = ()


class ConfigurationFiles:
    """Reads all there is to read, and sees by the files' times, sizes and inodes that there is something new."""

    def __init__(
        self,
        problems: Callable[[Settings, Callable[[Location], str]], Sequence[str]],
        more: Callable[[], Iterable[Path]] = tuple,
        environ: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        """`problems` finds mistakes that show by more than the settings alone, and is given what names the places they
        were written at; `more` are files it looks at.

        `environ` and `directory` are as for `load`.
        """
        self._problems = problems
        self._more = more
        self._environ = environ
        self._directory = directory
        self._keys: tuple[Path, ...] = ()
        self._read_at: dict[Path, object] = {}
        self._seen: dict[Path, object] = {}

    def read(self, running: Settings | None = None) -> Reading:
        """What is to be in effect; of `running` what cannot change. Raises ConfigurationError with every mistake."""
        # Ahead of the content: what changes meanwhile is news once more.
        before = self._states(self._paths())
        self._read_at = self._seen = {**before, **self._states(self._keys)}
        wanted, where = load_with_places(self._environ, self._directory)
        self._keys = (wanted.access.jwt.public_key_file,) if wanted.access.jwt.public_key_file else ()
        self._read_at = self._seen = {**before, **self._states(self._keys)}
        settings, needs_restart = (wanted, ()) if running is None else settled(running, wanted)
        # Checked as well with the address that stays.
        problems = [*self._problems(settings, where), *(circles(settings, {}) if needs_restart else ())]
        if running is not None and is_guarded(running) and not is_guarded(settings):
            problems.append(UNGUARDED)
        if problems:
            raise ConfigurationError(problems)
        return Reading(settings, self._version(settings), plain(settings), needs_restart)

    def news(self) -> str | None:
        """A name for what the files say now, when that was never read and has stood for two looks; else None.

        Whoever is writing a file is given the time between the two to end.
        """
        before, self._seen = self._seen, self._states((*self._paths(), *self._keys))
        if self._seen == self._read_at or self._seen != before:
            return None
        return sha256(repr(sorted(self._seen.items())).encode()).hexdigest()[:16]

    def _paths(self) -> tuple[Path, ...]:
        return *files(self._environ, self._directory), *self._more()

    def _states(self, paths: Iterable[Path]) -> dict[Path, object]:
        return {path: _state(path) for path in paths}

    def _version(self, settings: Settings) -> str:
        digest = sha256(repr(_bare(settings)).encode())
        for path in (*self._keys, *self._more()):
            digest.update(path.read_bytes() if path.is_file() else b"")
        return digest.hexdigest()[:12]


def is_guarded(settings: Settings) -> bool:
    """True when callers need a key, or a signed token, by what is configured."""
    return bool(settings.access.keys) or settings.access.jwt.enabled


def settled(running: Settings, wanted: Settings) -> tuple[Settings, tuple[str, ...]]:
    """`wanted` with everything that cannot change as it is in `running`, and the names of what would have changed."""
    changed = tuple(path for path in FIXED if _at(running, path) != _at(wanted, path))
    for path in changed:
        wanted = _with(wanted, path.split("."), _at(running, path))
    return wanted, changed


def _at(settings: BaseModel, path: str) -> Any:
    return reduce(getattr, path.split("."), settings)


def _with(group: Any, path: Sequence[str], value: Any) -> Any:
    inner = value if len(path) == 1 else _with(getattr(group, path[0]), path[1:], value)
    return group.model_copy(update={path[0]: inner})


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino


def _bare(value: Any) -> Any:
    """The value with its secrets, in plain types and a fixed order."""
    if isinstance(value, BaseModel):
        return [(name, _bare(getattr(value, name))) for name in type(value).model_fields]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return [(str(name), _bare(inner)) for name, inner in value.items()]
    if isinstance(value, list | tuple):
        return [_bare(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
