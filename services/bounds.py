"""Bounds: every limit that holds for a request, each with whose it is and what is counted."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from ipaddress import IPv6Address, IPv6Network
from typing import Literal, TypeVar

from config.settings import BudgetSettings, CostBudgetSettings, RateLimitSettings, RateSettings
from core.pricing import nano
from core.store.base import Reading, Taken, Window, WindowKind, share_of
from schemas.caller import Caller
from schemas.model import ModelInfo, Target

T = TypeVar("T")
Scope = Literal["key", "ip", "global", "model", "provider"]
Unit = Literal["requests", "tokens", "usd"]
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit: `limit` requests, tokens or billionths of a dollar in `seconds`. `name` is for people, `id` for us."""

    scope: Scope
    id: str
    name: str
    unit: Unit
    limit: int
    seconds: float
    kind: WindowKind

    def window(self, cost: int) -> Window:
        """What the store is asked to take."""
        return Window(f"{self.unit}:{self.scope}:{self.id}", self.limit, self.seconds, cost, kind=self.kind)

    def enforced(self, taken: Taken) -> "Bound":
        """The same with the limit that `taken` went by: that of a worker by itself is a share of it."""
        return self if taken.workers == 1 else replace(self, limit=share_of(self.limit, taken.workers))

    def ends_at(self, now: float) -> float:
        """When a fixed window that runs at `now` ends, in seconds since the epoch."""
        return now - now % self.seconds + self.seconds

    def counts_at(self, reading: Reading, now: float) -> float:
        """As of when that counts which was taken at `now`: with a clock that is a little behind the one that has begun
        a fixed window, as of the beginning of that."""
        # A window begins at a whole second, which the sum may miss by a little.
        return now if self.kind != "fixed" else max(now, round(now + reading.reset_after) - self.seconds)

    def used(self, reading: Reading) -> float:
        """The share that is used up; above 1 when answers cost more than was reserved for them."""
        return self.spent(reading) / self.limit

    def spent(self, reading: Reading) -> int:
        """How many units are used."""
        return self.limit - reading.remaining


@dataclass(frozen=True, slots=True)
class Whose:
    """For whom something is bounded."""

    scope: Scope
    id: str
    name: str


