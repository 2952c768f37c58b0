"""A provider that thinks for longer than a minute, in the times that are shipped; named so that it begins early, as it
costs time and no processor."""

import itertools
import json
import time
from pathlib import Path

import requests

from config.settings import StreamSettings
from tests.gateway import Gateway
from tests.integration.conftest import environment
from tests.integration.listening_kit import DONE, EVENTS
from tests.nginx_server import Nginx
from tests.upstreams.server import Upstream
from tests.upstreams.steps import End, Events, Head, Pause

SILENCE = 75.0
SHIPPED = {"GATEWAY__STREAM__KEEP_ALIVE": str(StreamSettings().keep_alive), "GATEWAY_API_KEYS": "me:key-of-mine"}
HEADERS = {"Authorization": "Bearer key-of-mine"}
LONGEST_WAIT = 15.0
"""Within so many seconds a client is promised a sign of life."""


def test_a_silence_of_75_seconds_behind_nginx_is_bridged_and_the_answer_comes_whole(tmp_path: Path) -> None:
    with Upstream() as upstream:
        upstream.script(Head(), Pause(SILENCE), Events(EVENTS), End())
        body = {"model": "glm-4.6", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        with Gateway(tmp_path, **environment(upstream, **SHIPPED)) as gateway, Nginx(tmp_path, gateway.port) as nginx:
            pieces, moments = [], [time.monotonic()]
            address = f"{nginx.url}/v1/chat/completions"
            with requests.post(address, json=body, headers=HEADERS, stream=True, timeout=100) as response:
                assert response.status_code == 200
                for piece in response.iter_content(None):
                    pieces.append(piece)
                    moments.append(time.monotonic())
    waits = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert moments[-1] - moments[0] >= SILENCE
    assert max(waits) < LONGEST_WAIT
    assert sum(piece.startswith(b":") for piece in pieces) >= SILENCE / LONGEST_WAIT
    events = [json.loads(line[6:]) for line in b"".join(pieces).splitlines() if line.startswith(b"data: {")]
    text = "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])
    assert text == "the first words and the last"
    assert pieces[-1].endswith(DONE)
