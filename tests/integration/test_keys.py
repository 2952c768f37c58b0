"""Callers' keys over HTTP and on the command line, with two workers on one redis."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anthropic
import jwt
import openai
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.gateway import ROOT, Gateway, eventually
from tests.integration.conftest import environment
from tests.redis_server import RedisServer
from tests.upstreams.server import Upstream

SECRET = "a secret of more than thirty-two characters"
ROOT_KEY = {"Authorization": "Bearer key-of-root"}


@pytest.fixture(scope="module")
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("keys")
    with RedisServer(tmp_path_factory.mktemp("redis")) as redis:
        settings = environment(
            provider,
            REDIS_URL=redis.url,
            WORKERS="2",
            GATEWAY_API_KEYS="root:key-of-root:admin,ops:key-of-ops:operator,app:key-of-app",
            GATEWAY__ACCESS__JWT__SECRET=SECRET,
        )
        with Gateway(directory, **settings) as gateway:
            yield gateway


def make(gateway: Gateway, **wanted: Any) -> Any:
    response = gateway.post("/v1/keys", {"name": "ann", **wanted}, headers=ROOT_KEY)
    assert response.status_code == 201, response.text
    assert response.headers["Cache-Control"] == "no-store"
    return response.json()


def ask(gateway: Gateway, key: str, model: str = "glm-4.6") -> requests.Response:
    answer: requests.Response = gateway.chat(headers={"Authorization": f"Bearer {key}"}, model=model)
    return answer


def command(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(ROOT / "app.py"), *arguments]
    return subprocess.run(
        line, cwd=gateway.directory, env=gateway.environment, text=True, capture_output=True, check=False
    )


def test_a_key_works_at_once_in_every_worker_and_is_shown_once(gateway: Gateway) -> None:
    made = make(gateway, expires_in=3600, limits={"requests_per_minute": 1000})
    assert (made["object"], made["name"], made["role"], made["status"]) == ("key", "ann", "user", "active")
    assert {ask(gateway, made["key"]).status_code for _ in range(12)} == {200}
    shown = gateway.get(f"/v1/keys/{made['id']}", headers=ROOT_KEY).json()
    assert {**shown, "key": made["key"]} == {**made, "last_used_at": shown["last_used_at"]}
    listing = gateway.get("/v1/keys", headers=ROOT_KEY)
    assert made["key"] not in listing.text
    assert made["key"] not in gateway.output


def test_a_revoked_key_is_refused_in_all_workers_within_two_seconds(gateway: Gateway) -> None:
    made = make(gateway)
    assert {ask(gateway, made["key"]).status_code for _ in range(12)} == {200}
    assert gateway.delete(f"/v1/keys/{made['id']}", headers=ROOT_KEY).json()["status"] == "revoked"
    assert eventually(lambda: {ask(gateway, made["key"]).status_code for _ in range(12)} == {401}, patience=2.0)
    assert gateway.delete(f"/v1/keys/{made['id']}", headers=ROOT_KEY).status_code == 404


def test_a_key_is_changed_and_who_did_it_is_kept(gateway: Gateway) -> None:
    made = make(gateway, models=["glm-4.6"])
    change = {"name": "anna", "role": "operator", "models": [], "expires_in": 3600, "limits": {"concurrent_streams": 2}}
    path = f"/v1/keys/{made['id']}"
    changed = requests.patch(gateway.url + path, json=change, headers=ROOT_KEY, timeout=30).json()
    assert (changed["name"], changed["role"], changed["models"]) == ("anna", "operator", [])
    assert changed["limits"] == {"requests_per_minute": None, "tokens_per_minute": None, "concurrent_streams": 2}
    assert changed["expires_at"] is not None
    assert changed["changed_by"].startswith("root (")
    told = gateway.wait_event("key_changed", key_id=made["id"])
    assert (told["by"], told["name"]) == (changed["changed_by"], "anna")
    wrong = requests.patch(gateway.url + path, json={"color": 1}, headers=ROOT_KEY, timeout=30)
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "color")


def test_a_rotated_key_keeps_its_caller(gateway: Gateway) -> None:
    made = make(gateway, name="rot")
    rotated = gateway.post(f"/v1/keys/{made['id']}/rotate", {"overlap": 60}, headers=ROOT_KEY).json()
    assert {ask(gateway, key).status_code for key in (made["key"], rotated["key"])} == {200}

    def counted() -> bool:
        params = {"group_by": "key", "key": made["id"]}
        rows = gateway.get("/v1/usage", params=params, headers=ROOT_KEY).json()["data"]
        return [(row["key_name"], row["requests"]) for row in rows] == [("rot", 2)]

    assert eventually(counted)


def test_a_key_may_use_the_models_it_was_made_for_and_sees_no_others(gateway: Gateway) -> None:
    key = make(gateway, models=["glm-4.6*"])["key"]
    assert ask(gateway, key).status_code == 200
    refused = ask(gateway, key, "glm-4.7")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")
    assert gateway.chat(headers={"Authorization": f"Bearer {key}"}).status_code == 403, "the default is another model"
    explained = {"messages": [{"role": "user", "content": "Hi"}], "model": "glm-4.7"}
    operators = make(gateway, models=["glm-4.6*"], role="operator")["key"]
    answer = gateway.post("/v1/route/explain", explained, headers={"Authorization": f"Bearer {operators}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")
    client = openai.OpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=0)
    names = {getattr(model, "alias_of", None) or model.id for model in client.models.list()}
    assert "glm-4.6" in names
    assert all(name.startswith("glm-4.6") for name in names)
    with pytest.raises(openai.PermissionDeniedError):
        client.models.retrieve("glm-4.7")
    with pytest.raises(openai.PermissionDeniedError):
        client.embeddings.create(model="embedding-3", input="x")
    claude = anthropic.Anthropic(api_key=key, base_url=gateway.url, max_retries=0)
    with pytest.raises(anthropic.PermissionDeniedError):
        claude.messages.create(model="glm-4.7", max_tokens=5, messages=[{"role": "user", "content": "Hi"}])
    with pytest.raises(anthropic.PermissionDeniedError):
        claude.messages.count_tokens(model="glm-4.7", messages=[{"role": "user", "content": "Hi"}])
    assert "glm-4.7" not in [model.id for model in claude.models.list()]


@pytest.mark.parametrize(
    "field",
    [
        {"models": ["glm-4.6", "dear/model"]},
        {"fallbacks": [{"model": "glm-4.7"}]},
        {"plugins": [{"id": "auto-router", "allowed_models": ["dear/*"]}]},
        {"preset": "glm-4.7", "models": ["dear/model"]},
    ],
    ids=str,
)
def test_a_key_may_use_no_other_model_by_naming_it_for_the_provider_to_go_on_to(
    gateway: Gateway, provider: Upstream, field: dict[str, Any]
) -> None:
    key = make(gateway, models=["glm-4.6*"])["key"]
    before = len(provider.requests)
    client = openai.OpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=0)
    with pytest.raises(openai.PermissionDeniedError) as refused:
        client.chat.completions.create(
            model="glm-4.6",
            messages=[{"role": "user", "content": "Hi"}],
            extra_body={**field, "route": "fallback"},
        )
    assert refused.value.code == "model_not_allowed"
    claude = anthropic.Anthropic(api_key=key, base_url=gateway.url, max_retries=0)
    with pytest.raises(anthropic.PermissionDeniedError):
        claude.messages.create(
            model="glm-4.6", max_tokens=5, messages=[{"role": "user", "content": "Hi"}], extra_body=field
        )
    assert len(provider.requests) == before
    allowed = make(gateway, models=["glm-4.6", "glm/dear/*", "glm-4.7", "*/@preset/*"])["key"]
    chat = {"model": "glm-4.6", "messages": [{"role": "user", "content": "Hi"}], **field}
    answer = gateway.post("/v1/chat/completions", chat, headers={"Authorization": f"Bearer {allowed}"})
    assert answer.status_code == 200, answer.text


def test_limits_of_a_key_are_its_own(gateway: Gateway) -> None:
    key = make(gateway, limits={"requests_per_minute": 3})["key"]
    answers = [ask(gateway, key) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert answers[0].headers["x-ratelimit-limit-requests"] == "3"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "a\u009b31m"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "x", "role": "king"}, "role"),
        ({"name": "x", "models": ["glm-*\n\x1b[2J"]}, "models[0]"),
        ({"name": "x", "budget": {"daily": -1}}, "budget.daily"),
        ({"name": "x", "limits": {"requests_per_minute": 10**400}}, "limits.requests_per_minute"),
    ],
)
def test_a_wrong_wish_is_told_with_its_field(gateway: Gateway, body: Any, field: str) -> None:
    response = gateway.post("/v1/keys", body, headers=ROOT_KEY)
    assert (response.status_code, response.json()["error"]["param"]) == (400, field)


@pytest.mark.parametrize("caller", ["key-of-ops", "key-of-app"])
def test_only_admins_see_or_make_keys(gateway: Gateway, caller: str) -> None:
    headers = {"Authorization": f"Bearer {caller}"}
    assert gateway.post("/v1/keys", {"name": "x", "role": "admin"}, headers=headers).status_code == 403
    assert gateway.get("/v1/keys", headers=headers).status_code == 403


def test_a_signed_token_is_a_key(gateway: Gateway) -> None:
    claims = {"sub": "u1", "name": "Ann", "exp": 4_000_000_000}
    assert ask(gateway, jwt.encode(claims, SECRET, "HS256")).status_code == 200
    forged = ask(gateway, jwt.encode(claims, SECRET[::-1], "HS256"))
    assert (forged.status_code, forged.json()["error"]["code"]) == (401, "invalid_api_key")
    expired = ask(gateway, jwt.encode({**claims, "exp": 1}, SECRET, "HS256"))
    assert (expired.status_code, expired.json()["error"]["code"]) == (401, "token_expired")


def test_the_command_line_works_beside_a_running_gateway(gateway: Gateway) -> None:
    made = command(gateway, "keys", "create", "cli", "--model", "glm-4.6")
    assert made.returncode == 0, made.stderr
    key = made.stdout.splitlines()[0]
    assert ask(gateway, key).status_code == 200
    listing = command(gateway, "keys", "list").stdout
    ident = next(line.split()[0] for line in listing.splitlines() if " cli " in line)
    changed = command(gateway, "keys", "change", ident, "--days", "1", "--daily-usd", "2.5")
    assert (changed.returncode, "expires 20" in changed.stdout) == (0, True), changed.stderr
    rotated = command(gateway, "keys", "rotate", ident, "--overlap", "1").stdout.splitlines()[0]
    assert [ask(gateway, one).status_code for one in (key, rotated)] == [200, 200]
    kept = gateway.get(f"/v1/keys/{ident}", headers=ROOT_KEY).json()
    assert (kept["budget"]["daily"], len(kept["prefixes"])) == (2.5, 2)
    assert kept["changed_by"].endswith("on the command line")
    assert command(gateway, "keys", "revoke", ident).returncode == 0
    assert eventually(lambda: {ask(gateway, key).status_code for _ in range(6)} == {401})
    missing = command(gateway, "keys", "revoke", "key_0")
    assert (missing.returncode, "There is no key" in missing.stderr, "Traceback" in missing.stderr) == (2, True, False)
    usage = command(gateway, "usage", "--by", "key").stdout
    assert "requests" in usage.splitlines()[0]


def test_who_is_reached_by_others_and_has_no_key_makes_one_and_prints_it_once(
    provider: Upstream, tmp_path: Path
) -> None:
    house = Gateway(tmp_path, HOST="0.0.0.0", LOG_FILE=str(tmp_path / "log.json"), **environment(provider))
    with house:
        key = next(line.strip() for line in house.lines if line.strip().startswith("gw-"))
        assert house.chat().status_code == 200, "this machine itself needs none yet"
        afar = {"X-Forwarded-For": "10.0.0.1"}
        assert house.chat(headers=afar).status_code == 401
        assert ask(house, key).status_code == 200
        assert (
            house.get("/v1/keys", headers={**afar, "Authorization": f"Bearer {key}"}).json()["data"][0]["name"]
            == "owner"
        )
    assert key not in (tmp_path / "log.json").read_text()
    house.lines.clear()
    with house:
        assert not [line for line in house.lines if "gw-" in line]
        assert "shown at the first start" in house.output
        assert ask(house, key).status_code == 200
        made = house.post("/v1/keys", {"name": "first"}, headers={"Authorization": f"Bearer {key}"})
        assert made.status_code == 201
        assert house.chat().status_code == 401, "a person has made a key, so everybody needs one"
        house.delete(f"/v1/keys/{made.json()['id']}", headers={"Authorization": f"Bearer {key}"})
        assert house.chat().status_code == 401, "nor does revoking it open the door again"
        own, me = f"{house.url}/v1/keys/key_owner", {"Authorization": f"Bearer {key}"}
        for refused in (
            requests.delete(own, headers=me, timeout=30),
            requests.patch(own, json={"role": "user"}, headers=me, timeout=30),
            requests.patch(own, json={"expires_in": 3600}, headers=me, timeout=30),
        ):
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "last_admin")
        assert house.get("/v1/keys", headers=me).status_code == 200
    house.lines.clear()
    with house:
        assert "no active one is left" in house.output
        assert "Authorization: Bearer YOUR_KEY" in house.output
    assert json.loads((tmp_path / "log.json").read_text().splitlines()[-1])


def test_without_its_store_a_gateway_lets_in_whom_it_knows_and_nobody_without_a_key(
    provider: Upstream, tmp_path: Path
) -> None:
    with RedisServer(tmp_path, durable=True) as redis:
        house = Gateway(tmp_path, **environment(provider, REDIS_URL=redis.url, WORKERS="1"))
        with house:
            made = json.loads(house.post("/v1/keys", {"name": "ann", "role": "admin"}).text)
            assert ask(house, made["key"]).status_code == 200
            redis.stop()
            assert ask(house, made["key"]).status_code == 200
            assert ask(house, "gw-" + "x" * 43).status_code == 401
            assert house.chat().status_code == 401
        house.lines.clear()
        with house:
            assert "cannot be read now" in house.output
            for key in (None, made["key"]):
                answer = house.chat(headers={"Authorization": f"Bearer {key}"} if key else None)
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
            redis.start()
            assert eventually(lambda: ask(house, made["key"]).status_code == 200)
            assert house.chat().status_code == 401


# Keys of those who sign tokens, from an address

SIGNER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THIEF = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set(key: Any) -> bytes:
    entry = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": "one", "use": "sig"}
    return json.dumps({"keys": [entry]}).encode()


class Issuer(BaseHTTPRequestHandler):
    """Publishes its keys at /keys; the other paths are tricks."""

    def do_GET(self) -> None:
        bodies = {"/keys": key_set(SIGNER), "/stolen": key_set(THIEF), "/endless": b"[" + b" " * 2_000_000 + b"]"}
        moved = self.path == "/moved"
        self.send_response(302 if moved else 200)
        self.send_header("Location", "/stolen")
        body = key_set(THIEF) if moved else bodies[self.path]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Issuer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/keys", 200, None), ("/moved", 503, "jwks_unavailable"), ("/endless", 503, "jwks_unavailable")],
)
def test_tokens_are_verified_by_the_keys_at_the_configured_address_and_no_other(
    provider: Upstream, tmp_path: Path, issuer: str, path: str, status: int, code: str | None
) -> None:
    settings = environment(provider, GATEWAY__ACCESS__JWT__JWKS_URL=issuer + path)
    claims = {"sub": "u1", "exp": 4_000_000_000, "role": "operator"}

    def signed(key: Any) -> str:
        return jwt.encode(claims, key, "RS256", {"kid": "one"})

    with Gateway(tmp_path, **settings) as house:
        answer = ask(house, signed(SIGNER))
        assert (answer.status_code, answer.json().get("error", {}).get("code")) == (status, code)
        assert ask(house, signed(THIEF)).status_code in (401, 503)
        if status == 200:
            token = {"Authorization": f"Bearer {signed(SIGNER)}"}
            assert house.get("/v1/tokens", headers=token).status_code == 200
            assert house.get("/v1/keys", headers=token).status_code == 403
        assert house.chat().status_code == 401, "with tokens configured, nobody is let in without one"
