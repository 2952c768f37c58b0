"""Circuits: the breakers in front of every target and every provider instance, known to all workers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from config.settings import CircuitSettings
from core.breaker import OF_ALL_MODELS, OF_ONE_MODEL, WHOLE, Circuit, CircuitState, closed, outage
from core.clock import Clock
from core.errors import CircuitOpen, GatewayError, StoreUnavailable
from core.store.base import Record, Store
from schemas.model import Target

KIND = "circuit"
PROBE_SECONDS = 60.0
"""How long a half-open circuit waits for its one request before it lets another one through."""
PROBED_WAIT = 1.0
"""Seconds to wait for what another request is finding out."""
FORGOTTEN_SECONDS = 3600.0
MAX_CIRCUITS = 2000
"""How many are kept in this process: callers may make up the names of models."""
SHARED = ("state", "opened", "open_until", "changed_at", "reason")
SEVERITY: Mapping[CircuitState, int] = {"closed": 0, "half_open": 1, "open": 2}
"""The states as the metric tells them."""


def key_of(target: Target) -> str:
    """The name of the circuit of one model at one provider."""
    return f"{target.provider}/{target.model}"


@dataclass(slots=True)
class Permit:
    """The right to try a target once; given back exactly once. `probes` are the circuits it is the one request of."""

    circuits: "Circuits"
    target: Target
    began: float
    probes: tuple[str, ...] = ()

    def begun(self) -> None:
        """Content has come."""
        self.circuits.succeeded(self)

    def failed(self, error: GatewayError, host: str = WHOLE) -> None:
        """The try failed before content came; what is not the provider's own fault is not counted.

        `host` is where it was sent, of a provider whose keys are used at several.
        """
        if outage(error):
            self.circuits.failed(self, error, host)

    def release(self) -> None:
        """The try is over, or was never made; another request may be the next probe."""
        self.circuits.release(self)


class Circuits:
    """Decides in this process, without a trip to the store but for the one request of a half-open circuit.

    Failures are counted by each worker for itself; that a circuit opened or closed is written at once, and read by the
    others with `sync`, about once a second. While the shared home is away each worker goes on alone.
    """

    def __init__(self, settings: CircuitSettings, store: Store, clock: Clock, worker_id: str) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._worker_id = worker_id
        self._circuits: dict[str, Circuit] = {}
        self._probing: dict[str, float] = {}
        self._news: set[str] = set()
        self._log = structlog.get_logger(__name__)
        self._read(lambda: store.records.all(KIND))

    def configure(self, settings: CircuitSettings) -> None:
        """Judge by these from now on; what is open stays open as long as was said."""
        self._settings = settings

    def admit(self, target: Target, *, sole: bool = False) -> Permit:
        """The right to try `target` now; a `sole` target may always be tried, since the breaker only chooses.

        Raises CircuitOpen. Takes a trip to the store only when a circuit is half-open.
        """
        now = self._clock.now()
        names = [] if sole else self._not_closed(target)
        for name in names:
            if wait := self._circuits[name].wait(now):
                raise self._refusal(target, name, wait)
        permit = Permit(self, target, now)
        for name in names:
            if not self._take_probe(name, now):
                permit.release()
                raise self._refusal(target, name, PROBED_WAIT)
            permit.probes = (*permit.probes, name)
        return permit

    def wait(self, target: Target) -> float:
        """Seconds until a request may try the target; 0 for now, as far as this worker knows. Takes no probe."""
        now = self._clock.now()
        return max((self._wait(name, now) for name in self._not_closed(target)), default=0.0)

    def state(self, name: str) -> CircuitState:
        """How the circuit of that name is."""
        return self.of(name).state

    def of(self, name: str) -> Circuit:
        """What is known of the circuit of that name, now."""
        return self._circuits.get(name, Circuit()).at(self._clock.now())

    def models(self, provider: str) -> list[str]:
        """The models of a provider whose circuits have something to tell."""
        return sorted(name.partition("/")[2] for name in self._names_of(provider))

    def worst(self, provider: str) -> int:
        """The worst state of any circuit of the provider, as the metric tells it."""
        return max(SEVERITY[self.state(name)] for name in (provider, *self._names_of(provider)))

    def succeeded(self, permit: Permit) -> None:
        """Content came; for `Permit`."""
        now = self._clock.now()
        for name in _names(permit.target):
            circuit = self._circuits.get(name, Circuit())
            self._set(name, circuit.success(permit.began, now, self._settings))

    def failed(self, permit: Permit, error: GatewayError, host: str) -> None:
        """The provider failed; for `Permit`."""
        own, provider = _names(permit.target)
        self._failed(own, permit, error, host)
        if not isinstance(error, OF_ONE_MODEL):
            self._failed(provider, permit, error, host if isinstance(error, OF_ALL_MODELS) else permit.target.model)

    def release(self, permit: Permit) -> None:
        """Let others be probes; for `Permit`."""
        probes, permit.probes = permit.probes, ()
        for name in probes:
            self._probing.pop(name, None)
            self._store.counters.unlock(_lock(name), self._worker_id)

    def reset(self, provider: str) -> None:
        """Close every circuit of the provider, on all workers. Raises StoreUnavailable when they cannot be told."""
        self.sync()
        names = (provider, *self._names_of(provider))
        for name in names:
            self._circuits[name] = closed(self._clock.now())
            self._news.discard(name)
        self._log.info("circuit_reset", provider=provider)
        for name in names:
            self._write(name)

    def sync(self) -> None:
        """Share what could not be written at once, and take over what the others know."""
        news, self._news = self._news, set()
        for name in news:
            self._publish(name)
        self._read(lambda: self._store.records.all(KIND))
        self._forget()

    def _failed(self, name: str, permit: Permit, error: GatewayError, part: str) -> None:
        circuit, code = self._circuits.get(name, Circuit()), error.code or error.type
        self._set(name, circuit.failure(code, permit.began, self._clock.now(), self._settings, part))

    def _not_closed(self, target: Target) -> list[str]:
        circuits = self._circuits
        return [name for name in _names(target) if name in circuits and circuits[name].state != "closed"]

    def _wait(self, name: str, now: float) -> float:
        probed = PROBED_WAIT if self._probing.get(name, 0.0) > now else 0.0
        return max(self._circuits[name].wait(now), probed)

    def _names_of(self, provider: str) -> list[str]:
        return [name for name in self._circuits if name.startswith(f"{provider}/")]

    def _take_probe(self, name: str, now: float) -> bool:
        if self._probing.get(name, 0.0) > now:
            return False
        self._probing[name] = now + PROBE_SECONDS
        taken = self._store.counters.lock(_lock(name), self._worker_id, PROBE_SECONDS, now) or self._store.degraded
        if not taken:
            del self._probing[name]
        return taken

    def _set(self, name: str, circuit: Circuit) -> None:
        before = self._circuits.get(name, Circuit())
        self._circuits[name] = circuit
        if circuit.changed_at == before.changed_at:
            return
        if circuit.state == "closed":
            self._log.warning("circuit_closed", circuit=name)
        else:
            seconds = round(circuit.open_until - circuit.changed_at, 1)
            self._log.warning("circuit_opened", circuit=name, reason=circuit.reason, seconds=seconds)
        self._publish(name)

    def _publish(self, name: str) -> None:
        try:
            self._write(name)
        except StoreUnavailable:
            self._news.add(name)

    def _write(self, name: str) -> None:
        own = _record(self._circuits[name])
        self._store.records.change(KIND, name, partial(_newest, own))

    def _read(self, records: Callable[[], Mapping[str, Record]]) -> None:
        try:
            found = records()
        except StoreUnavailable:
            return
        for name, record in found.items():
            if record["changed_at"] > self._circuits.get(name, Circuit()).changed_at:
                self._circuits[name] = Circuit(**{field: record[field] for field in SHARED})

    def _forget(self) -> None:
        """Drop what has been closed, or could have been tried again, for long."""
        now = self._clock.now()
        old = [
            name
            for name, circuit in self._circuits.items()
            if circuit.changed_at and max(circuit.changed_at, circuit.open_until) < now - FORGOTTEN_SECONDS
        ]
        for name in old:
            del self._circuits[name]
            try:
                self._store.records.delete(KIND, name)
            except StoreUnavailable:
                return
        for name in [name for name, circuit in self._circuits.items() if circuit.state == "closed"][:-MAX_CIRCUITS]:
            del self._circuits[name]

    def _refusal(self, target: Target, name: str, wait: float) -> CircuitOpen:
        circuit = self._circuits[name]
        return CircuitOpen(
            f"The circuit of {name} is open after {circuit.reason}; it is tried again in {wait:.0f} s.",
            retry_after=wait,
            details={"provider": target.provider, "model": target.model, "circuit": name, "reason": circuit.reason},
        )


def _names(target: Target) -> tuple[str, str]:
    return key_of(target), target.provider


def _lock(name: str) -> str:
    return f"{KIND}:{name}"


def _record(circuit: Circuit) -> dict[str, Any]:
    return {field: getattr(circuit, field) for field in SHARED}


def _newest(own: Record, known: Record | None) -> Record:
    return known if known is not None and known["changed_at"] > own["changed_at"] else own
