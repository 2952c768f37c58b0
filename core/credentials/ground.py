"""What a pool of credentials stands on, and how it shares them out."""

from dataclasses import dataclass, field
from random import Random

from config.settings import TokenSettings
from core.clock import Clock
from core.credentials.accounts import Accounts
from core.credentials.fair_queue import FairQueue
from core.credentials.verdicts import ErrorHook
from core.store.base import Counters, Records
from schemas.limit import PLAIN, LimitFacts


@dataclass(frozen=True, slots=True)
class Ground:
    """What all pools of one worker have in common.

    `counters` hold slots and permits, `accounts` are those of all pools, and `on_error` is told the credential's id and
    the error's code for each error that is held against one.
    """

    records: Records
    counters: Counters
    settings: TokenSettings
    clock: Clock
    worker_id: str
    rng: Random
    accounts: Accounts = field(default_factory=Accounts)
    on_error: ErrorHook | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How one pool shares out its credentials.

    `strategy` None is that of the ground's settings. `facts` say how the provider limits its keys, and `probes` that it
    can be asked for free whether a key works. `queue` is for those who wait for a slot, None for one of the usual size.
    """

    strategy: str | None = None
    facts: LimitFacts = PLAIN
    probes: bool = True
    queue: FairQueue | None = None


USUAL = Manner()
"""Where nothing is said."""
