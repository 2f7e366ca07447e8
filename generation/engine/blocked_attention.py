"""Attention for CPUs whose own kernel gains nothing from bfloat16: plain matrix products over blocks of queries."""

import torch

BLOCK_QUERIES = 512  # with 4096 keys a block of scores has 4 MiB in bfloat16 and stays in the cache


def blocked_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Compute softmax(query key^T / sqrt(width)) value, one head and one block of queries at a time.

    ``query`` is (batch, heads, tokens, width), ``key`` and ``value`` (batch, heads, keys, width). Returns (batch,
    heads, tokens, width), which lies in memory as (batch, tokens, heads, width): joining the heads costs no copy.
    The same mathematics as ``scaled_dot_product_attention`` without a mask; sums are rounded in another order.
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
