"""HealthService: how the gateway is, from what is known already."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from config.settings import HealthSettings
from core.clock import Clock
from core.store.base import Store
from schemas.health import HealthCheck, HealthResponse, HealthStatus
from services.closing import Closing
from services.memory import memory_share
from services.reachability import Reachability
from services.tokens import TokenService

SEVERITY: tuple[HealthStatus, ...] = ("healthy", "degraded", "unhealthy")


class HealthService:
    """Looks at providers, tokens, store, memory and disk; asks no provider anything."""

    def __init__(
        self,
        providers: Sequence[str],
        reachability: Reachability,
        tokens: TokenService,
        store: Store,
        settings: HealthSettings,
        data_dir: Path,
        clock: Clock,
        closing: Closing,
        began: float | None = None,
        rejected: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`began` is when the process did (monotonic), now unless given; `rejected` tells of a configuration that is
        on disk and not in effect."""
        self._closing = closing
        self._providers = tuple(providers)
        self._reachability = reachability
        self._tokens = tokens
        self._store = store
        self._settings = settings
        self._data_dir = data_dir
        self._clock = clock
        self._began = clock.monotonic() if began is None else began
        self._rejected = rejected

    def report(self) -> HealthResponse:
        """Every check, and the worst of them as the whole."""
        checks = {
            "glm": self._check_providers(),
            "tokens": self._check_tokens(),
            "store": self._check_store(),
            "memory": self._check_memory(),
            "disk": self._check_disk(),
            "configuration": self._check_configuration(),
        }
        worst = max((check.status for check in checks.values()), key=SEVERITY.index)
        return HealthResponse(
            status=worst,
            timestamp=datetime.fromtimestamp(self._clock.now(), UTC),
            uptime_seconds=round(self._clock.monotonic() - self._began, 3),
            checks=checks,
        )

    def not_ready(self) -> str | None:
        """Why no traffic should be sent here, or None. Tokens that cool down are no reason: that is told in a 429."""
        if self._closing.draining:
            return "the gateway is shutting down"
        return None if self._tokens.infos() or self._tokens.usable_count() else "no token is configured"

    def _check_providers(self) -> HealthCheck:
        states = {name: self._reachability.of(name) for name in self._providers}
        lost = [f"{name} ({state.error})" for name, state in states.items() if state.reachable is False]
        figures = {name: {True: "reachable", False: "unreachable", None: "no traffic yet"}[state.reachable]
                   for name, state in states.items()}  # fmt: skip
        if not lost:
            return HealthCheck(status="healthy", reason="no provider failed lately", figures=figures)
        status: HealthStatus = "unhealthy" if len(lost) == len(states) else "degraded"
        return HealthCheck(status=status, reason=f"failing: {', '.join(lost)}", figures=figures)

    def _check_tokens(self) -> HealthCheck:
        total, available = len(self._tokens.infos()), self._tokens.available_count()
        usable = self._tokens.usable_count()
        figures = {"total": total, "available": available, "usable": usable}
        problems = "; ".join(self._tokens.problems().values())
        if usable == 0:
            reason = problems or ("no token is configured" if total == 0 else "no token can be used now")
            return HealthCheck(status="unhealthy", reason=reason, figures=figures)
        if available < total or problems:
            reason = problems or f"{total - available} of {total} tokens are degraded, cooling down or blacklisted"
            return HealthCheck(status="degraded", reason=reason, figures=figures)
        reason = f"{available} available" if total else "callers bring their own"
        return HealthCheck(status="healthy", reason=reason, figures=figures)

    def _check_store(self) -> HealthCheck:
        answers = self._store.ping()
        if self._store.degraded or not answers:
            reason = "the shared store cannot be reached; this process counts alone"
            return HealthCheck(status="degraded", reason=reason)
        return HealthCheck(status="healthy", reason="answers")

    def _check_configuration(self) -> HealthCheck:
        reason = self._rejected()
        if reason is None:
            return HealthCheck(status="healthy", reason="in effect")
        return HealthCheck(status="degraded", reason=reason)

    def _check_memory(self) -> HealthCheck:
        share = memory_share()
        status: HealthStatus = "degraded" if share > self._settings.max_memory else "healthy"
        return HealthCheck(status=status, reason=f"{share:.0%} in use", figures={"used_share": round(share, 4)})

    def _check_disk(self) -> HealthCheck:
        place = self._data_dir if self._data_dir.exists() else Path()
        share = psutil.disk_usage(str(place.absolute())).percent / 100
        status: HealthStatus = "degraded" if share > self._settings.max_disk else "healthy"
        return HealthCheck(status=status, reason=f"{share:.0%} in use", figures={"used_share": round(share, 4)})
