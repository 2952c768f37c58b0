"""What a provider's refusal means once it is known whose credential it was about."""

from core.errors import GatewayError, Unauthorized, UpstreamUnauthorized
from schemas.credential import Credential

SHORTEST_SECRET = 6
"""What is shorter is a placeholder, and stands in many an honest word."""


def whose(error: GatewayError, credential: Credential) -> GatewayError:
    """The error to raise: a key that the caller brought along is the caller's to mend."""
    if credential.headers is None or not isinstance(error, UpstreamUnauthorized):
        return error
    return Unauthorized("The provider refuses the key that you sent with the request.", code="invalid_provider_key")


def scrub(failure: GatewayError, credential: Credential) -> None:
    """Take the credential out of what the client is told.

    Providers like to quote the key they refuse, and no pattern knows every shape of key.
    """
    secrets = credential.secret.split("\0")
    secrets += [secret.partition(" ")[2] for secret in secrets if " " in secret]
    for secret in (secret for secret in secrets if len(secret) >= SHORTEST_SECRET):
        failure.message = failure.message.replace(secret, "***")
        for name, value in (failure.details or {}).items():
            if isinstance(value, str):
                failure.details = {**(failure.details or {}), name: value.replace(secret, "***")}
