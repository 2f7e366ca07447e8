"""Settings by moderators, members and the operator; each command once successfully and once not.

Who may use which is in ``test_permission_table.py``; what is said while the bot closes in ``test_restart.py``.
"""

import pytest

from playground.client import PlaygroundError
from tests.end_to_end.bot_process import CAT, BotProcess, told


async def defaults(
    bot: BotProcess, verb: str, member: str = "Grace", channel: str = "general", **options: str | float
) -> str:
    return told(await bot.client.command(f"defaults {verb}", options, member=member, channel=channel))


class TestDefaults:
    async def test_channel_over_server_over_model_and_the_narrower_limit(self, bot: BotProcess) -> None:
        await bot.client.add_channel("layers")
        await defaults(bot, "set", "Grace", "layers", where="server", strength=0.3, max_strength=0.6, max_steps=12)
        shown = await defaults(bot, "set", "Grace", "layers", where="channel", strength=0.4, max_strength=0.9)
        assert "strength: **0.4** (from the channel), at most 0.6 (from the server)" in shown
        assert "steps: **12** (from the server), at most 12 (from the server)" in shown
        made = await bot.result_of(await bot.img2img(channel="layers"))
        assert "strength 0.4" in made.content
        assert "12 steps" in made.content
        past = await bot.client.command("img2img", {"image": CAT, "prompt": "x", "strength": 0.7}, channel="layers")
        assert "The limit for strength here is 0.6 (set for this server)" in told(past)
        await defaults(bot, "set", "Grace", "layers", where="channel", max_steps=3)
        again = await bot.client.press(made.id, "Again", member="Linus")
        assert again.response is not None
        assert "3 steps" in (await bot.result_of(again.response)).content
        trail = told(await bot.client.command("moderation audit", {}, member="Grace"))
        for line in ("the whole server: strength 0.3, ", "layers: strength 0.4, ", "layers: max\\_steps 3"):
            assert f"set defaults · {line}" in trail.replace("\\#", ""), trail
        await defaults(bot, "reset", "Grace", "layers", where="server")
        shown = await defaults(bot, "reset", "Grace", "layers", where="channel", name="strength")
        assert "at most 0.9 (from the channel)" in shown
        assert "(from the model)" in shown
        await defaults(bot, "reset", "Grace", "layers", where="channel")

    async def test_nothing_to_set_and_a_default_beyond_its_limit(self, bot: BotProcess) -> None:
        assert "at least one value" in await defaults(bot, "set", where="server")
        beyond = await defaults(bot, "set", where="server", strength=0.9, max_strength=0.5)
        assert "can't be higher than its maximum, 0.5" in beyond

    async def test_models_that_are_not_here_or_not_allowed(self, bot: BotProcess) -> None:
        assert "hasn't been downloaded" in await defaults(bot, "set", where="server", model="stable-diffusion-xl")
        assert "no model called" in await defaults(bot, "set", where="server", models="nonsense")

    async def test_a_channel_whose_models_are_not_here_says_so_and_is_mended(self, bot: BotProcess) -> None:
        await bot.client.add_channel("modern")
        shown = await defaults(bot, "set", channel="modern", where="channel", models="sd-turbo", max_steps=4)
        assert "allowed models: sd-turbo (from the channel)" in shown
        assert "steps: the model's own, at most 4 (from the channel)" in shown
        assert "⚠️" in shown
        assert await defaults(bot, "show", channel="modern") == shown
        refused = await bot.client.command("img2img", {"image": CAT, "prompt": "a fox"}, channel="modern")
        assert "The model sd-turbo hasn't been downloaded yet" in told(refused)
        assert "a fox" in told(refused)
        shown = told(await bot.client.command("help", {}, channel="modern"))
        assert "/img2img" in shown
        assert "hasn't been downloaded yet" in shown
        assert "knows a few dozen things" not in shown
        shown = await defaults(bot, "reset", channel="modern", where="channel", name="models")
        assert "⚠️" not in shown
        assert "model: **demo** (from the operator)" in shown

    async def test_lists_that_exclude_each_other_are_shown_and_mended(self, bot: BotProcess) -> None:
        await bot.client.add_channel("strict")
        await defaults(bot, "set", channel="strict", where="channel", models="demo")
        shown = await defaults(bot, "set", channel="strict", where="server", models="sd-turbo")
        assert "⚠️ The model demo isn't allowed here (set for this server)." in shown
        assert "The model demo isn't allowed here" in told(await bot.client.command("help", {}, channel="strict"))
        shown = await defaults(bot, "reset", channel="strict", where="server", name="models")
        assert "⚠️" not in shown

    async def test_models_are_offered_by_name(self, bot: BotProcess) -> None:
        for command, option in (("defaults set", "model"), ("preferences set", "model"), ("operator model", "name")):
            choices = await bot.client.autocomplete(command, option, "dem", member="Margaret")
            assert [choice["value"] for choice in choices] == ["demo"]


