"""Interactions: their creation, their limits of 3 seconds and 15 minutes, and how they were answered."""

from __future__ import annotations

import asyncio
import secrets

from playground import errors, limits
from playground.feed import Feed
from playground.gateway.sessions import Gateway
from playground.installations import authorizing_owners
from playground.models import CallbackType, Interaction, InteractionType, Json
from playground.views import Views
from playground.wire_messages import MessageWriter
from playground.world import World


class Interactions:
    """Every interaction, from the member's action to the expiry of its token."""

    def __init__(
        self,
        world: World,
        gateway: Gateway,
        writer: MessageWriter,
        views: Views,
        feed: Feed,
        *,
        acknowledge_seconds: float,
    ) -> None:
        self._acknowledge_seconds = acknowledge_seconds
        self._world = world
        self._gateway = gateway
        self._writer = writer
        self._views = views
        self._feed = feed
        self._by_token: dict[str, Interaction] = {}
        self._watches: set[asyncio.Task[None]] = set()

    def start(
        self,
        kind: InteractionType,
        *,
        user_id: int,
        channel_id: int,
        data: Json,
        command_name: str = "",
        message_id: int | None = None,
        parent: Interaction | None = None,
    ) -> Interaction:
        """Create an interaction and send it to the bot.

        A form, and a button under an answer, have the owners of the interaction that led to them, whoever uses them.
        """
        world = self._world
        above = world.messages.get(message_id or 0) if kind is InteractionType.COMPONENT else None
        source = parent or world.interactions.get(above.interaction_id or 0 if above is not None else 0)
        is_command = kind in (InteractionType.COMMAND, InteractionType.AUTOCOMPLETE)
        command = world.commands[int(data["id"])] if is_command else None
        interaction = Interaction(
            id=self._world.ids.next(),
            token=secrets.token_urlsafe(60),
            type=kind,
            user_id=user_id,
            channel_id=channel_id,
            data=data,
            created_at=self._world.clock.now(),
            authorizing_owners=(
                authorizing_owners(world, world.channel(channel_id), user_id, command)
                if source is None
                else source.authorizing_owners
            ),
            command_name=command_name,
            message_id=message_id,
            parent_id=parent.id if parent else None,
        )
        self._world.interactions[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        self._gateway.dispatch("INTERACTION_CREATE", lambda _intents: self._writer.interaction(interaction))
        self.announce(interaction)
        watch = asyncio.create_task(self._watch(interaction), name=f"interaction {interaction.id}")
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return interaction

    async def _watch(self, interaction: Interaction) -> None:
        await self._world.clock.sleep_until(interaction.created_at + self._acknowledge_seconds)
        if interaction.callback_type is None:
            interaction.failed = True
            interaction.settled.set()
            self.announce(interaction)

    def announce(self, interaction: Interaction) -> None:
        """Tell the page and the tests the interaction's current state."""
        self._feed.publish("interaction", self._views.interaction(interaction))

    def acknowledge(self, interaction_id: int, token: str, callback: CallbackType) -> Interaction:
        """Accept the first answer to an interaction. Raises DiscordError: 10062 if late, 40060 for a second one."""
        interaction = self._world.interactions.get(interaction_id)
        if interaction is None or not secrets.compare_digest(interaction.token.encode(), token.encode()):
            raise errors.unknown_interaction()
        if interaction.callback_type is not None:
            raise errors.already_acknowledged()
        elapsed = self._world.clock.now() - interaction.created_at
        if interaction.failed or elapsed > self._acknowledge_seconds:
            raise errors.unknown_interaction()
        interaction.callback_type = callback
        interaction.acknowledged_after_seconds = elapsed
        return interaction

    def settle(self, interaction: Interaction) -> None:
        """Note that the acknowledgement has taken effect."""
        interaction.settled.set()
        self.announce(interaction)

    def by_token(self, application_id: int, token: str) -> Interaction:
        """Return the interaction of a webhook token, if the token is valid and the interaction has been answered."""
        if application_id != self._world.application_id:
            raise errors.unknown_webhook()
        interaction = self._by_token.get(token)
        if interaction is None:
            raise errors.invalid_webhook_token()
        if self._world.clock.now() - interaction.created_at > limits.INTERACTION_TOKEN_SECONDS:
            raise errors.invalid_webhook_token()
        if interaction.callback_type is None:
            raise errors.unknown_webhook()
        return interaction

    async def close(self) -> None:
        """Stop watching."""
        for watch in list(self._watches):
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
