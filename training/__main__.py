"""Run one verb, `python -m training VERB …`; the order of a whole training is in the model card."""

import importlib
import sys

VERBS = (
    *("sprites", "evaluation_set", "pictures", "tokenizer", "autoencoder", "adopt", "latents", "unet"),
    *("classifier", "export", "evaluate", "grids"),
)

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in VERBS:
        sys.exit(f"usage: python -m training {{{','.join(VERBS)}}} …")
    importlib.import_module(f"training.{sys.argv[1]}").main(sys.argv[2:])
