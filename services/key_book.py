"""KeyBook: callers' keys that are made, changed and revoked while the gateway runs."""

import secrets
from collections.abc import Callable
from hashlib import sha256

import structlog

from core.clock import Clock
from core.errors import NotFound, StoreUnavailable
from core.store.base import Record, Records
from schemas.key import KeyChange, KeyRotation, NewKey, Secret, StoredKey
from services.known_keys import KnownKeys

KIND = "keys"
PREFIX = "gw-"
SHOWN = 8
"""How many characters of a key are shown, so that people can tell theirs apart."""


class KeyBook:
    """Secrets are shown once and kept as SHA-256 only. Raises StoreUnavailable where it has to write and cannot."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._known = KnownKeys(records, clock)
        self._log = structlog.get_logger(__name__)

    def create(self, wanted: NewKey, by: str, *, bootstrap: bool = False) -> tuple[StoredKey, str]:
        """A new key, and its secret, which nobody can be told again."""
        now = self._clock.now()
        secret, kept = _new_secret()
        key = StoredKey(
            id=f"key_{secrets.token_hex(8)}",
            name=wanted.name,
            role=wanted.role,
            models=wanted.models,
            limits=wanted.limits,
            budget=wanted.budget,
            secrets=(kept,),
            created=now,
            created_by=by,
            expires=None if wanted.expires_in is None else now + wanted.expires_in,
            bootstrap=bootstrap,
        )
        self._records.put(KIND, key.id, key.model_dump(mode="json"))
        self._note("key_created", key, by)
        return key, secret

    def rotate(self, key_id: str, wanted: KeyRotation, by: str) -> tuple[StoredKey, str]:
        """A new secret for the key; the old ones work for the overlap. Raises NotFound, also for a revoked key."""
        now = self._clock.now()
        secret, kept = _new_secret()
        until = now + wanted.overlap

        def edit(key: StoredKey) -> StoredKey:
            old = [one.model_copy(update={"until": min(until, one.until or until)}) for one in key.secrets]
            living = [one for one in old if one.until is None or one.until > now]
            return key.model_copy(update={"secrets": (*living, kept)})

        key = self._change(key_id, edit)
        self._note("key_rotated", key, by)
        return key, secret

    def update(self, key_id: str, wanted: KeyChange, by: str) -> StoredKey:
        """The key as it is to be. Raises NotFound, also for a revoked key."""
        named = wanted.model_fields_set
        changes = {name: getattr(wanted, name) for name in named - {"expires_in"} if getattr(wanted, name) is not None}
        if "expires_in" in named:
            changes["expires"] = None if wanted.expires_in is None else self._clock.now() + wanted.expires_in
        key = self._change(key_id, lambda key: key.model_copy(update=changes))
        self._note("key_changed", key, by, fields=sorted(named))
        return key

    def revoke(self, key_id: str, by: str) -> StoredKey:
        """The key opens nothing any more; it stays in the list. Raises NotFound."""
        now = self._clock.now()
        key = self._change(key_id, lambda key: key.model_copy(update={"revoked": now, "secrets": ()}))
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
        digest, now = digest_of(secret), self._clock.now()
        key = self._known.find(digest)
        return key if key is not None and key.is_good(digest, now) else None

    def by_id(self, key_id: str) -> StoredKey | None:
        """The key with that id, as this worker knows it."""
        return self._known.by_id(key_id)

    @property
    def rules(self) -> bool:
        """True when a person has made a key, so that nobody gets in without one."""
        return self._known.rules

    def sync(self) -> None:
        """See what others have changed: every second."""
        self._known.read()

    def share_uses(self) -> None:
        """Write down when keys were used: every minute, as well as it goes."""
        for key_id, at in self._known.uses().items():
            try:
                self._change(key_id, lambda key, at=at: key.model_copy(update={"last_used": at}))  # type: ignore[misc] # bound now
            except (NotFound, StoreUnavailable):
                continue

    def _change(self, key_id: str, edit: Callable[[StoredKey], StoredKey]) -> StoredKey:
        def change(record: Record | None) -> Record:
            key = None if record is None else StoredKey.model_validate(record)
            if key is None or key.revoked is not None:
                raise _unknown(key_id)
            return edit(key).model_dump(mode="json")

        return StoredKey.model_validate(self._records.change(KIND, key_id, change))

    def _note(self, event: str, key: StoredKey, by: str, **more: object) -> None:
        self._known.put(key)
        self._log.warning(event, key_id=key.id, name=key.name, role=key.role, by=by, **more)


def digest_of(secret: str) -> str:
    """The SHA-256 by which a secret is known."""
    return sha256(secret.encode()).hexdigest()


def _new_secret() -> tuple[str, Secret]:
    secret = f"{PREFIX}{secrets.token_urlsafe(32)}"
    return secret, Secret(digest=digest_of(secret), prefix=secret[:SHOWN])


def _unknown(key_id: str) -> NotFound:
    return NotFound(f"There is no key {key_id[:50]!r}.", param="id")
