"""Which credentials are one account's, in whichever provider instance they stand."""

from collections.abc import Iterable, Mapping

from core.credentials.member import Member


class Accounts:
    """The members of all pools of this worker by who is behind them."""

    def __init__(self) -> None:
        self._pools: dict[str, Mapping[str, Member]] = {}
        self._behind: dict[tuple[str, ...], list[Member]] = {}

    def join(self, provider: str, members: Mapping[str, Member]) -> None:
        """These are the credentials of that instance from now on."""
        self._pools[provider] = members
        self._behind = {}
        for member in (one for pool in self._pools.values() for one in pool.values()):
            for owner in member.credential.owners:
                self._behind.setdefault(owner, []).append(member)

    def others(self, member: Member) -> Iterable[Member]:
        """The other credentials that are known to be the same account's."""
        found = {one.id: one for owner in member.credential.owners for one in self._behind.get(owner, ())}
        found.pop(member.id, None)
        return found.values()
