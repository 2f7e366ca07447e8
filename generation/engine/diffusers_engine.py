"""The diffusers engine: requests in, encoded pictures with their parameters out."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from generation.engine.base import Run
from generation.engine.device import choose_device, choose_dtype, describe_device, keep_float32, limit_memory
from generation.engine.device_loop import DeviceLoop
from generation.engine.input_picture import (
    fitted_image,
    fitted_mask,
    has_transparent_parts,
    trimmed_part,
    with_kept_parts,
)
from generation.engine.loaded_models.resident_models import ResidentModels
from generation.engine.order import Order, Painted
from generation.engine.schedules import schedule_of
from generation.engine.width import FixedWidth, MeasuredWidth
from generation.images.encode import encode_picture
from generation.images.fit import enlarge, enlargement_factor
from generation.images.metadata import PictureParameters
from generation.models.catalog import Catalog, load_catalog
from generation.models.families import FAMILIES
from generation.models.hub import Hub
from generation.phases import Phase
from generation.requests import Img2ImgRequest, Img2ImgResult, Picture
from generation.samplers import OWN_SAMPLER
from generation.versions import VERSION, library_versions


def create_engine(options: dict[str, Any], catalog: Catalog | None = None) -> "DiffusersEngine":
    """Make the engine from ``GenerationSettings.for_child``, with the catalog if it has been read already.

    Raises ExecutorError for a device that this machine does not have.
    """
    device = choose_device(options["device"])
    limit_memory(device, options["max_vram"])
    dtype = choose_dtype(options["dtype"], device)
    keep_float32(dtype)
    # Keep compiled kernels for the next start; a container's home folder would be lost or may be read-only.
    for name in ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
        os.environ.setdefault(name, str(Path(options["data_dir"]) / "kernels"))
    return DiffusersEngine(
        catalog=load_catalog(Path(options["models_file"])) if catalog is None else catalog,
        default_model=options["model"],
        data_dir=Path(options["data_dir"]),
        hub=Hub(token=options["hf_token"]),
        device=device,
        dtype=dtype,
        slots=options["slots"],
        max_width=options["max_width"],
        strict=options["strict"],
        compiler="inductor" if options["compile_denoiser"] else None,
        previews=options["previews"],
    )


class DiffusersEngine:
    """Compute requests with the components of diffusers' pipelines, up to ``slots`` of them concurrently.

    Each slot's thread prepares a request and encodes its result; the device loop does everything that needs the device.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        default_model: str,
        data_dir: Path,
        hub: Hub,
        device: torch.device,
        dtype: torch.dtype,
        slots: int = 8,
        max_width: int = 16,
        strict: bool = False,
        make_width: Callable[[int], FixedWidth] = MeasuredWidth,
        compiler: str | None = None,
        previews: bool = True,
    ) -> None:
        self._catalog = catalog
        self._default_model = default_model
        self._models = ResidentModels(
            catalog,
            data_dir=data_dir,
            hub=hub,
            device=device,
            dtype=dtype,
            max_width=max_width,
            compiler=compiler,
        )
        self._loop = DeviceLoop(
            self._models, device, max_width=max_width, strict=strict, make_width=make_width, data_dir=data_dir
        )
        self._loop.start()
        self._has_previews = previews
        self.slots = slots
        self.device = describe_device(device)
        self.dtype = str(dtype).removeprefix("torch.")

    def preload(self) -> None:
        """Load the default model; raise ModelUnavailable."""
        self._models.fetch(self._default_model, lambda: None)
        self._loop.load(self._default_model).result()

    def total_steps(self, request: Img2ImgRequest) -> int:
        """Return the steps of all pictures; those that the model's own scheduler adds only if its files are here."""
        family = FAMILIES[self._catalog.find(request.model).family]
        if family.takes_samplers and request.sampler == OWN_SAMPLER:
            scheduler = self._models.own_scheduler(request.model)
            if scheduler is not None:
                each = (schedule_of(scheduler, request.of_picture(index)) for index in range(request.count))
                return sum(len(schedule.timesteps) for schedule in each)
        return sum(family.steps(request))

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Compute one request; see ``Engine.run``."""
        run.enter(Phase.LOAD)
        entry = self._catalog.find(request.model)
        self._models.fetch(entry.name, lambda: run.enter(Phase.LOAD))
        image, mask = fitted_image(request, entry), fitted_mask(request, entry)
        order = Order(request, image, run, repaint_mask=mask, has_previews=self._has_previews)
        self._loop.submit(order)
        painted = [picture.result() for picture in order.pictures]
        run.enter(Phase.DECODE)
        pictures = tuple(self._picture(order, index, each) for index, each in enumerate(painted))
        return Img2ImgResult(pictures=pictures, seconds=order.seconds, device=self.device, dtype=self.dtype)

    def close(self) -> None:
        """Stop the device loop."""
        self._loop.close()

    def _picture(self, order: Order, index: int, painted: Painted) -> Picture:
        request, native = order.request.of_picture(index), painted.image
        takes_strength = FAMILIES[self._catalog.find(request.model).family].takes_strength
        factor = 1 if request.native else enlargement_factor(native.width, native.height)
        parameters = PictureParameters(
            version=VERSION,
            model=request.model,
            revision=painted.revision,
            scheduler=painted.scheduler,
            sampler=request.sampler,
            seed=request.seed,
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            strength=request.strength if takes_strength else None,
            strength_schedule=painted.strength_schedule,
            guidance_scale=request.guidance_scale,
            num_inference_steps=request.num_inference_steps,
            denoising_steps=painted.steps,
            native_width=native.width,
            native_height=native.height,
            enlarged_by=factor,
            input_sha256=request.input_sha256,
            device=self.device,
            dtype="float32" if painted.in_float32 else self.dtype,
            libraries=library_versions(),
            adapter=request.adapter,
            adapter_weight=request.adapter_weight,
            painted_again=order.has_begun_again,
            trimmed=trimmed_part(request, native.width, native.height),
            repaint=request.repaint,
            transparent=has_transparent_parts(request),
        )
        image = with_kept_parts(enlarge(native, factor), request)
        data, media_type = encode_picture(image, parameters.embedded(), max_bytes=request.max_result_bytes)
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
