"""Moderators' decisions are kept, even when two of them decide at the same moment."""

import asyncio

from bot.storage.database import Database
from bot.storage.policies import Policies, Policy

SERVER, CHANNEL, MEMBER = 2, 3, 4


async def test_moderators_who_decide_in_the_same_instant_keep_what_each_has_set(database: Database) -> None:
    policies = Policies(database)
    await asyncio.gather(
        policies.set_policy(SERVER, spoiler_score=0.3),
        policies.set_policy(SERVER, block_score=0.4),
        policies.set_log_channel(SERVER, CHANNEL),
        policies.set_policy(SERVER, restricted_block_score=0.9),
    )
    for _ in ("in memory", "in the database"):
        assert policies.of(SERVER) == Policy(spoiler_score=0.3, block_score=0.4, restricted_block_score=0.9)
        assert policies.log_channel_id(SERVER) == CHANNEL
        await policies.load()


async def test_what_was_decided_holds_while_it_is_read_anew(database: Database) -> None:
    """Decisions are reloaded while the bot works, after a server was purged: no blocked member may slip through."""
    policies = Policies(database)
    await policies.block_member(SERVER, MEMBER)
    await policies.add_term(SERVER, "fox")
    reading = asyncio.create_task(policies.load())
    adding = asyncio.create_task(policies.add_term(SERVER, "wolf"))
    while not (reading.done() and adding.done()):
        assert policies.is_blocked(SERVER, MEMBER)
        assert "fox" in policies.terms(SERVER)
        await asyncio.sleep(0)
    assert policies.terms(SERVER) == ["fox", "wolf"]
