"""AccessService: who a caller is, and where they may go."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from hmac import compare_digest
from itertools import product
from typing import Any, Protocol

from config.settings import ApiKeySettings
from core.errors import Forbidden, GatewayError, ModelNotAllowed, StoreUnavailable, Unauthorized
from core.named_models import named_models
from core.routing import SEPARATOR
from schemas.caller import Caller
from schemas.key import StoredKey
from schemas.limit import CallerLimits
from schemas.model import Target
from services.jwt_callers import JwtCallers
from services.key_book import KeyBook, digest_of, may_be_ours
from services.roles import ADMINS, PUBLIC, ROLES

OPEN = Caller("anonymous", "anonymous", "admin", anonymous=True)


class AccessService:
    """Keys of the configuration, keys in the store, tokens of others: the first that fits says who it is.

    Keys are kept as SHA-256 only. While nobody has set up any of them, this machine itself is let in without one.
    """

    def __init__(self, keys: Sequence[ApiKeySettings], book: KeyBook, tokens: JwtCallers | None = None) -> None:
        """`tokens` None takes none."""
        self.tokens = tokens
        self._configured = tuple((digest_of(k.key.get_secret_value()), _configured(k)) for k in keys)
        self._book = book

    @property
    def is_open(self) -> bool:
        """True when no person has set up keys or tokens; the key the gateway made for its owner is none of these."""
        return not self._configured and self.tokens is None and self._book.is_known and not self._book.rules

    def is_public(self, endpoint: str | None) -> bool:
        """True for routes that need no key."""
        return endpoint in PUBLIC

    def authenticate(self, key: str | None, *, local: bool) -> Caller:
        """The caller that `key` belongs to. `local` says that the request is this machine's own.

        Raises Unauthorized, and StoreUnavailable while it cannot be told which keys there are.
        """
        found = self._find(key) if key is not None else None
        if found is not None:
            return found
        if self.is_open:
            if local:
                return OPEN
            raise Unauthorized(
                "This gateway has no keys configured and is open to its own machine only: not through a proxy, nor to "
                "web pages. Set GATEWAY_API_KEYS, or make keys, to let others in.",
                code="no_keys_configured",
            )
        self._check_known(key)
        if key is None:
            raise Unauthorized("No API key was given. Send it as 'Authorization: Bearer KEY'.", code="missing_api_key")
        raise Unauthorized("The API key is not known here.")

    def knows(self, key: str) -> bool:
        """True when `key` is a caller's key of this gateway, or a token that it takes for one."""
        try:
            return self._find(key) is not None
        except GatewayError:
            return False

    def named(self, name: str) -> Caller | None:
        """The first caller of that name: of the configuration, else with the newest key that is not revoked."""
        configured = next((caller for _, caller in self._configured if caller.name == name), None)
        stored = (_stored(key) for key in self._book.all() if key.name == name and key.revoked is None)
        return configured or next(stored, None)

    def name_of(self, caller_id: str) -> str | None:
        """What the caller with that id is called; None when it is not known any more."""
        caller = self.by_id(caller_id)
        return None if caller is None else caller.name

    def by_id(self, caller_id: str) -> Caller | None:
        """The caller with that id; None when no key of it is known."""
        configured = next((caller for _, caller in self._configured if caller.id == caller_id), None)
        stored = self._book.by_id(caller_id) if configured is None else None
        return _stored(stored) if stored is not None else configured

    @property
    def has_configured_admin(self) -> bool:
        """True when an admin's key is in the configuration, where nobody can revoke it."""
        return any(caller.role == "admin" for _, caller in self._configured)

    def refresh(self) -> None:
        """Fetch keys of those who sign tokens anew when they are old: every second."""
        if self.tokens is not None:
            self.tokens.refresh()

    def authorize(self, caller: Caller, endpoint: str | None) -> None:
        """Raises Forbidden when the caller's role may not use the route; no route at all is everyone's 404."""
        if endpoint is not None and caller.role not in ROLES.get(endpoint, ADMINS):
            raise Forbidden(f"The role {caller.role!r} may not do this.")

    def _check_known(self, key: str | None) -> None:
        """A key that may be in the store is not called wrong while nobody has seen what is there."""
        relies_on_store = not self._configured and self.tokens is None
        if (relies_on_store or (key is not None and may_be_ours(key))) and not self._book.is_known:
            raise StoreUnavailable("The callers' keys cannot be read now.")

    def _find(self, key: str) -> Caller | None:
        configured = self._of_configuration(key)
        if configured is not None:
            return configured
        stored = self._book.find(key)
        if stored is not None:
            return _stored(stored)
        if self.tokens is not None and key.count(".") == 2:
            return self.tokens.caller(key)
        return None

    def _of_configuration(self, key: str) -> Caller | None:
        digest, found = digest_of(key), None
        for known, caller in self._configured:
            # All are compared, so that the time taken says nothing of which one fits.
            if compare_digest(known, digest):
                found = caller
        return found


def permit(caller: Caller | None, *names: str) -> None:
    """Raises ModelNotAllowed unless the caller may use a model by one of these names."""
    if not is_permitted(caller, *names):
        raise ModelNotAllowed(f"This key may not use the model {names[0][:100]!r}.", param="model")


class Names(Protocol):
    """Knows what a model is called."""

    def names(self, model: str) -> tuple[str, ...]: ...


def permit_named(caller: Caller | None, body: Mapping[str, Any], targets: Iterable[Target], known: Names) -> None:
    """Raises ModelNotAllowed unless the caller may use each model that the request names for its provider to go on to.

    Those are the names that the provider has for them. Raises InvalidRequest for too many.
    """
    named = named_models(body)
    for name, provider in product(named, {target.provider for target in targets}):
        permit(caller, name, f"{provider}{SEPARATOR}{name}", *known.names(name))


def is_permitted(caller: Caller | None, *names: str) -> bool:
    """True when the caller may use a model that goes by these names."""
    if caller is None or not caller.models:
        return True
    return any(_fits(name.lower(), pattern.lower()) for pattern in caller.models for name in names)


def _fits(name: str, pattern: str) -> bool:
    """A pattern without a slash is for a model's own name: `glm-*` is not all that the instance glm-web has."""
    return (SEPARATOR in pattern or SEPARATOR not in name or pattern == "*") and fnmatchcase(name, pattern)


def _limits(told: Mapping[str, int | None]) -> CallerLimits | None:
    return CallerLimits(**told) if any(limit is not None for limit in told.values()) else None


def _configured(key: ApiKeySettings) -> Caller:
    return Caller(
        digest_of(key.key.get_secret_value())[:12],
        key.name,
        key.role,
        limits=_limits(key.limits.model_dump()),
        models=key.models,
        hourly_budget=key.budget.hourly_limit,
        daily_budget=key.budget.daily_limit,
    )


def _stored(key: StoredKey) -> Caller:
    return Caller(
        key.id,
        key.name,
        key.role,
        limits=_limits(key.limits.model_dump()),
        models=key.models,
        hourly_budget=key.budget.hourly,
        daily_budget=key.budget.daily,
    )
