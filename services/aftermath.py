"""Aftermath: what follows from an answer for the next one, once it has been given."""

from collections.abc import Callable
from functools import partial

import structlog

from core.errors import UpstreamError
from core.prompt_cache.rules import rules_of
from schemas.model import Target
from services.affinity import Affinity, after
from services.cache_guard import Answered, CacheGuard
from services.routing import RoutingService
from services.run import Run
from services.site import Site

CALLERS_OWN = "callers"
"""Stands for all the keys that callers bring, of which there may be any number."""


def at_once(act: Callable[[], None]) -> None:
    """Do it now."""
    act()


class Aftermath:
    """Binds the conversation where it was answered, and looks what became of its prompt's cache."""

    def __init__(
        self,
        affinity: Affinity,
        guard: CacheGuard,
        routing: RoutingService,
        sites: dict[str, Site],
        later: Callable[[Callable[[], None]], object] = at_once,
    ) -> None:
        """`later` does what takes milliseconds, once the client has its answer."""
        self._affinity = affinity
        self._guard = guard
        self._routing = routing
        self._sites = sites
        self._later = later
        self._log = structlog.get_logger(__name__)

    def ended(self, run: Run) -> None:
        """The whole answer is there: its conversation is bound, whatever becomes of the client. Never raises."""
        try:
            self._bind(run)
        except Exception:  # noqa: BLE001 - the answer has been given
            self._log.exception("aftermath_failed")

    def of(self, run: Run) -> None:
        """Never raises: the answer has been given."""
        try:
            if run.outcome.finish_reason is None:
                self._drop(run)
            self._later(partial(self._looked, run))
        except Exception:  # noqa: BLE001 - the answer has been given
            self._log.exception("aftermath_failed")

    def _looked(self, run: Run) -> None:
        try:
            self._look(run)
        except Exception:  # noqa: BLE001 - the answer has been given
            self._log.exception("aftermath_failed")

    def _bind(self, run: Run) -> None:
        home, credential, target = run.home, run.outcome.credential, run.target
        if home is None or target is None or credential is None:
            return
        # What a busy key was too busy for goes home with the next turn, to the cache it has there.
        if not run.overflows and self._has_choice(run, target) and self._is_meant(run, target):
            place = (target.provider, credential, target.model)
            self._affinity.bind(home, after(run.bound, *place, at=run.sent_at, life=self._life(run, target)))

    def _drop(self, run: Run) -> None:
        tried = [one.credential for one in run.outcome.attempts]
        # What is wrong with the request, or a client that left, says nothing of the key.
        if run.home is not None and isinstance(run.failure, UpstreamError) and run.prefer in tried:
            self._affinity.drop(run.home)

    def _life(self, run: Run, target: Target) -> float:
        """For how many seconds the prompt can be counted on to be cached where it was answered."""
        rules = rules_of(self._sites[target.provider].provider.kind, target.model, target.info)
        usage = run.outcome.usage
        return 0.0 if rules is None else rules.usual_life(long=bool(usage is not None and usage.write_long))

    def _is_meant(self, run: Run, target: Target) -> bool:
        """False for what answered while its stand-in could not: the next turn tries the stand-in again."""
        plan = run.outcome.plan
        return plan is None or plan.stand_in is None or target in plan.standing_in

    def _has_choice(self, run: Run, target: Target) -> bool:
        """True when the next turn could go elsewhere; else there is nothing to remember."""
        others = len(run.outcome.plan.candidates) > 1 if run.outcome.plan is not None else False
        return others or self._sites[target.provider].has_choice

    def _look(self, run: Run) -> None:
        outcome, target = run.outcome, run.target
        if outcome.finish_reason is None or target is None or run.sent is None:
            return
        site = self._sites[target.provider]
        self._guard.look(
            Answered(
                request=run.request,
                model=self._routing.canonical(outcome.model),
                served=self._routing.canonical(target.info.id),
                tenant=run.call.origin.tenant,
                upstream=run.sent,
                target=target,
                kind=site.provider.kind,
                account=run.account,
                credential=(outcome.credential or "") if site.has_pool else CALLERS_OWN,
                started=run.sent_at,
                begun=run.begun_at,
                usage=outcome.usage,
                diagnostics=run.diagnostics,
                notional=outcome.notional,
            )
        )
