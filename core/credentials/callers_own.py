"""Credentials that callers bring along for a provider, passed through untouched."""

from collections.abc import Mapping

from core.credentials.lease import Lease, Outcome
from core.errors import NoCredentials, Unauthorized
from schemas.credential import Credential


class CallersOwn:
    """Leases each caller its own key; nothing of it is kept, and nothing is held against it."""

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def lease(self, own: Mapping[str, str], exclude: frozenset[str], now: float) -> Lease:
        """A lease on what stands in the headers `own`.

        Raises Unauthorized when they are empty, NoCredentials when it has been tried already.
        """
        if not own:
            raise Unauthorized(
                f"The provider {self._provider!r} takes your own key: send it as Authorization or x-api-key, "
                "and the gateway's key, where one is needed, as X-Gateway-Key.",
                code="missing_provider_key",
            )
        credential = Credential(self._provider, "\0".join(own.values()), headers=dict(own))
        if credential.id in exclude:
            raise NoCredentials(f"The provider {self._provider!r} has refused your key.")
        return Lease(credential, 0, now, _forget)


def _forget(lease: Lease, outcome: Outcome) -> None:
    """Nothing is known of a key that comes and goes with its caller."""
