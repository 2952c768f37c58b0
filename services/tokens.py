"""The token service: every provider's credentials as one list that is watched, checked, reloaded, reset."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, get_args

import structlog

from config.settings import TokenSettings
from core.clock import Clock
from core.credentials.pool import CredentialPool
from core.credentials.tally import add_costs
from core.errors import GatewayError, NotFound, StoreUnavailable
from core.store.base import Counters
from schemas.credential import Credential, CredentialState, TokenInfo, TokenStatsResponse

Prober = Callable[[Credential], GatewayError | None]
PROBER_LOCK = "token-prober"


class Source(Protocol):
    """Where a provider's credentials come from."""

    @property
    def problem(self) -> str | None: ...

    def poll(self) -> tuple[Credential, ...] | None: ...


class TokenService:
    """Watches over all pools when called by loops outside: `sync` about once a second, `reload` every few seconds.

    `check_health` wants a loop of its own, as it may wait for providers: about once a second, it keeps its interval.
    `pools` and `sources` are by provider name. `prober` asks the provider whether a credential works, at no cost, and
    returns what is wrong or None; the service decides whom it is asked about, and when.
    """

    def __init__(
        self,
        pools: Mapping[str, CredentialPool],
        sources: Mapping[str, Source],
        prober: Prober,
        counters: Counters,
        settings: TokenSettings,
        clock: Clock,
        worker_id: str,
        next_check: float | None = None,
        callers_own: int = 0,
    ) -> None:
        """`next_check` is when the degraded ones are to be looked at (monotonic), after an interval unless given;
        `callers_own` are the providers to which callers bring their keys along."""
        self._pools = pools
        self._sources = sources
        self._prober = prober
        self._counters = counters
        self._settings = settings
        self._clock = clock
        self._worker_id = worker_id
        self._callers_own = callers_own
        latest = clock.monotonic() + settings.health_check_interval
        self.next_check = latest if next_check is None else min(next_check, latest)
        self._log = structlog.get_logger(__name__)

    def infos(self) -> list[TokenInfo]:
        """Every credential of every provider."""
        return [info for pool in self._pools.values() for info in pool.infos()]

    def stats(self) -> TokenStatsResponse:
        """The sums over all credentials, with each one's own figures."""
        return _summary(self.infos())

    def available_count(self) -> int:
        """How many credentials are neither degraded, blacklisted nor cooling down."""
        return sum(pool.available_count() for pool in self._pools.values())

    def usable_count(self) -> int:
        """How many credentials may be chosen now, the degraded ones included.

        Where none are kept here at all, each provider to which callers bring theirs counts as one.
        """
        return sum(pool.usable_count() for pool in self._pools.values()) if self.infos() else self._callers_own

    def problems(self) -> dict[str, str]:
        """Why a provider's token file could not be used, by provider; empty when all is well."""
        return {name: source.problem for name, source in self._sources.items() if source.problem}

    def reset(self, token_id: str) -> TokenInfo:
        """Bring a credential back on all workers. Raises NotFound, or StoreUnavailable when they cannot be told."""
        for pool in self._pools.values():
            if token_id in pool:
                return pool.reset(token_id)
        raise NotFound(f"There is no token with the id {token_id!r}.", param="id")

    def reload(self) -> None:
        """Use the credentials that the sources hold now."""
        for name, source in self._sources.items():
            credentials = source.poll()
            if credentials is not None:
                self._pools[name].replace(credentials)
                self._log.info("tokens_loaded", provider=name, count=len(credentials))

    def sync(self) -> None:
        """Share this worker's news with the others and take over theirs."""
        for pool in self._pools.values():
            pool.sync()

    def check_health(self) -> None:
        """Probe what is degraded, once in every interval and on one worker only; between that do nothing.

        A credential that a success has restored since, on any worker, is not probed; nor is one that cools down.
        """
        if self._clock.monotonic() < self.next_check:
            return
        self.next_check = self._clock.monotonic() + self._settings.health_check_interval
        if not self._is_prober():
            return
        self.sync()
        for pool in self._pools.values():
            self._probe(pool)

    def _is_prober(self) -> bool:
        now = self._clock.now()
        try:
            return self._counters.lock(PROBER_LOCK, self._worker_id, self._settings.health_check_interval, now)
        except StoreUnavailable:
            return False

    def _probe(self, pool: CredentialPool) -> None:
        for credential in pool.suspects():
            # The probe before this one took its time, in which a request may have succeeded.
            if credential in pool.suspects():
                started_at = self._clock.now()
                error = self._prober(credential)
                if credential.id in pool:
                    pool.probed(credential.id, error, started_at)


def _summary(infos: Sequence[TokenInfo]) -> TokenStatsResponse:
    stats = [info.stats for info in infos]
    states = Counter(info.status for info in infos)
    successes = sum(one.successful_requests for one in stats)
    failures = sum(one.failed_requests for one in stats)
    return TokenStatsResponse(
        total_tokens=len(infos),
        tokens_by_status={state: states[state] for state in get_args(CredentialState)},
        total_requests=sum(one.total_requests for one in stats),
        successful_requests=successes,
        failed_requests=failures,
        success_rate=successes / (successes + failures) if successes + failures else None,
        total_input_tokens=sum(one.total_input_tokens for one in stats),
        total_output_tokens=sum(one.total_output_tokens for one in stats),
        total_cost=_total_cost(infos),
        tokens=list(infos),
    )


def _total_cost(infos: Sequence[TokenInfo]) -> float | None:
    total: float | None = None
    for info in infos:
        total = add_costs(total, info.stats.total_cost)
    return total
