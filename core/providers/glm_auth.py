"""Signs GLM requests with the short-lived tokens of Zhipu's own SDKs."""

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm

from core.clock import Clock
from core.errors import UpstreamUnauthorized
from schemas.codec import dumps
from schemas.credential import Credential

VALID_SECONDS = 210
CACHED_SECONDS = 180


class JwtSigner:
    """Makes one token a credential and keeps it for 180 s; holds at most `size` of them."""

    def __init__(self, clock: Clock, size: int = 1000) -> None:
        self._clock = clock
        self._size = size
        self._tokens: dict[str, tuple[float, str]] = {}

    def token(self, credential: Credential) -> str:
        """A token that is good for at least 30 s. Raises UpstreamUnauthorized for a key that is not `id.secret`."""
        now, ident = self._clock.monotonic(), credential.id
        made, token = self._tokens.get(ident, (0.0, ""))
        if token and now - made < CACHED_SECONDS:
            return token
        token = sign(credential.secret, self._clock.now())
        self._tokens.pop(ident, None)
        if len(self._tokens) >= self._size:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[ident] = (now, token)
        return token

    def forget(self) -> None:
        """Drop every token, so that the next request signs anew."""
        self._tokens.clear()


def sign(key: str, now: float) -> str:
    """The token for `key` at `now` (seconds since the epoch).

    As in zai-sdk 0.2.3: times are in milliseconds, which is not how a JWT has them, and the header has no `typ`.
    """
    ident, dot, secret = key.partition(".")
    if not (ident and dot and secret) or "." in secret:
        raise UpstreamUnauthorized("a GLM key must be two parts joined by one dot to be signed with; this one is not")
    issued = int(now * 1000)
    payload = {"api_key": ident, "exp": issued + VALID_SECONDS * 1000, "timestamp": issued}
    return _signer().encode(dumps(payload), secret, algorithm="HS256", headers={"typ": None, "sign_type": "SIGN"})


class _ShortKeyHmac(HMACAlgorithm):
    """GLM's secrets have 16 characters where PyJWT warns below 32; nobody but the vendor can change that."""

    def check_key_length(self, key: bytes) -> str | None:
        return None


def _signer() -> PyJWS:
    signer = PyJWS(algorithms=[])
    signer.register_algorithm("HS256", _ShortKeyHmac(HMACAlgorithm.SHA256))
    return signer
