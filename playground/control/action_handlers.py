"""Control requests that act as a member and wait for the bot's answer."""

from __future__ import annotations

from playground.context import Playground
from playground.control.arguments import Action, Files
from playground.control.member_actions import MemberActions
from playground.control.options import first_choices
from playground.models import Interaction, Json


class ActionHandlers:
    """Unpacks the arguments of members' actions."""

    def __init__(self, playground: Playground, member_actions: MemberActions) -> None:
        self.playground = playground
        self.member_actions = member_actions

    def actions(self) -> dict[str, Action]:
        """Return the actions by name."""
        return {
            "say": self.say,
            "edit": self.edit,
            "delete": self.delete,
            "command": self.command,
            "burst": self.burst,
            "message_command": self.message_command,
            "user_command": self.user_command,
            "press": self.press,
            "submit_modal": self.submit_modal,
            "autocomplete": self.autocomplete,
        }

    async def say(self, arguments: Json, files: Files) -> Json:
        message = self.member_actions.say(
            arguments["member"],
            arguments["channel"],
            arguments.get("content", ""),
            list(files.values()),
            reply_to=arguments.get("reply_to"),
            ping=arguments.get("ping", True),
            shown=arguments.get("referenced", "filled"),
            embeds=arguments.get("embeds"),
        )
        return self.playground.views.message(message)

    async def edit(self, arguments: Json, _files: Files) -> Json:
        message = self.member_actions.edit(arguments["member"], arguments["message_id"], arguments["content"])
        return self.playground.views.message(message)

    async def delete(self, arguments: Json, _files: Files) -> Json:
        self.member_actions.delete(arguments["member"], arguments["message_id"])
        return {}

    async def command(self, arguments: Json, files: Files) -> Json:
        options = arguments.get("options") or {}
        return await self._finished(
            self.member_actions.command(arguments["member"], arguments["channel"], arguments["name"], options, files),
            arguments,
        )

    async def burst(self, arguments: Json, files: Files) -> Json:
        """Start many interactions before the bot can answer the first."""
        members, channels = arguments["members"], arguments["channels"]
        started = [
            self.member_actions.command(
                members[number % len(members)],
                channels[number % len(channels)],
                arguments["name"],
                dict(arguments.get("options") or {}),
                dict(files),
            )
            for number in range(int(arguments["times"]))
        ]
        for interaction in started:
            await interaction.settled.wait()
        return {"interactions": [self.playground.views.interaction(interaction) for interaction in started]}

    async def message_command(self, arguments: Json, _files: Files) -> Json:
        started = self.member_actions.message_command(arguments["member"], arguments["name"], arguments["message_id"])
        return await self._finished(started, arguments)

    async def user_command(self, arguments: Json, _files: Files) -> Json:
        started = self.member_actions.user_command(
            arguments["member"], arguments["channel"], arguments["name"], arguments["target"]
        )
        return await self._finished(started, arguments)

    async def press(self, arguments: Json, _files: Files) -> Json:
        values = arguments.get("values") or []
        started = self.member_actions.press(
            arguments["member"], arguments["message_id"], arguments["component"], values
        )
        return await self._finished(started, arguments)

    async def submit_modal(self, arguments: Json, _files: Files) -> Json:
        started = self.member_actions.submit_modal(
            arguments["member"], arguments["interaction_id"], arguments["values"]
        )
        return await self._finished(started, arguments)

    async def autocomplete(self, arguments: Json, _files: Files) -> Json:
        interaction = self.member_actions.autocomplete(
            arguments["member"],
            arguments["channel"],
            arguments["name"],
            arguments["option"],
            arguments["value"],
            arguments.get("options") or {},
        )
        await interaction.settled.wait()
        return {"choices": first_choices(interaction.choices or []), "failed": interaction.failed}

    async def _finished(self, interaction: Interaction, arguments: Json) -> Json:
        """Wait until the bot has acknowledged or can no longer do so, unless the caller does not want to wait."""
        if arguments.get("wait", True):
            await interaction.settled.wait()
        return self.playground.views.interaction(interaction)
