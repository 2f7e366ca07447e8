"""Run one verb, `python -m training VERB …`; the model card lists the verbs of a full training run in order."""

import argparse
import importlib
import os
import sys

VERBS = (
    *("sprites", "evaluation_set", "pictures", "tokenizer", "autoencoder", "adopt", "latents", "unet"),
    *("classifier", "export", "evaluate", "grids"),
)

if __name__ == "__main__":
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # diffusers loads onnxruntime where it is installed
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Train the demo model again, verb by verb; models/demo/README.md has their order.",
        epilog="VERB --help tells what one does.",
    )
    parser.add_argument("verb", choices=VERBS, metavar="VERB", help=", ".join(VERBS))
    verb = parser.parse_args(sys.argv[1:2]).verb
    try:
        importlib.import_module(f"training.{verb}").main(sys.argv[2:])
    except FileNotFoundError as error:
        sys.exit(f"There is no {error.filename}; models/demo/README.md says which verb makes it.")
    except KeyboardInterrupt:
        sys.exit(130)
