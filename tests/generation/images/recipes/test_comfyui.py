"""The graph of ComfyUI is understood as its own nodes and the common extensions write it."""

import json
from typing import Any

import pytest
from PIL.PngImagePlugin import PngInfo

from bot.orders.proposals import PART_BYTES
from generation.images.recipes.comfyui import COMFYUI_KEY
from generation.images.recipes.reading import read_recipe
from generation.images.recipes.recipe import Recipe
from generation.images.texts import TEXT_KEY, read_texts
from tests.pictures import encoded, photo

Graph = dict[str, dict[str, Any]]


def node(kind: str, **inputs: object) -> dict[str, Any]:
    """Return a node as ComfyUI 0.3 writes it."""
    return {"inputs": inputs, "class_type": kind, "_meta": {"title": kind}}


def link(key: str, output: int = 0) -> list[Any]:
    return [key, output]


def sampler(**other: object) -> dict[str, Any]:
    inputs: dict[str, object] = {
        "seed": 730_000_000_000_019,
        "steps": 24,
        "cfg": 6.5,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
        "model": link("4"),
        "positive": link("6"),
        "negative": link("7"),
        "latent_image": link("5"),
    }
    return node("KSampler", **(inputs | other))


# Words to a picture with one adapter, which is the first thing that everybody builds.
WORDS: Graph = {
    "3": sampler(model=link("10")),
    "4": node("CheckpointLoaderSimple", ckpt_name="xl\\juniperMix_v2.5.safetensors"),
    "5": node("EmptyLatentImage", width=832, height=1216, batch_size=1),
    "6": node("CLIPTextEncode", text="a heron in the reeds, (mist:1.2)", clip=link("10", 1)),
    "7": node("CLIPTextEncode", text="blurry,\nlow quality", clip=link("10", 1)),
    "8": node("VAEDecode", samples=link("3"), vae=link("4", 2)),
    "9": node("SaveImage", filename_prefix="ComfyUI", images=link("8")),
    "10": node(
        "LoraLoader",
        lora_name="styles/ink.safetensors",
        strength_model=0.8,
        strength_clip=1,
        model=link("4"),
        clip=link("4", 1),
    ),
}
READ = Recipe(
    prompt="a heron in the reeds, (mist:1.2)",
    negative_prompt="blurry, low quality",
    guidance_scale=6.5,
    num_inference_steps=24,
    size=1006,
    sampler="euler",
    model="juniperMix_v2.5",
    adapter="ink",
    adapter_weight=0.8,
)

# Flux by parts: every setting is in a node of its own, and the words are put together.
PARTS: Graph = {
    "6": node("CLIPTextEncode", text=link("30"), clip=link("11")),
    "8": node("VAEDecode", samples=link("13"), vae=link("10")),
    "9": node("SaveImage", filename_prefix="ComfyUI", images=link("8")),
    "10": node("VAELoader", vae_name="ae.safetensors"),
    "11": node("DualCLIPLoader", clip_name1="t5xxl_fp16.safetensors", clip_name2="clip_l.safetensors", type="flux"),
    "12": node("UNETLoader", unet_name="flux1-dev-Q8_0.gguf", weight_dtype="default"),
    "13": node(
        "SamplerCustomAdvanced",
        noise=link("25"),
        guider=link("22"),
        sampler=link("16"),
        sigmas=link("40", 1),
        latent_image=link("27"),
    ),
    "16": node("KSamplerSelect", sampler_name="euler"),
    "17": node("BasicScheduler", scheduler="simple", steps=link("34"), denoise=1, model=link("31")),
    "22": node("BasicGuider", model=link("31"), conditioning=link("26")),
    "25": node("RandomNoise", noise_seed=219_670_278_747_233),
    "26": node("FluxGuidance", guidance=3.2, conditioning=link("6")),
    "27": node("EmptySD3LatentImage", width=link("35"), height=1024, batch_size=1),
    "30": node("StringConcatenate", string_a=link("32"), string_b="35 mm film", delimiter=", "),
    "31": node("LoraLoaderModelOnly", lora_name="grain.safetensors", strength_model=0.5, model=link("33")),
    "32": node("PrimitiveStringMultiline", value="a lighthouse at dusk"),
    "33": node("LoraLoaderModelOnly", lora_name="dusk.safetensors", strength_model=1, model=link("12")),
    "34": node("PrimitiveInt", value=20),
    "35": node("PrimitiveInt", value=1024),
    "40": node("SplitSigmas", sigmas=link("17"), step=0),
}


def of_graph(graph: object) -> Recipe | None:
    return read_recipe({COMFYUI_KEY: json.dumps(graph)})


