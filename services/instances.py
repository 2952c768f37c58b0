"""Instances: the configured providers that are enabled, each with its keys and its place among the targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from config.settings import ProviderSettings, Settings
from core.clock import Clock
from core.credentials.callers_own import CallersOwn
from core.credentials.fair_queue import FairQueue
from core.credentials.ground import Ground, Manner
from core.credentials.pool import CredentialPool
from core.credentials.sources import ProviderSource
from core.providers import PROVIDERS
from core.providers.base import Provider
from core.routing import Route, listed
from core.store.base import Store
from schemas.chat import ChatRequest
from schemas.credential import Credential
from schemas.model import Target
from services.site import Address, Site
from services.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Instances:
    """All of them by name. Those that take their callers' keys have neither source nor pool."""

    providers: Mapping[str, Provider]
    sources: Mapping[str, ProviderSource]
    pools: Mapping[str, CredentialPool]
    sites: dict[str, Site]
    routes: Sequence[Route]

    def is_usable(self, name: str) -> bool:
        """True for a provider with a credential, or without a pool, as a caller may bring a key at any time."""
        return name not in self.pools or len(self.pools[name]) > 0

    def is_billed(self, name: str, credential: str | None = None) -> bool:
        """False for a provider whose answers nobody pays for one by one: with the key of that id, or with any."""
        site = self.sites.get(name)
        return site is None or site.is_billed(credential)

    def answer_limit(self, request: ChatRequest, target: Target) -> int | None:
        """The tokens that an answer of the target may have, where its provider has to be told and the client is silent.

        None where the provider decides."""
        provider = self.providers.get(target.provider)
        return None if provider is None else provider.answer_limit(request, target)

    def inherit(self, before: "Instances") -> None:
        """Take over what is known of the keys of those that are of the same kind as before."""
        for name, pool in self.pools.items():
            if name in before.pools and type(self.providers[name]) is type(before.providers[name]):
                pool.inherit(before.pools[name])

    @property
    def used(self) -> list[str]:
        """The names of those that are usable now."""
        return [name for name in self.providers if self.is_usable(name)]

    @property
    def callers_own(self) -> frozenset[str]:
        """The names of those that take their callers' keys."""
        return frozenset(self.providers.keys() - self.pools.keys())

    @property
    def counting(self) -> frozenset[str]:
        """The names of those whose providers count tokens themselves."""
        return frozenset(name for name, one in self.providers.items() if type(one).count is not Provider.count)


class InstanceBuilder:
    """Makes them out of the settings, with what all of them share."""

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, worker_id: str, rng: Random, telemetry: Telemetry
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._worker_id = worker_id
        self._rng = rng
        self._telemetry = telemetry

    def build(self, before: Instances | None = None) -> Instances:
        """One of each; `before` knows what was in files of tokens that cannot be used now."""
        enabled = {name: one for name, one in self._settings.providers.items() if one.enabled}
        providers = {name: PROVIDERS[one.kind](name, one, self._clock) for name, one in enabled.items()}
        known = before.sources if before is not None else {}
        ground = self._ground()
        keyed = {name: one for name, one in enabled.items() if one.auth != "passthrough"}
        sources = {name: ProviderSource(name, one, known.get(name)) for name, one in keyed.items()}
        pools = {name: self._pool(source, enabled[name], providers[name], ground) for name, source in sources.items()}
        elsewhere = {name: self._elsewhere(name, one) for name, one in enabled.items()}
        sites = {name: _site(one, providers[name], pools.get(name), elsewhere[name]) for name, one in enabled.items()}
        routes = [_route(one, providers[name]) for name, one in enabled.items()]
        return Instances(providers, sources, pools, sites, routes)

    def _elsewhere(self, name: str, settings: ProviderSettings) -> dict[str, Address]:
        """Where those keys are used that have an address of their own, by their ids."""
        # Of a key that stands twice the first entry counts.
        urls = {Credential(name, key.key.get_secret_value()).id: key.base_url for key in reversed(settings.keys)}
        places = {url: settings.model_copy(update={"base_url": url}) for url in urls.values() if url is not None}
        addresses = {
            url: Address(PROVIDERS[settings.kind](name, there, self._clock), there.flat_fee())
            for url, there in places.items()
        }
        return {ident: addresses[url] for ident, url in urls.items() if url is not None}

    def _ground(self) -> Ground:
        """What the pools of this configuration have in common."""
        store, told = self._store, self._telemetry.token_failed
        now = (self._settings.tokens, self._clock, self._worker_id, self._rng)
        return Ground(store.records, store.counters, *now, on_error=told)

    def _pool(
        self, source: ProviderSource, settings: ProviderSettings, provider: Provider, ground: Ground
    ) -> CredentialPool:
        changed = partial(self._telemetry.queue_changed, provider.name)
        served = partial(self._telemetry.queue_served, provider.name)
        queue = FairQueue(settings.queue, self._clock, changed, served)
        probes = type(provider).probe is not Provider.probe
        manner = Manner(settings.strategy, provider.limit_facts, probes, queue)
        return CredentialPool(provider.name, source.poll() or (), ground, manner)


def _site(
    settings: ProviderSettings, provider: Provider, pool: CredentialPool | None, elsewhere: Mapping[str, Address]
) -> Site:
    # A pool without a credential is false, and still is a pool.
    keys = CallersOwn(provider.name) if pool is None else pool
    limits = (settings.timeout, settings.strict, settings.flat_fee())
    return Site(provider, keys, *limits, elsewhere, settings.inline_links)


def _route(settings: ProviderSettings, provider: Provider) -> Route:
    known = (provider.families, provider.abilities, provider.control)
    return Route(provider.name, settings.kind, listed(settings.models), *known)
