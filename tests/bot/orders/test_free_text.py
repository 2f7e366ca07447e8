"""Free text: what is understood is done, and what is not is refused with a sentence."""

from typing import Any

import pytest

from bot.errors import Refused
from bot.orders.free_text import format_negative_prompt, parse_text, picture_named
from bot.orders.options import Options
from bot.replies import error_sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a fox in snow", {"prompt": "a fox in snow"}),
        ("<@123> a fox in snow", {"prompt": "a fox in snow"}),
        ("<@!123>", {"prompt": ""}),
        ("<@&123> <@123> a fox", {"prompt": "a fox"}),
        ("strength 0.7", {"prompt": "", "strength": 0.7}),
        ("seed 5", {"prompt": "", "seed": 5}),
        ("strength .7, seed=5", {"prompt": "", "strength": 0.7, "seed": 5}),
        (
            "a fox, strength 0.7 seed 5, in snow",
            {"prompt": "a fox, in snow", "strength": 0.7, "seed": 5},
        ),
        ("a fox --steps 30 --cfg 4.5", {"prompt": "a fox", "num_inference_steps": 30, "guidance_scale": 4.5}),
        ("Guidance Scale: 3 a fox", {"prompt": "a fox", "guidance_scale": 3.0}),
        ("a fox size 96 count 2.", {"prompt": "a fox", "size": 96, "count": 2}),
        ("a fox model sd-turbo", {"prompt": "a fox", "model": "sd-turbo"}),
        ("a fox --model demo", {"prompt": "a fox", "model": "demo"}),
        ("a model train", {"prompt": "a model train"}),
        ("a fox sampler Euler-A", {"prompt": "a fox", "sampler": "euler-a"}),
        ("a fox --sampler dpm++2m-karras in snow", {"prompt": "a fox in snow", "sampler": "dpm++2m-karras"}),
        ("a sampler of cheeses", {"prompt": "a sampler of cheeses"}),
        ("the strength of a lion", {"prompt": "the strength of a lion"}),
        ("a fox negative: snow, trees", {"prompt": "a fox", "negative_prompt": "snow, trees"}),
        (
            "a fox --negative blurry things seed 9",
            {"prompt": "a fox", "negative_prompt": "blurry things", "seed": 9},
        ),
        ("a house without windows", {"prompt": "a house without windows"}),
        ("a footstep and steps in sand", {"prompt": "a footstep and steps in sand"}),
        ("seedling 5 centimetres", {"prompt": "seedling 5 centimetres"}),
        ("a fox, adapter: ink", {"prompt": "a fox", "adapter": "ink"}),
        ("a fox lora=ink adapter weight 0,4", {"prompt": "a fox", "adapter": "ink", "adapter_weight": 0.4}),
        ("a fox, adapter: ink:0.8, in snow", {"prompt": "a fox, in snow", "adapter": "ink:0.8"}),
        ("a fox --lora ink:.8", {"prompt": "a fox", "adapter": "ink:.8"}),
        ("a fox, lora ink:.8", {"prompt": "a fox", "adapter": "ink:.8"}),
        ("a fox <lora:ink:0.8> in snow", {"prompt": "a fox in snow", "adapter": "ink:0.8"}),
        ("a fox <lora:ink:1>, <lora:clay>", {"prompt": "a fox", "adapter": "ink:1, clay"}),
        (
            "a fox, adapter: ink:0.8, 3d:.5,clay:1, in snow",
            {"prompt": "a fox, in snow", "adapter": "ink:0.8, 3d:.5, clay:1"},
        ),
        ("adapter: ink, snow, cfg:7, 16:9", {"prompt": "snow, 16:9", "adapter": "ink", "guidance_scale": 7.0}),
        ("adapter: ink, clay:0.5", {"prompt": "", "adapter": "ink, clay:0.5"}),
        ("a fox --lora ink, clay:0.5", {"prompt": "a fox", "adapter": "ink, clay:0.5"}),
        ("lora ink:1, clay:0.5", {"prompt": "", "adapter": "ink:1, clay:0.5"}),
        ("a power adapter cable, ratio:2", {"prompt": "a power adapter cable, ratio:2"}),
        ("a fox <LORA:ink>", {"prompt": "a fox", "adapter": "ink"}),
        ("a socket adapter for Europe", {"prompt": "a socket adapter for Europe"}),
        ("a (fox:1.2) and a <cat-toy>", {"prompt": "a (fox:1.2) and a <cat-toy>"}),
        ("a fox strength 0,7, seed 5", {"prompt": "a fox", "strength": 0.7, "seed": 5}),
        ("a fox denoising_strength 0,7", {"prompt": "a fox", "strength": 0.7}),
        ("a fox, adapter: ink:0,8, clay2:1,5", {"prompt": "a fox", "adapter": "ink:0.8, clay2:1.5"}),
        ("count:2,3 foxes in snow", {"prompt": "3 foxes in snow", "count": 2}),
        ("a fox <lora:ink:0,8> at 12:1,30", {"prompt": "a fox at 12:1,30", "adapter": "ink:0.8"}),
        (
            "狐，strength：０．７，seed５, steps ２０",
            {"prompt": "狐,seed5", "strength": 0.7, "num_inference_steps": 20},
        ),
        ("a cat -- at 5 o'clock, E=mc2", {"prompt": "a cat -- at 5 o'clock, E=mc2"}),
        ("a pencil sketch with strength 0.5", {"prompt": "a pencil sketch", "strength": 0.5}),
        ("a fox with a strength of 0,5 and seed 5", {"prompt": "a fox", "strength": 0.5, "seed": 5}),
        ("a fox with the strength of 10 lions", {"prompt": "a fox with the strength of 10 lions"}),
        ("Subtle!", {"prompt": "", "strength": 0.3}),
        ("Ladder", {"prompt": "", "strength": "ladder"}),
        ("strength: ladder", {"prompt": "", "strength": "ladder"}),
        ("a fox, strength Ladder, seed 5", {"prompt": "a fox", "strength": "ladder", "seed": 5}),
        ("a fox --strength=ladder", {"prompt": "a fox", "strength": "ladder"}),
        ("a fox denoise=LADDER", {"prompt": "a fox", "strength": "ladder"}),
        ("the strength ladder of a gym", {"prompt": "the strength ladder of a gym"}),
        ("a fox on a ladder", {"prompt": "a fox on a ladder"}),
        ("a beach, repaint transparent", {"prompt": "a beach", "repaint": "transparent"}),
        (
            "a beach, repaint only the transparent parts, seed 5",
            {"prompt": "a beach", "repaint": "transparent", "seed": 5},
        ),
        ("Repaint: Transparent", {"prompt": "", "repaint": "transparent"}),
        ("a beach, repaint: mask, seed 5", {"prompt": "a beach", "repaint": "mask", "seed": 5}),
        ("repaint mask", {"prompt": "", "repaint": "mask"}),
        ("repaint mask and cape of the hero", {"prompt": "repaint mask and cape of the hero"}),
        ("repaint all", {"prompt": "", "repaint": "all"}),
        ("a beach --repaint=ALL", {"prompt": "a beach", "repaint": "all"}),
        ("repaint all the walls white", {"prompt": "repaint all the walls white"}),
        ("repaint the car in a transparent red", {"prompt": "repaint the car in a transparent red"}),
        ("a strong fox", {"prompt": "a strong fox"}),
        ("strength High!", {"prompt": "", "strength": 0.9}),
        ("a fox, strength subtle, seed 5", {"prompt": "a fox", "strength": 0.3, "seed": 5}),
        ("strength=balanced seed=5", {"prompt": "", "strength": 0.6, "seed": 5}),
        ("of a strength high up there", {"prompt": "of a strength high up there"}),
        ("strength 70%", {"prompt": "", "strength": 0.7}),
        ("please use strength to .3", {"prompt": "", "strength": 0.3}),
        ("the same, but at night", {"prompt": "the same, but at night"}),
        ("count dracula", {"prompt": "count dracula"}),
        ("seed packet", {"prompt": "seed packet"}),
        ("a seed packet on a table", {"prompt": "a seed packet on a table"}),
        ("strength training", {"prompt": "strength training"}),
        ("guidance counselor", {"prompt": "guidance counselor"}),
        ("steps down", {"prompt": "steps down"}),
        ("steps of a temple", {"prompt": "steps of a temple"}),
        ("life size statue", {"prompt": "life size statue"}),
        ("model railway", {"prompt": "model railway"}),
        ("🦊", {"prompt": "🦊"}),
        ("a fox size 512x512", {"prompt": "a fox", "size": 512}),
        ("size: 1024×256", {"prompt": "", "size": 512}),
        ("a fox, Denoising strength: 0,4, CFG scale: 7", {"prompt": "a fox", "strength": 0.4, "guidance_scale": 7.0}),
        ("denoise .3", {"prompt": "", "strength": 0.3}),
        ("apollo 11", {"prompt": "apollo 11"}),
        ("a fox | steps 4 | seed 3", {"prompt": "a fox", "num_inference_steps": 4, "seed": 3}),
        ("/img2img prompt:a fox steps:4", {"prompt": "a fox", "num_inference_steps": 4}),
        ("/imagine a fox", {"prompt": "a fox"}),
        ("a fox at 50 % strength", {"prompt": "a fox", "strength": 0.5}),
        ("a fox with 0,4 strength, in snow", {"prompt": "a fox, in snow", "strength": 0.4}),
        ("a temple with 30 steps", {"prompt": "a temple with 30 steps"}),
        ("a bull with 10 strength", {"prompt": "a bull with 10 strength"}),
        ("prompt: a fox", {"prompt": "a fox"}),
        ("a fox, 0.4 strength, 20 steps", {"prompt": "a fox", "strength": 0.4, "num_inference_steps": 20}),
        ("20 steps", {"prompt": "", "num_inference_steps": 20}),
        ("a fox, 4 steps up a ladder", {"prompt": "a fox, 4 steps up a ladder"}),
        ("a fox, neg: snow", {"prompt": "a fox", "negative_prompt": "snow"}),
        ("a fox, negative: blurry, seed:5", {"prompt": "a fox", "negative_prompt": "blurry", "seed": 5}),
        ('a fox, negative: "blurry, seed:5"', {"prompt": "a fox", "negative_prompt": "blurry, seed:5"}),
        ("a fox --negative=“seed:5” seed 6", {"prompt": "a fox", "negative_prompt": "seed:5", "seed": 6}),
        ('negative: "a "b" c"', {"prompt": "", "negative_prompt": 'a "b" c'}),
        ("a fox negative: a=b --ar 3", {"prompt": "a fox", "negative_prompt": "a=b --ar 3"}),
    ],
)
def test_what_is_said_is_understood(text: str, expected: dict[str, Any]) -> None:
    assert parse_text(text).options == Options(**expected)


