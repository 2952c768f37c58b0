"""The names under which a prompt is remembered and found again, one for each of chosen boundaries in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from core.prompt_cache.chain import Chain
from core.prompt_cache.donors import Donor, read_donor
from core.prompt_cache.prompt import Identity, Prompt
from schemas.codec import dumps

FIRST = 16
"""Tools and system prompt, where most of what breaks a cache stands."""
GRID = 16
"""Boundaries all over a long prompt; those of a longer one are among those of a shorter one."""
LAST_KEPT = 16
LAST_SOUGHT = 64
"""A prompt is sought under more than it is kept under: one turn with many calls moves its end far on."""
SCOPE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Match:
    """An earlier request, and how much of it a prompt repeats.

    `shared` is how many segments of what was sent are known to be the same, and `block` the label of the one behind
    them; in the middle of a long prompt a few more may be. `is_kept`: the client has sent all of it again, whatever
    became of that upstream. `lapsed` is another one that would have promised more, but cannot any more, or not yet.
    """

    donor: Donor
    shared: int
    is_kept: bool
    block: str | None = None
    lapsed: "Match | None" = None


def keeping(donor: Donor, prompt: Prompt) -> dict[str, str]:
    """The texts by which `matches` finds the donor of this prompt: keep them for `donor.lifetime` seconds.

    At most 49, all the same text.
    """
    names = [name for name, _ in _of_sent(prompt, LAST_KEPT)]
    if prompt.client.segments:
        names.append(_name(_scope_of_client(prompt.identity), prompt.client.digest))
    return dict.fromkeys(names, donor.text())


def sought(prompt: Prompt) -> list[str]:
    """The names under which what this prompt continues may be kept, at most 160."""
    return [name for name, _ in (*_of_sent(prompt, LAST_SOUGHT), *_of_client(prompt))]


def matches(found: Mapping[str, str], prompt: Prompt) -> Iterator[Match]:
    """The earlier requests among the texts `found` under `sought(prompt)`, what shares most of the prompt first."""
    sent = {segment.digest for segment in prompt.chain.segments}
    said = {segment.digest for segment in prompt.client.segments}
    seen: set[str] = set()
    longest = 0
    for name, length in (*_of_sent(prompt, LAST_SOUGHT), *_of_client(prompt)):
        text = found.get(name)
        if text is None or text in seen:
            continue
        seen.add(text)
        longest = max(longest, length)
        donor = read_donor(text)
        if donor is not None and donor.started < prompt.started:
            shared = donor.length if donor.digest in sent else length
            # One found by the client's words alone may share as much as is known under other requests' names.
            yield Match(donor, shared, donor.client in said, prompt.chain.label(shared or longest))


def _of_sent(prompt: Prompt, last: int) -> list[tuple[str, int]]:
    """The names in what was sent with the length of each, longest first: for one tenant, model and provider."""
    identity, chain = prompt.identity, prompt.chain
    scope = _scope("sent", identity.tenant, identity.model, identity.family)
    return [(_name(scope, chain.segments[length - 1].digest), length) for length in _lengths(chain, last)]


def _of_client(prompt: Prompt) -> list[tuple[str, int]]:
    """The names in what the client sent, where nothing of what was sent upstream is known to be shared."""
    scope = _scope_of_client(prompt.identity)
    return [(_name(scope, segment.digest), 0) for segment in reversed(prompt.client.segments[-LAST_SOUGHT:])]


def _lengths(chain: Chain, last: int) -> list[int]:
    count, step = len(chain), 1
    while count > GRID * step:
        step *= 2
    chosen = {
        *range(1, min(FIRST, count) + 1),
        *range(step, count + 1, step),
        *range(max(1, count - last + 1), count + 1),
    }
    return sorted(chosen, reverse=True)


def _scope_of_client(identity: Identity) -> str:
    """Wherever the prompt went, so that a change of provider is seen."""
    return _scope("client", identity.tenant, identity.model)


def _scope(*words: str) -> str:
    return blake2b(dumps(words), digest_size=SCOPE_BYTES).hexdigest()


def _name(scope: str, digest: str) -> str:
    return f"prompt:{scope}:{digest}"
