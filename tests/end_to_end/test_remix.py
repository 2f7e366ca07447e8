"""The ways to remix through a form: Remix, Edit and Use as input, each once successfully and once not."""

import contextlib
import io
import sqlite3

import pytest
from PIL import Image

from playground.client import Message
from tests.end_to_end.bot_process import PHOTOGRAPHS, BotProcess, told

COFFEE = PHOTOGRAPHS / "coffee.jpg"


def job_id(made: Message) -> str:
    """Return the id of the job that made a result, from its buttons."""
    return made.components_flat()[0]["custom_id"].partition(":")[2]


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB").tobytes()


class TestMenu:
    async def test_remix_asks_and_paints(self, bot: BotProcess) -> None:
        theirs = await bot.client.say("my coffee", files=[COFFEE], member="Linus")
        form = await bot.client.message_command("Remix", theirs.id)
        values = {"prompt": "a castle", "strength": "0.8", "seed": "5", "more": "steps 4, negative: trees"}
        sent = await bot.client.submit_modal(form, values)
        assert sent.response is not None
        made = await bot.result_of(sent.response)
        for part in ("a castle", "`5`", "strength 0.8", "4 steps", "without: trees"):
            assert part in made.content

    async def test_a_message_without_a_picture(self, bot: BotProcess) -> None:
        theirs = await bot.client.say("just words", member="Linus")
        assert "I don't see a picture" in told(await bot.client.message_command("Remix", theirs.id))

    async def test_a_wrong_number_in_the_form(self, bot: BotProcess) -> None:
        theirs = await bot.client.say("my coffee", files=[COFFEE], member="Linus")
        form = await bot.client.message_command("Remix", theirs.id)
        sent = await bot.client.submit_modal(form, {"prompt": "a castle", "strength": "much"})
        assert "strength much" in told(sent)
        sent = await bot.client.submit_modal(form, {"prompt": "a castle", "strength": "a lot"})
        assert "I don't understand `strength a lot`." in told(sent)
        sent = await bot.client.submit_modal(form, {"prompt": "a castle", "seed": "12 or so"})
        assert "I don't understand `seed 12 or so`." in told(sent)
        sent = await bot.client.submit_modal(form, {"prompt": "a castle", "strength": "70 %", "more": "steps 0"})
        assert "The number of steps must be from 1" in told(sent)
        assert "a castle" in told(sent)
        sent = await bot.client.submit_modal(form, {"prompt": "a castle", "more": "blurry, steps 4"})
        assert "don't understand “blurry”" in told(sent)

    async def test_a_member_has_one_form_open(self, bot: BotProcess) -> None:
        picture = await bot.client.say("my coffee", files=[COFFEE], member="Linus")
        forms = [await bot.client.message_command("Remix", picture.id) for _ in range(2)]
        theirs = await bot.client.message_command("Remix", picture.id, member="Linus")
        sent = await bot.client.submit_modal(forms[0], {"prompt": "a forgotten castle"})
        assert "you've opened another one" in told(sent)
        assert "a forgotten castle" in told(sent)
        for form, member in ((forms[1], "Ada"), (theirs, "Linus")):
            sent = await bot.client.submit_modal(form, {"prompt": "a castle", "more": "steps 4"}, member=member)
            assert sent.response is not None
            assert (await bot.result_of(sent.response)).attachments

    async def test_a_message_that_is_deleted_before_the_form_is_sent(self, bot: BotProcess) -> None:
        theirs = await bot.client.say("my coffee", files=[COFFEE], member="Linus")
        form = await bot.client.message_command("Remix", theirs.id)
        await bot.client.delete_message(theirs.id, member="Linus")
        sent = await bot.client.submit_modal(form, {"prompt": "a castle"})
        assert sent.response is not None
        assert "no longer available" in (await bot.status_with(sent.response, "⚠️")).content

    async def test_a_channel_in_which_nothing_can_be_answered(self, bot: BotProcess) -> None:
        await bot.client.add_channel("silent")
        theirs = await bot.client.say("my coffee", files=[COFFEE], member="Linus", channel="silent")
        await bot.client.set_permissions("silent", deny=["SEND_MESSAGES"])
        assert "missing permissions (Send Messages" in told(await bot.client.message_command("Remix", theirs.id))