@pytest.mark.parametrize(
    "text",
    [
        "--seed abc",
        "seed: abc",
        "steps=lots",
        "steps: 3.5",
        "seed 1.5",
        "seed 5x",
        "a fox, count=two",
        "a fox, size: huge",
        "seed random",
        "guidance High!",
    ],
)
def test_what_is_not_understood_is_said(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_text(text)
    assert refusal.value.reason == "not_understood"


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("a fox --ar 16:9", "option_unknown", "the option `ar`"),
        ("a fox aspect=3", "option_unknown", "the option `aspect`"),
        ("a fox, strenght 0.7", "option_misspelt", "Did you mean `strength`?"),
        ("Stärke 0,7", "option_unknown", "the option `stärke`"),
        ("intensity: .7", "option_unknown", "The ones I know are"),
        ("a fox step 20", "option_misspelt", "Did you mean `steps`?"),
        ("a fox --strength", "option_without_value", "What should `strength` be?"),
        ("seed 5 a fox seed 6", "option_twice", "`seed` twice"),
        ("a fox, steps: 2.5", "not_understood", "Please give a whole number"),
        ("a fox, guidance: high", "not_understood", "Please give a number"),
        ("a fox, repaint: sky", "repaint_not_understood", "`repaint: transparent`, `repaint: mask` or"),
    ],
)
def test_what_looks_like_an_option_and_is_none_is_said(text: str, reason: str, words: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_text(text)
    assert refusal.value.reason == reason
    assert words in (error_sentence(refusal.value) or "")


def test_a_model_that_can_be_chosen_is_understood_by_its_plain_name() -> None:
    for text in ("a fox, model dreams", "a fox model dreams."):
        assert parse_text(text, models=["dreams"]).options == Options(prompt="a fox", model="dreams")
        assert parse_text(text, models=["demo"]).options.model is None
    assert parse_text("a model train", models=["demo"]).options == Options(prompt="a model train")


@pytest.mark.parametrize(
    ("text", "asks_to_cancel"),
    [
        ("cancel", True),
        ("Stop it, please!", True),
        ("can you delete this", True),
        ("a stop sign", False),
        ("remove the trees", False),
        ("delete, seed 5", False),
        ("this one", False),
    ],
)
def test_asking_to_cancel_is_no_prompt(text: str, asks_to_cancel: bool) -> None:
    assert parse_text(text).asks_to_cancel is asks_to_cancel


def test_another_try_is_no_prompt() -> None:
    assert parse_text("again please").again
    assert parse_text("again please").options.prompt == ""
    assert parse_text("same again with strength 0.3").options == Options(prompt="", strength=0.3)
    assert not parse_text("a fox again").again


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4 more", 4),
        ("again 3 times!", 3),
        ("Again x2", 2),
        ("give me 2 more please", 2),
        ("4 variations", 4),
        ("another one please", None),
        ("once more", None),
    ],
)
def test_several_more_are_no_prompt(text: str, count: int | None) -> None:
    said = parse_text(text)
    assert (said.again, said.options) == (True, Options(prompt="", count=count))


