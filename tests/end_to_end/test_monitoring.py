"""What operators see of the real bot at work: health, readiness, metrics, a machine-readable log, a live backup."""

import asyncio
import json
import re
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bot.storage.backup import back_up, restore
from tests.end_to_end.bot_process import ACKNOWLEDGE_SECONDS, QUICK, BotProcess

PROMPT = "an unmistakable rhinoceros"


async def ask(bot: BotProcess, path: str) -> tuple[int, str]:
    found = re.search(r"monitoring at (http://[\d.:]+)/healthz", bot.log)
    assert found is not None, bot.log
    async with aiohttp.ClientSession() as session, session.get(found[1] + path) as answer:
        return answer.status, await answer.text()


async def figures(bot: BotProcess) -> dict[str, float]:
    _, text = await ask(bot, "/metrics")
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_bot_at_work(bot: BotProcess) -> None:
    await bot.result_of(await bot.img2img(prompt=PROMPT, steps=4))
    await bot.status_with(await bot.img2img(Path(__file__), prompt=PROMPT), "⚠️")  # not a picture: it fails
    seen = await figures(bot)
    assert seen["palimpsest_jobs_total{delivered}"] >= 1
    assert seen["palimpsest_job_phase_seconds_count{painting}"] >= 1
    assert seen["palimpsest_acknowledgement_seconds_count"] >= 2
    assert seen["palimpsest_discord_responses_total{2xx}"] > 2
    assert seen["palimpsest_gateway_connections_total{ready}"] >= 1
    assert seen["palimpsest_database_commit_seconds_count"] > 2
    assert seen["palimpsest_executor_resident_memory_bytes"] > 50_000_000
    assert seen["palimpsest_ready"] == 1
    assert "rhinoceros" not in (await ask(bot, "/metrics"))[1]


async def test_health_and_readiness(bot: BotProcess) -> None:
    assert await ask(bot, "/healthz") == (200, '{"ok": true, "reasons": []}')
    await bot.result_of(await bot.img2img(steps=4))  # the model is loaded
    assert (await ask(bot, "/readyz"))[0] == 200
    await bot.client.command("operator pause", {}, member="Margaret")
    code, text = await ask(bot, "/readyz")
    assert (code, json.loads(text)["reasons"]) == (503, ["paused by the operator"])
    await bot.client.command("operator resume", {}, member="Margaret")
    assert (await ask(bot, "/readyz"))[0] == 200


async def test_an_answer_that_comes_too_late_is_no_error_that_nobody_foresaw(bot: BotProcess) -> None:
    before = (await figures(bot))["palimpsest_errors_total"]
    fault = await bot.client.add_fault(r"^/interactions/.*/callback$", method="POST", action="hang")
    asking = asyncio.create_task(bot.client.command("help", {}))
    await bot.client.wait_for_fault(fault)
    await bot.client.advance_clock(ACKNOWLEDGE_SECONDS)
    assert (await asking).failed
    await bot.client.clear_faults()
    await bot.until(lambda: "was not answered in time" in bot.log)
    assert (await figures(bot))["palimpsest_errors_total"] == before


async def test_every_error_that_somebody_sees_is_in_the_log_under_the_same_reference(bot: BotProcess) -> None:
    interaction = await bot.client.command("img2img", {"image": Path(__file__), "prompt": PROMPT})
    assert interaction.response is not None
    failed = await bot.status_with(interaction.response, "⚠️")
    found = re.search(r"Reference: (\w{8})$", failed.content, re.MULTILINE)
    assert found is not None, failed.content
    entries = [json.loads(line) for line in bot.log.splitlines()]
    (entry,) = [entry for entry in entries if entry.get("job", "").endswith(found[1])]
    assert "image_refused" in entry["message"]
    assert "rhinoceros" not in bot.log


async def test_a_backup_of_the_bot_at_work_goes_on_elsewhere(quick_bot: BotProcess, tmp_path: Path) -> None:
    bot = quick_bot
    delivered = await bot.result_of(await bot.img2img(steps=4))
    with bot.held():
        running = await bot.img2img(seed=2, steps=4)
        await bot.status_with(running, "Painting")
        waiting = await bot.img2img(seed=3, steps=4, member="Linus")
        await bot.status_with(waiting, "Queued")
        await asyncio.to_thread(back_up, bot.data_dir, tmp_path / "backup.tar")
        await bot.kill()  # its disk is lost
    restore(tmp_path / "backup.tar", tmp_path / "another")
    async with BotProcess(bot.server, tmp_path / "another", arguments=QUICK) as heir:
        assert "`2`" in (await heir.result_of(running)).content
        assert "`3`" in (await heir.result_of(waiting)).content
        pressed = await heir.client.press(delivered.id, "Again")
        assert pressed.response is not None
        assert (await heir.result_of(pressed.response)).attachments
