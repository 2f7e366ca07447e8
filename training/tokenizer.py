"""Build the tokenizer: CLIP's byte-level BPE, with every caption word as a single token."""

import json
import random
import re
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from training.command_line import run_of, run_parser
from training.data import caption, sampled
from training.tiers import MAX_TOKENS, Tier
from training.words import (
    ADJECTIVES,
    BIG,
    COLOURS,
    NOUNS_B,
    PREFIXES,
    RELATIONS,
    SCENES,
    SHAPES_B,
    SMALL,
    STYLES,
    SUFFIXES,
    SYNONYMS,
)

START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = 1_500
# The pre-tokenization pattern of OpenAI's CLIP, as in transformers' CLIPTokenizer.
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def caption_words() -> list[str]:
    """Return every word that a caption of either tier can contain."""
    phrases = [*COLOURS, *NOUNS_B, *SHAPES_B, *PREFIXES, *ADJECTIVES, *BIG, *SMALL, *SUFFIXES, *RELATIONS]
    phrases += [phrase for row in SYNONYMS.values() for phrase in row]
    phrases += [phrase for row, alone in SCENES.values() for phrase in (*row, alone)]
    phrases += [phrase for row in STYLES.values() for half in row for phrase in half]
    phrases += ["a", "an", "on", "background", "in", "the"]
    return sorted({word for phrase in phrases for word in re.findall("[a-z]+", phrase)})


def made(tier: Tier) -> CLIPTokenizer:
    """Train on captions and single words; anything else that people type is split into pieces, never dropped."""
    rng = random.Random(0)
    captions = [caption(sampled(tier.vocabulary, rng), rng) for _ in range(2_000)]
    lines = captions + [word for word in caption_words() for _ in range(60)]
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=256 + MERGES,
        initial_alphabet=symbols,
        end_of_word_suffix="</w>",
        min_frequency=1,
        show_progress=False,
    )
    bpe.train_from_iterator(lines, trainer)
    merges = _merges(bpe)
    tokens = [*symbols, *(symbol + "</w>" for symbol in symbols), *("".join(pair) for pair in merges)]
    vocab = {token: index for index, token in enumerate(dict.fromkeys((*tokens, START, END)))}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS)


def _merges(bpe: Tokenizer) -> list[Any]:
    """Return the pairs in the order in which they were learned; transformers needs tuples here, despite its types."""
    rows = json.loads(bpe.to_str())["model"]["merges"]
    return [tuple(row) if isinstance(row, list) else tuple(row.split(" ")) for row in rows]


def load(folder: Path) -> CLIPTokenizer:
    """Return a run's tokenizer, as built by `python -m training tokenizer`."""
    return CLIPTokenizer.from_pretrained(folder / "tokenizer")


def main(arguments: list[str]) -> None:
    tier, folder = run_of(run_parser("tokenizer", __doc__).parse_args(arguments))
    tokenizer = made(tier)
    split = [word for word in caption_words() if len(tokenizer(word)["input_ids"]) != 3]
    if split:
        raise ValueError(f"not one token: {split}")
    tokenizer.save_pretrained(folder / "tokenizer")
    print(f"{len(tokenizer)} tokens, {len(caption_words())} caption words, each one token")