def test_several_more_may_be_wanted_with_other_numbers() -> None:
    said = parse_text("4 more, strength 0.7 steps 3")
    assert (said.again, said.options) == (True, Options(prompt="", count=4, strength=0.7, num_inference_steps=3))
    with pytest.raises(Refused, match="option_twice"):
        parse_text("4 more, count 2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`strength 0.7`", Options(prompt="", strength=0.7)),
        ("```\na fox\nsteps 4\n```", Options(prompt="a fox", num_inference_steps=4)),
        ("a garden <:seed:123456789012345678>, steps 4", Options(prompt="a garden seed", num_inference_steps=4)),
        ("<a:party_cat:123456789012345678> on a beach", Options(prompt="party cat on a beach")),
        ("steps: 4\nprompt: a fox", Options(prompt="a fox", num_inference_steps=4)),
        ('a fox, negative: "`a` cage"', Options(prompt="a fox", negative_prompt="`a` cage")),
    ],
)
def test_what_discord_makes_of_a_text_is_not_painted(text: str, expected: Options) -> None:
    assert parse_text(text).options == expected


@pytest.mark.parametrize("text", ["4 more foxes", "another fox", "more trees", "one", "variations of a theme"])
def test_more_of_something_is_a_prompt(text: str) -> None:
    assert parse_text(text).options == Options(prompt=text)