class TestButtons:
    async def test_edit_shows_what_was_and_paints_what_is(self, bot: BotProcess) -> None:
        result = await bot.result_of(await bot.img2img(seed=77, steps=5, strength=0.5))
        form = await bot.client.press(result.id, "Edit", member="Linus")
        assert form.modal is not None
        (more,) = [each["component"] for each in form.modal["components"] if each["component"]["custom_id"] == "more"]
        assert more["value"] == "guidance 4, steps 5, count 1, size 79"
        sent = await bot.client.submit_modal(form, {"prompt": "a dog on a beach"}, member="Linus")
        assert sent.response is not None
        made = await bot.result_of(sent.response)
        assert "a dog on a beach" in made.content
        for part in ("`77`", "strength 0.5", "5 steps"):  # prefilled and unchanged
            assert part in made.content

    async def test_use_as_input_asks_which_of_several(self, bot: BotProcess) -> None:
        several = await bot.result_of(await bot.img2img(count=2, steps=4))
        form = await bot.client.press(several.id, "Use as input")
        sent = await bot.client.submit_modal(form, {"prompt": "a castle", "picture": ["2"], "more": "steps 4, count 1"})
        assert sent.response is not None
        made = await bot.result_of(sent.response)
        assert len(made.attachments) == 1
        second = await bot.client.download(several.attachments[1].url)
        assert pixels((bot.data_dir / "spool" / job_id(made) / "input.png").read_bytes()) == pixels(second)

    @pytest.mark.parametrize("button", ["Edit", "Use as input"])
    async def test_a_model_that_is_no_longer_offered_is_said_in_the_form_and_replaced(
        self, bot: BotProcess, button: str
    ) -> None:
        made = await bot.result_of(await bot.img2img(seed=77, steps=4))
        with contextlib.closing(sqlite3.connect(bot.data_dir / "palimpsest.sqlite3")) as database, database:
            database.execute("UPDATE jobs SET model = 'departed' WHERE job_id = ?", (job_id(made),))
        form = await bot.client.press(made.id, button)
        assert form.modal is not None
        (more,) = [each for each in form.modal["components"] if each["label"] == "More"]
        assert more["description"].startswith("departed is no longer offered here")
        refused = await bot.client.submit_modal(form, {"prompt": "a dog", "more": "count 9"})
        assert refused.response is not None
        again = await bot.client.press(refused.response.id, "Back to the form")
        assert again.modal is not None
        assert [each.get("description") for each in again.modal["components"]].count(more["description"]) == 1
        sent = await bot.client.submit_modal(again, {"prompt": "a dog on a beach", "more": "steps 4"})
        assert sent.response is not None
        assert "a dog on a beach" in (await bot.result_of(sent.response)).content

    async def test_use_as_input_of_a_deleted_result(self, bot: BotProcess) -> None:
        made = await bot.result_of(await bot.img2img(steps=4))
        form = await bot.client.press(made.id, "Use as input")
        await bot.client.delete_message(made.id, member="Grace")
        sent = await bot.client.submit_modal(form, {"prompt": "a castle"})
        assert "no finished picture there" in told(sent)

    async def test_input_past_its_retention(self, bot: BotProcess) -> None:
        made = await bot.result_of(await bot.img2img(steps=4))
        (bot.data_dir / "spool" / job_id(made) / "input.png").unlink()
        for button in ("Edit", "Again", "Strengths"):
            assert "send it again with `/img2img`" in told(await bot.client.press(made.id, button))
        asked = await bot.client.say("strength 0.4", reply_to=made.id)
        assert "no longer have the picture" in (await bot.answer_to(asked)).content
        asked = await bot.client.say("a dog, steps 4", reply_to=made.id)  # the result itself still exists
        assert (await bot.result_of(await bot.answer_to(asked))).attachments

    async def test_what_is_past_a_limit_is_refused_and_the_prompt_given_back(self, bot: BotProcess) -> None:
        made = await bot.result_of(await bot.img2img(steps=4))
        form = await bot.client.press(made.id, "Edit")
        sent = await bot.client.submit_modal(form, {"prompt": "a patient dog", "more": "count 9"})
        assert "The limit for count here is 4 (set by the operator)" in told(sent)
        assert "a patient dog" in told(sent)
        asked = await bot.client.say("count 9", reply_to=made.id)
        assert "The limit for count here is 4 (set by the operator)" in (await bot.answer_to(asked)).content
