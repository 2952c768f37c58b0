"""The simulator is a process of its own that leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

ROOT = Path(__file__).parents[3]
PATIENCE = 20


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "demo", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def url_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("simulator listening on http://127.0.0.1:")
    return line.split()[-1]


@pytest.fixture
def simulator() -> Iterator["subprocess.Popen[str]"]:
    process = start("--port", "0", "--delay-ms", "1")
    yield process
    process.kill()
    process.communicate()


def test_the_openai_client_reads_a_stream_over_real_http(simulator: "subprocess.Popen[str]") -> None:
    client = OpenAI(base_url=f"{url_of(simulator)}/api/paas/v4", api_key="any.key", max_retries=0)
    stream = client.chat.completions.create(
        model="glm-4.6", messages=[{"role": "user", "content": "你好"}], stream=True
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text.startswith("你好！")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quietly_even_in_the_middle_of_a_stream(
    simulator: "subprocess.Popen[str]", number: signal.Signals
) -> None:
    port = int(url_of(simulator).rpartition(":")[2])
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"simulate 9999 words"}]}'
    head = b"POST /api/paas/v4/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n"
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as busy:
        busy.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert busy.recv(15) == b"HTTP/1.1 200 OK"
        simulator.send_signal(number)
        out, err = simulator.communicate(timeout=PATIENCE)
    assert (simulator.returncode, out, err) == (0, "", "")


def test_a_client_that_leaves_is_no_news(simulator: "subprocess.Popen[str]") -> None:
    client = OpenAI(base_url=f"{url_of(simulator)}/api/paas/v4", api_key="any.key", max_retries=0)
    request = {"model": "m", "messages": [{"role": "user", "content": "simulate 9999 words"}]}
    with client.chat.completions.create(**request, stream=True) as stream:
        next(iter(stream))
    assert client.models.list().data
    simulator.terminate()
    assert simulator.communicate(timeout=PATIENCE) == ("", "")


def test_it_ends_by_itself_when_the_parent_is_gone() -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = start("--port", "0", "--parent", str(parent.pid))
    url_of(process)
    assert process.poll() is None
    parent.kill()
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")
    parent.communicate()


def test_it_stays_while_the_parent_lives() -> None:
    process = start("--port", "0", "--parent", str(os.getpid()))
    url = url_of(process)
    client = OpenAI(base_url=f"{url}/api/paas/v4", api_key="any.key", max_retries=0)
    assert client.models.list().data
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_help_tells_how_to_ask_for_errors() -> None:
    out, _ = start("--help").communicate(timeout=PATIENCE)
    assert "simulate error CODE" in out
    assert "1302" in out
