"""ConfigurationService: which configuration is in effect, and how another takes its place while requests run."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import psutil
import structlog
from gevent import sleep
from gevent.lock import RLock

from core.clock import Clock
from core.errors import Conflict, StoreUnavailable
from core.store.base import Counters
from services.census import Census
from services.configuration_parts import (
    Attempt,
    Reading,
    Source,
    Trigger,
    counted,
    invalid,
    moment,
    problems_in,
    worker_told,
)
from services.telemetry import Telemetry

LOOK_SECONDS = 1.0
TOLD_ONCE_SECONDS = 5.0
"""For so long one worker's word is enough for all."""
PATIENCE = 10.0
"""Seconds in which every worker should have followed."""
PAUSE = 0.05


class ConfigurationService:
    """A configuration is read and judged whole, then takes effect at once, or not at all."""

    def __init__(
        self,
        counters: Counters,
        telemetry: Telemetry,
        clock: Clock,
        worker_id: str,
        pause: Callable[[float], object] = sleep,
    ) -> None:
        """`pause` waits for so many seconds."""
        self._pause = pause
        self._counters = counters
        self._telemetry = telemetry
        self._clock = clock
        self._worker_id = worker_id
        self._census: Census | None = None
        self._source: Source | None = None
        self._reading: Reading | None = None
        self._loaded_at = clock.now()
        self._last = Attempt(self._loaded_at, "start")
        self._asked: Trigger | None = None
        self._turn = RLock()
        self._log = structlog.get_logger(__name__)

    def join(self, census: Census) -> None:
        """Let the others know by `census`, and be told of them."""
        self._census = census

    def begin(self, reading: Reading, source: Source) -> None:
        """This is in effect, and that is where the next one comes from. Without it nothing is ever read again."""
        self._reading, self._source = reading, source
        self._show(ok=True)

    def look(self) -> None:
        """Take over what is new in the files: every second."""
        news = self._source.news() if self._source is not None else None
        if news is None or self._source is None:
            return
        if self._source.announce is None:
            self.reload("file")
        elif self._first_to_say(news):
            self._asked = "file"
            self._source.announce()

    def reload(self, trigger: Trigger) -> bool:
        """Read the files and go by them in this worker; False when they cannot be used, and nothing has changed."""
        with self._turn:
            source, before = self._parts()
            trigger, self._asked = self._asked or trigger, None
            try:
                reading = source.read(before.settings)
                if reading.version != before.version:
                    source.apply(reading.settings)
            except ValueError as error:
                self._reject(trigger, problems_in(error))
                return False
            except Exception:  # noqa: BLE001 - whatever it is, what is in effect goes on
                self._log.exception("config_failed", trigger=trigger)
                self._reject(trigger, ("it cannot be put into effect; the log tells why",))
                return False
            self._accept(trigger, before, reading)
            return True

    def request(self, by: str) -> dict[str, Any]:
        """Have every worker of this gateway go by the files, and tell how it went; `by` asks for it.

        Raises ConfigurationInvalid when they have mistakes, and Conflict when this gateway goes by no files.
        """
        source, before = self._parts()
        with self._turn:
            self._log.info("config_reload_requested", by=by)
            earlier = self._last
            try:
                reading = source.read(before.settings)
            except ValueError as error:
                problems = problems_in(error)
                self._reject("request", problems)
                raise invalid(problems) from error
        if source.announce is None:
            followed = self.reload("request")
        else:
            self._asked = "request"
            source.announce()
            followed = self._all_followed(reading, earlier)
        if self._last is not earlier and self._last.problems:
            raise invalid(self._last.problems)
        return {
            "object": "config.reload",
            "changed": reading.version != before.version,
            "complete": followed,
            **self._standing(reading.version),
        }

    def told(self) -> dict[str, Any]:
        """What is in effect, since when, on which workers, and what became of the last reload. Raises Conflict."""
        _, reading = self._parts()
        return {"object": "config", **self._standing(reading.version), "settings": reading.shown}

    def rejected(self) -> str | None:
        """Why the files are not what is in effect; None when they are."""
        problems = self._last.problems
        if not problems:
            return None
        return f"the configuration on disk has {counted(problems)} and is not in effect: {problems[0]}"

    def of_this_worker(self) -> dict[str, Any]:
        """What the other workers may know of this one's configuration."""
        if self._source is None or self._reading is None:
            return {}
        return {
            "gateway": self._source.gateway,
            "version": self._reading.version,
            "loaded_at": self._loaded_at,
            "rejects": bool(self._last.problems),
        }

    def _accept(self, trigger: Trigger, before: Reading, reading: Reading) -> None:
        is_news, self._reading = reading.version != before.version, reading
        now = self._clock.now()
        self._last = Attempt(now, trigger)
        if is_news:
            self._loaded_at = now
        event = "config_reloaded" if is_news else "config_unchanged"
        self._log.info(event, version=reading.version, trigger=trigger, needs_restart=list(reading.needs_restart))
        self._show(ok=True)

    def _reject(self, trigger: Trigger, problems: tuple[str, ...]) -> None:
        self._last = Attempt(self._clock.now(), trigger, problems)
        if self._first_to_say("\n".join(problems)):
            self._log.error("config_rejected", trigger=trigger, problems=list(problems), in_effect=self._version)
        self._show(ok=False)

    def _show(self, *, ok: bool) -> None:
        self._telemetry.configuration_read(ok=ok, loaded_at=self._loaded_at)
        try:
            if self._census is not None:
                self._census.show()
        except StoreUnavailable:
            return

    def _standing(self, version: str) -> dict[str, Any]:
        return {
            "version": self._version,
            "loaded_at": moment(self._loaded_at),
            "needs_restart": list(self._reading.needs_restart) if self._reading is not None else [],
            "last_reload": self._last.told(),
            "workers": [worker_told(name, one, version) for name, one in sorted(self._workers().items())],
        }

    def _workers(self) -> dict[str, Mapping[str, Any]]:
        """What is known of every worker of this gateway; of this one alone while the store is away."""
        own = self.of_this_worker()
        try:
            known = self._census.lately() if self._census is not None else {}
        except StoreUnavailable:
            known = {}
        ours = [name for name, one in known.items() if one.get("gateway") == own.get("gateway") and _lives(name)]
        return {**{name: known[name] for name in ours}, self._worker_id: own}

    def _all_followed(self, wanted: Reading, earlier: Attempt) -> bool:
        """Wait until every worker goes by what is wanted; False when this one will not, or that takes too long."""
        until = self._clock.monotonic() + PATIENCE
        while self._clock.monotonic() < until and (self._last is earlier or not self._last.problems):
            workers = self._workers()
            if all(one["version"] == wanted.version for one in workers.values()):
                return len(workers) >= wanted.settings.workers
            self._pause(PAUSE)
        return False

    def _first_to_say(self, what: str) -> bool:
        """True for one of the workers that have the same to say; for each of them while the store is away."""
        gateway = self._source.gateway if self._source is not None else ""
        name = f"configuration:{gateway}:{sha256(what.encode()).hexdigest()[:16]}"
        try:
            return self._counters.lock(name, self._worker_id, TOLD_ONCE_SECONDS, self._clock.now())
        except StoreUnavailable:
            return True

    @property
    def _version(self) -> str:
        return self._reading.version if self._reading is not None else ""

    def _parts(self) -> tuple[Source, Reading]:
        if self._source is None or self._reading is None:
            raise Conflict("This gateway goes by no files that could be read again.")
        return self._source, self._reading


def _lives(worker_id: str) -> bool:
    """False for a worker of this machine that was killed."""
    pid = worker_id.partition("-")[0]
    return not pid.isdecimal() or psutil.pid_exists(int(pid))
