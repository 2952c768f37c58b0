"""Prober: asks a provider whether a credential works, at no cost."""

from collections.abc import Mapping

from core.cancel import Cancellation
from core.errors import GatewayError
from core.providers.base import Provider
from core.transport import Transport
from schemas.credential import Credential
from services.reachability import Reachability
from services.site import Site

PROBE_SECONDS = 10.0


class Prober:
    """A call of the provider's own free question; what it shows of the provider counts as traffic does."""

    def __init__(self, sites: Mapping[str, Site], transport: Transport, reachability: Reachability) -> None:
        self._sites = sites
        self._transport = transport
        self._reachability = reachability

    def __call__(self, credential: Credential) -> GatewayError | None:
        """What is wrong with the credential, or None when it works or nothing can be asked."""
        provider = self._sites[credential.provider].at(credential.id).provider
        error = self._ask(provider, credential)
        self._reachability.note(credential.provider, error.code if error is not None else None)
        return error

    def _ask(self, provider: Provider, credential: Credential) -> GatewayError | None:
        try:
            request = provider.probe(credential)
            if request is None:
                return None
            status, headers, body = self._transport.call(request, PROBE_SECONDS, Cancellation())
        except GatewayError as error:
            return error
        return provider.error(status, headers, body) if status >= 300 else None
