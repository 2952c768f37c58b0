"""The provider for measurements as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.performance import upstream
from tests.performance.load import KEY


@contextmanager
def provider(chunks: int, pause: float) -> Iterator[dict[str, str]]:
    """What points a gateway at it; a slow answer has so many chunks with so long a pause between, in seconds."""
    command = [sys.executable, upstream.__file__, str(chunks), str(pause)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        try:
            yield {
                "GLM_ENDPOINT": f"{url}/api/paas/v4/chat/completions",
                "GLM_API_KEY": "id.secret",
                "GATEWAY_API_KEYS": f"load:{KEY}",
                "LOG_FILE": "gateway.log",
            }
        finally:
            process.kill()