def changed(**nodes: dict[str, Any]) -> Recipe:
    """Return what is read if nodes of the first graph are replaced, or added (``_12`` for node 12)."""
    recipe = of_graph(WORDS | {key.lstrip("_"): value for key, value in nodes.items()})
    assert recipe is not None
    return recipe


def test_words_to_a_picture() -> None:
    assert of_graph(WORDS) == READ


def test_every_setting_in_a_node_of_its_own() -> None:
    assert of_graph(PARTS) == Recipe(
        prompt="a lighthouse at dusk, 35 mm film",
        guidance_scale=3.2,
        num_inference_steps=20,
        size=1024,
        sampler="euler",
        model="flux1-dev-Q8_0",
        adapter="grain:0.5, dusk:1.0",
        adapter_weight=0.0,
    )


def test_a_guider_of_both_sides() -> None:
    guider = node("CFGGuider", model=link("31"), positive=link("6"), negative=link("41"), cfg=4)
    recipe = of_graph(PARTS | {"22": guider, "41": node("CLIPTextEncode", text="fog", clip=link("11"))})
    assert recipe is not None
    assert (recipe.negative_prompt, recipe.guidance_scale) == ("fog", 4.0)


def test_a_sampler_with_sigmas() -> None:
    parts = {name: sampler()["inputs"][name] for name in ("cfg", "model", "positive", "negative", "latent_image")}
    custom = node("SamplerCustom", add_noise=True, noise_seed=5, sampler=link("16"), sigmas=link("17"), **parts)
    scheduler = node("BasicScheduler", scheduler="karras", steps=30, denoise=1, model=link("4"))
    recipe = changed(_3=custom, _16=node("KSamplerSelect", sampler_name="dpmpp_2m"), _17=scheduler)
    assert (recipe.num_inference_steps, recipe.guidance_scale, recipe.sampler) == (30, 6.5, "dpm++2m-karras")
    assert recipe.prompt == READ.prompt


def test_from_a_picture_the_steps_that_were_taken_become_all_of_them() -> None:
    recipe = changed(
        _3=sampler(denoise=0.6, steps=20, latent_image=link("12")),
        _12=node("VAEEncode", pixels=link("13"), vae=link("4", 2)),
        _13=node("ImageScale", upscale_method="lanczos", width=768, height=768, crop="center", image=link("14")),
        _14=node("LoadImage", image="example.png"),
    )
    assert (recipe.strength, recipe.num_inference_steps, recipe.size) == (0.6, 34, 768)
    assert int(34 * 0.6) == 20  # the steps that are taken here too


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_samplers_the_first_in_the_course_of_the_picture_counts(order: int) -> None:
    second = sampler(steps=10, cfg=2.0, denoise=0.4, positive=link("13"), latent_image=link("12"))
    upscale = node("LatentUpscale", upscale_method="bislerp", width=1664, height=2432, samples=link("3"))
    face = node("FaceDetailer", image=link("8"), steps=8, cfg=3, denoise=0.5, positive=link("13"))
    graph = WORDS | {"11": second, "12": upscale, "13": node("CLIPTextEncode", text="detail"), "14": face}
    assert of_graph(dict(list(graph.items())[::order])) == READ


def test_base_and_refiner_with_two_encoders_each() -> None:
    two = {"width": 4096, "height": 4096, "clip": link("4", 1)}
    base = {
        "add_noise": "enable",
        "noise_seed": 7,
        "steps": 25,
        "cfg": 7.5,
        "sampler_name": "euler_ancestral",
        "scheduler": "normal",
        "start_at_step": 0,
        "end_at_step": 20,
        "return_with_leftover_noise": "enable",
        "model": link("4"),
        "positive": link("6"),
        "negative": link("7"),
    }
    recipe = changed(
        _2=node("KSamplerAdvanced", **(base | {"start_at_step": 20, "latent_image": link("3"), "steps": 99})),
        _3=node("KSamplerAdvanced", **base, latent_image=link("5")),
        _6=node("CLIPTextEncodeSDXL", text_g="a heron", text_l="reeds, mist", **two),
        _7=node("CLIPTextEncodeSDXL", text_g="", text_l="blurry", **two),
    )
    assert (recipe.prompt, recipe.negative_prompt) == ("a heron", "blurry")
    assert (recipe.num_inference_steps, recipe.sampler, recipe.strength) == (25, "euler-a", None)


