"""Messages to the bot: with a mention, and as replies to results and to others' pictures."""

import re

import pytest

from playground.client import Message
from tests.end_to_end.bot_process import CAT, PHOTOGRAPHS, BotProcess

COFFEE = PHOTOGRAPHS / "coffee.jpg"


@pytest.fixture(scope="module")
async def result(bot: BotProcess) -> Message:
    """A result to reply to."""
    return await bot.result_of(await bot.img2img(seed=77, steps=5, strength=0.5))


class TestMention:
    async def test_a_picture_and_words(self, bot: BotProcess) -> None:
        asked = await bot.client.say("@Palimpsest a rocket at night, strength 0.8 steps 4 seed 9", files=[CAT])
        made = await bot.result_of(await bot.answer_to(asked))
        assert "a rocket at night" in made.content
        for part in ("`9`", "strength 0.8", "4 steps"):
            assert part in made.content
        assert made.mentions == ["Ada"]

    async def test_without_the_mention_nothing_happens(self, bot: BotProcess) -> None:
        silent = await bot.client.say("a rocket at night", files=[CAT])
        asked = await bot.client.say("@Palimpsest")
        await bot.answer_to(asked)
        messages = await bot.client.messages()
        assert not [message for message in messages if message.reference and message.reference.message_id == silent.id]

    async def test_a_forgotten_mention_and_a_wrong_number_can_be_put_right(self, bot: BotProcess) -> None:
        asked = await bot.client.say("a lighthouse in a storm, steps: many", files=[CAT])
        await bot.client.edit_message(asked.id, "@Palimpsest a lighthouse in a storm, steps: many")
        refused = await bot.answer_to(asked)
        assert "I don't understand `steps many`" in refused.content
        await bot.client.edit_message(asked.id, "@Palimpsest a lighthouse in a storm, steps: 4")
        made = await bot.client.wait_for_message(lambda message: "**a lighthouse in a storm**" in message.content)
        assert made.attachments

    async def test_an_edit_counts_until_the_painting_begins(self, bot: BotProcess) -> None:
        with bot.held():
            first = await bot.client.say("@Palimpsest a rocket, steps 4", files=[CAT], channel="gallery")
            painted = await bot.status_with(await bot.answer_to(first), "Painting")
            asked = await bot.client.say("@Palimpsest a casle in the snow, steps 4", files=[CAT], channel="gallery")
            status = await bot.status_with(await bot.answer_to(asked), "Queued")
            await bot.client.edit_message(asked.id, "@Palimpsest a casle, strenght 0.4")
            await bot.client.wait_for_message(lambda message: "Did you mean" in message.content, channel="gallery")
            assert bot.job(status)[0] == "queued"
            await bot.client.edit_message(asked.id, "@Palimpsest a castle in the snow, steps 4")
            assert "because you edited your message" in (await bot.status_with(status, "🚫")).content
            await bot.client.edit_message(first.id, "@Palimpsest a racket, steps 4")
            too_late = await bot.client.wait_for_message(
                lambda message: "I've already started painting what you wrote before" in message.content,
                channel="gallery",
            )
            await bot.client.press(painted.id, "Cancel")
            await bot.client.edit_message(first.id, "@Palimpsest a racket at night, steps 4")
        assert too_late.reference is not None
        assert too_late.reference.message_id == first.id
        for words in ("**a castle in the snow**", "**a racket at night**"):
            await bot.client.wait_for_message(lambda message, words=words: words in message.content, channel="gallery")
        await bot.queue_says("0 running, 0 waiting", channel="gallery")
        results = [message.content for message in await bot.client.messages("gallery") if message.attachments]
        assert not [content for content in results if "casle" in content or "**a rocket**" in content]

    async def test_a_mention_of_the_bots_role_is_told_whom_to_mention(self, bot: BotProcess) -> None:
        roles = {role["name"]: role["id"] for role in (await bot.client.state())["roles"]}
        asked = await bot.client.say(f"<@&{roles['Palimpsest']}> a rocket", files=[CAT])
        answer = await bot.answer_to(asked)
        assert "You mentioned my role" in answer.content
        assert answer.mentions == []
        await bot.client.say(f"<@&{roles['Moderator']}> look", channel="gallery")
        last = await bot.answer_to(await bot.client.say("@Palimpsest", channel="gallery"))
        assert "/img2img" in last.content
        messages = await bot.client.messages(channel="gallery")
        assert not [message for message in messages if "my role" in message.content]

    async def test_where_the_bot_may_not_write_it_does_not_try(self, bot: BotProcess) -> None:
        await bot.client.add_channel("mute")
        await bot.client.set_permissions("mute", deny=["SEND_MESSAGES"])
        refused = [call.number for call in await bot.client.calls("POST") if call.status == 403]
        for words in ("@Palimpsest", "@Palimpsest 0,7", "@Palimpsest a rocket"):
            await bot.client.say(words, files=[CAT] if "rocket" in words else [], channel="mute")
        await bot.answer_to(await bot.client.say("@Palimpsest", member="Linus"))
        assert [call.number for call in await bot.client.calls("POST") if call.status == 403] == refused

    async def test_where_the_bot_may_not_reply_it_says_so_all_the_same(self, bot: BotProcess) -> None:
        await bot.client.add_channel("forgotten")
        await bot.client.set_permissions("forgotten", deny=["READ_MESSAGE_HISTORY"])
        await bot.client.say("@Palimpsest a rocket", files=[CAT], channel="forgotten")
        answer = await bot.client.wait_for_message(lambda message: message.author_is_bot, channel="forgotten")
        assert "missing permissions (Read Message History)" in answer.content
        assert answer.mentions == []

    async def test_in_a_direct_message_no_mention_is_needed(self, bot: BotProcess) -> None:
        asked = await bot.client.say("a rocket, steps 4", files=[CAT], channel="@Ada")
        assert (await bot.result_of(await bot.answer_to(asked))).attachments

    async def test_the_first_of_several_pictures_and_it_says_so(self, bot: BotProcess) -> None:
        asked = await bot.client.say("@Palimpsest a rocket, steps 4", files=[CAT, COFFEE])
        made = await bot.result_of(await bot.answer_to(asked))
        assert "I used the first of your pictures and left out 1 more" in made.content

    async def test_a_picture_in_an_embed_is_taken_from_the_proxy(self, bot: BotProcess) -> None:
        shown = await bot.client.say("look", files=[CAT], member="Linus")
        embed = {"type": "image", "image": {"url": shown.attachments[0].url}}
        asked = await bot.client.say("@Palimpsest a rocket, steps 4", embeds=[embed])
        assert (await bot.result_of(await bot.answer_to(asked))).attachments

    async def test_a_picture_from_anywhere_else_is_not_asked_for(self, bot: BotProcess) -> None:
        embed = {"type": "image", "image": {"url": "https://example.com/cat.jpg"}}
        asked = await bot.client.say("@Palimpsest a rocket", embeds=[embed], channel="gallery")
        status = await bot.answer_to(asked)
        assert "from Discord itself" in (await bot.status_with(status, "⚠️")).content

    async def test_a_mention_alone_is_answered_with_help(self, bot: BotProcess) -> None:
        answer = await bot.answer_to(await bot.client.say("@Palimpsest"))
        for part in ("/img2img", "Remix", "Palimpsest Demo", "/preferences"):
            assert part in answer.content

    @pytest.mark.parametrize(
        ("text", "with_picture", "words"),
        [
            ("@Palimpsest a rocket", False, "I don't see a picture"),
            ("@Palimpsest help", False, "/img2img"),
            ("@Palimpsest 0,7", True, "any words in “0,7”"),
            ("@Palimpsest", True, "What should it become"),
            ("@Palimpsest a rocket strength=much", True, "don't understand `strength much`"),
            ("@Palimpsest a rocket --ar 16:9", True, "don't know the option `ar`"),
            ("@Palimpsest a rocket, strenght 0.4", True, "Did you mean `strength`?"),
            ("@Palimpsest a rocket steps 999", True, "from 1 to 150"),
        ],
    )
    async def test_what_is_missing_is_said(self, bot: BotProcess, text: str, with_picture: bool, words: str) -> None:
        asked = await bot.client.say(text, files=[CAT] if with_picture else [])
        assert words in (await bot.answer_to(asked)).content

    async def test_the_answer_to_a_question_is_taken_with_what_was_said_before(self, bot: BotProcess) -> None:
        question = await bot.answer_to(await bot.client.say("@Palimpsest steps 4 seed 9", files=[CAT]))
        assert "What should it become" in question.content
        doubt = await bot.answer_to(await bot.client.say("a castle strenght 0.4", reply_to=question.id))
        assert "Did you mean `strength`" in doubt.content
        made = await bot.result_of(
            await bot.answer_to(await bot.client.say("a castle, strength 0.4", reply_to=doubt.id))
        )
        for part in ("a castle", "`9`", "strength 0.4", "4 steps"):
            assert part in made.content

    async def test_a_picture_that_was_missing_can_be_sent_after_the_words(self, bot: BotProcess) -> None:
        question = await bot.answer_to(await bot.client.say("@Palimpsest a castle, steps 4"))
        made = await bot.result_of(await bot.answer_to(await bot.client.say(files=[CAT], reply_to=question.id)))
        assert "a castle" in made.content


