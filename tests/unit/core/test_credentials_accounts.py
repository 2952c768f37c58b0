"""One account behind several keys, in one provider instance or in two."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from config.settings import ProviderSettings
from core.credentials.accounts import Accounts
from core.credentials.ground import Ground
from core.credentials.pool import CredentialPool
from core.credentials.sources import ProviderSource
from core.errors import (
    GatewayError,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamUnauthorized,
)
from core.store.memory import MemoryCounters
from tests.fakes import FakeClock
from tests.unit.core.credentials_kit import SETTINGS, DictRecords
from tests.unit.core.pools_kit import reading

SLOW = UpstreamRateLimited("slow", retry_after=30)
EMPTY = UpstreamQuotaExhausted("empty")
ZAI, PLAN = "https://api.z.ai/api/paas/v4", "https://api.z.ai/api/coding/paas/v4"


class House:
    """Instances with keys, as they are configured, on one worker; `twin` has the same on another."""

    def __init__(self, records: DictRecords | None = None, clock: FakeClock | None = None, **instances: Any) -> None:
        self.instances = instances
        self.clock, self.records = clock or FakeClock(), records or DictRecords()
        accounts = Accounts()
        self.pools = {name: self._pool(name, settings, accounts) for name, settings in instances.items()}

    def twin(self) -> "House":
        return House(self.records, self.clock, **self.instances)

    def _pool(self, name: str, settings: dict[str, Any], accounts: Accounts) -> CredentialPool:
        source = ProviderSource(name, ProviderSettings.model_validate(settings))
        ground = Ground(self.records, MemoryCounters(), SETTINGS, self.clock, "w", Random(1), accounts)
        return CredentialPool(name, source.poll() or (), ground)

    def fail(self, name: str, error: GatewayError, secret: str) -> None:
        pool = self.pools[name]
        ident = next(one for one in self.ids(name) if self.ids(name)[one] == secret)
        pool.lease(model="m", prefer=ident).fail(error, 1)

    def ids(self, name: str) -> dict[str, str]:
        return {member.id: member.credential.secret for member in self.pools[name]._members.values()}

    def fit(self, name: str, model: str = "m") -> str:
        """The keys of an instance that can be used now."""
        now = self.clock.now()
        members = self.pools[name]._members.values()
        return "".join(
            member.credential.secret
            for member in members
            if member.standing.state != "blacklisted" and member.opens_at(model, 0, now) <= now
        )


def glm(*keys: Any, url: str = ZAI, kind: str = "glm") -> dict[str, Any]:
    return {"kind": kind, "base_url": url, "keys": [key if isinstance(key, dict) else {"key": key} for key in keys]}


def of(account: str, key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "account": account, **more}


@pytest.mark.parametrize("error", [SLOW, EMPTY])
def test_the_same_account_in_two_instances_rests_in_both(error: GatewayError) -> None:
    house = House(one=glm(of("x", "a"), "b"), two=glm(of("x", "c"), of("y", "d"), kind="glm-anthropic"))
    house.fail("one", error, "a")
    assert (house.fit("one"), house.fit("two")) == ("b", "d")
    late = house.twin()
    assert (late.fit("one"), late.fit("two")) == ("b", "d"), "it is written down at once"


@pytest.mark.parametrize("error", [SLOW, EMPTY, UpstreamUnauthorized("no", code="account_deactivated")])
def test_the_same_key_in_two_instances_is_one_account(error: GatewayError) -> None:
    house = House(one=glm("a", "b"), two=glm("a", "c"))
    house.fail("two", error, "a")
    assert (house.fit("one"), house.fit("two")) == ("b", "c")


def test_a_key_with_an_account_is_the_same_without_it_elsewhere() -> None:
    house = House(one=glm(of("x", "a")), two=glm("a", "b"))
    house.fail("one", SLOW, "a")
    assert house.fit("two") == "b"


def test_what_is_of_a_key_or_of_a_provider_is_not_shared() -> None:
    house = House(one=glm("a", of("x", "b")), two=glm("a", of("x", "c")))
    for _ in range(3):
        house.fail("one", UpstreamServerError("no"), "a")
    house.fail("one", UpstreamUnauthorized("no"), "b")
    assert house.fit("two") == "ac"


def test_the_same_words_at_two_vendors_are_two_accounts() -> None:
    house = House(one=glm(of("main", "a")), two={"kind": "openai", "keys": [of("main", "a")]})
    house.fail("one", EMPTY, "a")
    assert house.fit("two") == "a"


@pytest.mark.parametrize(("host", "left"), [("h", ""), ("g", "a")])
def test_of_kinds_that_may_be_anybodys_the_host_tells_whose_it_is(host: str, left: str) -> None:
    house = House(
        one={"kind": "openai-compatible", "base_url": "http://h/v1", "keys": ["a"]} | {"keys": [{"key": "a"}]},
        two={"kind": "openai-compatible", "base_url": f"http://{host}/v2", "keys": [{"key": "a"}]},
    )
    house.fail("one", SLOW, "a")
    assert house.fit("two") == left


def test_a_plan_and_the_money_beside_it_are_two_purses_of_one_key() -> None:
    house = House(plan=glm("a", url=PLAN), paid=glm("a"), said=glm({"key": "a", "base_url": PLAN}))
    house.fail("plan", EMPTY, "a")
    assert (house.fit("paid"), house.fit("said")) == ("a", "")


def test_who_says_that_they_are_one_account_is_believed() -> None:
    house = House(plan=glm(of("x", "a"), url=PLAN), paid=glm(of("x", "b")))
    house.fail("plan", EMPTY, "a")
    assert house.fit("paid") == ""


def test_what_a_provider_tells_of_its_limits_holds_for_the_whole_account() -> None:
    house = House(one=glm(of("x", "a"), of("x", "b"), "c"), two=glm(of("x", "d")))
    (ident, *_) = house.ids("one")
    house.pools["one"].learn(ident, [reading("requests", 0, house.clock.now() + 30)], "m")
    assert (house.fit("one"), house.fit("two")) == ("c", "")


def test_a_key_that_was_taken_out_of_its_file_is_nobodys_any_more(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text('[{"token": "a", "account": "x"}]')
    house = House(one={"kind": "glm", "token_file": str(file)}, two=glm(of("x", "b")))
    (ident,) = house.ids("one")
    lease = house.pools["one"].lease()
    house.pools["one"].replace([])
    lease.fail(SLOW, 1)
    assert house.fit("two") == "", "what was found out while it was in use is heeded"
    assert house.pools["one"].shares(ident, SLOW) == {ident}
