"""No pickle is ever loaded, whatever a model's folder contains, by the interpreter's audit events (PEP 578)."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from generation.engine.diffusers_engine import DiffusersEngine
from generation.errors import ModelUnavailable
from generation.models.catalog import Catalog, load_catalog
from generation.models.problems import ModelProblem
from generation.sentences import error_sentence
from generation.settings import PACKAGED_MODELS_FILE
from tests.generation.engine.conftest import RecordedRun, tiny_entry
from tests.generation.samples import png, request
from tests.tiny_pipeline import save_tiny_pipeline

_watchers: list[list[str]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class":
        for watcher in _watchers:
            watcher.append(".".join(map(str, arguments)))


sys.addaudithook(_hear)  # cannot be removed again, so it is active only while a test watches


@contextmanager
def classes_named_by_pickles() -> Iterator[list[str]]:
    """Collect every class or function that a pickle looks up inside the block; every pickle attack begins with that."""
    found: list[str] = []
    _watchers.append(found)
    try:
        yield found
    finally:
        _watchers.remove(found)


class Booby:
    """An object that writes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return _sprung, (str(self._trace),)


def _sprung(trace: str) -> None:
    Path(trace).touch()


def test_the_watch_hears_a_pickle(tmp_path: Path) -> None:
    torch.save({"a": Booby(tmp_path / "sprung")}, tmp_path / "weights.bin")
    with classes_named_by_pickles() as found:
        torch.load(tmp_path / "weights.bin", weights_only=False)
    assert f"{__name__}._sprung" in found
    assert (tmp_path / "sprung").exists()


def test_the_demo_model_paints_without_a_pickle(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine = make_engine(Catalog({"demo": load_catalog(PACKAGED_MODELS_FILE)["demo"]}))
    with classes_named_by_pickles() as found:
        engine.preload()
        engine.run(request(image=png(), num_inference_steps=2), RecordedRun())
    assert found == []


@pytest.mark.parametrize("suffix", ["bin", "ckpt", "pt", "pth", "pkl"])
@pytest.mark.parametrize("spared", [(), ("unet",)], ids=["nothing else", "only one part"])
def test_a_folder_with_pickles_is_refused_unread(
    suffix: str, spared: tuple[str, ...], tmp_path: Path, make_engine: Callable[..., DiffusersEngine]
) -> None:
    folder = save_tiny_pipeline(tmp_path / "model")
    for weights in list(folder.rglob("*.safetensors")):
        if weights.parent.name not in spared:
            names = {
                "unet": "diffusion_pytorch_model",
                "vae": "diffusion_pytorch_model",
                "text_encoder": "pytorch_model",
            }
            torch.save(Booby(tmp_path / "sprung"), weights.with_name(f"{names[weights.parent.name]}.{suffix}"))
            weights.unlink()
    torch.save(Booby(tmp_path / "sprung"), folder / f"model.{suffix}")
    engine = make_engine(Catalog({"evil": tiny_entry("evil", folder)}))
    with classes_named_by_pickles() as found, pytest.raises(ModelUnavailable) as refused:
        engine.run(request(model="evil", image=png()), RecordedRun())
    assert found == []
    assert not (tmp_path / "sprung").exists()
    assert refused.value.reason == (ModelProblem.NOT_A_MODEL if spared else ModelProblem.NO_SAFETENSORS)
    assert error_sentence(refused.value).endswith(".")
