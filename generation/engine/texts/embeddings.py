"""Textual inversion in a loaded pipeline: a word becomes tokens of its own, and all other text is read as before."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from generation.errors import ModelUnavailable
from generation.models.add_ons import AddOnFile
from generation.models.embeddings import Embedding, pattern_of
from generation.models.problems import ModelProblem
from generation.sentences import error_sentence

log = logging.getLogger(__name__)

# The text encoders, keyed by their names in files for Stable Diffusion XL.
_ENCODERS = {"clip_l": ("tokenizer", "text_encoder"), "clip_g": ("tokenizer_2", "text_encoder_2")}

_Vectors = list[tuple[Any, Any, torch.Tensor]]  # tokenizer, text encoder, and its new vectors (number, width)


class Embeddings:
    """The words that one pipeline is taught, all at once, before anybody uses it and anything moves its components.

    Each vector becomes a token whose name is derived from its file's contents. Nobody writes such a name by chance, so
    every text without the word is read as if nothing had been taught, and cached embeddings of a text belong to these
    contents. A file that cannot be used affects only those who write its word.
    """

    def __init__(self, pipeline: Any, offered: Mapping[str, Embedding], locate: Callable[[AddOnFile], Path]) -> None:
        self._pipeline = pipeline
        self._pattern = pattern_of(offered.values())
        self._tokens: dict[str, str | ModelUnavailable] = {}  # what replaces a word in a text, or why nothing does
        taught: dict[str, _Vectors] = {}  # by their file's digest: two words may share a file
        for embedding in offered.values():
            try:
                digest, vectors = self._read_file(embedding.file, locate)
            except ModelUnavailable as problem:
                log.warning("%s", error_sentence(problem))
                problem.__cause__ = problem.__context__ = None  # they keep the file's contents alive
                self._tokens[embedding.word.casefold()] = problem
                continue
            taught[digest] = vectors
            self._tokens[embedding.word.casefold()] = " ".join(_names(digest, vectors))
        if taught:
            self._teach(taught)

    def read(self, text: str) -> str:
        """Replace the taught words of a text by their tokens; raise ModelUnavailable for one without a usable file."""
        return self._pattern.sub(lambda match: self._tokens_of(match[0]), text)

    def _tokens_of(self, found: str) -> str:
        tokens = self._tokens.get(found.casefold(), found)  # "İ" matches as "i" but is no taught word
        if isinstance(tokens, ModelUnavailable):
            raise tokens.with_traceback(None)
        return tokens

    def _read_file(self, file: AddOnFile, locate: Callable[[AddOnFile], Path]) -> tuple[str, _Vectors]:
        try:
            contents = locate(file).read_bytes()
            return hashlib.sha256(contents).hexdigest()[:16], list(self._vectors(load(contents)))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise file.problem(ModelProblem.DOES_NOT_FIT) from error

    def _teach(self, taught: Mapping[str, _Vectors]) -> None:
        """Give the tokenizers new tokens and the text encoders their vectors, one encoder after the other.

        Source: ``TextualInversionLoaderMixin.load_textual_inversion`` of diffusers, which resizes the embedding matrix
        for each file and initializes the new rows from the distribution of all others before overwriting them.
        """
        names = [name for digest, vectors in taught.items() for name in _names(digest, vectors)]
        for number, (tokenizer, text_encoder, _) in enumerate(next(iter(taught.values()))):
            rows = torch.cat([vectors[number][2] for vectors in taught.values()])
            tokenizer.add_tokens(names)
            known = text_encoder.get_input_embeddings().weight.shape[0]
            text_encoder.resize_token_embeddings(max(known, len(tokenizer)), mean_resizing=False)
            weight = text_encoder.get_input_embeddings().weight
            weight.data[tokenizer.convert_tokens_to_ids(names)] = rows.to(weight.device, weight.dtype)
            _end_as_the_tokenizer_says(text_encoder, tokenizer)

    def _vectors(self, tensors: Mapping[str, torch.Tensor]) -> Iterator[tuple[Any, Any, torch.Tensor]]:
        """Yield tokenizer, text encoder and vectors (number, width) for each encoder; raise ValueError or KeyError.

        The formats are diffusers' (one tensor, named after its token), AUTOMATIC1111's (``emb_params``, or
        ``string_to_param`` as in its pickles), and Stable Diffusion XL's (``clip_l`` and ``clip_g``).
        """
        is_double = hasattr(self._pipeline, "text_encoder_2")
        counts = set[int]()
        for name, (tokenizer, text_encoder) in _ENCODERS.items():
            encoder = getattr(self._pipeline, text_encoder, None)
            if encoder is None:
                continue
            found = tensors[name] if is_double else _single_tensor(tensors)
            vectors = found[None] if found.ndim == 1 else found
            width = encoder.get_input_embeddings().weight.shape[-1]
            if vectors.ndim != 2 or not len(vectors) or vectors.shape[1] != width or not vectors.is_floating_point():
                raise ValueError(f"vectors of {tuple(vectors.shape)} are none of this text encoder")
            counts.add(len(vectors))
            yield getattr(self._pipeline, tokenizer), encoder, vectors
        if len(counts) != 1:
            raise ValueError("the text encoders would read texts of different lengths")


def _names(digest: str, vectors: _Vectors) -> list[str]:
    return [f"<{digest}-{index}>" for index in range(len(vectors[0][2]))]


def _single_tensor(tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    named = [tensors[name] for name in tensors if name == "emb_params" or name.startswith("string_to_param")]
    (tensor,) = named or tensors.values()
    return tensor


def _end_as_the_tokenizer_says(text_encoder: Any, tokenizer: Any) -> None:
    """Make a text encoder take its pooled output at the end of the text.

    Older configurations (``eos_token_id`` 2, Stable Diffusion XL's too) take it at the token with the highest number,
    which is the end only as long as no tokens have been added.
    Source: ``CLIPTextModel.forward`` of transformers 5.
    """
    for module in text_encoder.modules():
        if getattr(module, "eos_token_id", None) == 2:
            module.eos_token_id = tokenizer.eos_token_id
