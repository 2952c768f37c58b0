"""Pools of keys with limits, ranks, accounts and slots, on several workers of one home."""

from random import Random
from typing import Any

import pytest

from config.settings import QueueSettings
from core.credentials.fair_queue import FairQueue
from core.credentials.ground import Ground, Manner
from core.credentials.pool import CredentialPool
from core.errors import CredentialsExhausted, GatewayError, NoCredentials
from core.store.memory import MemoryCounters
from schemas.credential import Credential, TokenInfo
from schemas.limit import KeyLimits, LimitFacts, LimitReading
from tests.fakes import FakeClock
from tests.unit.core.credentials_kit import SETTINGS, DictRecords

PER_MODEL = LimitFacts(per_model=True)
REFILLS = LimitFacts(refills=True)
CACHED_FREE = LimitFacts(cached_reads=False)


def key(
    secret: str,
    requests: int | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    **facts: Any,
) -> Credential:
    """A key with what a minute of it may hold."""
    return Credential("p", secret, limits=KeyLimits(requests, input_tokens, output_tokens), **facts)


def reading(kind: Any, remaining: int, resets_at: float | None = None, limit: int | None = 100) -> LimitReading:
    return LimitReading(kind, limit, remaining, resets_at)


class Plant:
    """A home, a clock, and the keys that every worker has; `options` say how the pools share them out."""

    def __init__(self, *keys: Credential, queue: QueueSettings | None = None, **options: Any) -> None:
        self.clock = FakeClock()
        self.records = DictRecords()
        self.counters = MemoryCounters()
        self.keys = keys
        self.queue = queue or QueueSettings()
        self.options = options

    def worker(self, name: str = "one") -> CredentialPool:
        ground = Ground(self.records, self.counters, SETTINGS, self.clock, name, Random(1))
        manner = Manner(queue=FairQueue(self.queue, self.clock), **self.options)
        return CredentialPool("p", self.keys, ground, manner)

    @property
    def now(self) -> float:
        return self.clock.now()


def ident(secret: str) -> str:
    return Credential("p", secret).id


def but(*secrets: str) -> frozenset[str]:
    """The ids to leave out."""
    return frozenset(map(ident, secrets))


def info(pool: CredentialPool, secret: str = "a") -> TokenInfo:
    return next(one for one in pool.infos() if one.id == ident(secret))


def fail(pool: CredentialPool, error: GatewayError, secret: str = "a", model: str = "m") -> None:
    """Let a request with that key end in that error."""
    lease = pool.lease(model=model, prefer=ident(secret))
    assert lease.credential.secret == secret
    lease.fail(error, 0.5)


def fit(pool: CredentialPool, model: str = "m", tokens: int = 0) -> str:
    """The secrets that can be leased now, in the order of the alphabet."""
    found: dict[str, str] = {}
    while True:
        try:
            lease = pool.lease(frozenset(found), model=model, tokens=tokens)
        except (CredentialsExhausted, NoCredentials):
            return "".join(sorted(found.values()))
        found[lease.credential.id] = lease.credential.secret
        lease.abandon()


def wait(pool: CredentialPool, **need: Any) -> float:
    """How long a request is told to wait; fails when it need not."""
    with pytest.raises(CredentialsExhausted) as caught:
        pool.lease(**need)
    assert caught.value.retry_after is not None
    return caught.value.retry_after
