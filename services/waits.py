"""How long it is until a target may be asked."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from schemas.model import Target
from services.circuits import Circuits
from services.site import Need, Site


class Waiting(Protocol):
    """What would be asked: what of a key is needed, and what was met on the way.

    `sole`: there is one target only. `closed` are those that a limit of their own has no room in, with the seconds
    until it has. `told_wait` are the seconds that the last failure says to wait.
    """

    sole: bool
    closed: dict[tuple[str, str], float | None]

    @property
    def told_wait(self) -> float: ...

    def need(self, target: Target, site: Site) -> Need: ...


class Waits:
    """Knows it from the keys and the circuits as they are, whatever was tried; in seconds, 0 for now."""

    def __init__(self, sites: Mapping[str, Site], circuits: Circuits) -> None:
        self._sites = sites
        self._circuits = circuits

    def soonest(self, run: Waiting, targets: Iterable[Target]) -> float | None:
        """Until the first of the targets may be asked with any of its keys; None when nobody knows."""
        waits = (self._of(run, target) for target in targets)
        return min((wait for wait in waits if wait is not None), default=None)

    def of_key(self, run: Waiting, target: Target, key: str) -> float | None:
        """Until the target may be asked with the key of that id; None when that does not come back by itself."""
        site = self._sites[target.provider]
        return self._behind_circuit(run, target, site.opens_in(run.need(target, site), only=key))

    def _of(self, run: Waiting, target: Target) -> float | None:
        if (target.provider, target.model) in run.closed:
            return run.closed[target.provider, target.model]
        site = self._sites[target.provider]
        if not site.has_pool:
            return run.told_wait or None
        return self._behind_circuit(run, target, site.opens_in(run.need(target, site)))

    def _behind_circuit(self, run: Waiting, target: Target, wait: float | None) -> float | None:
        return wait if wait is None or run.sole else max(wait, self._circuits.wait(target))
