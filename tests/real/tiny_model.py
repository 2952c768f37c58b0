"""Writes a llama model of one megabyte that knows for each token which one comes next, and so says fixed texts."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

CONTEXT = 8192
HEADS = 4
CERTAIN = 60.0
"""How much likelier the next token is than any other, as a logit."""

SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
END = "<|im_end|>"
TALK: Sequence[str] = ("Hello", " from", " a", " real", " model", " server", ".")
CALL: Sequence[str] = ("<tool_call>\n", '{"name": "weather", ', '"arguments": {"city": "Paris"}}', "\n</tool_call>")
ENDLESS: Sequence[str] = (" on", " and")
CUES: Mapping[str, Sequence[str]] = {
    "<|talk|>": (*TALK, END),
    "<|call|>": (*CALL, END),
    "<|endless|>": (*ENDLESS, ENDLESS[0]),
}
"""What the model says, by the token that the prompt ends with."""
TEMPLATE = """\
{%- for tool in tools or [] %}{{ loop.first and '<|im_start|>system\n' or '' }}{{ tool | tojson }}
{{ loop.last and 'Call one as <tool_call>{"name": NAME, "arguments": ARGUMENTS}</tool_call><|im_end|>\n' or '' }}
{%- endfor %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% if tools and messages[-1].role != 'tool' %}<|call|>
{%- elif 'endless' in (messages[-1].content or '') %}<|endless|>
{%- else %}<|talk|>{% endif %}{% endif %}"""
"""ChatML with Hermes' tool calls: with tools it wants one called, until it has seen a result."""


def write(path: Path) -> Path:
    """Write the model, and return its path; needs the package gguf."""
    import gguf
    import numpy as np

    tokens = [*SPECIAL, *CUES, *(f"<0x{byte:02X}>" for byte in range(256)), *TALK, *CALL, *ENDLESS]
    places = {token: place for place, token in enumerate(tokens)}
    width = -len(tokens) // 32 * -32
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_block_count(1)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(width // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token.replace(" ", "▁") for token in tokens])
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([_type(token) for token in tokens])
    writer.add_unk_token_id(places["<unk>"])
    writer.add_bos_token_id(places["<s>"])
    writer.add_eos_token_id(places[END])
    writer.add_add_bos_token(value=False)
    writer.add_add_space_prefix(value=False)
    writer.add_chat_template(TEMPLATE)

    # Each token is a direction of its own, which the layer leaves alone, and which leads to the token that follows.
    embedding = np.eye(len(tokens), width, dtype=np.float32)
    output = np.zeros_like(embedding)
    for cue, said in CUES.items():
        for token, following in pairwise((cue, *said)):
            output[places[following], places[token]] = CERTAIN / width**0.5
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(width, dtype=np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((width, width), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _type(token: str) -> int:
    """GGUF's kind of token; the cues and the turn's beginning are told apart in the prompt, and may stand in it."""
    kinds = {"<unk>": 2, "<s>": 3, "</s>": 3, END: 3, "<|im_start|>": 4, **dict.fromkeys(CUES, 4)}
    return kinds.get(token, 6 if token.startswith("<0x") else 1)
