"""From a person's options to a job in which everything is decided."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bot.errors import Refused
from bot.model_shelf import ModelShelf
from bot.orders.ladders import rungs_within
from bot.orders.layers import NUMBERS, Layers
from bot.orders.options import Options, Source, options_of
from bot.orders.origin import Origin
from bot.orders.spellings import without_markup
from bot.storage.defaults import Defaults, Layer
from bot.storage.job import Job
from generation.adapter_weights import NO_ADAPTER, write_adapters
from generation.job_id import new_job_id
from generation.models.catalog import ModelEntry
from generation.models.embeddings import embeddings_in
from generation.models.families import FAMILIES
from generation.requests import (
    MAX_STRENGTH,
    Repaint,
    check_negative_prompt,
    check_number,
    check_prompt,
    draw_seed,
    steps_for_strength,
)
from generation.samplers import check_sampler
from generation.strength_ladder import LADDER

_REQUEST_LIMIT_BYTES = 25 * 1024 * 1024  # for all files of one message; Discord, "Create Message"
_FORM_BYTES = 64 * 1024  # the request body without its files


class OrderBook:
    """Decides every default once: options over member over channel over server over operator over the model's own."""

    def __init__(self, shelf: ModelShelf, defaults: Defaults, operator: Mapping[str, Any]) -> None:
        self._shelf = shelf
        self._defaults = defaults
        self._operator = dict(operator)

    def layers(self, origin: Origin) -> Layers:
        """Return the layers that apply in a channel, without the model's."""
        return Layers(
            (
                (Layer.MEMBER, self._defaults.of(Layer.MEMBER, origin.requester_id)),
                (Layer.CHANNEL, self._defaults.of(Layer.CHANNEL, origin.settings_channel_id)),
                (Layer.SERVER, self._defaults.of(Layer.SERVER, origin.guild_id)),
                (Layer.OPERATOR, self._operator),
            )
        )

    def with_model(self, layers: Layers, model: str) -> Layers:
        """Return the layers with the model's own values at the bottom."""
        entry = self._shelf.find(model)
        numbers = {**asdict(entry.defaults), "count": 1, "max_size": entry.max_size}
        return Layers((*layers.layers, (Layer.MODEL, numbers)))

    def order(self, origin: Origin, options: Options, source: Source) -> Job:
        """Return a new job.

        Raises InvalidRequest, ModelUnavailable, or Refused (``past_limit``, ``past_limit_of_ladder``,
        ``model_not_allowed``, ``size_too_large``, ``no_mask``).
        """
        options = replace(options, prompt=without_markup(options.prompt).strip())
        check_prompt(options.prompt)
        check_negative_prompt(options.negative_prompt or "")
        for name in (*NUMBERS, "seed"):
            if (value := getattr(options, name)) not in (None, LADDER):
                check_number(name, value)
        if options.size is not None:
            check_number("max_pixels", options.size**2)
        layers = self.layers(origin)
        model = self._shelf.find(self._model(layers, options.model))
        layers = self.with_model(layers, model.name)
        family, (repaint, mask_url) = FAMILIES[model.family], _repainted(options, source)
        family.check_repaint(repaint, model.title)
        if repaint == "transparent" and options.strength is None:
            options = replace(options, strength=_strength_for_parts(layers))
        single = replace(options, strength=None) if options.strength == LADDER else options
        numbers = {name: _number(layers, name, getattr(single, name)) for name in NUMBERS}
        size = options.size or _number(layers, "size", None)
        if size > model.max_size:
            raise Refused("size_too_large", model=model.title, max_size=model.max_size)
        sampler = options.sampler or (layers.kept("sampler") if family.takes_samplers else model.defaults.sampler)
        check_sampler(sampler)
        negative_prompt = (options.negative_prompt or "").strip()
        family.check_negative_prompt(negative_prompt, model.title)
        if options.negative_prompt is None and family.takes_negative_prompt:
            negative_prompt = layers.kept("negative_prompt") or ""
        family.check_sampler(sampler, model.title)
        adapter, adapter_weight = self._adapters(model, options)
        for embedding in embeddings_in(f"{options.prompt}\n{negative_prompt}", model.embeddings.values()):
            self._shelf.require_add_on(embedding.file)
        strength, strengths = family.strength_for(numbers["strength"]), ()
        if options.strength == LADDER:
            family.check_ladder(model.title)
            strengths = rungs_within(layers, options.count)
            strength, numbers["count"] = strengths[0], len(strengths)
        whole_strength = None
        if options.repaint == "transparent if any":
            is_for_parts = not strengths and strength == _strength_for_parts(layers)
            whole_strength = family.strength_for(_number(layers, "strength", None)) if is_for_parts else strength
        steps = steps_for_strength(strength, numbers["num_inference_steps"])
        return Job(
            job_id=new_job_id(),
            requester_id=origin.requester_id,
            guild_id=origin.guild_id,
            channel_id=origin.channel_id,
            prompt=options.prompt,
            negative_prompt=negative_prompt,
            strength=strength,
            strengths=strengths,
            guidance_scale=numbers["guidance_scale"],
            num_inference_steps=steps,
            seed=draw_seed() if options.seed is None else options.seed,
            count=numbers["count"],
            max_pixels=size * size,
            model=model.name,
            sampler=sampler,
            adapter=adapter,
            adapter_weight=adapter_weight,
            strength_schedule=options.strength_schedule or layers.strength_schedule(),
            repaint=repaint,
            whole_strength=whole_strength,
            max_result_bytes=_max_result_bytes(origin.file_limit_bytes, numbers["count"]),
            spoiler=source.spoiler,
            ignored_pictures=source.ignored_pictures - (mask_url is not None),
            accepted_at=time.time(),
            attachment_url=source.attachment_url,
            mask_url=mask_url,
            parent_job_id=source.parent.job_id if source.parent else None,
            input_owner_id=None if source.owner_id == origin.requester_id else source.owner_id,
            input_sha256=source.parent.input_sha256 if source.parent and not source.attachment_url else None,
        )

    def _adapters(self, model: ModelEntry, options: Options) -> tuple[str, float]:
        chosen = model.checked_adapters(options.adapter or NO_ADAPTER, options.adapter_weight)
        for name, _ in chosen:
            self._shelf.require_add_on(model.adapter(name).file)
        return write_adapters(chosen)

    def options_again(self, origin: Origin, job: Job, picture: int | None = None) -> Options:
        """Return a job's options as ``options_of`` does, capped at the limits that now apply there."""
        layers, options = self.layers(origin), options_of(job, picture)
        chosen = {name: value for name in NUMBERS if (value := getattr(options, name)) not in (None, LADDER)}
        limits = {name: limit.value for name in chosen if (limit := layers.limit(name)) is not None}
        return replace(options, **{name: min(chosen[name], most) for name, most in limits.items()})

    def models_for(self, origin: Origin) -> list[ModelEntry]:
        """Return the models that can be chosen there, in catalog order."""
        return self._allowed(self.layers(origin))

    def model_for(self, origin: Origin) -> ModelEntry:
        """Return the model that is used there if nobody chooses one.

        Raises ModelUnavailable, or Refused (``model_not_allowed``), if moderators allow no model that is available.
        """
        return self.model_in(self.layers(origin))

    def model_in(self, layers: Layers) -> ModelEntry:
        """Return the model that these layers select."""
        return self._shelf.find(self._model(layers, None))

    def set_operator_model(self, name: str) -> None:
        """Change the operator's default model for this run."""
        self._operator = {**self._operator, "model": name}

    def _model(self, layers: Layers, chosen: str | None) -> str:
        allowed = [entry.name for entry in self._allowed(layers)]
        if chosen is not None:
            self._shelf.require(chosen)
            if (layer := layers.allows_model(chosen)) is not None:
                raise Refused("model_not_allowed", model=chosen, layer=layer, allowed=allowed)
            return chosen
        decided = layers.model()
        if decided is not None and decided.value in allowed:
            return decided.value
        # A moderators' list allows no available model: say why its first model cannot be used.
        if not allowed:
            listed = next(values["models"] for _, values in layers.layers if "models" in values)
            return self._model(layers, next((name for name in listed if layers.allows_model(name) is None), listed[0]))
        return allowed[0]

    def _allowed(self, layers: Layers) -> list[ModelEntry]:
        return [entry for entry in self._shelf.usable() if layers.allows_model(entry.name) is None]


