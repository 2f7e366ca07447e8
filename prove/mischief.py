"""What members do at random and all at once: request, press, reply, edit, delete, and revoke permissions in between."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from playground.client import Interaction, Message, PlaygroundClient, PlaygroundError
from prove.restarts import MEMBERS
from tests.end_to_end.bot_process import PHOTOGRAPHS

CHANNELS, SHUT, THREAD, MODERATOR = ("general", "gallery"), "shut now and then", "a thread", "Grace"
_PICTURES = (PHOTOGRAPHS / "drawing-cat.png", PHOTOGRAPHS / "coffee-cut-out.png")
_REPLIES = (
    "again",
    "strength 0.7",
    "strength ladder",
    "a dog instead",
    "repaint: transparent",
    "a beach, repaint: transparent",
    "seed 5 steps 3",
    "seed?",
    "thanks",
    "help",
)
_RIGHTS = ("SEND_MESSAGES", "VIEW_CHANNEL", "ATTACH_FILES", "READ_MESSAGE_HISTORY", "SEND_MESSAGES_IN_THREADS")
_TROUBLES = ({"status": 502}, {"status": 429}, {"action": "reset"}, {"action": "page", "status": 502})
_PATHS = (r"^/interactions/.*/callback$", r"^/channels/\d+/messages/\d+$", r"^/channels/\d+/messages$")
_SHUT_SECONDS = 2.0


class Mischief:
    """Members of a stand-in server; ``done`` counts what they did."""

    def __init__(self, client: PlaygroundClient, chance: random.Random) -> None:
        self._client = client
        self._chance = chance
        self._written: list[tuple[str, Message]] = []
        self._forms: list[tuple[str, Interaction]] = []
        self.done = 0
        self._acts: dict[Callable[[str], Awaitable[object]], float] = {
            self._ask: 20,
            self._write: 10,
            self._press: 16,
            self._press_together: 6,
            self._fill_in: 6,
            self._reply: 8,
            self._edit: 4,
            self._take_back: 4,
            self._delete: 5,
            self._remix: 4,
            self._forget: 2,
            self._shut_out: 4,
            self._break: 4,
            self._drop: 1,
        }

    async def set_up(self) -> None:
        """Create the channels."""
        await self._client.add_channel(SHUT)
        await self._client.add_thread(THREAD)

    async def go_on(self, member: str) -> None:
        """Act at random until cancelled; acts that Discord's client would not allow are skipped."""
        acts, weights = list(self._acts), list(self._acts.values())
        while True:
            (act,) = self._chance.choices(acts, weights)
            with contextlib.suppress(PlaygroundError):
                await act(member)
                self.done += 1
            await asyncio.sleep(self._chance.expovariate(3))

    async def messages(self) -> list[Message]:
        """Return the bot's messages that nobody has deleted, without ephemeral ones."""
        places = (*CHANNELS, SHUT, THREAD, *(f"@{member}" for member in MEMBERS))
        found = [message for place in places for message in await self._client.messages(place)]
        return [message for message in found if message.author_is_bot and not message.ephemeral]

    def _place(self, member: str) -> str:
        return self._chance.choice((*CHANNELS, SHUT, THREAD, f"@{member}"))

    def _steps(self) -> int:
        return self._chance.choice((1, 2, 4, 10, 30))

    async def _ask(self, member: str) -> None:
        options = {
            "image": self._chance.choice(_PICTURES),
            "prompt": "a cat",
            "steps": self._steps(),
            "count": self._chance.choice((1, 1, 3)),
            "repaint": self._chance.choice(("all", "all", "transparent")),
        }
        if self._chance.choice((True, False, False)):
            options["mask"] = self._chance.choice(_PICTURES)  # of the same shape, of another one, or with "all"
        await self._client.command("img2img", options, member=member, channel=self._place(member))

    async def _write(self, member: str) -> None:
        text = f"@Palimpsest a fox, steps {self._steps()}"
        place, files = self._place(member), [self._chance.choice(_PICTURES)]
        self._written.append((member, await self._client.say(text, member=member, channel=place, files=files)))

    async def _edit(self, _member: str) -> None:
        if self._written:
            member, message = self._chance.choice(self._written)
            await self._client.edit_message(message.id, f"@Palimpsest a bear, steps {self._steps()}", member=member)

    async def _take_back(self, _member: str) -> None:
        if self._written:
            member, message = self._chance.choice(self._written)
            await self._client.delete_message(message.id, member=member)

    async def _any(self, *, with_buttons: bool = False) -> Message | None:
        """Return one of the bot's messages, usually a recent one."""
        messages = [message for message in await self.messages() if message.labels() or not with_buttons]
        if not messages:
            return None
        return self._chance.choice(messages[-25:] if self._chance.random() < 0.7 else messages)

    async def _delete(self, _member: str) -> None:
        if (message := await self._any()) is not None:
            await self._client.delete_message(message.id, member=MODERATOR)

    async def _press(self, member: str) -> None:
        if (message := await self._any(with_buttons=True)) is not None:
            self._note(await self._client.press(message.id, self._chance.choice(message.labels()), member=member))

    async def _press_together(self, _member: str) -> None:
        if (message := await self._any(with_buttons=True)) is not None:
            label = self._chance.choice(message.labels())
            presses = (self._client.press(message.id, label, member=member) for member in MEMBERS)
            for pressed in await asyncio.gather(*presses, return_exceptions=True):
                if isinstance(pressed, Interaction):
                    self._note(pressed)

    def _note(self, interaction: Interaction) -> None:
        if interaction.modal is not None:
            self._forms.append((interaction.member, interaction))

    async def _fill_in(self, _member: str) -> None:
        if self._forms:
            member, form = self._forms.pop(self._chance.randrange(len(self._forms)))
            for _ in range(self._chance.choice((1, 1, 2))):
                values = {"prompt": "a pig", "more": f"steps {self._steps()}"}
                await self._client.submit_modal(form, values, member=member)

    async def _reply(self, member: str) -> None:
        if (message := await self._any()) is not None:
            text = self._chance.choice(_REPLIES)
            await self._client.say(text, member=member, channel=message.channel, reply_to=message.id)

    async def _remix(self, member: str) -> None:
        if (message := await self._any()) is not None:
            self._note(await self._client.message_command("Remix", message.id, member=member))

    async def _forget(self, member: str) -> None:
        await self._client.command("privacy delete", {"what": "requests"}, member=member, channel=self._place(member))

    async def _shut_out(self, _member: str) -> None:
        """Revoke one of the bot's permissions for a while, time it out, or close a thread."""
        match self._chance.randrange(3):
            case 0:
                await self._client.set_permissions(SHUT, deny=[self._chance.choice(_RIGHTS)])
            case 1:
                await self._client.time_out(3600)
            case _:
                await self._client.set_thread(THREAD, archived=True, locked=self._chance.random() < 0.5)
        try:
            await asyncio.sleep(self._chance.uniform(0.1, _SHUT_SECONDS))
        finally:
            await self.open_again()

    async def open_again(self) -> None:
        """Restore everything that was revoked."""
        await self._client.set_permissions(SHUT)
        await self._client.time_out(0)
        await self._client.set_thread(THREAD, archived=False)

    async def _break(self, _member: str) -> None:
        trouble, times = self._chance.choice(_TROUBLES), self._chance.choice((1, 2, 6))
        await self._client.add_fault(self._chance.choice(_PATHS), times=times, **trouble)  # type: ignore[arg-type]

    async def _drop(self, _member: str) -> None:
        await self._client.gateway(self._chance.choice(("drop", "reconnect", "invalid_session")))
