"""The phases of a run: the engine tells them, and the executor knows how long each may stay silent."""

from enum import StrEnum


class Phase(StrEnum):
    """Where a run stands in the child."""

    LOAD = "load"  # the model is brought into memory, or another run's model is waited for
    ENCODE = "encode"  # picture and prompt become latents and embeddings; lasts until the first step is done
    PRIOR = "prior"  # the prompt becomes the embedding of a picture, step by step, told at every step
    DENOISE = "denoise"
    DECODE = "decode"  # latents become an encoded picture
