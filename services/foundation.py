"""What every part of the gateway stands on."""

from dataclasses import dataclass
from random import Random

from config.settings import Settings
from core.clock import Clock
from core.store.base import Store
from core.transport import Transport
from services.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Foundation:
    """One of each a process; `rng` is not for secrets, it spreads retries and breaks ties."""

    settings: Settings
    clock: Clock
    store: Store
    telemetry: Telemetry
    transport: Transport
    worker_id: str
    rng: Random
