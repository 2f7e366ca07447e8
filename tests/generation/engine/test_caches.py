"""What is not computed twice, and how much of it is cached."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from generation.engine.base import OutOfMemory
from generation.engine.caches import ByteCache
from generation.engine.diffusers_engine import DiffusersEngine
from generation.engine.latents.previews import Preview
from generation.engine.order import Order, Painted
from generation.models.catalog import Catalog, load_catalog
from generation.settings import PACKAGED_MODELS_FILE
from playground.demo import PHOTOGRAPHS
from tests.generation.engine.company import watched_denoiser
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import gradient, tiny_request
from tests.generation.samples import request


@contextmanager
def counted_encodings(engine: DiffusersEngine) -> Iterator[dict[str, int]]:
    """Count the calls of the text encoder and of the autoencoder's encoder."""
    pipeline = engine._models._model.pipeline  # type: ignore[union-attr]
    counts = {"text": 0, "picture": 0}

    def count(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            counts[name] += 1

        return hook

    handles = [
        pipeline.text_encoder.register_forward_hook(count("text")),
        pipeline.vae.encoder.conv_in.register_forward_hook(count("picture")),
    ]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def test_again_encodes_neither_text_nor_picture(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine = make_engine()
    first = engine.run(tiny_request(negative_prompt="rain"), RecordedRun())
    with counted_encodings(engine) as counts:
        again = engine.run(tiny_request(negative_prompt="rain"), RecordedRun())
        assert counts == {"text": 0, "picture": 0}
        engine.run(tiny_request(negative_prompt="rain", strength=0.9, guidance_scale=9.0, count=2), RecordedRun())
        assert counts == {"text": 0, "picture": 0}
        engine.run(tiny_request(prompt="another"), RecordedRun())
        assert counts == {"text": 2, "picture": 0}  # the prompt, and the empty negative one
        engine.run(tiny_request(image=gradient(48, 64)), RecordedRun())
        assert counts == {"text": 2, "picture": 1}
    assert again.pictures[0].data == first.pictures[0].data


def test_the_pictures_of_a_request_are_encoded_once_and_differ(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine = make_engine()
    engine.run(tiny_request(), RecordedRun())
    with counted_encodings(engine) as counts:
        result = engine.run(tiny_request(image=gradient(64, 48), count=3), RecordedRun())
    assert counts == {"text": 0, "picture": 1}
    assert len({picture.data for picture in result.pictures}) == 3


def test_whoever_runs_out_of_memory_forgets_first(make_engine: Callable[..., DiffusersEngine]) -> None:
    engine = make_engine()
    engine.run(tiny_request(), RecordedRun())

    def fail(_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with watched_denoiser(engine, fail), pytest.raises(OutOfMemory):
        engine.run(tiny_request(), RecordedRun())
    with counted_encodings(engine) as counts:
        engine.run(tiny_request(), RecordedRun())
    assert counts["text"] == 2
    assert counts["picture"] >= 1  # once per tile, now that it has to take less memory


def test_the_bytes_are_bounded_and_what_was_used_last_stays() -> None:
    cache: ByteCache[bytes] = ByteCache(10, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"1234")
    assert (cache.get("a"), cache.get("b"), cache.get("c"), cache.bytes) == (b"1234", None, b"1234", 8)
    cache.put("c", b"12")
    assert cache.bytes == 6


def test_a_value_that_does_not_fit_evicts_nothing_but_what_it_replaces() -> None:
    cache: ByteCache[bytes] = ByteCache(10, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    cache.put("huge", bytes(11))
    assert (cache.get("huge"), cache.get("a"), cache.get("b"), cache.bytes) == (None, b"1234", b"1234", 8)
    cache.put("a", bytes(11))
    assert (cache.get("a"), cache.get("b"), cache.bytes) == (None, b"1234", 4)


class PreviewedRun(RecordedRun):
    """A run that keeps the previews and the steps at which they came."""

    def __init__(self) -> None:
        super().__init__()
        self.previews: list[bytes] = []
        self.shown_at: list[int] = []

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        super().step(step, total_steps, preview)
        if preview is not None:
            self.previews.append(preview)
            self.shown_at.append(step)


def test_the_first_step_shows_a_preview_in_the_colours_of_the_result(
    make_engine: Callable[..., DiffusersEngine],
) -> None:
    engine = make_engine(Catalog({"demo": load_catalog(PACKAGED_MODELS_FILE)["demo"]}))
    photograph = io.BytesIO()
    with Image.open(PHOTOGRAPHS / "coffee.jpg") as opened:
        opened.convert("RGB").resize((96, 64)).save(photograph, "PNG")
    run = PreviewedRun()
    result = engine.run(request(image=photograph.getvalue(), strength=0.3, num_inference_steps=10), run)
    assert run.previews
    with Image.open(io.BytesIO(run.previews[0])) as preview:
        assert preview.format == "JPEG"
        assert max(preview.size) == 256
        shown = small(preview)
    with Image.open(io.BytesIO(result.pictures[0].data)) as picture:
        painted = small(picture)
    assert np.abs(shown - painted).mean() < 25
    assert all(np.corrcoef(shown[..., band].flat, painted[..., band].flat)[0, 1] > 0.8 for band in range(3))


def small(image: Any) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((12, 8), Image.Resampling.BOX), dtype=float)


def showing(number: int) -> Preview:
    return Preview(torch.tensor([number]), lambda numbers: bytes(numbers.tolist()))


def test_previews_are_few_and_of_the_first_picture_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("generation.engine.order.time.monotonic", lambda: now)
    run = PreviewedRun()
    order = Order(tiny_request(count=2), Image.new("RGB", (8, 8)), run)
    for step in range(40):
        now = step / 10
        order.step_done(step % 2, 20, lambda index=step % 2: showing(index))
    assert run.previews == [b"\0"] * 4
    order.pictures[0].set_result(Painted(order.image, 20, "", "noise", ""))
    now += 1
    order.step_done(1, 20, lambda: showing(1))
    assert run.previews[-1] == b"\1"