class TestPreferences:
    async def test_a_members_own_come_first(self, bot: BotProcess) -> None:
        shown = told(await bot.client.command("preferences set", {"strength": 0.35, "steps": 6}, member="Linus"))
        assert "strength: **0.35** (from you)" in shown
        made = await bot.result_of(await bot.img2img(member="Linus"))
        assert "strength 0.35" in made.content
        assert "6 steps" in made.content
        shown = told(await bot.client.command("preferences reset", {"name": "strength"}, member="Linus"))
        assert "0.35" not in shown
        assert "steps: **6** (from you)" in shown
        await bot.client.command("preferences reset", {}, member="Linus")
        shown = told(await bot.client.command("preferences show", {}, member="Linus"))
        assert "(from you)" not in shown

    async def test_a_negative_prompt_is_kept_and_can_be_left_out_once(self, bot: BotProcess) -> None:
        kept: dict[str, str | int] = {"negative_prompt": "blurry *things*", "sampler": "euler", "size": 64}
        shown = told(await bot.client.command("preferences set", kept, member="Linus"))
        assert "negative_prompt: blurry \\*things\\* (from you)" in shown
        made = await bot.result_of(await bot.img2img(member="Linus", steps=4))
        assert "without: blurry" in made.content
        assert "· Euler" in made.content
        assert "• size: **64** (from you), at most 96 (from the model)\n• sampler: **Euler** (from you)" in shown
        form = await bot.client.press(made.id, "Edit", member="Linus")
        sent = await bot.client.submit_modal(form, {"more": "steps 4"}, member="Linus")
        assert sent.response is not None
        assert "without:" not in (await bot.result_of(sent.response)).content
        theirs = await bot.client.say("look", files=[CAT])
        form = await bot.client.message_command("Remix", theirs.id, member="Linus")
        sent = await bot.client.submit_modal(form, {"prompt": "a dog", "more": "steps 4"}, member="Linus")
        assert sent.response is not None
        assert "without: blurry" in (await bot.result_of(sent.response)).content
        shown = told(await bot.client.command("preferences reset", {"name": "negative_prompt"}, member="Linus"))
        assert "blurry" not in shown
        await bot.client.command("preferences reset", {}, member="Linus")

    async def test_they_bow_to_the_limits_of_the_place(self, bot: BotProcess) -> None:
        await bot.client.add_channel("narrow")
        await defaults(bot, "set", channel="narrow", where="channel", max_strength=0.5)
        await bot.client.command("preferences set", {"strength": 0.9}, member="Linus")
        shown = told(await bot.client.command("preferences show", {}, member="Linus", channel="narrow"))
        assert "strength: **0.5** instead of 0.9 (from you), at most 0.5 (from the channel)" in shown
        made = await bot.result_of(await bot.img2img(member="Linus", channel="narrow", steps=4))
        assert "strength 0.5" in made.content
        await bot.client.command("preferences reset", {}, member="Linus")

    async def test_nothing_to_set_and_a_model_that_is_not_here(self, bot: BotProcess) -> None:
        assert "at least one value" in told(await bot.client.command("preferences set", {}))
        chosen = await bot.client.command("preferences set", {"model": "sd-turbo"})
        assert "hasn't been downloaded yet" in told(chosen)


class TestQueueAndHelp:
    async def test_the_queue_shows_ones_own(self, bot: BotProcess) -> None:
        await bot.result_of(await bot.img2img(steps=4))  # so that the duration of a job is known
        await bot.queue_says("Nobody is waiting")  # jobs of earlier tests are over
        with bot.held():
            running = await bot.img2img(steps=4)
            await bot.status_with(running, "Painting")
            waiting = await bot.img2img(prompt="a patient fox", steps=4, member="Linus")
            await bot.status_with(waiting, "Queued")
            shown = told(await bot.client.command("queue", {}, member="Linus"))
            assert "1 running, 1 waiting" in shown
            assert "All of this will take about" in shown
            assert "a patient fox" in shown
            assert "a cat on a beach" not in shown  # it is Ada's
            await bot.client.press(running.id, "Cancel", member="Grace")
        await bot.result_of(waiting)

    async def test_help(self, bot: BotProcess) -> None:
        shown = told(await bot.client.command("help", {}))
        assert "knows a few dozen things" in shown
        assert len(shown) <= 2000


