"""Tokens that somebody else has signed."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import gevent
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import SecretStr, ValidationError

from config.settings import JwtSettings
from core.errors import SignersUnknown, Unauthorized, UpstreamUnreachable
from core.jwks import JwksKeys
from core.jwt_verifier import JwtVerifier, KeySource, OneKey
from schemas.codec import dumps
from services.jwt_callers import JwtCallers
from tests.fakes import FakeClock

SECRET = "a secret of more than thirty-two characters"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> bytes:
    form, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public: bytes = key.public_key().public_bytes(form, kind)
    return public


class Door:
    """What lets callers in by token."""

    def __init__(self, source: KeySource | None = None, **settings: Any) -> None:
        self.clock = FakeClock()
        self.settings = JwtSettings(**(settings or {"secret": SecretStr(SECRET)}))
        self.callers = JwtCallers(self.settings, JwtVerifier(self.settings, source or OneKey(SECRET), self.clock))

    def token(self, key: Any = SECRET, algorithm: str = "HS256", headers: Any = None, **claims: Any) -> str:
        said = {"sub": "u1", "exp": self.clock.now() + 60, **claims}
        return jwt.encode({name: value for name, value in said.items() if value is not None}, key, algorithm, headers)

    def enter(self, **said: Any) -> Any:
        return self.callers.caller(self.token(**said))

    def why(self, token: str | None = None, **said: Any) -> str:
        with pytest.raises(Unauthorized) as refused:
            self.callers.caller(token if token is not None else self.token(**said))
        return refused.value.message


def test_a_token_says_who_its_bearer_is() -> None:
    caller = Door().enter(name="Ann", role="operator", models=["glm-*"])
    assert (caller.name, caller.role, caller.models) == ("Ann", "operator", ("glm-*",))
    plain = Door().enter()
    assert (plain.name, plain.role, plain.models) == ("u1", "user", ())
    assert caller.signed
    assert plain.id == caller.id, "the subject alone is who it is"
    assert Door().enter(sub="u2").id != caller.id


def test_an_empty_list_of_models_is_none_at_all() -> None:
    assert Door().enter(models=[]).models == ("",)
    assert Door().enter(models="a b").models == ("a", "b")


def test_claims_may_stand_elsewhere() -> None:
    door = Door(secret=SecretStr(SECRET), claims={"id": "oid", "role": "gw_role"})
    assert door.enter(oid="x", gw_role="admin").role == "admin"
    assert "it has no oid" in door.why(oid=None)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": None}, "when it expires"),
        ({"exp": 1}, "has expired"),
        ({"exp": "soon"}, "times cannot be read"),
        ({"exp": True}, "times cannot be read"),
        ({"exp": float("inf")}, "times cannot be read"),
        ({"exp": float("nan")}, "times cannot be read"),
        ({"exp": 10**400}, "times cannot be read"),
        ({"nbf": -(10**400)}, "times cannot be read"),
        ({"nbf": 9e9}, "not good yet"),
        ({"iat": 9e9}, "not good yet"),
        ({"sub": None}, "it has no sub"),
        ({"role": "king"}, "its role"),
        ({"role": ["admin"]}, "its role"),
        ({"models": {"a": 1}}, "its models"),
        ({"models": [1]}, "its models"),
    ],
)
def test_a_token_that_is_not_good_is_refused_with_the_reason(claims: dict[str, Any], reason: str) -> None:
    assert reason in Door().why(**claims)


def test_clocks_may_differ_by_the_leeway() -> None:
    door = Door()
    now = door.clock.now()
    door.enter(exp=now - 29, nbf=now + 29)
    door.why(exp=now - 31)
    door.why(nbf=now + 31)


def test_audience_and_issuer_are_checked_when_they_are_configured() -> None:
    door = Door(secret=SecretStr(SECRET), audience="gw", issuer="https://id")
    door.enter(aud=["x", "gw"], iss="https://id")
    for wrong in (
        {"aud": "gw"},
        {"iss": "https://id"},
        {"aud": "other", "iss": "https://id"},
        {"aud": "gw", "iss": "x"},
    ):
        door.why(**wrong)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256")])
def test_public_keys_verify_what_their_owner_signed(key: Any, algorithm: str) -> None:
    door = Door(OneKey(pem(key)), public_key_file="key.pem")
    assert door.enter(key=key, algorithm=algorithm).name == "u1"
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert "nobody known" in door.why(key=stranger, algorithm="RS256")


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_a_token_has_no_say_in_how_it_is_verified() -> None:
    door = Door(OneKey(pem(RSA)), public_key_file="key.pem")
    claims = {"sub": "u1", "exp": door.clock.now() + 60, "role": "admin"}
    for algorithm in ("none", "None", "HS256", "RS512"):
        door.why(forged({"alg": algorithm, "typ": "JWT"}, claims, b"x"))
    import hashlib
    import hmac

    head = forged({"alg": "HS256"}, claims).rpartition(".")[0]
    mac = hmac.new(pem(RSA), head.encode(), hashlib.sha256).digest()
    door.why(f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")


@pytest.mark.parametrize("token", ["a.b.c", "..", "x" * 9000 + ".y.z", "é.é.é", forged({"alg": "HS256"}, {})])
def test_what_is_no_token_is_refused(token: str) -> None:
    Door().why(token)


def test_one_source_of_keys_is_enough_and_a_short_secret_is_not() -> None:
    for wrong in (
        {"secret": SecretStr("short")},
        {"secret": SecretStr(SECRET), "jwks_url": "https://x/y"},
        {"jwks_url": "http://elsewhere/keys"},
        {"jwks_url": "file:///etc/passwd"},
        {"jwks_url": "http://localhost:80@elsewhere/keys"},
        {"jwks_url": "http://localhost.elsewhere/keys"},
        {"jwks_url": "https://me:hush@id/keys"},
        {"jwks_url": "https://"},
        {"jwks_url": "https://[x"},
        {"jwks_url": "https://x/y", "algorithms": ()},
        {"jwks_url": "https://x/y", "algorithms": ("HS256",)},
        {"jwks_url": "https://x/y", "algorithms": ("none",)},
    ):
        with pytest.raises(ValidationError):
            JwtSettings(**wrong)


# Keys from an address


class FakeTransport:
    """Sends what `keys` are, or fails while they are None."""

    def __init__(self, keys: Sequence[tuple[str, Any]] | None) -> None:
        self.keys = keys
        self.calls = 0
        self.asked: list[str] = []
        self.status = 200
        self.more: list[Any] = []
        self.delay = 0.0

    def call(self, request: Any, seconds: float, cancel: Any, max_bytes: int) -> tuple[int, dict[str, str], bytes]:
        self.calls += 1
        self.asked.append(request.url)
        assert (seconds, max_bytes) == (5.0, 1024 * 1024)
        gevent.sleep(self.delay)
        if self.keys is None:
            raise UpstreamUnreachable("away")
        entries = [
            {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": name, "use": "sig"}
            for name, key in self.keys
        ]
        return (
            self.status,
            {},
            dumps(
                {
                    "keys": [
                        *self.more,
                        *entries,
                        {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode(), "kid": "sym"},
                    ]
                }
            ),
        )


class Remote:
    """A door whose keys come from an address."""

    def __init__(self, keys: Sequence[tuple[str, Any]] | None) -> None:
        self.transport = FakeTransport(keys)
        clock = FakeClock()
        source = JwksKeys("https://id/keys", self.transport, clock)  # type: ignore[arg-type] # the part that is used
        self.door = Door(source, jwks_url="https://id/keys")
        self.door.clock = clock
        self.door.callers = JwtCallers(self.door.settings, JwtVerifier(self.door.settings, source, clock))

    def enter(self, kid: str = "one", key: Any = RSA) -> Any:
        return self.door.enter(key=key, algorithm="RS256", headers={"kid": kid})


OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_keys_are_fetched_once_and_again_for_an_id_that_is_new() -> None:
    remote = Remote([("one", RSA)])
    for _ in range(5):
        remote.enter()
    assert remote.transport.calls == 1
    remote.transport.keys = [("one", RSA), ("two", OTHER)]
    with pytest.raises(Unauthorized):
        remote.enter("two", OTHER)
    remote.door.clock.advance(11)
    remote.enter("two", OTHER)
    assert remote.transport.calls == 2


def test_made_up_ids_do_not_keep_the_address_busy() -> None:
    remote = Remote([("one", RSA)])
    for number in range(100):
        with pytest.raises(Unauthorized):
            remote.enter(f"made-up-{number}")
    assert remote.transport.calls == 1


def test_known_keys_go_on_working_while_the_address_is_away() -> None:
    remote = Remote([("one", RSA)])
    remote.enter()
    remote.transport.keys = None
    remote.door.clock.advance(3600)
    remote.enter()


def test_with_no_keys_at_all_nobody_is_let_in_until_they_can_be_fetched() -> None:
    remote = Remote(None)
    for _ in range(20):
        with pytest.raises(SignersUnknown, match="fetched"):
            remote.enter()
    assert remote.transport.calls == 1, "the address is left alone for a while"
    remote.transport.keys = [("one", RSA)]
    remote.door.clock.advance(11)
    remote.enter()


def test_a_redirect_or_a_secret_key_is_no_key() -> None:
    remote = Remote([("one", RSA)])
    remote.transport.status = 302
    with pytest.raises(SignersUnknown):
        remote.enter()
    remote.transport.status = 200
    remote.door.clock.advance(11)
    remote.enter()
    with pytest.raises(Unauthorized):
        remote.door.enter(key=SECRET, algorithm="HS256", headers={"kid": "sym"})


def test_those_who_come_while_keys_are_fetched_wait_for_them() -> None:
    remote = Remote([("one", RSA)])
    remote.transport.delay = 0.01
    waiting = [gevent.spawn(remote.enter) for _ in range(5)]
    gevent.joinall(waiting)
    assert [one.value.name for one in waiting] == ["u1"] * 5
    assert remote.transport.calls == 1


def test_old_keys_are_fetched_anew_beside_the_requests_so_that_one_that_was_withdrawn_is_over() -> None:
    remote = Remote([("one", RSA), ("two", OTHER)])
    remote.enter()
    remote.transport.keys = [("two", OTHER)]
    remote.door.callers.refresh()
    assert remote.transport.calls == 1, "they are not old yet"
    remote.door.clock.advance(601)
    remote.enter()
    assert remote.transport.calls == 1, "no request waits for it"
    remote.door.callers.refresh()
    assert remote.transport.calls == 2
    with pytest.raises(Unauthorized):
        remote.enter()


def test_nothing_is_fetched_before_a_token_comes() -> None:
    remote = Remote([("one", RSA)])
    remote.door.callers.refresh()
    assert remote.transport.calls == 0


def test_a_key_that_is_not_for_signatures_verifies_none() -> None:
    remote = Remote([("one", RSA)])
    for other in ({"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": []}):
        entry = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OTHER.public_key()))
        remote.transport.more.append({**entry, "kid": "other", **other})
    with pytest.raises(Unauthorized):
        remote.enter("other", OTHER)
    remote.transport.more = [{**entry, "kid": "other", "key_ops": ["verify"]}]
    remote.door.clock.advance(11)
    assert remote.enter("other", OTHER).name == "u1"


def test_somebody_elses_token_is_no_reason_to_fetch_keys() -> None:
    remote = Remote([("one", RSA)])
    settings = JwtSettings(jwks_url="https://id/keys", issuer="https://id")
    source = JwksKeys("https://id/keys", remote.transport, remote.door.clock)  # type: ignore[arg-type] # the part that is used
    remote.door.callers = JwtCallers(settings, JwtVerifier(settings, source, remote.door.clock))
    with pytest.raises(Unauthorized, match="somebody else"):
        remote.enter()
    assert remote.transport.calls == 0
    assert remote.door.enter(key=RSA, algorithm="RS256", headers={"kid": "one"}, iss="https://id").name == "u1"


@pytest.mark.parametrize(
    "odd",
    [
        "text",
        5,
        None,
        {"kty": "RSA"},
        {"kty": "RSA", "key_ops": 5},
        {"kty": "EC", "crv": "X", "x": "", "y": ""},
        {"kid": 1, "kty": "RSA"},
    ],
)
def test_a_key_that_cannot_be_used_is_no_reason_to_do_without_the_others(odd: Any) -> None:
    remote = Remote([("one", RSA)])
    remote.transport.more = [odd]
    assert remote.enter().name == "u1"


def test_what_a_token_says_of_its_signers_address_is_never_followed() -> None:
    remote = Remote([("one", RSA)])
    stranger = {"jku": "http://127.0.0.1/keys", "x5u": "http://127.0.0.1/key.pem"}
    for kid in ("one", "theirs"):
        with pytest.raises(Unauthorized):
            remote.door.enter(key=OTHER, algorithm="RS256", headers={"kid": kid, **stranger})
    assert set(remote.transport.asked) == {"https://id/keys"}
