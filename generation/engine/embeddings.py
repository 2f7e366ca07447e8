"""Textual inversion in a loaded pipeline: a word becomes tokens of its own, and no other text is read otherwise."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from generation.models.add_ons import AddOnFile
from generation.models.embeddings import Embedding, pattern_of
from generation.models.problems import ModelProblem

# The text encoders by the names that files for Stable Diffusion XL have for them.
_ENCODERS = {"clip_l": ("tokenizer", "text_encoder"), "clip_g": ("tokenizer_2", "text_encoder_2")}


class Embeddings:
    """The words that one pipeline has been taught, each when a text wants it for the first time.

    A vector is a token whose name is made of its file's contents: nobody writes it by chance, so every text without
    the word is read as if nothing had been loaded, and what is remembered of a text belongs to these contents.
    ``place`` holds the pipeline again as its plan says. Used by the device loop's thread only.
    """

    def __init__(
        self,
        pipeline: Any,
        offered: Mapping[str, Embedding],
        locate: Callable[[AddOnFile], Path],
        place: Callable[[], None],
    ) -> None:
        self._pipeline = pipeline
        self._offered = {embedding.word.casefold(): embedding for embedding in offered.values()}
        self._pattern = pattern_of(offered.values())
        self._locate = locate
        self._place = place
        self._tokens: dict[str, str] = {}  # by the word; what stands for it in a text

    def read(self, text: str) -> str:
        """Return a text with tokens in the place of words; raise ModelUnavailable for a file that cannot be used."""
        return self._pattern.sub(lambda match: self._tokens_of(match[0]), text)

    def _tokens_of(self, found: str) -> str:
        word = found.casefold()
        if word not in self._offered:  # "İ" is found as "i" and is none
            return found
        if word not in self._tokens:
            self._tokens[word] = self._load(self._offered[word].file)
        return self._tokens[word]

    def _load(self, file: AddOnFile) -> str:
        """Teach the text encoders a file's vectors and return the names of their tokens."""
        try:
            contents = self._locate(file).read_bytes()
            taught = list(self._vectors(load(contents)))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise file.problem(ModelProblem.DOES_NOT_FIT) from error
        digest = hashlib.sha256(contents).hexdigest()[:16]
        names = [f"<{digest}-{index}>" for index in range(len(taught[0][2]))]
        if names[0] not in taught[0][0].get_vocab():  # two words may stand for the same file
            self._pipeline.remove_all_hooks()  # they know the matrix that is about to be replaced
            for tokenizer, text_encoder, vectors in taught:
                _end_as_the_tokenizer_says(text_encoder, tokenizer)
                self._pipeline.load_textual_inversion(
                    list(vectors), token=names, tokenizer=tokenizer, text_encoder=text_encoder
                )
            self._place()
        return " ".join(names)

    def _vectors(self, tensors: Mapping[str, torch.Tensor]) -> Iterator[tuple[Any, Any, torch.Tensor]]:
        """Return tokenizer, text encoder and vectors (number, width) for each encoder; raise ValueError or KeyError.

        The forms are diffusers' (one tensor, called as its token), AUTOMATIC1111's (``emb_params``, or what its
        pickles called ``string_to_param``), and Stable Diffusion XL's (``clip_l`` and ``clip_g``).
        """
        is_double = hasattr(self._pipeline, "text_encoder_2")
        counts = set[int]()
        for name, (tokenizer, text_encoder) in _ENCODERS.items():
            encoder = getattr(self._pipeline, text_encoder, None)
            if encoder is None:
                continue
            found = tensors[name] if is_double else _only(tensors)
            vectors = found[None] if found.ndim == 1 else found
            width = encoder.get_input_embeddings().weight.shape[-1]
            if vectors.ndim != 2 or not len(vectors) or vectors.shape[1] != width or not vectors.is_floating_point():
                raise ValueError(f"vectors of {tuple(vectors.shape)} are none of this text encoder")
            counts.add(len(vectors))
            yield getattr(self._pipeline, tokenizer), encoder, vectors
        if len(counts) != 1:
            raise ValueError("the text encoders would read texts of different lengths")


def _only(tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    named = [tensors[name] for name in tensors if name == "emb_params" or name.startswith("string_to_param")]
    (tensor,) = named or tensors.values()
    return tensor


def _end_as_the_tokenizer_says(text_encoder: Any, tokenizer: Any) -> None:
    """Let the summary of a text be taken at its end.

    Older configurations (``eos_token_id`` 2, Stable Diffusion XL's too) take it at the token with the highest number,
    which is the end only as long as no tokens are added.
    Source: ``CLIPTextModel.forward`` of transformers 5.
    """
    for module in text_encoder.modules():
        if getattr(module, "eos_token_id", None) == 2:
            module.eos_token_id = tokenizer.eos_token_id