class BoundTable:
    """Finds the bounds that the settings and the caller's own key have for a request."""

    def __init__(self, rates: RateLimitSettings, budget: CostBudgetSettings) -> None:
        self._rates = rates
        self._budget = budget
        self._counts_tokens = bool(rates.tokens_per_minute or rates.tokens_per_minute_per_ip)
        self._counts_money = any(_limits(one) for one in (budget, budget.per_key, *budget.keys.values()))

    def requests(self, caller: Caller | None, ip: str) -> Iterator[Bound]:
        """How many requests a caller may send."""
        yield from self._rate(_key(caller, ip), "requests", self._of_key(caller, "requests_per_minute"))
        yield from self._rate(_place(ip), "requests", self._rates.requests_per_minute_per_ip)

    def tokens(self, caller: Caller | None, ip: str) -> Iterator[Bound]:
        """How many tokens a caller may use."""
        yield from self._rate(_key(caller, ip), "tokens", self._of_key(caller, "tokens_per_minute"))
        yield from self._rate(_place(ip), "tokens", self._rates.tokens_per_minute_per_ip)

    def money(self, caller: Caller | None, ip: str) -> Iterator[Bound]:
        """What a caller may spend, and all of them together."""
        whose, budget = _key(caller, ip), self._budget
        yield from _budget(whose, self._budget_of_key(caller))
        yield from _budget(Whose("global", "", "all callers"), budget)

    def providers_money(self) -> Iterator[Bound]:
        """What may be spent at providers."""
        for name, budget in self._budget.providers.items():
            yield from _budget(Whose("provider", name, name), budget)

    def models_money(self, models: Iterable[ModelInfo]) -> Iterator[tuple[Bound, bool]]:
        """What may be spent on each of `models`, and whether the settings name just that one."""
        for info in models:
            named = any(name in self._budget.models for name in (info.id, *info.aliases))
            for bound in _budget(*_of_model(info, self._budget.models)):
                yield bound, named

    def target(self, target: Target) -> Iterator[Bound]:
        """What all callers together may ask of a provider, and of a model."""
        provider, info = target.provider, target.info
        whose = Whose("provider", provider, provider)
        yield from self._rates_of(whose, self._rates.providers.get(provider))
        yield from _budget(whose, self._budget.providers.get(provider))
        yield from self._rates_of(*_of_model(info, self._rates.models))
        yield from _budget(*_of_model(info, self._budget.models))

    def streams(self, caller: Caller | None) -> int | None:
        """How many streamed answers a caller may have open at a time."""
        return self._of_key(caller, "concurrent_streams")

    def is_free(self, caller: Caller | None) -> bool:
        """True when nothing that the caller uses is bounded but the number of its requests."""
        bounded = self._counts_tokens or self._counts_money or self.has_targets
        return not bounded and (caller is None or (caller.limits is None and not _has_budget(caller)))

    @property
    def has_targets(self) -> bool:
        """True when any provider or model is bounded."""
        parts = (self._rates.providers, self._rates.models, self._budget.providers, self._budget.models)
        return any(parts)

    def _budget_of_key(self, caller: Caller | None) -> BudgetSettings:
        """What a key has of its own, the hour's and the day's each for itself; else what the settings have for it."""
        known = caller.known_as if caller is not None else ()
        usual = next((self._budget.keys[name] for name in known if name in self._budget.keys), self._budget.per_key)
        if caller is None or not _has_budget(caller):
            return usual
        hourly, daily = caller.hourly_budget, caller.daily_budget
        return BudgetSettings(
            hourly_limit=usual.hourly_limit if hourly is None else hourly,
            daily_limit=usual.daily_limit if daily is None else daily,
        )

    def _of_key(self, caller: Caller | None, name: str) -> int | None:
        own = getattr(caller.limits, name) if caller is not None and caller.limits is not None else None
        limit: int | None = own if own is not None else getattr(self._rates, name)
        return limit

    def _rates_of(self, whose: Whose, rates: RateSettings | None) -> Iterator[Bound]:
        if rates is not None:
            yield from self._rate(whose, "requests", rates.requests_per_minute)
            yield from self._rate(whose, "tokens", rates.tokens_per_minute)

    def _rate(self, whose: Whose, unit: Unit, limit: int | None) -> Iterator[Bound]:
        if limit is not None:
            yield Bound(whose.scope, whose.id, whose.name, unit, limit, MINUTE, self._rates.algorithm)


def _budget(whose: Whose, budget: BudgetSettings | None) -> Iterator[Bound]:
    for seconds, limit in ((HOUR, budget.hourly_limit), (DAY, budget.daily_limit)) if budget is not None else ():
        if limit is not None:
            yield Bound(whose.scope, whose.id, whose.name, "usd", nano(limit), seconds, "fixed")


def _limits(budget: BudgetSettings) -> bool:
    return budget.hourly_limit is not None or budget.daily_limit is not None


def _has_budget(caller: Caller) -> bool:
    return caller.hourly_budget is not None or caller.daily_budget is not None


def _key(caller: Caller | None, ip: str) -> Whose:
    if caller is None or caller.anonymous:
        # Without a key the address is all that is known of a caller.
        name = connection_of(ip)
        return Whose("key", f"anonymous:{name}", name)
    return Whose("key", caller.id, caller.name)


def _place(ip: str) -> Whose:
    name = connection_of(ip)
    return Whose("ip", name, name)


def connection_of(ip: str) -> str:
    """What stands for whoever has the address: with IPv6 its /64, of which anybody may use any address."""
    if ":" not in ip:
        return ip
    try:
        address = IPv6Address(ip.partition("%")[0])
    except ValueError:
        return ip
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def _of_model(info: ModelInfo, table: Mapping[str, T]) -> tuple[Whose, T | None]:
    """What the table has for a model, and for whom: all issues of a model together, unless it names one of them."""
    pattern = next((pattern for pattern in table if _fits(pattern, info.id, *info.aliases)), None)
    if pattern is None:
        return _model(info.id), None
    # The names of the model itself are among the aliases of its issues.
    whole = info.issue_of if _fits(pattern, *info.aliases) else None
    return _model(whole or info.id), table[pattern]


def _model(name: str) -> Whose:
    # A provider may take a name in any case, and it is one model all the same.
    return Whose("model", name.lower(), name)


def _fits(pattern: str, *names: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for name in names)


def moment(at: float) -> str:
    """Seconds since the epoch as people and programs write them."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
