"""What moderators decide is kept, also when two of them decide at once."""

import asyncio

from bot.storage.database import Database
from bot.storage.policies import Policies, Policy

SERVER, CHANNEL = 2, 3


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
