"""Builds what takes others' tokens, as the settings want it."""

from config.settings import JwtSettings
from core.clock import Clock
from core.jwks import JwksKeys
from core.jwt_verifier import JwtVerifier, KeySource, OneKey
from core.public_key import read_public_key
from core.transport import Transport
from services.jwt_callers import JwtCallers


def tokens_of(settings: JwtSettings, transport: Transport, clock: Clock) -> JwtCallers | None:
    """None when no tokens are taken. Raises ValueError for a key file that cannot be used."""
    if not settings.enabled:
        return None
    return JwtCallers(settings, JwtVerifier(settings, _source(settings, transport, clock), clock))


def _source(settings: JwtSettings, transport: Transport, clock: Clock) -> KeySource:
    if settings.jwks_url is not None:
        return JwksKeys(settings.jwks_url, transport, clock)
    if settings.secret is not None:
        return OneKey(settings.secret.get_secret_value())
    return OneKey(read_public_key(settings.public_key_file) if settings.public_key_file is not None else b"")