def _number(layers: Layers, name: str, chosen: Any) -> Any:
    """Return a chosen number if every layer allows it, or the default if none was chosen."""
    if chosen is None:
        decided = layers.default(name)
        assert decided is not None, f"the model says something for {name}"
        return decided.value
    limit = layers.limit(name)
    if limit is not None and chosen > limit.value:
        raise Refused("past_limit", name=name, limit=limit.value, layer=limit.layer)
    return chosen


def _repainted(options: Options, source: Source) -> tuple[Repaint, str | None]:
    """Return what is repainted, and the mask if there is one; raise Refused (``no_mask``) if it is missing."""
    match options.repaint:
        case "mask" if source.mask_url is None:
            raise Refused("no_mask")
        case "mask":
            return "transparent", source.mask_url
        case "transparent if any":
            return "transparent", None
    return options.repaint or "all", None


def _strength_for_parts(layers: Layers) -> float:
    """Return the strength for parts that are repainted: nothing of what is there is to be kept, so all that is allowed.

    It is diffusers' default too, in ``StableDiffusionInpaintPipeline.__call__``.
    """
    limit = layers.limit("strength")
    return MAX_STRENGTH if limit is None else limit.value


def _max_result_bytes(file_limit_bytes: int, count: int) -> int:
    return min(file_limit_bytes, (_REQUEST_LIMIT_BYTES - _FORM_BYTES) // count)
