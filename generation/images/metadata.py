"""The metadata of a result file: our JSON record, and the ``parameters`` text that A1111 and its relatives use."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from generation.images.texts import COMMENT_KEY, RECORD_KEY, TEXT_KEY, read_texts
from generation.samplers import OWN_SAMPLER, SAMPLERS

PROGRAM = "Palimpsest"

# A1111's names for diffusers' schedulers: https://huggingface.co/docs/diffusers/api/schedulers/overview
_SAMPLERS = {
    "DDIMScheduler": "DDIM",
    "PNDMScheduler": "PLMS",
    "LMSDiscreteScheduler": "LMS",
    "HeunDiscreteScheduler": "Heun",
    "EulerDiscreteScheduler": "Euler",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "FlowMatchEulerDiscreteScheduler": "Euler",
    "KDPM2DiscreteScheduler": "DPM2",
    "KDPM2AncestralDiscreteScheduler": "DPM2 a",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "UniPCMultistepScheduler": "UniPC",
    "LCMScheduler": "LCM",
}
_UNICODE_COMMENT = b"UNICODE\0"  # EXIF 2.32, table 9: the character code of a UserComment


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureParameters:
    """Everything that went into one picture; nothing in it identifies the machine (no paths, no user names).

    ``revision`` is the model's commit, empty if it has none. ``strength`` and ``guidance_scale`` are None for models
    that do not use them. ``scheduler`` is the class that did the denoising, ``sampler`` the name that it was chosen by;
    ``strength_schedule`` says what the strength meant. The picture was generated at ``native_width`` ×
    ``native_height`` and then enlarged ``enlarged_by`` times. ``libraries`` maps package names to versions. ``adapter``
    is empty if there was none, and includes the weights if there were several. ``painted_again`` says whether memory
    ran out the first time. ``trimmed`` is the fraction of the input, 0 to 1, that was cropped because the model cannot
    generate its shape. ``repaint`` says what was repainted, and ``transparent`` whether the input had transparent
    parts.
    """

    version: str
    model: str
    revision: str
    scheduler: str
    sampler: str
    seed: int
    prompt: str
    negative_prompt: str
    strength: float | None
    strength_schedule: str
    guidance_scale: float | None
    num_inference_steps: int
    denoising_steps: int
    native_width: int
    native_height: int
    enlarged_by: int
    input_sha256: str
    device: str
    dtype: str
    libraries: Mapping[str, str] = field(default_factory=dict)
    painted_again: bool = False
    trimmed: float = 0.0
    adapter: str = ""
    adapter_weight: float = 0.0
    repaint: str = "all"
    transparent: bool = False

    @property
    def width(self) -> int:
        """The width of the file's picture in pixels."""
        return self.native_width * self.enlarged_by

    @property
    def height(self) -> int:
        """The height of the file's picture in pixels."""
        return self.native_height * self.enlarged_by

    def record(self) -> dict[str, Any]:
        """Return the JSON record that the file carries."""
        return {
            "program": PROGRAM,
            **asdict(self),
            "libraries": dict(self.libraries),
            "width": self.width,
            "height": self.height,
        }

    def text(self) -> str:
        """Return the text that A1111 and its relatives read: prompt, negative prompt and one line of settings.

        ``Size`` is the native size, because that is what a program needs to generate the picture again. Source: the
        function ``create_infotext`` in ``modules/processing.py`` of AUTOMATIC1111/stable-diffusion-webui.
        """
        settings = {
            "Steps": self.num_inference_steps,
            "Sampler": self._sampler_title(),
            "CFG scale": self.guidance_scale,
            "Seed": self.seed,
            "Size": f"{self.native_width}x{self.native_height}",
            "Model": self.model,
            "Denoising strength": self.strength,
            "Adapter": self.adapter or None,
            "Adapter weight": self.adapter_weight if self.adapter and ":" not in self.adapter else None,
            "Strength schedule": None if self.strength is None else self.strength_schedule,
            "Version": f"{PROGRAM} {self.version}",
        }
        line = ", ".join(f"{name}: {_quoted(value)}" for name, value in settings.items() if value is not None)
        negative = f"\nNegative prompt: {self.negative_prompt}" if self.negative_prompt else ""
        return f"{self.prompt}{negative}\n{line}".strip()

    def _sampler_title(self) -> str:
        if self.sampler != OWN_SAMPLER:
            return SAMPLERS[self.sampler].title
        return _SAMPLERS.get(self.scheduler, self.scheduler.removesuffix("Scheduler"))

    def embedded(self) -> "EmbeddedParameters":
        """Return what is written into a file."""
        return EmbeddedParameters(text=self.text(), record=json.dumps(self.record()))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedParameters:
    """The two texts as a file carries them; ``record`` is JSON and only in PNG files. Empty if absent."""

    text: str = ""
    record: str = ""

    def png_info(self) -> PngImagePlugin.PngInfo:
        """Return the text chunks of a PNG: tEXt where Latin-1 suffices, else iTXt."""
        info = PngImagePlugin.PngInfo()
        for key, value in ((TEXT_KEY, self.text), (RECORD_KEY, self.record)):
            if value:
                info.add_text(key, _encodable(value))
        return info

    def exif(self) -> bytes:
        """Return EXIF with the text as UserComment, in UTF-16 big-endian as A1111 writes it; empty if there is none."""
        if not self.text:
            return b""
        exif = Image.Exif()
        comment = _UNICODE_COMMENT + _encodable(self.text).encode("utf-16-be")
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
        return exif.tobytes()


def read_embedded(data: bytes) -> EmbeddedParameters:
    """Read the texts of a PNG, WebP or JPEG file; missing ones are empty."""
    texts = read_texts(data)
    return EmbeddedParameters(text=texts.get(TEXT_KEY) or texts.get(COMMENT_KEY, ""), record=texts.get(RECORD_KEY, ""))


def read_parameters(data: bytes) -> dict[str, Any] | None:
    """Return what one of our own PNG files says about how it was made, keyed as in PictureParameters, or None."""
    record = read_embedded(data).record
    return json.loads(record) if record else None


def _quoted(value: object) -> str:
    """Format a value as A1111 does: as a JSON string if it contains separators."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",:\n") else text


def _encodable(text: str) -> str:
    """Replace lone surrogates, which may come from a command line and which no encoding can write."""
    return text.encode("utf-8", "replace").decode("utf-8")
