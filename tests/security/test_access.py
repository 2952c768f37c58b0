"""Who is let in, and where to."""

from typing import Any

import pytest
import requests

from tests.gateway import Gateway
from tests.upstreams.server import Upstream

ADMIN, OPERATOR, USER = "admin-key-1", "operator-key-1", "user-key-1"
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
PROTECTED = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v2/chat/completions"),
    ("GET", "/v1/models"),
    ("GET", "/v2/models"),
    ("GET", "/v1/models/glm-4.6"),
    ("GET", "/v1/tokens"),
    ("GET", "/v1/tokens/stats"),
    ("POST", "/v1/tokens/abc/reset"),
    ("GET", "/v1/providers"),
    ("GET", "/v1/providers/glm"),
    ("POST", "/v1/providers/glm/reset"),
    ("GET", "/v1/failover"),
    ("GET", "/v1/failover/glm-4.6"),
    ("POST", "/v1/failover/glm-4.6"),
    ("DELETE", "/v1/failover/glm-4.6"),
    ("GET", "/v1/usage"),
    ("POST", "/v1/route/explain"),
    ("GET", "/v1/route/explain/abc"),
    ("GET", "/v1/health"),
    ("GET", "/health"),
    ("GET", "/v1/metrics"),
    ("GET", "/metrics"),
    ("GET", "/nowhere"),
    ("GET", "/"),
    ("PUT", "/v1/chat/completions"),
    ("OPTIONS", "/v1/chat/completions"),
    ("HEAD", "/v1/models"),
]
FOR_OPERATORS = [
    "/v1/tokens",
    "/v1/tokens/stats",
    "/v1/providers",
    "/v1/providers/glm",
    "/v1/failover",
    "/v1/failover/glm-4.6",
    "/v1/health",
    "/health",
    "/v1/metrics",
    "/metrics",
]


def ask(gateway: Gateway, method: str, path: str, **headers: str) -> requests.Response:
    body = CHAT if method == "POST" else None
    return requests.request(method, gateway.url + path, json=body, headers=headers, timeout=30)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def error_of(response: requests.Response) -> Any:
    assert response.json()["request_id"] == response.headers["X-Request-ID"]
    return response.json()["error"]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_without_a_key_nothing_is_told(locked: Gateway, upstream: Upstream, method: str, path: str) -> None:
    response = ask(locked, method, path)
    assert response.status_code == 401
    if method != "HEAD":
        error = error_of(response)
        assert (error["type"], error["code"]) == ("authentication_error", "missing_api_key")
    assert not upstream.requests


@pytest.mark.parametrize("key", ["wrong", ADMIN + "x", ADMIN[:-1], ADMIN.upper(), "ann", f"ann:{ADMIN}", "id.secret"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/tokens", "/nowhere"])
def test_a_wrong_key_is_no_key(locked: Gateway, key: str, path: str) -> None:
    response = ask(locked, "GET", path, **bearer(key))
    assert response.status_code == 401
    assert error_of(response)["code"] == "invalid_api_key"
    assert key not in response.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": USER},
        {"Authorization": f"Basic {USER}"},
        {"X-Api-Key": ""},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Cookie": f"key={USER}"},
    ],
)
def test_a_key_in_no_form_we_know_is_no_key(locked: Gateway, headers: dict[str, str]) -> None:
    assert ask(locked, "GET", "/v1/models", **headers).status_code == 401


@pytest.mark.parametrize(
    "headers", [bearer(USER), {"Authorization": f"bearer  {USER} "}, {"x-api-key": USER}, {"X-API-KEY": USER}]
)
def test_a_key_is_taken_as_bearer_and_as_api_key(locked: Gateway, upstream: Upstream, headers: dict[str, str]) -> None:
    assert ask(locked, "POST", "/v1/chat/completions", **headers).status_code == 200


def test_a_key_that_is_no_ascii_is_refused_like_any_other(locked: Gateway) -> None:
    response = requests.get(f"{locked.url}/v1/models", headers={"x-api-key": "schlüssel".encode()}, timeout=30)
    assert response.status_code == 401


@pytest.mark.parametrize("key", [ADMIN, OPERATOR, USER])
def test_everyone_with_a_key_may_chat_and_see_the_models(locked: Gateway, upstream: Upstream, key: str) -> None:
    assert ask(locked, "POST", "/v1/chat/completions", **bearer(key)).status_code == 200
    assert ask(locked, "POST", "/v2/chat/completions", **bearer(key)).status_code == 200
    assert ask(locked, "GET", "/v1/models", **bearer(key)).status_code == 200


@pytest.mark.parametrize("path", FOR_OPERATORS)
def test_only_operators_and_admins_see_how_the_gateway_is(locked: Gateway, path: str) -> None:
    assert ask(locked, "GET", path, **bearer(OPERATOR)).status_code == 200
    assert ask(locked, "GET", path, **bearer(ADMIN)).status_code == 200
    response = ask(locked, "GET", path, **bearer(USER))
    assert response.status_code == 403
    error = error_of(response)
    assert (error["type"], error["code"]) == ("permission_error", "insufficient_permissions")


def test_only_operators_and_admins_may_reset_a_token(locked: Gateway) -> None:
    token = ask(locked, "GET", "/v1/tokens", **bearer(OPERATOR)).json()["data"][0]["id"]
    assert ask(locked, "POST", f"/v1/tokens/{token}/reset", **bearer(USER)).status_code == 403
    assert ask(locked, "POST", f"/v1/tokens/{token}/reset", **bearer(OPERATOR)).status_code == 200


@pytest.mark.parametrize("path", ["//v1/tokens", "/v1//tokens", "/v1/./tokens", "/v1/models/../tokens", "/v1/%74okens"])
def test_no_spelling_of_a_path_leads_around_the_rules(locked: Gateway, path: str) -> None:
    for key in (None, USER):
        request = requests.Request("GET", locked.url, headers=bearer(key) if key else {}).prepare()
        request.url = locked.url + path
        with requests.Session() as session:
            response = session.send(request, timeout=30, allow_redirects=False)
        assert response.status_code in ((401,) if key is None else (400, 403, 404))
        assert "data" not in response.json()


@pytest.mark.parametrize("path", ["/v1/health/live", "/v1/health/ready"])
def test_a_containers_probes_need_no_key(locked: Gateway, path: str) -> None:
    assert ask(locked, "GET", path).status_code == 200


def test_an_unknown_path_is_a_404_for_everyone_with_a_key(locked: Gateway) -> None:
    assert ask(locked, "GET", "/nowhere", **bearer(USER)).status_code == 404


def test_no_body_is_read_for_a_caller_without_a_key(locked: Gateway) -> None:
    response = requests.post(f"{locked.url}/v1/chat/completions", data=b"{broken", timeout=30)
    assert response.status_code == 401


def test_without_keys_the_gateway_is_open_to_its_own_machine(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.chat().status_code == 200
    assert ask(gateway, "GET", "/v1/tokens", **bearer("any")).status_code == 200
    assert "open to this machine" in gateway.output


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
@pytest.mark.parametrize("value", ["203.0.113.9", "127.0.0.1", ""])
def test_without_keys_nobody_is_let_in_through_a_proxy(
    gateway: Gateway, upstream: Upstream, header: str, value: str
) -> None:
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/tokens"), ("GET", "/nowhere")):
        response = ask(gateway, method, path, **{header: value})
        assert response.status_code == 401
        assert error_of(response)["code"] == "no_keys_configured"
    assert not upstream.requests
    assert ask(gateway, "GET", "/v1/health/live", **{header: value}).status_code == 200
