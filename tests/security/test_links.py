"""What a client has linked is fetched for a provider that cannot, and leads nowhere that the client may not go."""

import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.gateway import Gateway, chunks_of, text_of
from tests.security.conftest import CALM
from tests.upstreams import forms
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Head, Hold, whole
from tests.upstreams.wire import Request

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 100
MODEL = "ollama/qwen3:8b"
SECRET = "signature-of-a-link-5c71"


@pytest.fixture(scope="module")
def images() -> Iterator[Upstream]:
    """A server of images on this machine."""
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def ollama() -> Iterator[Upstream]:
    """A provider that can be shown data only."""
    with Upstream() as server:
        server.behave(lambda request: forms.OLLAMA.answer(request))
        yield server


@pytest.fixture(scope="module")
def local() -> Iterator[Upstream]:
    """A server of one's own that speaks OpenAI's form, and Anthropic's, and takes no links."""
    with Upstream() as server:
        server.behave(lambda request: _form_of(request).answer(request))
        yield server


def _form_of(request: Request) -> forms.Form:
    return forms.ANTHROPIC if request.path.endswith("/messages") else forms.OPENAI


def running(ollama: Upstream, directory: Any, **more: str) -> Gateway:
    return Gateway(
        directory,
        **CALM,
        OLLAMA_BASE_URL=f"{ollama.url}/ollama",
        GATEWAY__PROVIDERS__OLLAMA__MODELS='["qwen3:8b"]',
        **more,
    )


