"""Providers that cache the beginnings of prompts for each account, and can be told to stop, to lie and to refuse."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.upstreams.allowance import Allowance
from tests.upstreams.prefix_cache import PrefixCache
from tests.upstreams.steps import Exchange, Step
from tests.upstreams.vendors import BY_PATH, Vendor, with_headers
from tests.upstreams.wire import Request

Mood = Literal["well", "forgetful", "silent", "lying", "mute", "throttled", "poor", "teasing", "broken"]
"""`forgetful`: writes and never reads. `silent`: neither writes nor reads. `lying`: caches, and says that it did not.
`mute`: caches, and says nothing of it. `throttled`: 429 with `Retry-After`. `poor`: no money. `teasing`: no money, and
a `Retry-After` all the same. `broken`: 500."""
SHARED = "anyone"
"""The account of one who would have all the keys in one."""


@dataclass(frozen=True)
class Call:
    """One request: its key, the model it named, when it came, and whether that was `early`: ahead of the time that its
    account had been told to wait for."""

    key: str
    model: str
    at: float
    early: bool


@dataclass(frozen=True)
class Begun(Step):
    """The answer begins now: only from here on is there something in the cache."""

    happens: Callable[[], None]

    def play(self, exchange: Exchange) -> None:
        self.happens()


@dataclass
class CachingProvider:
    """Plays Anthropic, OpenAI and GLM for any number of keys; `clock` gives the seconds that lives and limits go by.

    Every key is an account of its own unless `accounts` says which one it belongs to. What is said of all in `mood` is
    said of one key in `moods`; both may be changed at any time. An account has limits once `limit` was called for it.
    `read` adds up the tokens that were really read, `ideal` those that would have been in good health if all keys were
    one account.
    """

    clock: Callable[[], float]
    mood: Mood = "well"
    moods: dict[str, Mood] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    retry_after: int = 30
    read: int = 0
    ideal: int = 0
    log: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cache, self._best = PrefixCache(self.clock), PrefixCache(self.clock)
        self._limits: dict[str, Allowance] = {}
        self._until: dict[str, float] = defaultdict(float)
        self._mutex = threading.RLock()

    # What is to happen

    def limit(self, keys: Iterable[str], requests: int, tokens: int = 10_000_000) -> None:
        """Let the account of each of these keys make so many requests, with so many tokens, in a minute."""
        for key in keys:
            self._limits[self._account(key)] = Allowance(requests, tokens, self.clock)

    def forget(self, key: str | None = None) -> None:
        """What is cached for this key's account is lost at once, without a key all of it."""
        with self._mutex:
            self._cache.evict(None if key is None else self._account(key))

    # What has happened

    @property
    def calls(self) -> list[str]:
        """The key of each request."""
        return [call.key for call in self.log]

    @property
    def early(self) -> list[Call]:
        """The requests that came although their account had been told to wait longer."""
        return [call for call in self.log if call.early]

    # The works

    def play(self, request: Request) -> Sequence[Step]:
        """The answer to one request, in the form that its path asks for."""
        vendor = next(vendor for ending, vendor in BY_PATH if request.path.endswith(ending))
        key, body, now = vendor.key(request), request.body, self.clock()
        account, mood = self._account(key), self.moods.get(key, self.mood)
        with self._mutex:
            early = now < self._until[account]
            refused = self._refused(vendor, account, mood)
            steps = self._answer(vendor, account, request, mood) if refused is None else refused
            headers = vendor.headers(self._limits[account]) if account in self._limits else {}
            self.log.append(Call(key, body["model"], now, early))
        return with_headers(steps, headers)

    def _account(self, key: str) -> str:
        return self.accounts.get(key, key)

    def _refused(self, vendor: Vendor, account: str, mood: Mood) -> list[Step] | None:
        if mood == "poor":
            return vendor.poor()
        if mood == "teasing":
            return with_headers(vendor.poor(), {"Retry-After": str(self.retry_after)})
        if mood == "broken":
            return vendor.broken()
        wait = self.retry_after if mood == "throttled" else None
        if wait is None and account in self._limits:
            wait = self._limits[account].refused()
        if wait is None:
            return None
        self._until[account] = max(self._until[account], self.clock() + wait)
        return vendor.slow(wait)

    def _answer(self, vendor: Vendor, account: str, request: Request, mood: Mood) -> list[Step]:
        body, now = request.body, self.clock()
        best = vendor.count(self._best, SHARED, body)
        counted = vendor.count(PrefixCache(self.clock) if mood == "forgetful" else self._cache, account, body)
        if mood == "silent":
            counted = counted.in_vain
        if account in self._limits:
            self._limits[account].tokens.take(counted.total - counted.read)
        self.read, self.ideal = self.read + counted.read, self.ideal + best.read
        told = counted.in_vain if mood == "lying" else counted
        usage = vendor.bare_usage(told) if mood == "mute" else vendor.usage(told)
        answer = vendor.form.answer(request, vendor.says, usage=usage, model=body["model"])

        def begin() -> None:
            with self._mutex:
                self._best.take(best, now)
                self._cache.take(counted, now)

        return [Begun(begin), *answer]
