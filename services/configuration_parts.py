"""What a configuration is to those that take it, and how one that cannot be taken is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from config.settings import Settings
from core.errors import ConfigurationInvalid

Trigger = Literal["start", "file", "signal", "request"]


class Reading(Protocol):
    """A configuration that can be used: as settings, as people may see it, and by a name that only this one has.

    `needs_restart` names what the files say and only a restart brings about.
    """

    @property
    def settings(self) -> Settings: ...

    @property
    def version(self) -> str: ...

    @property
    def shown(self) -> Mapping[str, Any]: ...

    @property
    def needs_restart(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Source:
    """Where configurations come from, and who takes them.

    `read` gives what is to follow the settings in effect, or raises ValueError, with `problems` if there are several.
    `news` names what it would be if it has not been read yet. `apply` puts it into effect in this process, or raises
    ValueError and has changed nothing. `announce` has every worker of the gateway reload, this one too; None where this
    is the only one. `gateway` is the name of them all.
    """

    read: Callable[[Settings], Reading]
    news: Callable[[], str | None]
    apply: Callable[[Settings], None]
    gateway: str
    announce: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last time it was read: when (seconds since the epoch), at whose word, and what was wrong with it."""

    at: float
    trigger: Trigger
    problems: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """For people and programs."""
        problems = list(self.problems)
        return {"at": moment(self.at), "trigger": self.trigger, "ok": not problems, "problems": problems}


def problems_in(error: Exception) -> tuple[str, ...]:
    """What is wrong, one sentence for each mistake."""
    return tuple(getattr(error, "problems", ())) or (str(error),)


def invalid(problems: tuple[str, ...]) -> ConfigurationInvalid:
    """What is told to whoever asked for it to be taken."""
    message = f"The configuration has {counted(problems)}, and nothing was changed."
    return ConfigurationInvalid(message, details={"problems": list(problems)})


def counted(problems: tuple[str, ...]) -> str:
    """How many there are, in words."""
    return "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"


def worker_told(name: str, one: Mapping[str, Any], newest: str) -> dict[str, Any]:
    """One worker, and whether it goes by the newest version."""
    return {
        "id": name,
        "version": one["version"],
        "loaded_at": moment(one["loaded_at"]),
        "newest": one["version"] == newest,
        "rejects": one["rejects"],
    }


def moment(at: float) -> str:
    """Seconds since the epoch as people and programs write them."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
