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
  More keys: python app.py keys create NAME. From the first of them on, this machine needs a key as well."""

OWNERS_KEY = """\
  Other machines need the admin key that was shown at the first start. If it is lost: python app.py keys list,
  then keys rotate."""

HOMES = {"one": "redis", "sentinel": "redis behind sentinels", "cluster": "a redis cluster"}

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


def banner(
    settings: Settings, providers: Mapping[str, int], access: str, *, simulated: bool, needs_key: bool = False
) -> str:
    """The address, who answers, who may ask, where state is kept, and requests to try.

    `providers` says how many credentials each provider has; `access` are the lines of `access_lines`.
    """
    server = settings.server
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::", "") else server.host  # noqa: S104 - compared, not bound
    url = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
    lines = [f"GLM gateway at {url}", ""]
    lines.append(SIMULATED if simulated else _upstreams(settings, providers))
    lines.append(f"  Access: {access}")
    lines.append(f"  State:  {_state(settings)}")
    auth = "-H 'Authorization: Bearer YOUR_KEY' " if needs_key else ""
    headers = ', headers={"Authorization": "Bearer YOUR_KEY"}' if needs_key else ""
    key = "YOUR_KEY" if needs_key else "any"
    return "\n".join([*lines, "", EXAMPLES.format(url=url, auth=auth, headers=headers, key=key)])


def access_lines(
    settings: Settings,
    *,
    secret: str | None = None,
    owner: bool = False,
    made: int = 0,
    shut: bool = False,
    known: bool = True,
) -> str:
    """Who may ask. `secret` is the owner's key if it was just made, `owner` says that there is one.

    `made` is how many keys of people are active, `shut` that there ever were any; with `known` false nobody can say, as
    the store is away.
    """
    configured, by_token = len(settings.access.keys), settings.access.jwt.enabled
    ways = [f"by key ({configured} configured)"] if configured else []
    ways += [f"by key ({made} made)"] if made else []
    ways += ["by signed tokens (JWT)"] if by_token else []
    if not known:
        return " and ".join([*ways, "by stored keys, which cannot be read now"])
    if ways or shut:
        return " and ".join(ways) or "by key, and no active one is left: python app.py keys create NAME"
    text = "open to this machine, closed to all others, as no key is configured or made"
    if secret is not None:
        return f"{text}\n{FIRST_KEY.format(key=secret)}"
    return f"{text}\n{OWNERS_KEY}" if owner else text


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


def _state(settings: Settings) -> str:
    if settings.store.address is not None:
        return f"{HOMES[settings.store.address.kind]}, {settings.workers} workers"
    return f"{settings.server.data_dir / 'gateway.db'}, 1 worker (set REDIS_URL for more)"
