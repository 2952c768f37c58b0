"""What the Gemini provider promises of token counts, embeddings and its probe."""

import pytest

from core.errors import InvalidRequest, UpstreamBroken
from schemas.chat import Message, TextPart, Tool
from schemas.codec import dumps, loads
from schemas.embedding import EmbeddingRequest, Embeddings
from tests.unit.core.gemini_kit import BASE, CREDENTIAL, KEY, provider, request, target, user


def embedding(*inputs, **fields):
    asked = EmbeddingRequest("e", inputs, {}, **fields)
    return provider().embed(asked, target("gemini-embedding-2"), CREDENTIAL, "req-1")


def test_tokens_are_counted_of_the_whole_request():
    system = Message("system", (TextPart("be brief"),))
    built = provider().count(request(system, user("hi"), tools=(Tool("f"),)), target(), CREDENTIAL, "req-1")
    assert built.url == f"{BASE}/models/gemini-3.7-flash:countTokens"
    assert built.headers["x-goog-api-key"] == KEY
    assert loads(built.body) == {
        "generateContentRequest": {
            "model": "models/gemini-3.7-flash",
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
            "systemInstruction": {"parts": [{"text": "be brief"}]},
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        }
    }


def test_a_count_is_read():
    assert provider().read_count(b'{"totalTokens": 31, "promptTokensDetails": []}') == 31
    assert provider().read_count(b'{"totalTokens": 0}') == 0


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"{}", b'{"totalTokens": "3"}', b'{"totalTokens": -1}', b"[1]"])
def test_a_count_that_is_none_is_broken(body):
    with pytest.raises(UpstreamBroken):
        provider().read_count(body)


def test_embeddings_are_asked_for_in_one_batch():
    built = embedding("a", "b", dimensions=256)
    assert built.url == f"{BASE}/models/gemini-embedding-2:batchEmbedContents"
    assert loads(built.body) == {
        "requests": [
            {
                "model": "models/gemini-embedding-2",
                "content": {"parts": [{"text": text}]},
                "outputDimensionality": 256,
            }
            for text in "ab"
        ]
    }
    assert "outputDimensionality" not in loads(embedding("a").body)["requests"][0]


@pytest.mark.parametrize("inputs", [((1, 2),), ("a",) * 101])
def test_token_numbers_and_large_batches_are_refused(inputs):
    with pytest.raises(InvalidRequest) as caught:
        embedding(*inputs)
    assert caught.value.param == "input"
    assert len(loads(embedding(*["a"] * 100).body)["requests"]) == 100


def test_vectors_come_in_the_order_of_the_inputs():
    body = dumps({"embeddings": [{"values": [1, 0.5]}, {"values": [-1.5, 2]}]})
    assert provider().read_embeddings(body) == Embeddings(((1.0, 0.5), (-1.5, 2.0)), None)
    counted = dumps({"embeddings": [{"values": [1]}], "usageMetadata": {"promptTokenCount": 3}})
    assert provider().read_embeddings(counted) == Embeddings(((1.0,),), 3)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"embeddings": 1}', b'{"embeddings": [1]}', b'{"embeddings": [{"values": ["x"]}]}',
     b'{"embeddings": [{"values": null}]}'],
)  # fmt: skip
def test_embeddings_that_are_none_are_broken(body):
    with pytest.raises(UpstreamBroken):
        provider().read_embeddings(body)


def test_a_probe_costs_nothing_and_is_signed():
    built = provider().probe(CREDENTIAL)
    assert (built.method, built.body, built.url) == ("GET", b"", f"{BASE}/models?pageSize=1")
    assert built.headers == {"Accept": "application/json", "x-goog-api-key": KEY}
