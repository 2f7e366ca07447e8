"""The playground's page in headless Chromium, with the real bot: from a dropped picture to Remix and Delete."""

import base64
import os
import shutil
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.async_api import ConsoleMessage, Locator, Page, Request, Response, async_playwright, expect

from playground.client import PlaygroundServer
from tests.end_to_end.bot_process import CAT, PHOTOGRAPHS, RESULT_SECONDS, BotProcess
from tests.pictures import encoded

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
# No sandbox, because tests also run as root; the rest keeps the browser from contacting anything but the stand-in.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHANNEL = "browser"
PREVIEW = "/preview.jpg"
RESULT_MILLISECONDS = RESULT_SECONDS * 1000
expect.set_options(timeout=RESULT_MILLISECONDS)  # 5 s are too short for a browser on a busy machine

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")


class Complaints(list[str]):
    """Everything that a browser's console would show in red, and every failed request.

    A preview may be replaced before the browser has requested it, or while it is loading.
    """

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.append(f"uncaught: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.location["url"].partition("?")[0].endswith(PREVIEW):
            self.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.resource_type == "image" and request.failure == "net::ERR_ABORTED":
            return
        self.append(f"failed: {request.method} {urlsplit(request.url).path} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not urlsplit(response.url).path.endswith(PREVIEW):
            self.append(f"{response.status}: {response.request.method} {urlsplit(response.url).path}")


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """The page, as a first-time visitor sees it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        try:
            page = await browser.new_page()
            page.set_default_timeout(RESULT_MILLISECONDS)
            yield page
        finally:
            await browser.close()


async def drop(page: Page, name: str, picture: bytes, *, on: str = "#messages") -> None:
    """Drop a file on a part of the page, as the browser reports it."""
    transfer = await page.evaluate_handle(
        """async ([encoded, name]) => {
            const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
            return transfer;
        }""",
        [base64.b64encode(picture).decode(), name],
    )
    for event in ("dragenter", "dragover", "drop"):
        await page.dispatch_event(on, event, {"dataTransfer": transfer})


async def shown_width(picture: Locator) -> int:
    """Return the width of a picture once it is really visible."""
    await expect(picture).to_be_visible()
    return await picture.evaluate(
        "async (image) => { image.scrollIntoView(); await image.decode(); return image.naturalWidth; }"
    )


async def switch_to(page: Page, member: str) -> None:
    await page.select_option("#member", member)
    await expect(page.locator("#composer-text")).to_have_attribute("placeholder", f"To #{CHANNEL} as {member}")


def message(page: Page, text: str) -> Locator:
    return page.locator("article.message", has_text=text)


async def test_from_drop_to_picture_to_remix_to_delete(bot: BotProcess, page: Page) -> None:
    await bot.client.add_channel(CHANNEL)  # a channel of the test's own
    cat = CAT.read_bytes()
    complaints = Complaints()
    complaints.watch(page)
    await page.goto(bot.server.address)
    await expect(page.get_by_role("status")).to_contain_text("Palimpsest is online")
    await page.get_by_role("button", name=f"# {CHANNEL}").click()
    await expect(page.locator("#composer-text")).to_have_attribute("placeholder", f"To #{CHANNEL} as Ada")

    await bot.client.say("my espresso", files=[PHOTOGRAPHS / "coffee.jpg"], member="Linus", channel=CHANNEL)
    coffee = message(page, "my espresso")
    assert await shown_width(coffee.locator("img.picture")) > 0

    # By keyboard: choose the command from the list, drop a picture into it, watch the progress, cancel.
    await page.locator("#composer-text").press_sequentially("/img")
    await expect(page.get_by_role("option", name="/img2img")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Enter")
    form = page.get_by_role("form", name="/img2img")
    await form.get_by_role("button", name="Send").click()  # empty: only required options are pointed out
    assert not await form.get_by_label("steps").is_visible()
    await drop(page, "cat.jpg", cat)
    await expect(form.get_by_text("cat.jpg")).to_be_visible()
    size = page.viewport_size
    assert size is not None
    await page.set_viewport_size({"width": 320, "height": 568})
    await expect(form.get_by_label("prompt *")).to_be_in_viewport(ratio=1)
    await page.set_viewport_size(size)
    await page.keyboard.type("a cat in the snow")  # the prompt is focused once there is a picture
    await form.get_by_text("more options").click()
    await form.get_by_label("steps").fill("4")
    with bot.held():
        await form.get_by_role("button", name="Send").click()
        await expect(form).to_be_hidden()
        status = message(page, "a cat in the snow")
        await expect(status).to_contain_text("/img2img")
        await expect(status).to_contain_text("Painting")
        await status.get_by_role("button", name="Cancel").click()
        await expect(message(page, "Cancelled")).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)

    # A picture dropped into the channel opens the command that takes one; the bot autocompletes the model's name.
    await drop(page, "cat.jpg", cat)
    await form.get_by_label("prompt *").fill("a cat on a beach")
    await form.get_by_text("more options").click()
    await form.get_by_label("steps").fill("4")
    await form.get_by_label("seed").fill("7")
    model = form.get_by_label("model")
    # All at once: the choices for a shorter text could be replaced while one is being picked.
    await model.fill("DEM")
    await expect(page.get_by_role("listbox", name="Choices").get_by_role("option")).to_have_count(1)
    await model.press("ArrowDown")
    await model.press("Enter")
    await expect(model).not_to_have_value("DEM")
    await form.get_by_role("button", name="Send").click()
    result = message(page, "seed 7")
    await expect(result).to_contain_text("a cat on a beach")
    await expect(result).to_contain_text("demo")
    picture = result.get_by_alt_text("a cat on a beach")
    assert await shown_width(picture) > 0
    await page.get_by_role("link", name=f"#{CHANNEL} › message", exact=True).click()
    await expect(result).to_be_focused()
    await result.get_by_role("button", name="Enlarge").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)

    # Another member's picture: right-click, Apps, Remix.
    await coffee.locator("img.picture").click(button="right")
    await expect(page.get_by_role("menu")).to_contain_text("Apps")
    await page.get_by_role("menuitem", name="Remix").click()
    modal = page.get_by_role("dialog", name="Remix")
    await modal.get_by_label("Prompt").fill("a castle at sunset")
    await modal.get_by_label("Seed").fill("8")
    await modal.get_by_label("More").fill("steps 4")
    await modal.get_by_role("button", name="Submit").click()
    await expect(modal).to_have_count(0)
    remix = message(page, "seed 8")
    await expect(remix).to_contain_text("a castle at sunset")
    assert await shown_width(remix.get_by_alt_text("a castle at sunset")) > 0

    # Delete is for the requester: Linus is told so in an ephemeral message; Ada's press deletes the message.
    await switch_to(page, "Linus")
    await remix.get_by_role("button", name="Delete").click()
    refusal = message(page, "Only the person")
    await expect(refusal).to_contain_text("Only you can see this")
    await switch_to(page, "Ada")
    await expect(refusal).to_have_count(0)
    await expect(remix).to_have_count(1)
    await remix.get_by_role("button", name="Delete").click()
    await expect(remix).to_have_count(0)
    await expect(result).to_have_count(1)

    assert complaints == []


async def test_a_picture_and_a_mask_are_two_fields_of_one_command(bot: BotProcess, page: Page) -> None:
    await bot.client.add_channel("masks")
    with Image.open(CAT) as cat:
        marks = Image.new("L", cat.size, 0)
    marks.paste(255, (0, 0, marks.width // 2, marks.height))
    await page.goto(bot.server.address)
    await page.get_by_role("button", name="# masks").click()
    await drop(page, "coffee.jpg", CAT.read_bytes())
    form = page.get_by_role("form", name="/img2img")
    await drop(page, "cat.jpg", CAT.read_bytes())  # another one replaces the first, and does not become its mask
    await expect(form.get_by_text("cat.jpg")).to_be_visible()
    await form.get_by_text("more options").click()
    await drop(page, "mask.jpg", encoded(marks, "JPEG"), on="label[for=option-mask].drop-zone")
    await expect(form.get_by_text("mask.jpg")).to_be_visible()
    await form.get_by_role("button", name="Remove mask").click()
    await expect(form.get_by_text("mask.jpg")).to_have_count(0)
    await form.locator("#option-mask").set_input_files(
        {"name": "mask.png", "mimeType": "image/png", "buffer": encoded(marks, "PNG")}
    )
    await form.get_by_label("prompt *").fill("a castle")
    await form.get_by_label("steps").fill("4")
    await form.get_by_role("button", name="Send").click()
    await expect(message(page, "masked parts only")).to_contain_text("a castle")


async def test_a_narrow_page_holds_what_is_in_it_and_what_was_sent_leaves_no_list_behind(page: Page) -> None:
    await page.set_viewport_size({"width": 320, "height": 568})
    async with PlaygroundServer() as server:
        await server.client.say("a" * 60 + " and a cat", files=[CAT])
        await page.goto(server.address)
        assert await shown_width(message(page, "and a cat").locator("img.picture")) > 0
        assert await page.evaluate("document.querySelector('header.bar').getBoundingClientRect().right") <= 320
        # The list follows growing content, but keeps its position after scrolling up.
        for act, is_at_end in (
            ("list.querySelector('img.picture').style.height = '900px'", True),
            ("list.scrollTop = 0", False),
        ):
            await page.evaluate(
                f"() => {{ const list = document.getElementById('messages'); {act};"
                " list.dispatchEvent(new Event('scroll')); }"
            )
            assert await page.locator("#newest").is_hidden() is is_at_end
        text = page.locator("#composer-text")
        await text.fill("/imagine a cat")
        await expect(page.get_by_text("no commands yet")).to_be_visible()
        await text.press("Enter")
        await expect(message(page, "/imagine a cat")).to_be_in_viewport()
        await expect(page.get_by_text("no commands yet")).to_be_hidden()


async def test_that_the_playground_has_ended_is_said_and_what_was_typed_is_kept(page: Page) -> None:
    async with PlaygroundServer() as server:
        await page.goto(server.address)
        await expect(page.locator("#composer-text")).to_have_attribute("placeholder", "To #general as Ada")
    # Notifications last only seconds, and may be gone when a test looks.
    await page.evaluate(
        """() => {
            const toasts = document.getElementById("toasts");
            window.said = new Promise((said) => {
                new MutationObserver(() => said(toasts.textContent)).observe(toasts, { childList: true });
            });
        }"""
    )
    await page.locator("#composer-text").fill("hello")
    await page.keyboard.press("Enter")
    assert "The playground has stopped. Start it again" in await page.evaluate("() => window.said")
    await expect(page.locator("#composer-text")).to_have_value("hello")
