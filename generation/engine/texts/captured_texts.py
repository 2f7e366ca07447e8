"""Text encoding by replaying CUDA graphs, transparent to the code that calls a text encoder.

A GPU runs CLIP's encoder on a text of 77 tokens in one millisecond; a slow CPU took ten to launch it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from generation.engine.calls.cuda_graphs import CudaGraphs


@contextmanager
def captured_text_encoders(pipeline: Any, graphs: CudaGraphs | None) -> Iterator[None]:
    """Make a pipeline's text encoders answer by replay inside the block; without ``graphs`` they run eagerly.

    No adapters may be in effect, and all weights must be where they were when the model was loaded.
    """
    with ExitStack() as stack:
        for name in ("text_encoder", "text_encoder_2"):
            encoder = getattr(pipeline, name, None)
            if graphs is not None and encoder is not None:
                encoder.forward = partial(_replayed, graphs, name, encoder.forward)
                stack.callback(delattr, encoder, "forward")  # the instance's attribute, not the class's
        yield


def _replayed(graphs: CudaGraphs, name: str, forward: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    told = (*enumerate(arguments), *keywords.items())
    shape = name, tuple((key, _shape_or_value(value)) for key, value in told)
    return graphs.call(shape, lambda some, others: forward(*some, **others), arguments, keywords)


def _shape_or_value(told: Any) -> Any:
    return tuple(told.shape) if isinstance(told, torch.Tensor) else told
