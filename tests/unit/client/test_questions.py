"""What goes over the wire beside chats, and how it is spelled."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from client import RetryPolicy
from client.places import Places
from tests.unit.client.gateways_kit import HI, farm
from tests.upstreams.openai_answers import openai_stream
from tests.upstreams.steps import Drop, Head, Raw, in_pieces, whole

ROOT = Path(__file__).resolve().parents[3]


def test_a_query_arrives_as_it_was_given() -> None:
    with farm() as one:
        one.gateways[0].script(*whole(b'{"object": "usage"}'))
        since = "2026-11-21T00:00:00+00:00"
        assert one.client.usage(since=since, group_by="model,hour", key="a&b=c")["object"] == "usage"
        (request,) = one.gateways[0].requests
        assert request.path == ("/v1/usage?from=2026-11-21T00%3A00%3A00%2B00%3A00&group_by=model%2Chour&key=a%26b%3Dc")
        assert len(request.headers["x-request-id"]) == 32


def test_a_stream_asks_for_its_usage_and_keeps_other_options() -> None:
    with farm(models=["m"]) as one:
        for options in (None, {"include_obfuscation": False}):
            with one.client.stream(HI, stream_options=options) as stream:
                list(stream)
        first, second = (request.body for request in one.gateways[0].requests)
        assert first == {"model": "m", "messages": HI, "stream": True, "stream_options": {"include_usage": True}}
        assert second["stream_options"] == {"include_usage": True, "include_obfuscation": False}
        with pytest.raises(ValueError, match="stream"):
            one.client.chat(HI, stream=True)


@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_a_stream_that_is_cut_anywhere_reads_the_same(size: int) -> None:
    data = b": a comment\r\n\r\n" + b"".join(openai_stream("Grüße, 世界")).replace(b"\n", b"\r\n")
    with farm() as one:
        one.gateways[0].script(*in_pieces(data, size, sizes=(3, 1, 8)))
        with one.client.stream(HI) as stream:
            list(stream)
            assert stream.reply.text == "Grüße, 世界"


def test_a_stream_that_ends_with_its_connection_is_read_as_well() -> None:
    with farm() as one:
        one.gateways[0].script(Head(until_close=True), Raw(b"".join(openai_stream("all of it"))), Drop())
        with one.client.stream(HI) as stream:
            list(stream)
            assert stream.reply.text == "all of it"


def test_threads_may_find_gateways_failing_while_others_look_for_one() -> None:
    urls = [f"http://{number}" for number in range(3000)]
    places, stop, failures = Places(urls, 30.0, lambda: 1.0), threading.Event(), list[BaseException]()

    def look() -> None:
        try:
            while not stop.is_set():
                next(places.of([""]))
        except RuntimeError as error:
            failures.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(20):
        for url in urls:
            places.failed(url)
        for url in urls:
            places.works(url)
    stop.set()
    thread.join()
    assert failures == []


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_wait": -1.0}, {"longest_wait": -1.0}, {"rest": -1.0}])
def test_a_policy_that_cannot_be_kept_is_a_mistake(wrong: Any) -> None:
    with pytest.raises(ValueError, match="at least one try"):
        RetryPolicy(**wrong)


def test_the_folder_works_alone_and_under_another_name(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "client", tmp_path / "vendored", ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import json, sys, vendored\n"
        "vendored.GatewayClient('http://127.0.0.1:1').close()\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = set(json.loads(ran.stdout))
    assert "requests" in loaded
    assert not loaded & {"client", "core", "config", "schemas", "services", "flask", "pydantic", "gevent", "redis"}