class TestOperator:
    async def test_pause_and_resume(self, bot: BotProcess) -> None:
        told(await bot.client.command("operator pause", {}, member="Margaret"))
        waiting = await bot.img2img(steps=4)
        await bot.status_with(waiting, "paused by the operator")
        assert "Paused by the operator" in told(await bot.client.command("queue", {}))
        assert await bot.results(waiting) == []
        told(await bot.client.command("operator resume", {}, member="Margaret"))
        assert (await bot.result_of(waiting)).attachments

    async def test_drain_takes_nothing_new(self, bot: BotProcess) -> None:
        told(await bot.client.command("operator drain", {}, member="Margaret"))
        refused = await bot.client.command("img2img", {"image": CAT, "prompt": "x"})
        assert "not taking any new requests" in told(refused)
        asked = await bot.client.say("@Palimpsest a fox", files=[CAT])
        answer = await bot.answer_to(asked)
        assert "not taking any new requests" in answer.content
        told(await bot.client.command("operator resume", {}, member="Margaret"))
        assert (await bot.result_of(await bot.img2img(steps=4))).attachments

    async def test_the_model(self, bot: BotProcess) -> None:
        shown = told(await bot.client.command("operator model", {"name": "demo"}, member="Margaret"))
        assert "until the next restart" in shown
        shown = told(await bot.client.command("operator model", {"name": "sd-turbo"}, member="Margaret"))
        assert "hasn't been downloaded" in shown


class TestLimits:
    async def limits(self, bot: BotProcess, verb: str, **options: str | float) -> str:
        return told(await bot.client.command(f"limits {verb}", options, member="Grace"))

    async def test_who_may_not_ask_may_not_by_any_way(self, bot: BotProcess) -> None:
        result = await bot.result_of(await bot.img2img(member="Linus", steps=4))
        assert "@everyone: may not ask" in await self.limits(bot, "set", role="@everyone", allowed=False)
        shown = await self.limits(bot, "set", role="Moderator", allowed=True)
        assert ": may ask" in shown
        refusal = "Your roles don't let you ask for pictures"
        assert refusal in told(await bot.client.command("img2img", {"image": CAT, "prompt": "x"}, member="Linus"))
        assert refusal in told(await bot.client.press(result.id, "Again", member="Linus"))
        asked = await bot.client.say("@Palimpsest a fox", files=[CAT], member="Linus")
        assert refusal in (await bot.answer_to(asked)).content
        assert (await bot.result_of(await bot.img2img(member="Grace", steps=4))).attachments
        await self.limits(bot, "reset", role="Moderator")
        assert "none yet" in await self.limits(bot, "reset", role="@everyone")

    async def test_a_pause_holds_for_the_members_of_a_role_until_it_is_reset(self, bot: BotProcess) -> None:
        assert "none yet" in await self.limits(bot, "show")
        assert (await bot.result_of(await bot.img2img(member="Linus", steps=4))).attachments
        shown = await self.limits(bot, "set", role="@everyone", cooldown=3600, daily_budget=7200)
        assert "@everyone: 3600 s between two requests, 7200 s of painting in 24 hours" in shown
        second = await bot.client.command("img2img", {"image": CAT, "prompt": "x"}, member="Linus")
        assert "You have to wait between requests (set for this server)" in told(second)
        shown = told(await bot.client.command("queue", {}, member="Linus"))
        assert told(second).partition("\n")[0] in shown
        assert "right away" not in shown
        trail = told(await bot.client.command("moderation audit", {}, member="Grace"))
        assert "set limits · @​everyone: 3600 s between two requests, 7200 s of painting in 24 hours" in trail
        assert "none yet" in await self.limits(bot, "reset", role="@everyone")
        assert "pause" not in told(await bot.client.command("queue", {}, member="Linus"))
        assert (await bot.result_of(await bot.img2img(member="Linus", steps=4))).attachments

    async def test_nothing_to_set_and_nobody_but_moderators(self, bot: BotProcess) -> None:
        assert "at least one value" in await self.limits(bot, "set", role="@everyone")
        with pytest.raises(PlaygroundError):
            await bot.client.command("limits show", {}, member="Ada")
