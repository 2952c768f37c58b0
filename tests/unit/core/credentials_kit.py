"""What the tests of credentials share."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from config.settings import TokenSettings
from core.credentials.ground import Ground
from core.credentials.pool import CredentialPool
from core.errors import StoreUnavailable
from core.store.base import Record
from core.store.memory import MemoryCounters
from schemas import codec
from schemas.credential import Credential, TokenInfo
from tests.fakes import FakeClock

T = TypeVar("T")
SETTINGS = TokenSettings(error_threshold=3, max_errors=5)


class DictRecords:
    """Records in a dict, as JSON text; `down` makes every call fail, `trips` counts the calls.

    `meanwhile` is called once when the next `change` or `all` has its answer, but before the caller has it: what other
    greenlets do while this one waits for a store.
    """

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], bytes] = {}
        self.down = False
        self.trips = 0
        self.meanwhile: Callable[[], object] | None = None

    def get(self, kind: str, key: str) -> Record | None:
        self._trip()
        text = self.texts.get((kind, key))
        return None if text is None else codec.loads(text)

    def all(self, kind: str) -> dict[str, Record]:
        self._trip()
        return self._slowly({key: codec.loads(text) for (of, key), text in self.texts.items() if of == kind})

    def put(self, kind: str, key: str, value: Record) -> None:
        self._trip()
        self.texts[kind, key] = codec.dumps(value)

    def change(self, kind: str, key: str, edit: Callable[[Record | None], Record]) -> Record:
        edit(None)  # the contract allows more than one call
        new = edit(self.get(kind, key))
        self.put(kind, key, new)
        return self._slowly(new)

    def delete(self, kind: str, key: str) -> bool:
        return self.texts.pop((kind, key), None) is not None

    def _slowly(self, answer: T) -> T:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return answer

    def _trip(self) -> None:
        self.trips += 1
        if self.down:
            raise StoreUnavailable("the store is away")


def credentials(*secrets: str) -> list[Credential]:
    return [Credential("glm", secret, name=secret) for secret in secrets]


def key_id(secret: str) -> str:
    return Credential("glm", secret).id


class House:
    """A store and a clock that several workers share."""

    def __init__(self, *secrets: str, settings: TokenSettings = SETTINGS) -> None:
        self.clock = FakeClock()
        self.records = DictRecords()
        self.settings = settings
        self.secrets = secrets
        self.errors: list[tuple[str, str]] = []

    def worker(self, name: str = "one") -> CredentialPool:
        ground = Ground(
            self.records,
            MemoryCounters(),
            self.settings,
            self.clock,
            name,
            Random(1),
            on_error=lambda token, kind: self.errors.append((token, kind)),
        )
        return CredentialPool("glm", credentials(*self.secrets), ground)


def info(pool: CredentialPool, secret: str = "a") -> TokenInfo:
    return next(one for one in pool.infos() if one.id == key_id(secret))


def fail(pool: CredentialPool, error: Exception, times: int = 1) -> None:
    for _ in range(times):
        pool.lease().fail(error, 0.5)  # type: ignore[arg-type] # tests name the error by its exact class


def succeed(pool: CredentialPool, times: int = 1) -> None:
    for _ in range(times):
        pool.lease().succeed(None, 0.5, None)
