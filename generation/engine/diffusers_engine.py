"""The engine of diffusers: requests in, encoded pictures with their parameters out."""

import gc
import io
import threading
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from generation.catalog import Catalog, load_catalog
from generation.engine.base import DeviceLost, OutOfMemory, Run
from generation.engine.device import choose_device, choose_dtype, describe_device, free_memory
from generation.engine.faults import fault_of
from generation.engine.loading import LoadedModel
from generation.engine.painting import paint_alone
from generation.engine.resident_models import ResidentModels
from generation.executors.budgets import Phase
from generation.families import FAMILIES
from generation.hub import Hub
from generation.images.encode import encode_picture
from generation.images.fit import enlarge, enlargement_factor, fit_image, fitted_size
from generation.images.metadata import PictureParameters
from generation.requests import Img2ImgRequest, Img2ImgResult, Picture
from generation.versions import VERSION, library_versions


def create_engine(options: dict[str, Any]) -> "DiffusersEngine":
    """Make the engine from ``GenerationSettings.for_child``; raise ExecutorError for a device that is not here."""
    device = choose_device(options["device"])
    return DiffusersEngine(
        catalog=load_catalog(Path(options["models_file"])),
        default_model=options["model"],
        data_dir=Path(options["data_dir"]),
        hub=Hub(token=options["hf_token"]),
        device=device,
        dtype=choose_dtype(options["dtype"], device),
    )


class DiffusersEngine:
    """Compute requests with the pipelines of diffusers as they are, one at a time: a pipeline has one scheduler.

    One model is in memory; another one is loaded only after it has left.
    """

    slots = 1

    def __init__(
        self,
        *,
        catalog: Catalog,
        default_model: str,
        data_dir: Path,
        hub: Hub,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._catalog = catalog
        self._default_model = default_model
        self._device = device
        self._models = ResidentModels(catalog, data_dir=data_dir, hub=hub, device=device, dtype=dtype)
        self._using = threading.Lock()
        self.device = describe_device(device)
        self.dtype = str(dtype).removeprefix("torch.")

    def preload(self) -> None:
        """Bring the default model into memory; raise ModelUnavailable."""
        with self._using:
            self._models.get(self._default_model, lambda: None)

    def total_steps(self, request: Img2ImgRequest) -> int:
        """Return the steps of all pictures as the family counts them; a scheduler may add one."""
        return request.count * FAMILIES[self._catalog.find(request.model).family].total_steps(request)

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Compute one request; see ``Engine.run``."""
        with self._using:
            fault: type[OutOfMemory] | type[DeviceLost] | None = None
            try:
                return self._run(request, run)
            except Exception as error:
                fault = fault_of(error)
                if fault is None:
                    raise
            # Outside of the except block: the error's traceback refers to the tensors that are to go.
            gc.collect()
            if fault is OutOfMemory:
                free_memory(self._device)
            raise fault

    def _run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        run.enter(Phase.LOAD)
        model = self._models.get(request.model, lambda: run.enter(Phase.LOAD))
        started = time.perf_counter()
        image = self._fitted(request, model)
        pictures = tuple(self._picture(request, run, model, image, index) for index in range(request.count))
        seconds = time.perf_counter() - started
        return Img2ImgResult(pictures=pictures, seconds=seconds, device=self.device, dtype=self.dtype)

    def _fitted(self, request: Img2ImgRequest, model: LoadedModel) -> Image.Image:
        with Image.open(io.BytesIO(request.image)) as opened:
            image = opened.convert("RGB")
        width, height = fitted_size(
            image.width, image.height, max_pixels=request.max_pixels, multiple=model.entry.multiple
        )
        return fit_image(image, width, height)

    def _picture(
        self, request: Img2ImgRequest, run: Run, model: LoadedModel, image: Image.Image, index: int
    ) -> Picture:
        painted = paint_alone(model, request, run, image, index)
        native = painted.image
        run.enter(Phase.DECODE)
        factor = 1 if request.native else enlargement_factor(native.width, native.height)
        parameters = PictureParameters(
            version=VERSION,
            model=request.model,
            revision=model.revision,
            scheduler=painted.scheduler,
            sampler=request.sampler,
            seed=request.seed_of(index),
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            strength=request.strength,
            strength_schedule=painted.strength_schedule,
            guidance_scale=request.guidance_scale,
            num_inference_steps=request.num_inference_steps,
            denoising_steps=painted.steps,
            native_width=native.width,
            native_height=native.height,
            enlarged_by=factor,
            input_sha256=request.input_sha256,
            device=self.device,
            dtype=self.dtype,
            libraries=library_versions(),
        )
        data, media_type = encode_picture(
            enlarge(native, factor), parameters.embedded(), max_bytes=request.max_result_bytes
        )
        return Picture(
            data=data,
            media_type=media_type,
            width=parameters.width,
            height=parameters.height,
            native_width=native.width,
            native_height=native.height,
            seed=parameters.seed,
            parameters=parameters.record(),
        )
