"""ProviderService: every provider instance as an operator sees it, from what is known already."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from config.settings import ProviderSettings
from core.breaker import Circuit
from core.clock import Clock
from core.errors import NotFound
from core.store.base import Records
from schemas.credential import Credential, TokenInfo
from services.circuits import Circuits
from services.reachability import Reachability
from services.tokens import TokenService
from services.traffic import Figures, Traffic


class ProviderService:
    """Tells circuits, credentials, limits, latency and errors, with the news of all workers; makes no call."""

    def __init__(
        self,
        settings: Mapping[str, ProviderSettings],
        circuits: Circuits,
        tokens: TokenService,
        traffic: Traffic,
        reachability: Reachability,
        records: Records,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._circuits = circuits
        self._tokens = tokens
        self._traffic = traffic
        self._reachability = reachability
        self._records = records
        self._clock = clock

    def listing(self) -> list[dict[str, Any]]:
        """Every configured instance."""
        self._refresh()
        credentials = self._tokens.infos()
        return [self._entry(name, [one for one in credentials if one.provider == name]) for name in self._settings]

    def one(self, name: str) -> dict[str, Any]:
        """One instance. Raises NotFound."""
        self._known(name)
        self._refresh()
        return self._entry(name, [one for one in self._tokens.infos() if one.provider == name])

    def reset(self, name: str) -> dict[str, Any]:
        """Close every circuit of the instance on all workers.

        Raises NotFound, or StoreUnavailable when they cannot be told.
        """
        self._known(name)
        self._circuits.reset(name)
        return self.one(name)

    def _known(self, name: str) -> None:
        if name not in self._settings:
            raise NotFound(f"There is no provider {name[:100]!r}.", param="name")

    def _refresh(self) -> None:
        self._circuits.sync()
        self._tokens.sync()
        self._traffic.sync(self._records)
        self._reachability.sync(self._records)

    def _entry(self, name: str, credentials: list[TokenInfo]) -> dict[str, Any]:
        settings, figures = self._settings[name], self._traffic.of(name)
        return {
            "name": name,
            "kind": settings.kind,
            "base_url": masked(settings.base_url),
            "key_base_urls": _own_addresses(name, settings),
            "enabled": settings.enabled,
            "auth": settings.auth,
            "circuit": self._circuit(name),
            "targets": [
                {"model": model, "circuit": self._circuit(f"{name}/{model}")} for model in self._circuits.models(name)
            ],
            "credentials": {"total": len(credentials), **Counter(_standing(one) for one in credentials)},
            "cooling_models": Counter(model for one in credentials for model in one.cooling_models),
            "limits": {one.id: limits for one in credentials if (limits := one.model_dump(mode="json").get("limits"))},
            "requests": {"succeeded": figures.successes, "failed": figures.failures},
            "latency": _latency(figures),
            "last_errors": [{**error, "at": _moment(error["at"])} for error in reversed(figures.errors)],
            "reachability": self._reached(name),
        }

    def _circuit(self, name: str) -> dict[str, Any]:
        circuit, now = self._circuits.of(name), self._clock.now()
        return {
            "state": circuit.state,
            "failures_in_a_row": circuit.in_a_row,
            "opened": circuit.opened,
            "retry_in_seconds": _wait(circuit, now),
            "reason": circuit.reason,
            "since": _moment(circuit.changed_at) if circuit.changed_at else None,
        }

    def _reached(self, name: str) -> dict[str, Any]:
        evidence = self._reachability.of(name)
        return {
            "reachable": evidence.reachable,
            "last_success": _moment(evidence.succeeded) if evidence.succeeded else None,
            "last_failure": _moment(evidence.failed) if evidence.failed else None,
            "error": evidence.error,
        }


def masked(url: str) -> str:
    """Scheme, host, port and path of an address: what else stands in it may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _own_addresses(name: str, settings: ProviderSettings) -> dict[str, str]:
    """Where those keys are used that have an address of their own, by their ids."""
    given = [(key.key.get_secret_value(), key.base_url) for key in settings.keys]
    return {Credential(name, secret).id: masked(url) for secret, url in reversed(given) if url is not None}


def _standing(credential: TokenInfo) -> str:
    """Its state, unless no request can have it for a while although that is good."""
    cools = credential.cooldown_until is not None and credential.status != "blacklisted"
    return "cooling_down" if cools else credential.status


def _wait(circuit: Circuit, now: float) -> float | None:
    return round(circuit.wait(now), 1) if circuit.state == "open" else None


def _latency(figures: Figures) -> dict[str, Any]:
    ninety_fifth = figures.percentile(0.95)
    return {
        "average_seconds": None if figures.average is None else round(figures.average, 4),
        "p95_seconds": None if ninety_fifth is None else round(ninety_fifth, 4),
        "samples": len(figures.latencies),
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
