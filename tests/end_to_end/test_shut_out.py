"""A server that locks the bot out with a full queue causes no generation and no requests that Discord refuses."""

from pathlib import Path

from tests.end_to_end.bot_process import QUICK, BotProcess, stand_in


async def test_what_waits_in_a_channel_that_is_closed_is_not_painted_and_discord_is_not_asked(tmp_path: Path) -> None:
    async with stand_in() as server, BotProcess(server, tmp_path, arguments=QUICK) as bot:
        await bot.client.command("operator pause", {}, member="Margaret", channel="@Margaret")
        members = ("Ada", "Linus", "Grace")
        for member in members:
            await bot.status_with(await bot.img2img(member=member, steps=2), "paused")
        before = len(await bot.client.calls())
        await bot.client.set_permissions("general", deny=["VIEW_CHANNEL"])
        await bot.client.command("operator resume", {}, member="Margaret", channel="@Margaret")
        failed = "SELECT state, failure_kind, started_at FROM jobs"
        await bot.until(lambda: bot.rows(failed) == [("failed", "closed_meanwhile", None)] * len(members))
        # A direct message request is served only after everything about the others has been said, or not.
        assert (await bot.result_of(await bot.img2img(channel="@Ada", steps=2))).attachments
        refused = [call for call in (await bot.client.calls())[before:] if call.status in (401, 403, 429)]
        assert not refused
