"""Attention for CPUs, replacing torch's own kernel or wrapping it, for use where that was measured to pay off."""

import torch
from torch.nn import functional

BLOCK_QUERIES = 512  # with 4096 keys, a block of scores takes 4 MiB in bfloat16 and stays in the cache
KEYS_AT_ONCE = 16  # float32 numbers in an AVX-512 register


def blocked_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Compute softmax(query key^T / sqrt(width)) value, one head and one block of queries at a time.

    Plain matrix products, for CPUs whose own kernel gains nothing from bfloat16. ``query`` is (batch, heads, tokens,
    width), ``key`` and ``value`` (batch, heads, keys, width). Returns (batch, heads, tokens, width), laid out in memory
    as (batch, tokens, heads, width), so that joining the heads needs no copy. The same mathematics as
    ``scaled_dot_product_attention`` without a mask, but sums are rounded in a different order.
    """
    batch, heads, tokens, width = query.shape
    scaled = query * width**-0.5
    joined = query.new_empty(batch, tokens, heads, width)
    for row in range(batch):
        for head in range(heads):
            keys = key[row, head].t()
            for start in range(0, tokens, BLOCK_QUERIES):
                block = slice(start, start + BLOCK_QUERIES)
                scores = scaled[row, head, block] @ keys
                joined[row, block, head] = torch.softmax(scores, dim=-1, out=scores) @ value[row, head]
    return joined.transpose(1, 2)


def padded_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Compute ``scaled_dot_product_attention`` with masked keys that fill up the last vector register.

    Of a prompt's 77 tokens, torch's kernel computes the last 13 one by one, which takes longer than the 64 before them.
    Shapes as in ``blocked_attention``.
    """
    keys = key.shape[2]
    missing = -keys % KEYS_AT_ONCE
    if not missing:
        return functional.scaled_dot_product_attention(query, key, value)
    mask = query.new_zeros(1, 1, 1, keys + missing)
    mask[..., keys:] = -torch.inf
    key, value = (functional.pad(tensor, (0, 0, 0, missing)) for tensor in (key, value))
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