@pytest.mark.parametrize(
    ("prompt", "count", "understood"),
    [
        ("picture 3, at night", 4, (3, "at night")),
        ("#2 at night", 4, (2, "at night")),
        ("Image 4: at night", 4, (4, "at night")),
        ("picture 2", 2, (2, "")),
        ("picture 5, at night", 4, (None, "picture 5, at night")),
        ("picture 1, at night", 1, (None, "picture 1, at night")),
        ("picture of 3 cats", 4, (None, "picture of 3 cats")),
        ("picture 3D letters", 4, (None, "picture 3D letters")),
    ],
)
def test_one_of_several_pictures_can_be_named(prompt: str, count: int, understood: tuple[int | None, str]) -> None:
    assert picture_named(prompt, count) == understood


def test_who_wants_more_pixels_is_told_how() -> None:
    with pytest.raises(Refused) as refusal:
        parse_text("upscale this please")
    assert "such as `size 768`" in (error_sentence(refusal.value) or "")
    assert parse_text("upscale art").options.prompt == "upscale art"


@pytest.mark.parametrize("text", ["help", "<@5> Help", "?"])
def test_help_is_no_prompt(text: str) -> None:
    assert parse_text(text).help


@pytest.mark.parametrize(("text", "has_no_words"), [("0,7", True), ("...", True), ("🦊", False), ("un chat", False)])
def test_numbers_and_signs_are_no_words(text: str, has_no_words: bool) -> None:
    assert parse_text(text).has_no_words is has_no_words


