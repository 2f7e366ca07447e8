"""The options that prefill a form: how the picture was made, as far as the place allows it."""

import asyncio
from contextlib import suppress
from dataclasses import asdict, replace

from bot.errors import Refused
from bot.jobs.attachments import AttachmentDownloads
from bot.model_shelf import ModelShelf
from bot.orders.layers import NUMBERS
from bot.orders.options import Options, options_of
from bot.orders.order_book import OrderBook
from bot.orders.origin import Origin
from bot.storage.job import Job
from generation.adapter_weights import write_adapters
from generation.errors import InvalidRequest, ModelUnavailable
from generation.images.recipes.reading import read_recipe
from generation.images.texts import continues_at, read_texts
from generation.models.catalog import ModelEntry
from generation.models.families import FAMILIES
from generation.samplers import OWN_SAMPLER
from generation.strength_ladder import LADDER

# The metadata comes before the pixels; in a JPEG it is in a segment of up to 64 KiB.
PART_BYTES = 128 * 1024
# Of the three for an answer; another one may have been spent on finding the picture.
READING_SECONDS = 1.0


async def options_in_file(downloads: AttachmentDownloads, url: str) -> Options | None:
    """Return the options that a picture's file records, or None if it has none or does not arrive in time."""
    try:
        async with asyncio.timeout(READING_SECONDS):
            beginning = await downloads.fetch_part(url, 0, PART_BYTES)
            position = continues_at(beginning)
            rest = b"" if position is None else await downloads.fetch_part(url, position, PART_BYTES)
    except (Refused, TimeoutError):
        return None
    recipe = read_recipe(read_texts(beginning, rest))
    return None if recipe is None else Options(**asdict(recipe))


def options_of_picture(job: Job) -> Options:
    """Return the options of a job's first picture, without its seed (see ``Recipe``)."""
    options = replace(options_of(job, 0), count=None)
    return options if job.repaint == "all" else replace(options, strength=None, repaint=None)


def options_to_change(orders: OrderBook, shelf: ModelShelf, origin: Origin, job: Job) -> Options:
    """Return a job's options as ``options_again`` does, without a model that is no longer offered there."""
    options = orders.options_again(origin, job)
    if job.model in {model.name for model in orders.models_for(origin)}:
        return options
    return limit_to_allowed(orders, shelf, origin, options)


def limit_to_allowed(orders: OrderBook, shelf: ModelShelf, origin: Origin, options: Options) -> Options:
    """Return the options that may be chosen there, with numbers capped at their limits.

    A model that is not offered there is dropped with its sampler and adapters, and so are options that the resulting
    model ignores. Dropped options are decided by the usual defaults.
    """
    try:
        offered = {model.name: model for model in orders.models_for(origin)}
        named = offered.get(options.model or "")
        model = named or orders.model_for(origin)
    except (ModelUnavailable, Refused):
        return Options(prompt=options.prompt)
    layers, family = orders.with_model(orders.layers(origin), model.name), FAMILIES[model.family]
    limits = {name: limit.value for name in (*NUMBERS, "size") if (limit := layers.limit(name)) is not None}
    chosen = {name: value for name in limits if (value := getattr(options, name)) not in (None, LADDER)}
    numbers = {name: min(value, limits[name]) for name, value in chosen.items()}
    options = replace(options, **numbers, strength_schedule=None, model=named and named.name)
    if not family.takes_strength:
        options = replace(options, strength=None)
    if not family.takes_negative_prompt or not options.negative_prompt:
        options = replace(options, negative_prompt=None)
    if not family.takes_samplers or (named is None and options.sampler == OWN_SAMPLER):
        options = replace(options, sampler=None)
    adapter, weight = _adapters(shelf, named, options) if named is not None else (None, None)
    return replace(options, adapter=adapter, adapter_weight=weight)


def _adapters(shelf: ModelShelf, model: ModelEntry, options: Options) -> tuple[str | None, float | None]:
    """Return the adapters if all of them are usable, else none."""
    usable = {adapter.name for adapter in shelf.adapters(model)}
    with suppress(InvalidRequest):
        chosen = model.checked_adapters(options.adapter or "", options.adapter_weight)
        if chosen and usable.issuperset(name for name, _ in chosen):
            return write_adapters(chosen)
    return None, None