@pytest.fixture(scope="module")
def near(ollama: Upstream, local: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that may fetch from this machine, by its first address."""
    directory = tmp_path_factory.mktemp("near")
    instances = {"studio": "openai-compatible", "box": "anthropic-compatible"}
    settings = {
        name: {"kind": kind, "base_url": f"{local.url}/v1", "auth": "none", "models": ["sees"], "inline_links": True}
        for name, kind in instances.items()
    }
    (directory / "gateway.yaml").write_text(json.dumps({"providers": settings}))
    networks = {"GATEWAY__LINKS__NETWORKS": '["127.0.0.1/32"]', "GATEWAY__STREAM__KEEP_ALIVE": "1"}
    with running(ollama, directory, **networks) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def far(ollama: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as it comes."""
    with running(ollama, tmp_path_factory.mktemp("far")) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def fresh(images: Upstream, ollama: Upstream, local: Upstream) -> None:
    images.reset()
    local.requests.clear()
    ollama.requests.clear()


def ask(gateway: Gateway, url: str, stream: bool = False) -> requests.Response:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": parts}]}
    return gateway.post("/v2/chat/completions", body, stream=stream)


@pytest.mark.parametrize("stream", [False, True])
def test_a_linked_image_is_seen(near: Gateway, images: Upstream, ollama: Upstream, stream: bool) -> None:
    images.script(whole(PNG))
    response = ask(near, f"{images.url}/{stream}.png", stream)
    assert response.status_code == 200
    assert text_of(chunks_of(response)) if stream else response.json()["choices"]
    assert "image_url" not in response.headers.get("X-Gateway-Dropped", "")
    (asked,) = ollama.requests
    assert asked.body["messages"][0] == {
        "role": "user",
        "content": "What is it?",
        "images": [b64encode(PNG).decode()],
    }


def test_a_slow_image_is_waited_for_with_signs_of_life_and_counts_as_nobodys_time(
    near: Gateway, images: Upstream, ollama: Upstream
) -> None:
    images.script([Hold(), *whole(PNG)])
    response = ask(near, f"{images.url}/slowly.png", stream=True)
    lines = response.iter_lines(chunk_size=1)
    assert next(lines) == b": keep-alive"
    assert not ollama.requests
    images.release()
    assert b"data: [DONE]" in list(lines)
    line = near.wait_event("request", request_id=response.headers["X-Request-ID"])
    assert line["fetch_ms"] >= 900
    assert line["ms"] - line["fetch_ms"] - line["upstream_ms"] < 900


def test_anthropics_clients_link_images_too(near: Gateway, images: Upstream, ollama: Upstream) -> None:
    images.script(whole(PNG))
    image = {"type": "image", "source": {"type": "url", "url": f"{images.url}/anthropic.png"}}
    body = {"model": MODEL, "max_tokens": 10, "messages": [{"role": "user", "content": [image]}]}
    assert near.post("/v1/messages", body).status_code == 200
    assert ollama.requests[0].body["messages"][0]["images"] == [b64encode(PNG).decode()]


@pytest.mark.parametrize("model", ["studio/sees", "box/sees"])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_server_of_ones_own_gets_data_also_where_bodies_are_forwarded(
    near: Gateway, images: Upstream, local: Upstream, model: str, dialect: str
) -> None:
    images.script(whole(PNG), times=None)
    url, data = f"{images.url}/{model}/{dialect}.png", b64encode(PNG).decode()
    if dialect == "openai":
        part: Any = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
        asked = near.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": [part]}]})
    else:
        part = {"type": "image", "source": {"type": "url", "url": url}}
        body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": [part]}]}
        asked = near.post("/v1/messages", body)
    assert asked.status_code == 200, asked.text
    (sent,) = local.requests[-1].body["messages"][-1]["content"]
    if model == "studio/sees":
        assert sent["image_url"]["url"] == f"data:image/png;base64,{data}"
    else:
        assert sent["source"] == {"type": "base64", "media_type": "image/png", "data": data}
    assert url.encode() not in local.requests[-1].raw_body


INSIDE = [
    "http://127.0.0.1:{port}/x.png",
    "http://localhost:{port}/x.png",
    "http://LOCALHOST.:{port}/x.png",
    "http://[::1]:{port}/x.png",
    "http://[::ffff:127.0.0.1]:{port}/x.png",
    "http://[::ffff:7f00:1]:{port}/x.png",
    "http://0.0.0.0:{port}/x.png",
    "http://2130706433:{port}/x.png",
    "http://0x7f000001:{port}/x.png",
    "http://0177.0.0.1:{port}/x.png",
    "http://127.1:{port}/x.png",
    "http://①②⑦.⓪.⓪.①:{port}/x.png",
    "http://public.example@127.0.0.1:{port}/x.png",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
]


@pytest.mark.parametrize("url", INSIDE)
def test_no_spelling_of_a_link_leads_inside(far: Gateway, images: Upstream, ollama: Upstream, url: str) -> None:
    before = images.accepted_connections
    response = ask(far, url.format(port=images.port))
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("unusable_link", "messages[0].content[1]")
    assert "127.0.0.1" not in response.text
    assert images.accepted_connections == before
    assert not ollama.requests


@pytest.mark.parametrize("location", ["http://127.0.0.2/", "http://169.254.169.254/", "file:///etc/passwd"])
def test_no_redirect_leads_inside(near: Gateway, images: Upstream, ollama: Upstream, location: str) -> None:
    images.script([Head(302, {"Location": location}, length=0)])
    assert ask(near, f"{images.url}/moved.png").json()["error"]["code"] == "unusable_link"
    assert not ollama.requests


def test_what_is_no_image_goes_to_no_model(near: Gateway, images: Upstream, ollama: Upstream) -> None:
    images.script(whole(b'{"password": "hunter2"}', headers={"Content-Type": "image/png"}))
    response = ask(near, f"{images.url}/secrets.png")
    assert response.status_code == 400
    assert "hunter2" not in response.text
    assert not ollama.requests


def test_the_link_is_neither_answered_nor_logged(near: Gateway, images: Upstream) -> None:
    images.script([Head(403, {}, length=0)])
    response = ask(near, f"{images.url}/x.png?sig={SECRET}")
    assert "HTTP 403" in response.json()["error"]["message"]
    near.wait_event("request", request_id=response.headers["X-Request-ID"])
    assert SECRET not in response.text + near.output


def test_a_client_that_leaves_ends_the_fetching(near: Gateway, images: Upstream) -> None:
    images.script([Hold()])
    parts = [{"type": "image_url", "image_url": {"url": f"{images.url}/slow.png"}}]
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": parts}]}).encode()
    with socket.create_connection(("127.0.0.1", near.port), 30) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        assert images.wait_held()
    assert images.requests[0].disconnected.wait(5)


def test_without_fetching_the_model_is_told_of_an_image_that_it_does_not_see(
    ollama: Upstream, images: Upstream, tmp_path: Any
) -> None:
    settings = {"GATEWAY__LINKS__FETCH": "false", "GATEWAY__LINKS__NETWORKS": '["127.0.0.1/32"]'}
    with running(ollama, tmp_path, **settings) as gateway:
        response = ask(gateway, f"{images.url}/x.png")
    assert response.headers["X-Gateway-Dropped"] == "image_url"
    assert "cannot be shown" in ollama.requests[0].body["messages"][0]["content"]
    assert not images.requests
