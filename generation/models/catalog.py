"""The models that a request may name, read from ``models.toml``."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generation.adapter_weights import read_adapters
from generation.errors import InvalidRequest, ModelUnavailable
from generation.models.adapters import Adapter, adapters_of
from generation.models.add_ons import FILE_KINDS, AddOnFile, take_file
from generation.models.embeddings import Embedding, embeddings_of
from generation.models.families import FAMILIES
from generation.models.lock import is_commit
from generation.models.problems import ModelProblem
from generation.models.rows import Kinds, check_kinds, check_name, own_path
from generation.request_problems import invalid_request_sentence
from generation.requests import check_number
from generation.samplers import OWN_SAMPLER, SAMPLERS

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDefaults:
    """The values for a request that does not choose its own; ``size`` is the side of the pixel budget (size x size)."""

    strength: float
    guidance_scale: float
    num_inference_steps: int
    size: int
    sampler: str = OWN_SAMPLER

    @property
    def max_pixels(self) -> int:
        """The pixel budget of one picture."""
        return self.size**2


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model: where it comes from, what may be requested of it, and what it needs.

    Exactly one of ``folder`` and ``hub_id`` is set. ``revision`` is a 40-digit commit or None; ``memory_bytes`` is an
    estimate for the weights and one picture.
    """

    name: str
    title: str
    summary: str
    family: str
    licence: str
    defaults: ModelDefaults
    max_size: int
    multiple: int
    memory_bytes: int
    folder: Path | None = None
    hub_id: str | None = None
    revision: str | None = None
    variant: str | None = None
    gated: bool = False
    is_demo: bool = False
    tiny_autoencoder: AddOnFile | None = None  # for sharp previews
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    embeddings: Mapping[str, Embedding] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The hub id, or the folder of a model on this machine."""
        return self.hub_id or str(self.folder)

    @property
    def add_ons(self) -> tuple[AddOnFile, ...]:
        """The model's add-on files: for previews, and for what requests may choose."""
        tiny = () if self.tiny_autoencoder is None else (self.tiny_autoencoder,)
        return (*tiny, *(add_on.file for add_on in (*self.adapters.values(), *self.embeddings.values())))

    def adapter(self, name: str) -> Adapter:
        """Return an adapter; raise InvalidRequest (``unknown``, ``not_for_model``) if the model does not have it."""
        if not self.adapters:
            raise InvalidRequest("adapter", "not_for_model", model=self.title)
        if name not in self.adapters:
            raise InvalidRequest("adapter", "unknown", known=list(self.adapters))
        return self.adapters[name]

    def checked_adapters(self, text: str, weight: float | None) -> tuple[tuple[str, float], ...]:
        """Return the adapters named in a text with their weights; raise InvalidRequest as ``read_adapters`` does."""
        return tuple((name, self.adapter(name).checked_weight(own)) for name, own in read_adapters(text, weight))


class Catalog(Mapping[str, ModelEntry]):
    """The entries by name, in file order."""

    def __init__(self, entries: Mapping[str, ModelEntry]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> ModelEntry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, name: str) -> ModelEntry:
        """Return the entry; raise ModelUnavailable (``unknown``) for a name that is not in the catalog."""
        entry = self._entries.get(name)
        if entry is None:
            raise ModelUnavailable(name, ModelProblem.UNKNOWN, known=list(self._entries))
        return entry


_KINDS: Kinds = {
    **dict.fromkeys(("title", "summary", "family", "licence", "sampler", "folder", "hub", "revision", "variant"), str),
    **dict.fromkeys(("strength", "guidance_scale", "memory"), float),
    **dict.fromkeys(("num_inference_steps", "size", "max_size", "multiple"), int),
    **dict.fromkeys(("gated", "demo"), bool),
    **dict.fromkeys(("adapters", "embeddings", "tiny_autoencoder"), dict),
}


def load_catalog(models_file: Path) -> Catalog:
    """Read the catalog; raise ValueError with one sentence if the file is missing or wrong."""
    try:
        rows = tomllib.loads(models_file.read_text(encoding="utf-8-sig"))  # some editors on Windows write a BOM
    except OSError as error:
        raise ValueError(f"The model catalog {models_file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"The model catalog {models_file} is not in UTF-8: save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"The model catalog {models_file} is not valid TOML: {error}.") from error
    if not rows:
        raise ValueError(f"The model catalog {models_file} contains no model.")
    return Catalog({name: _entry(name, row) for name, row in rows.items()})