@pytest.mark.parametrize(
    ("text", "is_remark"),
    [
        ("thanks!", True),
        ("Thank you so much", True),
        ("lol, nice one", True),
        ("I love it", True),
        ("a nice house", False),
        ("so", False),
        ("nice, seed 5", False),
        ("love", True),
        ("👍🏽", True),
        ("❤️ 😍", True),
        ("🦊❄️", False),
    ],
)
def test_a_remark_is_no_prompt(text: str, is_remark: bool) -> None:
    assert parse_text(text).remark is is_remark


def test_an_empty_mention_says_nothing() -> None:
    assert parse_text(" <@5>  ").is_empty
    assert not parse_text("seed 1").is_empty


@pytest.mark.parametrize(
    "words",
    ["blurry", "a, seed:5", "  x  y".strip(), '"q" b', "<@1>", "０", "steps=x, strength 5", ",", "`<:a:1>`"],
)
def test_a_negative_prompt_in_a_form_is_understood_as_it_is(words: str) -> None:
    said = parse_text(f"seed=3 guidance 4, steps 20, {format_negative_prompt(words)}").options
    assert (said.negative_prompt, said.seed, said.num_inference_steps) == (words, 3, 20)


def test_a_negative_prompt_that_needs_no_quotes_has_none() -> None:
    assert format_negative_prompt("blurry, ugly") == "negative: blurry, ugly"


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("seed", True),
        ("Seed?", True),
        ("what was the seed please", True),
        ("what's the seed?", True),
        ("seed packet", False),
        ("the seed of a flower", False),
        ("what a cat", False),
    ],
)
def test_the_question_for_the_seed_is_no_prompt(text: str, asks: bool) -> None:
    assert parse_text(text).seed is asks


@pytest.mark.parametrize(
    ("text", "is_greeting"),
    [("hi", True), ("Hello there!", True), ("hey bot", True), ("hello kitty", False), ("say hi", False)],
)
def test_a_greeting_is_no_prompt(text: str, is_greeting: bool) -> None:
    assert parse_text(text).help is is_greeting


@pytest.mark.parametrize(
    "text", ["strength", "Steps.", "cfg?", "negative prompt", "negative:", "a fox, seed:", "strength: , a fox"]
)
def test_the_name_of_an_option_without_a_value_is_no_prompt(text: str) -> None:
    with pytest.raises(Refused, match="option_without_value"):
        parse_text(text)


@pytest.mark.parametrize("text", ["strength=much", "a fox, strength: more"])
def test_who_does_not_find_a_word_for_the_strength_is_told_those_that_there_are(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_text(text)
    assert "write subtle, balanced, strong or ladder" in (error_sentence(refusal.value) or "")
