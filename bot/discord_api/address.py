"""The server that the library talks to: Discord's own, unless the settings name another."""

from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL


def point_library_at(api_url: str | None, gateway_url: str | None) -> None:
    """Make discord.py use other addresses than Discord's; None leaves an address unchanged.

    The library keeps them as class attributes (discord.py 2.7.1: ``Route.BASE`` and
    ``DiscordWebSocket.DEFAULT_GATEWAY``), so call this before a client connects.
    """
    if api_url is not None:
        Route.BASE = api_url.rstrip("/")
    if gateway_url is not None:
        DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway_url)
