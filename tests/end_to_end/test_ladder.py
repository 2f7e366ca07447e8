"""A ladder of strengths: one picture and one seed at several strengths, in one gallery, to choose from."""

from pathlib import Path
from typing import Any

from bot.replies import refusal_sentence
from generation.images.metadata import read_parameters
from playground.client import Message
from tests.end_to_end.bot_process import CAT, QUICK, BotProcess, stand_in, told

LADDER = "strength 0.3 / 0.45 / 0.6 / 0.75"


async def records(bot: BotProcess, result: Message) -> list[dict[str, Any]]:
    found = [read_parameters(await bot.client.download(attachment.url)) for attachment in result.attachments]
    return [record for record in found if record is not None]


async def test_the_button_paints_the_same_at_several_strengths(bot: BotProcess) -> None:
    first = await bot.result_of(await bot.img2img(seed=21, steps=8, strength=0.9, count=2, negative_prompt="rain"))
    pressed = await bot.client.press(first.id, "Strengths", member="Linus")
    assert pressed.response is not None
    ladder = await bot.result_of(pressed.response)
    assert ladder.mentions == ["Linus"]
    for part in ("a cat on a beach", "without: rain", f"seed `21` · {LADDER} · ", "8 steps (2 to 6 run)"):
        assert part in ladder.content
    made = await records(bot, ladder)
    assert [(record["seed"], record["strength"]) for record in made] == [(21, 0.3), (21, 0.45), (21, 0.6), (21, 0.75)]
    assert len({record["input_sha256"] for record in made + await records(bot, first)}) == 1
    descriptions = [attachment.description or "" for attachment in ladder.attachments]
    assert [text.partition(", painted")[0] for text in descriptions] == [
        f"Picture {number} of 4, with strength {strength}"
        for number, strength in enumerate(("0.3", "0.45", "0.6", "0.75"), start=1)
    ]
    assert "Strengths" not in ladder.labels()  # they would give the same pictures again


async def test_from_a_ladder_all_ways_go_on(bot: BotProcess) -> None:
    ladder = await bot.result_of(await bot.img2img(seed=5, steps=4, ladder=True))
    assert LADDER in ladder.content
    again = await bot.client.press(ladder.id, "Again")
    assert again.response is not None
    repeated = await bot.result_of(again.response)
    assert LADDER in repeated.content
    assert "`5`" not in repeated.content

    asked = await bot.client.say("picture 3, a dog", reply_to=ladder.id)
    picked = await bot.result_of(await bot.answer_to(asked))
    assert "strength 0.6 ·" in picked.content
    assert (len(picked.attachments), len(ladder.attachments)) == (1, 4)
    asked = await bot.client.say("again, strength 0.6", reply_to=ladder.id)
    more = await bot.result_of(await bot.answer_to(asked))
    assert "strength 0.6 ·" in more.content
    assert "`5`" not in more.content
    asked = await bot.client.say("strength 0.45", reply_to=ladder.id)
    alone = await bot.result_of(await bot.answer_to(asked))
    assert "seed `5` · strength 0.45 ·" in alone.content
    assert len(alone.attachments) == 1
    asked = await bot.client.say("seed?", reply_to=ladder.id)
    assert (await bot.answer_to(asked)).content == "5"


async def test_forms_show_a_ladder_and_make_one_picture_of_it(bot: BotProcess) -> None:
    asked = await bot.client.say("@Palimpsest a fox, strength ladder, count 2, seed 5, steps 4", files=[CAT])
    ladder = await bot.result_of(await bot.answer_to(asked))
    assert "strength 0.3 / 0.75 ·" in ladder.content
    form = await bot.client.press(ladder.id, "Edit")
    assert form.modal is not None
    shown = {each["component"]["custom_id"]: each["component"].get("value") for each in form.modal["components"]}
    assert (shown["strength"], shown["seed"]) == ("ladder", "5")
    assert "count" not in shown["more"]
    sent = await bot.client.submit_modal(form, {"prompt": "a dog"})
    assert sent.response is not None
    assert "seed `5` · strength 0.3 / 0.75 ·" in (await bot.result_of(sent.response)).content
    sent = await bot.client.submit_modal(await bot.client.press(ladder.id, "Edit"), {"strength": "0.6"})
    assert sent.response is not None
    edited = await bot.result_of(sent.response)
    assert "seed `5` · strength 0.6 ·" in edited.content
    assert len(edited.attachments) == 1

    form = await bot.client.press(ladder.id, "Use as input")
    sent = await bot.client.submit_modal(form, {"prompt": "a castle", "picture": ["2"], "more": "steps 4"})
    assert sent.response is not None
    used = await bot.result_of(sent.response)
    assert "strength 0.75 ·" in used.content
    assert len(used.attachments) == 1


async def test_a_ladder_and_a_strength_are_not_asked_for_together(bot: BotProcess) -> None:
    options = {"image": CAT, "prompt": "a dog", "strength": 0.5, "ladder": True, "steps": 4}
    refused = await bot.client.command("img2img", options)
    assert refusal_sentence("ladder_and_strength", {}) in told(refused)
    assert refused.response is not None
    form = await bot.client.press(refused.response.id, "Back to the form")
    sent = await bot.client.submit_modal(form, {"strength": "ladder"})
    assert sent.response is not None
    assert LADDER in (await bot.result_of(sent.response)).content


async def test_a_server_that_allows_three_pictures_gets_three_rungs_and_none_without_two(quick_bot: BotProcess) -> None:
    bot = quick_bot
    await bot.client.command("defaults set", {"where": "server", "max_count": 3, "max_strength": 0.7}, member="Grace")
    result = await bot.result_of(await bot.img2img(steps=20, strength=0.5))
    pressed = await bot.client.press(result.id, "Strengths")
    assert pressed.response is not None
    assert "strength 0.3 / 0.45 / 0.6 ·" in (await bot.result_of(pressed.response)).content
    await bot.client.command("defaults set", {"where": "server", "max_strength": 0.4}, member="Grace")
    assert "limit for strength here is 0.4" in told(await bot.client.press(result.id, "Strengths"))


async def test_a_ladder_survives_the_death_of_the_bot(tmp_path: Path) -> None:
    async with stand_in() as server:
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        await bot.start()
        result = await bot.result_of(await bot.img2img(seed=5, steps=4))
        await bot.kill()
        bot = BotProcess(server, tmp_path, arguments=QUICK)
        with bot.held():
            await bot.start()
            pressed = await bot.client.press(result.id, "Strengths")  # on a message from before
            assert pressed.response is not None
            await bot.status_with(pressed.response, "Painting")
            await bot.kill()
        async with BotProcess(server, tmp_path, arguments=QUICK) as bot:
            ladder = await bot.result_of(pressed.response)
            assert f"seed `5` · {LADDER} ·" in ladder.content
            assert len(ladder.attachments) == 4
