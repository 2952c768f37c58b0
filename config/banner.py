"""What the gateway says of itself when it starts."""

from collections.abc import Mapping

from config.masking import mask_url
from config.settings import ProviderSettings, Settings

SIMULATED = """\
  NO GLM KEY IS CONFIGURED, so a bundled SIMULATOR answers: nothing leaves this machine and no model thinks.
  For the real GLM:  GLM_API_KEY=... make run     (or put web tokens into token.json)
"""

FIRST_KEY = """\
  For other machines a key of an ADMIN was made; it is shown this once, so keep it:
      {key}
  More keys: app.py keys create NAME. From the first of them on, this machine needs a key as well."""

EXAMPLES = """\
Try it, these work as they stand:

curl {url}/v1/chat/completions -H 'Content-Type: application/json' {auth}\\
  -d '{{"messages": [{{"role": "user", "content": "Hello!"}}]}}'

curl -N {url}/v1/chat/completions -H 'Content-Type: application/json' {auth}\\
  -d '{{"stream": true, "messages": [{{"role": "user", "content": "Hello, streaming!"}}]}}'

.venv/bin/python - <<'EOF'
import json, requests
body = {{"stream": True, "messages": [{{"role": "user", "content": "Hello from Python!"}}]}}
answer = requests.post("{url}/v2/chat/completions", json=body, stream=True{headers})
for line in answer.iter_lines():
    if line.startswith(b"data: {{"):
        for choice in json.loads(line[6:])["choices"]:
            print(choice["delta"].get("content") or "", end="", flush=True)
print()
EOF

With the OpenAI SDK (pip install openai): OpenAI(base_url="{url}/v1", api_key="{key}")
"""


def banner(settings: Settings, providers: Mapping[str, int], *, simulated: bool, first_key: str | None = None) -> str:
    """The address, who answers, who may ask, where state is kept, and requests to try.

    `providers` says how many credentials each provider has; `first_key` is an admin's key that was just made.
    """
    server, keys = settings.server, settings.access.keys
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::", "") else server.host  # noqa: S104 - compared, not bound
    url = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
    lines = [f"GLM gateway at {url}", ""]
    lines.append(SIMULATED if simulated else _upstreams(settings, providers))
    lines.append(f"  Access: {_access(settings)}")
    if first_key is not None:
        lines.append(FIRST_KEY.format(key=first_key))
    lines.append(f"  State:  {_state(settings)}")
    auth = "-H 'Authorization: Bearer YOUR_KEY' " if keys else ""
    headers = ', headers={"Authorization": "Bearer YOUR_KEY"}' if keys else ""
    key = "YOUR_KEY" if keys else "any"
    return "\n".join([*lines, "", EXAMPLES.format(url=url, auth=auth, headers=headers, key=key)])


def _upstreams(settings: Settings, providers: Mapping[str, int]) -> str:
    return "".join(_upstream(name, settings.providers[name], count) for name, count in providers.items())


def _upstream(name: str, provider: ProviderSettings, count: int) -> str:
    return f"  Provider {name}: {_keys(provider, count)} for {mask_url(provider.base_url)}\n"


def _keys(provider: ProviderSettings, count: int) -> str:
    if provider.auth == "passthrough":
        return "the callers' own keys"
    if provider.auth == "none":
        return "no key"
    return f"{count} {'key' if count == 1 else 'keys'}"


def _access(settings: Settings) -> str:
    known = [f"by key, {len(settings.access.keys)} configured"] if settings.access.keys else []
    tokens = ["by signed tokens (JWT)"] if settings.access.jwt.enabled else []
    if known or tokens:
        return " and ".join([*known, *tokens])
    return "open to this machine while no key is configured or made; others need a key (app.py keys --help)"


def _state(settings: Settings) -> str:
    if settings.store.redis_url is not None:
        return f"redis, {settings.workers} workers"
    return f"{settings.server.data_dir / 'gateway.db'}, 1 worker (set REDIS_URL for more)"
