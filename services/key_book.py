"""KeyBook: callers' keys that are made, changed and revoked while the gateway runs."""

import re
import secrets
from collections.abc import Callable
from hashlib import sha256

import structlog

from core.clock import Clock
from core.errors import Conflict, NotFound, StoreUnavailable
from core.store.base import Record, Records
from schemas.key import KeyChange, KeyRotation, NewKey, Secret, StoredKey
from services.known_keys import DIGESTS, KIND, KnownKeys

PREFIX = "gw-"
FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)
"""What a key looks like; 256 bits of it are drawn by chance."""
SHOWN = 8
"""How many characters of a key are shown, so that people can tell theirs apart."""
OWNERS = "key_owner"
"""The id of the key that a gateway makes for its owner: it can be made once."""


class KeyBook:
    """Secrets are shown once and kept as SHA-256 only. Raises StoreUnavailable where it has to write and cannot."""

    def __init__(self, records: Records, clock: Clock, is_away: Callable[[], bool] = lambda: False) -> None:
        """`is_away` says whether the store cannot be reached, so that what it says is old."""
        self._records = records
        self._clock = clock
        self._known = KnownKeys(records, clock, is_away)
        self._uses: dict[str, float] = {}
        self._log = structlog.get_logger(__name__)

    def create(self, wanted: NewKey, by: str) -> tuple[StoredKey, str]:
        """A new key, and its secret, which nobody can be told again. `by` says who makes it, for the audit log."""
        key, secret = self._drawn(f"key_{secrets.token_hex(8)}", wanted, by)
        self._index(key)
        self._records.put(KIND, key.id, _written(key))
        self._note("key_created", key, by)
        return key, secret

    def create_owners(self, wanted: NewKey, by: str) -> tuple[StoredKey, str]:
        """The key of the gateway's owner. Raises Conflict when it was made before, by whomever."""
        key, secret = self._drawn(OWNERS, wanted, by)
        key = key.model_copy(update={"bootstrap": True})

        def only_once(record: Record | None) -> Record:
            if record is not None:
                raise Conflict("The owner's key was made before.")
            return _written(key)

        self._index(key)
        try:
            self._records.change(KIND, key.id, only_once)
        except Conflict:
            self._forget(_digests(key))
            raise
        self._note("key_created", key, by)
        return key, secret

    def rotate(self, key_id: str, wanted: KeyRotation, by: str) -> tuple[StoredKey, str]:
        """A new secret for the key; the old ones work for the overlap.

        Raises NotFound, also for a revoked key, and Conflict for one that has expired.
        """
        now = self._clock.now()
        secret, kept = _new_secret()
        until = now + wanted.overlap
        before = self.one(key_id)

        def edit(key: StoredKey) -> StoredKey:
            if key.status(now) == "expired":
                raise Conflict("This key has expired, and so would a new secret: give it more time first.")
            old = [one.model_copy(update={"until": min(until, one.until or until)}) for one in key.secrets]
            living = [one for one in old if one.until is None or one.until > now]
            return key.model_copy(update={"secrets": (*living, kept)})

        # Ahead of the key, as its secret would be lost if this failed behind it.
        self._records.put(DIGESTS, kept.digest, {"id": key_id})
        try:
            key = self._change_by(by, key_id, edit)
        except (NotFound, Conflict):
            self._forget({kept.digest})
            raise
        self._forget(_digests(before) - _digests(key))
        self._note("key_rotated", key, by, overlap_seconds=wanted.overlap)
        return key, secret

    def update(self, key_id: str, wanted: KeyChange, by: str) -> StoredKey:
        """The key with what is named, of limits and budget too. Raises NotFound, also for a revoked key."""
        now = self._clock.now()
        key = self._change_by(by, key_id, lambda key: wanted.applied(key, now))
        self._note("key_changed", key, by, fields=sorted(wanted.model_fields_set))
        return key

    def revoke(self, key_id: str, by: str) -> StoredKey:
        """The key opens nothing any more; it stays in the list. Raises NotFound."""
        now, before = self._clock.now(), self.one(key_id)
        key = self._change_by(by, key_id, lambda key: key.model_copy(update={"revoked": now, "secrets": ()}))
        self._forget(_digests(before))
        self._note("key_revoked", key, by)
        return key

    def one(self, key_id: str) -> StoredKey:
        """The key with that id. Raises NotFound."""
        record = self._records.get(KIND, key_id)
        if record is None:
            raise _unknown(key_id)
        return StoredKey.model_validate(record)

    def all(self) -> list[StoredKey]:
        """Every key, the newest first."""
        keys = [StoredKey.model_validate(record) for record in self._records.all(KIND).values()]
        return sorted(keys, key=lambda key: key.created, reverse=True)

    def find(self, secret: str) -> StoredKey | None:
        """The key that this secret is good for now; None when there is none."""
        if not may_be_ours(secret):
            return None
        digest, now = digest_of(secret), self._clock.now()
        key = self._known.find(digest)
        if key is None or not key.is_good(digest, now):
            return None
        self._uses[key.id] = now
        return key

    def by_id(self, key_id: str) -> StoredKey | None:
        """The key with that id, as this worker knows it."""
        return self._known.by_id(key_id)

    @property
    def is_known(self) -> bool:
        """False while the store has not answered once, so that nobody can say which keys there are."""
        return self._known.was_read

    @property
    def rules(self) -> bool:
        """True when a person has ever made a key, so that nobody gets in without one."""
        return self._known.rules

    def sync(self) -> None:
        """See what others have changed: every second."""
        self._known.read()

    def share_uses(self) -> None:
        """Write down when keys were used: every minute, as well as it goes."""
        uses, self._uses = self._uses, {}
        for key_id, at in uses.items():
            try:
                self._change(key_id, lambda key, at=at: _used(key, at))  # type: ignore[misc] # bound now
            except (NotFound, StoreUnavailable):
                continue

    def _drawn(self, key_id: str, wanted: NewKey, by: str) -> tuple[StoredKey, str]:
        now = self._clock.now()
        secret, kept = _new_secret()
        key = StoredKey(
            id=key_id,
            name=wanted.name,
            role=wanted.role,
            models=wanted.models,
            limits=wanted.limits,
            budget=wanted.budget,
            secrets=(kept,),
            created=now,
            created_by=by,
            expires=None if wanted.expires_in is None else now + wanted.expires_in,
        )
        return key, secret

    def _index(self, key: StoredKey) -> None:
        for digest in _digests(key):
            self._records.put(DIGESTS, digest, {"id": key.id})

    def _forget(self, digests: set[str]) -> None:
        """Best effort: an entry that leads nowhere opens nothing."""
        for digest in digests:
            try:
                self._records.delete(DIGESTS, digest)
            except StoreUnavailable:
                return

    def _change_by(self, by: str, key_id: str, edit: Callable[[StoredKey], StoredKey]) -> StoredKey:
        done = {"changed": self._clock.now(), "changed_by": by}
        return self._change(key_id, lambda key: edit(key).model_copy(update=done))

    def _change(self, key_id: str, edit: Callable[[StoredKey], StoredKey]) -> StoredKey:
        def change(record: Record | None) -> Record:
            key = None if record is None else StoredKey.model_validate(record)
            if key is None:
                raise _unknown(key_id)
            if key.revoked is not None:
                raise NotFound(f"The key {key_id[:50]!r} was revoked, which is for good.", param="id")
            return _written(edit(key))

        return StoredKey.model_validate(self._records.change(KIND, key_id, change))

    def _note(self, event: str, key: StoredKey, by: str, **more: object) -> None:
        self._known.put(key)
        self._log.warning(event, key_id=key.id, name=key.name, role=key.role, by=by, **more)


def may_be_ours(secret: str) -> bool:
    """True for what looks like a key that was made here; nothing else is worth a look at the store."""
    return FORM.fullmatch(secret) is not None


def digest_of(secret: str) -> str:
    """The SHA-256 by which a secret is known."""
    return sha256(secret.encode()).hexdigest()


def _new_secret() -> tuple[str, Secret]:
    secret = f"{PREFIX}{secrets.token_urlsafe(32)}"
    return secret, Secret(digest=digest_of(secret), prefix=secret[:SHOWN])


def _digests(key: StoredKey) -> set[str]:
    return {one.digest for one in key.secrets}


def _written(key: StoredKey) -> Record:
    return key.model_dump(mode="json")


def _used(key: StoredKey, at: float) -> StoredKey:
    # Another worker may have seen it later.
    return key.model_copy(update={"last_used": max(at, key.last_used or 0.0)})


def _unknown(key_id: str) -> NotFound:
    return NotFound(f"There is no key {key_id[:50]!r}.", param="id")
