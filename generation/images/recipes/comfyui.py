"""Reads the graph that ComfyUI stores in its pictures."""

import math
from collections.abc import Iterator

from generation.images.recipes import values
from generation.images.recipes.comfyui_graph import Graph, Node
from generation.images.recipes.k_diffusion import sampler_of
from generation.images.recipes.recipe import Recipe

COMFYUI_KEY = "prompt"

_LATENTS = ("latent_image", "latent", "samples", "image")


def of_comfyui(text: str) -> Recipe:
    """Read the graph in the form of ComfyUI's API. Source: nodes.py and comfy_extras/ of comfyanonymous/ComfyUI.

    A graph says what was done, not what is a setting. Of several samplers the first one in the course of the picture
    counts, because the later ones refine its result. Nodes are recognised by their inputs, so that most of those from
    extensions are understood too; settings that an unknown node computes are left out.

    A picture made from nothing has a strength of 1 there; this is left out, because it would leave nothing of the
    picture. With a lower strength ComfyUI counts only the steps that it takes, so the number here is higher.
    """
    graph = Graph(values.mapping(text))
    sampler = _first_sampler(graph)
    if sampler is None:
        return Recipe()
    guider = graph.node(sampler.inputs.get("guider")) or sampler
    positive = guider.inputs.get("positive", guider.inputs.get("conditioning"))
    guidance = values.number("guidance_scale", graph.nearest(positive, "guidance"))  # of Flux, whose cfg is 1
    if guidance is None:
        guidance = values.number("guidance_scale", graph.value(guider, "cfg"))
    strength = values.number("strength", _setting(graph, sampler, "denoise", "sigmas"))
    steps = values.whole("num_inference_steps", _setting(graph, sampler, "steps", "sigmas"))
    adapter, weight = values.adapters(_loras(graph, guider.inputs.get("model")))
    return Recipe(
        prompt=values.prompt(values.without_add_ons(graph.words(positive, "positive"))),
        negative_prompt=values.negative_prompt(graph.words(guider.inputs.get("negative"), "negative")),
        strength=None if strength == 1 else strength,
        guidance_scale=guidance,
        num_inference_steps=values.whole("num_inference_steps", steps and math.ceil(steps / (strength or 1))),
        size=_size(graph, sampler),
        sampler=sampler_of(
            _setting(graph, sampler, "sampler_name", "sampler"), _setting(graph, sampler, "scheduler", "sigmas")
        ),
        model=values.file_name(graph.nearest(guider.inputs.get("model"), "ckpt_name", "unet_name")),
        adapter=adapter,
        adapter_weight=weight,
    )


def _first_sampler(graph: Graph) -> Node | None:
    """Return the sampler that no other one leads to; one of them if they lead in a circle."""
    sampler = next(filter(_is_sampler, graph.nodes.values()), None)
    seen = set[str]()
    while sampler is not None and sampler.key not in seen:
        seen.add(sampler.key)
        earlier = next(filter(_is_sampler, graph.upstream(_latent(sampler))), None)
        if earlier is None:
            break
        sampler = earlier
    return sampler


def _is_sampler(node: Node) -> bool:
    names = node.inputs.keys()
    return {"guider", "sigmas"} <= names or ("positive" in names and bool({"steps", "sigmas"} & names))


def _latent(sampler: Node) -> object:
    return next((sampler.inputs[name] for name in _LATENTS if name in sampler.inputs), None)


def _setting(graph: Graph, sampler: Node, name: str, through: str) -> object:
    """Return a setting that a sampler has itself or, if it is put together from nodes, through one of its inputs."""
    found = graph.value(sampler, name)
    return graph.nearest(sampler.inputs.get(through), name) if found is None else found


def _size(graph: Graph, sampler: Node) -> int | None:
    for node in graph.upstream(_latent(sampler)):
        width = graph.value(node, "width", "empty_latent_width")
        height = graph.value(node, "height", "empty_latent_height")
        if (size := values.size(width, height)) is not None:
            return size
    return None


def _loras(graph: Graph, model: object) -> Iterator[tuple[object, object]]:
    for node in graph.upstream(model):
        if "lora_name" in node.inputs:
            yield graph.value(node, "lora_name"), graph.value(node, "strength_model", "lora_model_strength")
