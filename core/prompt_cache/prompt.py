"""What is asked of a provider, as far as its cache is concerned."""

from dataclasses import dataclass

from core.prompt_cache.chain import Chain


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose prompt it is and where it went: `model` as the client calls it, `upstream_model` as the provider does.

    `family` is the provider (see `rules.family_of`), `account` the key, or whatever else it keeps caches apart by.
    """

    tenant: str
    model: str
    family: str
    account: str
    upstream_model: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt as it was sent upstream (`chain`), and as the client had sent it (`client`).

    `started` is when the request was sent, in seconds since the epoch.
    """

    identity: Identity
    chain: Chain
    client: Chain
    started: float
