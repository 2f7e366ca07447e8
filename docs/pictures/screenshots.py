"""Take the pictures of the playground: the real bot, the embedded model, headless Chromium, a font with emoji.

python -m docs.pictures.screenshots
"""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from playground.client import Message, PlaygroundServer
from playground.demo import PHOTOGRAPHS, running_bot

HERE = Path(__file__).resolve().parent
COFFEE = PHOTOGRAPHS / "coffee.jpg"
SECONDS = 300.0


async def result(server: PlaygroundServer, channel: str, text: str) -> Message:
    """Wait for the result whose card has the text."""

    def is_it(message: Message) -> bool:
        return f"**{text}**" in message.content and bool(message.attachments)  # a status message quotes it plainly

    return await server.client.wait_for_message(is_it, channel=channel, timeout_seconds=SECONDS)


async def fill(server: PlaygroundServer) -> None:
    """Let people talk and paint: a picture by command, with its input, two by a mention, over the first a ladder."""
    client = server.client
    await client.say("My coffee is far too ordinary today.", files=[COFFEE], member="Linus")
    options = {"image": COFFEE, "prompt": "a house at sunset", "strength": 0.65, "seed": 4}
    await client.command("img2img", options)
    house = await result(server, "general", "a house at sunset")
    await client.press(house.id, "Before/after")
    await client.wait_for_edit(house.id, lambda message: len(message.attachments) == 2)
    words = "@Palimpsest a dog in a meadow, count 2, seed 4, strength 0.65"
    await client.say(words, files=[PHOTOGRAPHS / "cat.jpg"], channel="gallery")
    dogs = await result(server, "gallery", "a dog in a meadow")
    await client.say("a lion in the desert, seed 4, strength 0.7", files=[COFFEE], channel="@Ada")
    await result(server, "@Ada", "a lion in the desert")
    await client.say(
        "@Palimpsest a fox in the snow, strength ladder, seed 7", reply_to=dogs.id, member="Linus", channel="gallery"
    )
    await result(server, "gallery", "a fox in the snow")


async def shoot(browser: Browser, address: str, channel: str, name: str, width: int, height: int, scheme: str) -> None:
    """Take one picture of a channel, down to its last message."""
    page = await browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if width < 500 else 1,
    )
    await page.goto(address)
    if width < 500:
        await page.get_by_role("button", name="Channels and members").click()
    await page.get_by_role("button", name=channel).click()
    pictures = page.locator("article.message img.picture")
    await pictures.last.evaluate("(image) => { image.scrollIntoView(); return image.decode(); }")
    await page.locator("#messages").evaluate("(messages) => messages.scrollTo(0, messages.scrollHeight)")
    await page.screenshot(path=HERE / f"{name}.png")
    await page.close()


async def main() -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MONITORING_PORT"] = "0"
        async with (
            PlaygroundServer(port=0, bot_name="Palimpsest") as server,
            running_bot(server, Path(folder)),
            async_playwright() as playwright,
        ):
            await server.client.wait_until_bot_ready(timeout_seconds=SECONDS)
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            await fill(server)
            await shoot(browser, server.address, "# gallery", "playground-dark", 1040, 1120, "dark")
            await shoot(browser, server.address, "# general", "playground-light", 1040, 1000, "light")
            await shoot(browser, server.address, "@ Palimpsest", "playground-phone", 390, 844, "light")
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
