"""KnownKeys: the stored keys as one worker knows them, so that a request asks the store nothing."""

from collections import OrderedDict
from collections.abc import Callable

import structlog
from pydantic import ValidationError

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Record, Records
from schemas.key import StoredKey

KIND = "keys"
DIGESTS = "key_digests"
"""Which key has the secret with a digest, so that one that is not known is looked for without reading all."""
FORGOTTEN_SECONDS = 5.0
MAX_UNKNOWN = 10_000
LOOKS_A_SECOND = 20


class KnownKeys:
    """Read anew every second. A secret that is not known is looked for at once, as its key may be a moment old.

    Guesses cannot keep the store busy: each is looked for once in a while, and all together a few times a second.
    """

    def __init__(self, records: Records, clock: Clock, is_away: Callable[[], bool]) -> None:
        """While the store `is_away`, what it says is old, and nothing is learnt from it."""
        self._records = records
        self._clock = clock
        self._is_away = is_away
        self._keys: dict[str, StoredKey] = {}
        self._by_digest: dict[str, str] = {}
        self._parsed: dict[str, tuple[Record, StoredKey | None]] = {}
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._looks: list[float] = []
        self._was_read = self._ruled = False
        self._log = structlog.get_logger(__name__)

    @property
    def was_read(self) -> bool:
        """False while nobody knows which keys there are, as the store has not answered once."""
        return self._was_read or self.read()

    @property
    def rules(self) -> bool:
        """True when a person has ever made a key: neither revoking the last one nor losing the store opens anything."""
        return self._ruled

    def find(self, digest: str) -> StoredKey | None:
        """The key that has or had a secret with that digest."""
        if self.was_read and digest not in self._by_digest and self._may_look(digest):
            self._look(digest)
        return self._keys.get(self._by_digest.get(digest, ""))

    def by_id(self, key_id: str) -> StoredKey | None:
        """The key with that id."""
        return self._keys.get(key_id)

    def read(self) -> bool:
        """See all keys as they are now. False while the store is away: those that are known go on working."""
        try:
            found = self._records.all(KIND)
        except StoreUnavailable:
            return False
        if self._is_away():
            return False
        self._parsed = {name: (record, self._key(name, record)) for name, record in found.items()}
        self._keys = {name: key for name, (_, key) in self._parsed.items() if key is not None}
        self._by_digest = {secret.digest: key.id for key in self._keys.values() for secret in key.secrets}
        self._was_read = True
        self._ruled = self._ruled or any(not key.bootstrap for key in self._keys.values())
        return True

    def put(self, key: StoredKey) -> None:
        """Know a key that was just written, or seen."""
        self._keys[key.id] = key
        self._by_digest = {digest: name for digest, name in self._by_digest.items() if name != key.id}
        self._by_digest |= {secret.digest: key.id for secret in key.secrets}
        self._ruled = self._ruled or not key.bootstrap

    def _look(self, digest: str) -> None:
        try:
            entry = self._records.get(DIGESTS, digest)
            record = self._records.get(KIND, entry["id"]) if entry is not None else None
        except StoreUnavailable:
            return
        key = self._key("", record) if record is not None else None
        if key is not None:
            self.put(key)

    def _key(self, name: str, record: Record) -> StoredKey | None:
        """A record as a key; one that is as it was the last time is not looked at again."""
        before = self._parsed.get(name)
        if before is not None and before[0] == record:
            return before[1]
        try:
            return StoredKey.model_validate(record)
        except ValidationError:
            # It opens nothing, and keeps nobody else out. Without the traceback, which would show the record.
            self._log.error("key_unreadable", key_id=name)
            return None

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