def test_two_encoders_of_flux_and_a_negative_that_is_none() -> None:
    recipe = changed(
        _6=node("CLIPTextEncodeFlux", clip_l="heron", t5xxl="A heron stands in the reeds.", guidance=4, clip=link("4")),
        _7=node("ConditioningZeroOut", conditioning=link("6")),
        _3=sampler(cfg=1),
    )
    assert (recipe.prompt, recipe.negative_prompt, recipe.guidance_scale) == ("A heron stands in the reeds.", "", 4.0)


def test_nodes_between_the_words_and_the_sampler() -> None:
    control = node("ControlNetApplyAdvanced", strength=1, positive=link("12"), negative=link("7"), image=link("15"))
    recipe = changed(
        _3=sampler(positive=link("11", 0), negative=link("11", 1)),
        _11=control,
        _12=node("ConditioningCombine", conditioning_1=link("13"), conditioning_2=link("14")),
        _13=node("ConditioningSetArea", width=512, height=512, x=0, y=0, strength=1, conditioning=link("6")),
        _14=node("CLIPTextEncode", text="reeds", clip=link("4", 1)),
        _15=node("LoadImage", image="pose.png"),
    )
    assert (recipe.prompt, recipe.negative_prompt) == (f"{READ.prompt}, reeds", READ.negative_prompt)


def test_an_efficient_loader_holds_everything() -> None:
    loader = node(
        "Efficient Loader",
        ckpt_name="juniper.ckpt",
        lora_name="None",
        lora_model_strength=1,
        positive="a heron, <lora:ink:0.8>",
        negative="blurry",
        empty_latent_width=512,
        empty_latent_height=512,
    )
    pass_on = {"model": link("1"), "positive": link("1", 1), "negative": link("1", 2), "latent_image": link("1", 3)}
    efficient = sampler(**pass_on, sampler_name="uni_pc")
    assert of_graph({"1": loader, "2": efficient}) == Recipe(
        prompt="a heron",
        negative_prompt="blurry",
        guidance_scale=6.5,
        num_inference_steps=24,
        size=512,
        sampler="unipc",
        model="juniper",
    )


@pytest.mark.parametrize(
    ("name", "schedule", "ours"),
    [
        ("euler", "simple", "euler"),
        ("euler", "karras", None),
        ("euler", None, None),
        ("euler_ancestral", "sgm_uniform", "euler-a"),
        ("ddim", "ddim_uniform", "ddim"),
        ("dpmpp_2m", "karras", "dpm++2m-karras"),
        ("dpmpp_2m", "normal", None),
        ("dpmpp_2m_sde", "karras", None),
        ("uni_pc_bh2", "karras", "unipc"),
        ("heun", "normal", None),
        (["euler"], {"a": 1}, None),
        ({}, [], None),
    ],
)
def test_a_sampler_is_taken_where_ours_matches_in_every_respect(name: object, schedule: object, ours: str) -> None:
    assert changed(_3=sampler(sampler_name=name, scheduler=schedule)).sampler == ours


def test_more_adapters_than_are_possible_are_none() -> None:
    loras = {
        f"_{n}": node("LoraLoader", lora_name=f"{n}.safetensors", strength_model=1, model=link(str(n + 1)))
        for n in range(20, 24)
    }
    recipe = changed(_3=sampler(model=link("20")), **loras, _24=WORDS["4"])
    assert (recipe.adapter, recipe.model) == (None, READ.model)
    assert changed(_3=sampler(model=link("21")), **loras, _24=WORDS["4"]).adapter == "21:1.0, 22:1.0, 23:1.0"


def test_settings_of_another_program_in_the_same_file_come_first() -> None:
    texts = {COMFYUI_KEY: json.dumps(WORDS), TEXT_KEY: "a fox\nSteps: 20"}
    assert read_recipe(texts) == Recipe(prompt="a fox", num_inference_steps=20)


def test_a_large_graph_in_a_file_with_a_larger_workflow() -> None:
    others = {str(n): node("MarkdownNote", text="words " * 30, image=link("8")) for n in range(100, 305)}
    text = json.dumps(others | WORDS)
    assert 60_000 < len(text) < 64_000
    info = PngInfo()
    info.add_text(COMFYUI_KEY, text)
    info.add_text("workflow", json.dumps({"nodes": ["x" * 200_000]}))
    data = encoded(photo(), "PNG", pnginfo=info)
    assert read_recipe(read_texts(data[:PART_BYTES])) == READ


@pytest.mark.parametrize("text", ["", "a fox", "[]", "{}", "3", '{"3": 5}', '{"3": {"inputs": []}}', '{"3": {}}'])
def test_what_is_no_graph_is_no_recipe(text: str) -> None:
    assert read_recipe({COMFYUI_KEY: text}) is None
