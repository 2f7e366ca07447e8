"""All parts of one stand-in in one object, for the routes."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from playground.clock import Clock
from playground.faults import Faults
from playground.feed import Feed
from playground.files import FileStore
from playground.gateway.sessions import Gateway
from playground.interactions import Interactions
from playground.journal import Journal
from playground.judge import Judge
from playground.messages import MessageBoard
from playground.rate_limits import RateLimits
from playground.views import Views
from playground.wire_messages import MessageWriter
from playground.world import World


@dataclass(slots=True, kw_only=True)
class Playground:
    """One stand-in with all its parts."""

    clock: Clock
    world: World
    files: FileStore
    feed: Feed
    faults: Faults
    journal: Journal
    judge: Judge
    gateway: Gateway
    writer: MessageWriter
    views: Views
    messages: MessageBoard
    interactions: Interactions
    rate_limits: RateLimits
    judges_answers: bool = False
    address: str = ""

    @property
    def api_url(self) -> str:
        return f"{self.address}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"{self.address.replace('http', 'ws', 1)}/gateway"


PLAYGROUND: web.AppKey[Playground] = web.AppKey("playground", Playground)
