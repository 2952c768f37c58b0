"""KnownKeys: the stored keys as one worker knows them, so that a request asks the store nothing."""

from collections import OrderedDict

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Records
from schemas.key import StoredKey

KIND = "keys"
FORGOTTEN_SECONDS = 5.0
MAX_UNKNOWN = 10_000
LOOKS_A_SECOND = 20


class KnownKeys:
    """Read anew every second. A secret that is not known is looked for at once, as its key may be a moment old.

    Guesses cannot keep the store busy: each is looked for once in a while, and all together a few times a second.
    """

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._keys: dict[str, StoredKey] = {}
        self._by_digest: dict[str, str] = {}
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._looks: list[float] = []
        self._uses: dict[str, float] = {}
        self._read_once = False

    @property
    def rules(self) -> bool:
        """True when a person has made a key that is not revoked."""
        self._first()
        return any(not key.bootstrap and key.revoked is None for key in self._keys.values())

    def find(self, digest: str) -> StoredKey | None:
        """The key that has or had a secret with that digest."""
        self._first()
        key_id = self._by_digest.get(digest)
        if key_id is None and self._may_look(digest):
            self.read()
            key_id = self._by_digest.get(digest)
        if key_id is None:
            return None
        self._uses[key_id] = self._clock.now()
        return self._keys[key_id]

    def by_id(self, key_id: str) -> StoredKey | None:
        """The key with that id."""
        return self._keys.get(key_id)

    def read(self) -> None:
        """All keys as they are now; those known go on working while the store is away."""
        try:
            found = self._records.all(KIND)
        except StoreUnavailable:
            return
        keys = {name: StoredKey.model_validate(record) for name, record in found.items()}
        self._keys, self._read_once = keys, True
        self._by_digest = {secret.digest: key.id for key in keys.values() for secret in key.secrets}

    def put(self, key: StoredKey) -> None:
        """Know a key that was just written here."""
        self._keys[key.id] = key
        self._by_digest = {digest: name for digest, name in self._by_digest.items() if name != key.id}
        self._by_digest |= {secret.digest: key.id for secret in key.secrets}

    def uses(self) -> dict[str, float]:
        """When which keys were used since this was asked last."""
        uses, self._uses = self._uses, {}
        return uses

    def _first(self) -> None:
        if not self._read_once:
            self.read()

    def _may_look(self, digest: str) -> bool:
        now = self._clock.monotonic()
        self._looks = [at for at in self._looks if at > now - 1]
        if self._unknown.get(digest, 0.0) > now or len(self._looks) >= LOOKS_A_SECOND:
            return False
        self._looks.append(now)
        self._unknown[digest] = now + FORGOTTEN_SECONDS
        if len(self._unknown) > MAX_UNKNOWN:
            self._unknown.popitem(last=False)
        return True
