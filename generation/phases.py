"""The phases of a run: the engine reports them, and the executor knows how long each may stay silent."""

from enum import StrEnum


class Phase(StrEnum):
    """How far a run has got in the child process."""

    LOAD = "load"  # the model is being loaded, or the run waits for those of another model
    ENCODE = "encode"  # picture and prompt become latents and embeddings; lasts until the first step is done
    PRIOR = "prior"  # the prompt becomes an image embedding, reported at every step
    DENOISE = "denoise"
    DECODE = "decode"  # latents become an encoded picture
