"""What signing for GLM promises."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from core.errors import UpstreamUnauthorized
from core.providers.glm import GLM
from core.providers.glm_auth import JwtSigner, sign
from schemas.codec import loads
from schemas.credential import Credential
from tests.fakes import FakeClock

KEY = Credential("glm", "0123456789abcdef.AbCdEfGhIjKlMnOp")
BASE = "https://api.z.ai/api/paas/v4"


def parts(token):
    return [urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


def bearer(provider, credential=KEY):
    return provider.authorize(credential)["Authorization"].removeprefix("Bearer ")


def test_a_plain_key_is_sent_as_it_is():
    assert bearer(GLM("glm", BASE, FakeClock())) == KEY.secret


@pytest.mark.filterwarnings("error")
def test_the_token_is_the_one_the_vendors_sdk_makes():
    token = sign(KEY.secret, 1_795_000_000.25)
    header, payload, signature = parts(token)
    assert loads(header) == {"alg": "HS256", "sign_type": "SIGN"}
    assert loads(payload) == {"api_key": "0123456789abcdef", "exp": 1_795_000_210_250, "timestamp": 1_795_000_000_250}
    signed = token.rpartition(".")[0].encode()
    assert signature == hmac.digest(b"AbCdEfGhIjKlMnOp", signed, hashlib.sha256)
    assert urlsafe_b64encode(signature).rstrip(b"=").decode() in token


def test_a_token_is_kept_for_180_seconds():
    clock = FakeClock()
    provider = GLM("glm", BASE, clock, auth="jwt")
    first = bearer(provider)
    clock.advance(179)
    assert bearer(provider) == first
    clock.advance(2)
    assert bearer(provider) != first


def test_every_credential_has_its_own_token():
    provider = GLM("glm", BASE, FakeClock(), auth="jwt")
    assert bearer(provider) != bearer(provider, Credential("glm", "other.AbCdEfGhIjKlMnOp"))


def test_an_answer_that_the_token_expired_makes_the_next_request_sign_anew():
    clock = FakeClock()
    provider = GLM("glm", BASE, clock, auth="jwt")
    first = bearer(provider)
    clock.advance(1)
    provider.error(401, {}, b'{"error":{"code":"1003","message":"expired"}}')
    assert bearer(provider) != first


def test_old_tokens_make_room_for_new_ones():
    clock = FakeClock()
    signer = JwtSigner(clock, size=2)
    first = signer.token(KEY)
    for name in ("a", "b"):
        signer.token(Credential("glm", f"{name}.secret"))
    clock.advance(1)
    assert signer.token(KEY) != first
    assert len(signer._tokens) == 2


@pytest.mark.parametrize("key", ["nodots", "two.dots.here", ".secret", "id.", "", "."])
def test_a_key_of_another_shape_is_refused_without_showing_it(key):
    with pytest.raises(UpstreamUnauthorized) as caught:
        sign(key, 0)
    assert not key.strip(".") or key not in caught.value.message
