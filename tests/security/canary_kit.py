"""Secrets that are searched for, and callers who use them for everything they may do."""

import time
from typing import Any

import jwt
import requests

from tests.gateway import Gateway

ADMIN = "admin-key-of-canaries"
PROVIDERS = "canaryprovider0a91.canarysecret4f27"
PASSWORD = "canary-redis-password-19be"
SIGNING = "canary-signing-secret-of-some-length-b77c"
GUESSED = "gw-canaryguessed" + "x" * 31
SLOW = {"requests_per_minute": 1}
KEPT = {"model": "glm-4.6", "messages": [{"role": "user", "content": "Again"}], "temperature": 0}


class Talk:
    """What callers with every kind of key ask, and every byte that they are answered."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.answers: list[str] = []
        self.statuses: set[int] = set()
        self.keys = {"configured": ADMIN, "signed": self.token(exp=time.time() + 3600)}
        for name, more in {"made": {}, "slow": {"limits": SLOW}, "poor": {"budget": {"daily": 0.000001}}}.items():
            answer = requests.post(
                f"{gateway.url}/v1/keys", json={"name": name, **more}, headers=bearer(ADMIN), timeout=30
            )
            self.keys[name] = answer.json()["key"]

    def token(self, secret: str = SIGNING, **claims: Any) -> str:
        return jwt.encode({"sub": "someone", **claims}, secret, "HS256")

    @property
    def secrets(self) -> list[str]:
        return [*self.keys.values(), PROVIDERS, PROVIDERS.partition(".")[2], PASSWORD, SIGNING, GUESSED]

    def ask(self, method: str, path: str, key: str, body: Any = None, **headers: str) -> requests.Response:
        url = self.gateway.url + path
        answer = requests.request(method, url, json=body, headers={**bearer(key), **headers}, timeout=30)
        self.statuses.add(answer.status_code)
        self.answers.append(f"{answer.headers}\n{answer.text}")
        return answer

    def chat(self, key: str, *, stream: bool = False, **more: Any) -> requests.Response:
        body = {"model": "glm-4.6", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "stream": stream}
        return self.ask("POST", "/v2/chat/completions", key, {**body, **more})

    def message(self, key: str, *, stream: bool = False, **headers: str) -> requests.Response:
        body = {"model": "glm-4.6", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "stream": stream}
        return self.ask("POST", "/v1/messages", key, body, **headers)

    def everything(self, key: str) -> None:
        """What a caller may do: chats of both forms, kept answers, conversations and copies of them."""
        for stream in (False, True):
            self.chat(key, stream=stream)
            self.message(key, stream=stream)
            for wish in ("refresh", "use"):
                self.ask("POST", "/v2/chat/completions", key, {**KEPT, "stream": stream}, **{"X-Cache": wish})
        made = self.ask("POST", "/v1/conversations", key, {"items": [{"role": "user", "content": "Hi"}]})
        if made.status_code == 200:
            ident = made.json()["id"]
            self.chat(key, conversation=ident)
            self.message(key, **{"X-Conversation-ID": ident})
            for path in ("", "/items", "/turns", "/export"):
                self.ask("GET", f"/v1/conversations/{ident}{path}", key)
        self.ask("POST", "/conversation/save", key, {"name": "mine", "messages": []})
        self.ask("GET", "/conversation/load?name=mine", key)
        self.ask("GET", "/v1/usage", key)

    def refused(self) -> set[tuple[int, str]]:
        """What is refused for a key, a limit or a budget, by status and code."""
        wrong = (GUESSED, self.token("another-secret-that-nobody-has-told-us"), self.token(exp=time.time() - 999))
        told = [self.chat(key) for key in wrong] + [self.chat(self.keys["slow"]) for _ in range(2)]
        told.append(self.chat(self.keys["poor"]))
        self.message(self.keys["poor"])
        self.ask("GET", "/v1/keys", self.keys["made"])
        return {(one.status_code, one.json()["error"]["code"]) for one in told if one.status_code != 200}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
