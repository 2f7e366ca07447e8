"""Control over the environment of a test: time, faults, permissions, limits, the bot's connection."""

from __future__ import annotations

from collections.abc import Sequence

from playground.client.records import FaultAction, GatewayAction
from playground.client.transport import Transport
from playground.models import Json


class Staging(Transport):
    """Changes that no member could make."""

    async def advance_clock(self, seconds: float) -> None:
        """Move the stand-in's clock forward."""
        await self.post("advance_clock", {"seconds": seconds})

    async def add_fault(
        self,
        path_pattern: str,
        *,
        method: str | None = None,
        action: FaultAction = "status",
        status: int = 500,
        retry_after_seconds: float = 0.1,
        is_global: bool = False,
        times: int | None = 1,
        share: float = 1.0,
    ) -> int:
        """Make ``times`` requests with a matching path fail (None: until cleared) and return the fault's id.

        With a ``share`` below 1 each matching request fails with that probability.
        """
        arguments: Json = {
            "path_pattern": path_pattern,
            "method": method,
            "action": action,
            "status": status,
            "retry_after_seconds": retry_after_seconds,
            "is_global": is_global,
            "times": times,
            "share": share,
        }
        return (await self.post("add_fault", arguments))["id"]

    async def clear_faults(self, fault_id: int | None = None) -> None:
        """Remove one fault or all; requests that hang on them continue."""
        await self.post("clear_faults", {"id": fault_id})

    async def set_rate_limit(self, pattern: str | None, *, limit: int = 5, per_seconds: float = 5.0) -> None:
        """Limit the matching routes ("POST /channels/{channel_id}/messages"); None restores the defaults."""
        await self.post("set_rate_limit", {"pattern": pattern, "limit": limit, "per_seconds": per_seconds})

    async def gateway(self, action: GatewayAction) -> None:
        """Disturb the bot's gateway connection."""
        await self.post("gateway", {"action": action})

    async def leave(self, member: str = "bot") -> None:
        """Remove a member, or the bot, from the server."""
        await self.post("leave", {"member": member})

    async def set_permissions(
        self, channel: str, *, deny: Sequence[str] = (), allow: Sequence[str] = (), target: str = "bot"
    ) -> None:
        """Set the overwrite of the bot, a member or a role in a channel, with Discord's names ("ATTACH_FILES")."""
        arguments = {"channel": channel, "deny": list(deny), "allow": list(allow), "target": target}
        await self.post("set_permissions", arguments)

    async def set_command_access(self, name: str, *, everybody: bool) -> None:
        """Grant a command to everybody, as a server can in its Integrations settings, or undo that."""
        await self.post("set_command_access", {"name": name, "everybody": everybody})

    async def set_upload_limit(self, max_file_bytes: int) -> None:
        """Set the server's maximum file size."""
        await self.post("set_upload_limit", {"bytes": max_file_bytes})

    async def add_member(self, name: str) -> None:
        """Add a member to the server."""
        await self.post("add_member", {"name": name})

    async def add_channel(self, name: str, *, age_restricted: bool = False, voice: bool = False) -> None:
        """Add a text channel, or a voice channel, which has a text chat as well."""
        await self.post("add_channel", {"name": name, "age_restricted": age_restricted, "voice": voice})

    async def add_foreign_channel(self, name: str, *, age_restricted: bool = False, is_group: bool = False) -> None:
        """Add a channel of a server that the bot is not in, or a group chat; every member is there."""
        arguments = {"name": name, "age_restricted": age_restricted, "is_group": is_group}
        await self.post("add_foreign_channel", arguments)

    async def set_user_install(self, member: str = "Ada", *, installed: bool = True) -> None:
        """Install the application to a member's account, or remove it; ``set_application`` has to allow that first."""
        await self.post("set_user_install", {"member": member, "installed": installed})

    async def add_thread(self, name: str, *, channel: str = "general") -> None:
        """Start a public thread in a text channel."""
        await self.post("add_thread", {"name": name, "channel": channel})

    async def set_thread(self, name: str, *, archived: bool, locked: bool = False) -> None:
        """Archive or unarchive a thread, and lock or unlock it."""
        await self.post("set_thread", {"name": name, "archived": archived, "locked": locked})

    async def time_out(self, seconds: float, *, member: str = "bot") -> None:
        """Time a member, or the bot, out for a while; 0 ends the timeout."""
        await self.post("time_out", {"member": member, "seconds": seconds})

    async def remove_channel(self, name: str) -> None:
        """Delete a channel with its messages."""
        await self.post("remove_channel", {"name": name})

    async def set_direct_messages(self, member: str, *, accepted: bool) -> None:
        """Set whether a member accepts direct messages from the bot."""
        await self.post("set_direct_messages", {"member": member, "accepted": accepted})

    async def set_privileged_intents(self, intents: int) -> None:
        """Grant the application privileged intents (a bit field); identifying with others is closed with 4014."""
        await self.post("set_privileged_intents", {"intents": intents})

    async def set_automod(self, *words: str) -> None:
        """Make the server's AutoMod block every message that contains one of these words, even inside other words."""
        await self.post("set_automod", {"words": list(words)})

    async def set_application(self, settings: Json) -> None:
        """Configure the application as its owner would, by the names of Discord's API; the rest gets its defaults."""
        await self.post("set_application", {"settings": settings})

    async def set_url_lifetime(self, seconds: float) -> None:
        """Set how long new file URLs are valid."""
        await self.post("set_url_lifetime", {"seconds": seconds})