class TestReply:
    async def test_numbers_alone_repeat_the_request_with_them(self, bot: BotProcess, result: Message) -> None:
        asked = await bot.client.say("strength 0.9", reply_to=result.id, member="Linus")
        made = await bot.result_of(await bot.answer_to(asked))
        assert "a cat on a beach" in made.content
        assert "`77`" in made.content
        assert "strength 0.9" in made.content
        assert made.mentions == ["Linus"]

    async def test_a_remark_is_left_alone(self, bot: BotProcess, result: Message) -> None:
        question = await bot.answer_to(await bot.client.say("@Palimpsest", files=[CAT]))
        remarks = [
            await bot.client.say("lol, so cool", reply_to=result.id),
            await bot.client.say("thanks!", reply_to=question.id),
        ]
        await bot.result_of(await bot.answer_to(await bot.client.say("seed 3, steps 4", reply_to=result.id)))
        answers = [message for message in await bot.client.messages() if message.reference is not None]
        answered = {answer.reference.message_id for answer in answers if answer.reference is not None}
        assert answered.isdisjoint(remark.id for remark in remarks)

    async def test_a_picture_alone_is_painted_over_with_the_words_of_what_it_answers(
        self, bot: BotProcess, result: Message
    ) -> None:
        no_picture = ("notes.png", b"just words")
        asked = await bot.client.say("@Palimpsest a fox in the snow, strength 0.8, steps 4", files=[no_picture])
        status = await bot.status_with(await bot.answer_to(asked), "This is a text file")
        assert "Reply to this with another picture (no words needed)" in status.content
        asked = await bot.client.say(files=[CAT], reply_to=status.id)
        made = await bot.result_of(await bot.answer_to(asked))
        assert "a fox in the snow" in made.content
        assert "strength 0.8" in made.content
        asked = await bot.client.say("strength 0.3", files=[COFFEE], reply_to=result.id)
        made = await bot.result_of(await bot.answer_to(asked))
        assert "a cat on a beach" in made.content
        assert "strength 0.3" in made.content

    async def test_a_reply_to_the_answer_to_a_command_wants_a_mention_and_that_is_said(self, bot: BotProcess) -> None:
        status = await bot.status_with(await bot.img2img(b"just words", "a fox in the snow", steps=4), "a text file")
        assert "Reply to this with another picture and mention me" in status.content
        asked = await bot.client.say("@Palimpsest", files=[CAT], reply_to=status.id)
        assert "a fox in the snow" in (await bot.result_of(await bot.answer_to(asked))).content

    async def test_who_wants_it_gone_is_led_to_the_buttons(self, bot: BotProcess, result: Message) -> None:
        answer = await bot.answer_to(await bot.client.say("delete this please", reply_to=result.id))
        assert "press **Cancel** under it. To delete a picture, press **Delete** under it" in answer.content

    async def test_a_model_is_known_by_its_name_alone(self, bot: BotProcess, result: Message) -> None:
        asked = await bot.client.say("model demo", reply_to=result.id)
        assert "a cat on a beach" in (await bot.result_of(await bot.answer_to(asked))).content

    async def test_who_asks_for_the_seed_gets_it_alone(self, bot: BotProcess, result: Message) -> None:
        asked = await bot.client.say("what was the seed?", reply_to=result.id)
        assert (await bot.answer_to(asked)).content == "77"
        several = await bot.result_of(await bot.img2img(count=2, seed=5, steps=4))
        asked = await bot.client.say("seed", reply_to=several.id)
        assert (await bot.answer_to(asked)).content == "5\n6"

    async def test_who_says_hello_is_told_what_can_be_done(self, bot: BotProcess) -> None:
        said = await bot.client.say("@Palimpsest hello there!")
        assert "I paint new pictures over yours" in (await bot.answer_to(said)).content

    async def test_again_repeats_the_request_with_a_new_seed(self, bot: BotProcess, result: Message) -> None:
        made = await bot.result_of(await bot.answer_to(await bot.client.say("again!", reply_to=result.id)))
        assert "a cat on a beach" in made.content
        assert "`77`" not in made.content
        assert "Painted over" not in made.content  # it starts from the same picture

    async def test_new_words_paint_over_the_result(self, bot: BotProcess, result: Message) -> None:
        asked = await bot.client.say("a dog in the snow", reply_to=result.id)
        made = await bot.result_of(await bot.answer_to(asked))
        assert "a dog in the snow" in made.content
        assert re.search(rf"^-# Painted over https://.*/{result.id}$", made.content, re.MULTILINE)
        assert "`77`" not in made.content
        assert "5 steps" in made.content

    async def test_the_status_message_will_do_once_it_is_done(self, bot: BotProcess) -> None:
        with bot.held():
            status = await bot.answer_to(await bot.client.say("@Palimpsest a cat, steps 4", files=[CAT]))
            await bot.status_with(status, "Painting")
            early = await bot.client.say("a dog in the snow", reply_to=status.id)
            assert "isn't done yet" in (await bot.answer_to(early)).content
        await bot.status_with(status, "✅")
        asked = await bot.client.say("a dog in the snow, steps 4", reply_to=status.id)
        assert "a dog in the snow" in (await bot.result_of(await bot.answer_to(asked))).content

    async def test_the_first_of_several_results_and_it_says_so(self, bot: BotProcess) -> None:
        several = await bot.result_of(await bot.img2img(count=2, steps=4))
        asked = await bot.client.say("a dog in the snow, count 1", reply_to=several.id)
        made = await bot.result_of(await bot.answer_to(asked))
        assert "I used the first of its 2 pictures. To use another one, reply to it with `picture 2`" in made.content
        asked = await bot.client.say("picture 2: a dog in the snow, count 1", reply_to=several.id)
        second = await bot.result_of(await bot.answer_to(asked))
        assert "**a dog in the snow**" in second.content
        assert "I used the first" not in second.content
        began_with = [
            bot.rows("SELECT input_sha256 FROM jobs WHERE result_message_id = ?", int(each.id))
            for each in (made, second)
        ]
        assert began_with[0] != began_with[1]

    async def test_nothing_said_is_asked_about(self, bot: BotProcess, result: Message) -> None:
        asked = await bot.client.say("@Palimpsest", reply_to=result.id)
        assert "What should be different" in (await bot.answer_to(asked)).content

    async def test_anothers_picture_if_discord_shows_it(self, bot: BotProcess) -> None:
        theirs = await bot.client.say("my coffee", files=[COFFEE], member="Linus")
        asked = await bot.client.say("@Palimpsest a rocket, steps 4", reply_to=theirs.id, referenced="filled")
        assert (await bot.result_of(await bot.answer_to(asked))).attachments

    @pytest.mark.parametrize("referenced", ["empty", "absent"])
    async def test_else_the_way_that_always_works_is_named(self, bot: BotProcess, referenced: str) -> None:
        theirs = await bot.client.say("my coffee", files=[COFFEE], member="Linus")
        asked = await bot.client.say("@Palimpsest a rocket", reply_to=theirs.id, referenced=referenced)  # pyright: ignore[reportArgumentType]  # a literal of the two
        assert "Apps → **Remix**" in (await bot.answer_to(asked)).content
