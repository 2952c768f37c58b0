"""What a request is sent to: the provider instances, each with its keys and its addresses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from core.credentials.callers_own import CallersOwn
from core.credentials.choosing import AT_HOME, Homeward
from core.credentials.fair_queue import FairQueue, Ticket
from core.errors import GatewayError
from core.providers.base import Provider
from schemas.chat import ChatRequest, DocumentPart, ImagePart
from schemas.credential import Credential
from schemas.limit import Capacity, LimitReading
from schemas.model import Target
from schemas.usage import Usage


class Lease(Protocol):
    """A credential that is in use, given back exactly once."""

    @property
    def credential(self) -> Credential: ...

    @property
    def overflows(self) -> bool: ...

    def succeed(self, usage: Usage | None, seconds: float, cost: float | None) -> None: ...

    def fail(self, error: GatewayError, seconds: float) -> None: ...

    def abandon(self) -> None: ...

    def begun(self) -> None: ...

    def decline(self) -> None: ...

    def count(self, usage: Usage, cost: float | None) -> None: ...


class Pool(Protocol):
    """The credentials of one provider instance."""

    @property
    def queue(self) -> FairQueue: ...

    @property
    def limited(self) -> bool: ...

    def lease(
        self,
        exclude: frozenset[str] = frozenset(),
        *,
        model: str = "",
        tokens: int = 0,
        prefer: str | None = None,
        ticket: Ticket | None = None,
        homeward: Homeward = AT_HOME,
        free: bool = False,
    ) -> Lease: ...

    def learn(self, credential_id: str, readings: Iterable[LimitReading], model: str = "") -> None: ...

    def shares(self, credential_id: str, error: GatewayError) -> frozenset[str]: ...

    def opens_in(self, model: str = "", tokens: int = 0, only: str | None = None) -> float | None: ...

    def capacity(self, model: str = "", own: str | None = None) -> Capacity: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Need:
    """What a credential is needed for: the upstream model, and about so many prompt tokens.

    `prefer` is the id of the one to take as long as it is fit, `homeward` says what may be taken ahead of it, and
    `ticket` is the place in the queue of a request that waits for a slot. `free`: it counts against no limit.
    """

    model: str = ""
    tokens: int = 0
    prefer: str | None = None
    ticket: Ticket | None = None
    homeward: Homeward = AT_HOME
    free: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where some keys of an instance are used; `flat_fee`: nobody pays for the answers from there one by one."""

    provider: Provider
    flat_fee: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """A provider instance with its credentials; `silence` is the longest wait for its next byte, in seconds.

    `strict`: a request that it cannot carry whole is refused. `flat_fee`: nobody pays for its answers one by one, but
    for those of keys with an address of their own; of these `elsewhere` says which, by their ids.
    """

    provider: Provider
    pool: Pool | CallersOwn
    silence: float
    strict: bool = False
    flat_fee: bool = False
    elsewhere: Mapping[str, Address] = field(default_factory=dict)
    inline_links: bool = False
    """What is given by its address is fetched and sent as data, whatever the provider's kind."""

    def wants_data(self, request: ChatRequest, target: Target, part: ImagePart | DocumentPart) -> bool:
        """True for a part that has to be sent as data, and not by its address."""
        return self.inline_links or self.provider.inlines(request, target, part)

    def at(self, credential: str | None) -> Address:
        """Where the credential of that id is used."""
        return self.elsewhere.get(credential or "") or Address(self.provider, self.flat_fee)

    def host(self, credential: Credential) -> str:
        """The address that the credential is used at, "" where all are used at the same one."""
        return self.at(credential.id).provider.base_url if self.elsewhere else ""

    def is_billed(self, credential: str | None = None) -> bool:
        """False where nobody pays for an answer by itself, with that credential; without one, whichever is used."""
        if credential is not None:
            return not self.at(credential).flat_fee
        return not (self.flat_fee and all(address.flat_fee for address in self.elsewhere.values()))

    @property
    def has_pool(self) -> bool:
        """False when callers bring their own credentials."""
        return not isinstance(self.pool, CallersOwn)

    @property
    def has_choice(self) -> bool:
        """True when there are several credentials to choose from."""
        return not isinstance(self.pool, CallersOwn) and len(self.pool) > 1

    def lease(self, own: Mapping[str, str], exclude: frozenset[str], now: float, need: Need | None = None) -> Lease:
        """A credential that is not in `exclude`: one of the pool's, or the caller's.

        Raises CredentialsExhausted, NoCredentials, or Unauthorized when the caller has to bring one and did not.
        """
        if isinstance(self.pool, CallersOwn):
            return self.pool.lease(own, exclude, now)
        need = need or Need()
        return self.pool.lease(
            exclude,
            model=need.model,
            tokens=need.tokens,
            prefer=need.prefer,
            ticket=need.ticket,
            homeward=need.homeward,
            free=need.free,
        )

    @property
    def counts_tokens(self) -> bool:
        """True when it matters how many tokens a prompt has."""
        return not isinstance(self.pool, CallersOwn) and self.pool.limited

    def learn(self, credential: Credential, headers: Mapping[str, str], model: str) -> None:
        """Take over what an answer for `model` says of the limits of one of the pool's credentials."""
        if not isinstance(self.pool, CallersOwn):
            self.pool.learn(credential.id, self.at(credential.id).provider.limits(headers), model)

    def shares(self, credential: Credential, failure: GatewayError) -> frozenset[str]:
        """The ids of the credentials that `failure` speaks for."""
        if isinstance(self.pool, CallersOwn):
            return frozenset({credential.id})
        return self.pool.shares(credential.id, failure)

    def opens_in(self, need: Need, only: str | None = None) -> float | None:
        """Seconds until a credential, or the one of that id, may be asked.

        None when none comes back by itself, or callers bring their own.
        """
        return None if isinstance(self.pool, CallersOwn) else self.pool.opens_in(need.model, need.tokens, only)

    def capacity(self, model: str, own: str | None = None) -> Capacity | None:
        """What is left of the pool, as a request sees it that has the credential with the id `own`, if any.

        None where callers bring their own credentials.
        """
        return None if isinstance(self.pool, CallersOwn) else self.pool.capacity(model, own)