def _entry(name: str, row: Any) -> ModelEntry:
    def wrong(what: str) -> ValueError:
        return ValueError(f"The entry [{name}] of the model catalog {what}.")

    if not isinstance(row, dict):
        raise wrong("is not an entry: begin one with its name in brackets, such as [my-style]")
    try:
        check_kinds(row, _KINDS)
        check_name(name)
    except ValueError as error:
        raise wrong(f"is one {error}") from error
    row = dict(row)
    try:
        entry = ModelEntry(
            name=name,
            title=row.pop("title"),
            summary=row.pop("summary"),
            family=row.pop("family"),
            licence=row.pop("licence"),
            defaults=ModelDefaults(
                strength=row.pop("strength"),
                guidance_scale=row.pop("guidance_scale"),
                num_inference_steps=row.pop("num_inference_steps"),
                size=row.pop("size"),
                sampler=row.pop("sampler", OWN_SAMPLER),
            ),
            max_size=row.pop("max_size"),
            multiple=row.pop("multiple"),
            memory_bytes=int(row.pop("memory") * 2**30),
            folder=own_path(REPOSITORY, row.pop("folder")) if "folder" in row else None,
            hub_id=row.pop("hub", None),
            revision=row.pop("revision", None),
            variant=row.pop("variant", None),
            gated=row.pop("gated", False),
            is_demo=row.pop("demo", False),
            tiny_autoencoder=_tiny_autoencoder(row.pop("tiny_autoencoder", None), name),
            adapters=adapters_of(row.pop("adapters", {}), model=name, root=REPOSITORY),
            embeddings=embeddings_of(row.pop("embeddings", {}), model=name, root=REPOSITORY),
        )
    except KeyError as error:
        raise wrong(f"lacks {error.args[0]}") from error
    except (OverflowError, ValueError) as error:
        raise wrong(str(error)) from error
    if row:
        raise wrong(f"has an unknown key, {next(iter(row))}")
    _check_numbers(entry, wrong)
    if (entry.folder is None) == (entry.hub_id is None):
        raise wrong("needs either folder or hub")
    if entry.family not in FAMILIES:
        raise wrong(f"names the unknown family {entry.family}; known are {', '.join(FAMILIES)}")
    if entry.add_ons and not FAMILIES[entry.family].takes_samplers:
        raise wrong(f"has adapters, embeddings or a tiny autoencoder, which the family {entry.family} does not support")
    if entry.defaults.sampler not in SAMPLERS:
        raise wrong(f"names the unknown sampler {entry.defaults.sampler}; known are {', '.join(SAMPLERS)}")
    if entry.defaults.sampler != OWN_SAMPLER and not FAMILIES[entry.family].takes_samplers:
        raise wrong(f"names a sampler, but the family {entry.family} can only use its own")
    if entry.revision is not None and not is_commit(entry.revision):
        raise wrong("has a revision that is not a 40-digit commit")
    if entry.revision is not None and entry.hub_id is None:
        raise wrong("has a revision, but no hub")
    return entry


def _check_numbers(entry: ModelEntry, wrong: Callable[[str], ValueError]) -> None:
    """Raise ``wrong``'s error for numbers that no request may have, or that make no sense for a model."""
    try:
        for name in ("strength", "guidance_scale", "num_inference_steps", "max_pixels"):
            check_number(name, getattr(entry.defaults, name))
        check_number("max_pixels", entry.max_size**2)
    except InvalidRequest as error:
        sentence = invalid_request_sentence(error.field, error.reason, error.data).rstrip(".")
        raise wrong(f"cannot be used: {sentence[0].lower()}{sentence[1:]}") from error
    if entry.defaults.size > entry.max_size:
        raise wrong("has a size above its max_size")
    if entry.multiple < 8 or entry.multiple % 8:
        raise wrong("has a multiple that is not a multiple of 8")
    if entry.memory_bytes <= 0:
        raise wrong("has a memory that is not above zero")


def _tiny_autoencoder(row: Mapping[str, Any] | None, model: str) -> AddOnFile | None:
    if row is None:
        return None
    values = dict(row)
    try:
        check_kinds(values, FILE_KINDS)
        file = take_file(values, model=model, add_on="tiny autoencoder", root=REPOSITORY)
    except ValueError as error:
        raise ValueError(f"has a tiny autoencoder {error}") from error
    if values:
        raise ValueError(f"has a tiny autoencoder with an unknown key, {next(iter(values))}")
    return file
