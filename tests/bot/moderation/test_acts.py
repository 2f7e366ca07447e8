"""The list of pictures has an end, whichever way they come to it: every picture is compared with all of them."""

from types import SimpleNamespace
from typing import Any

import pytest

from bot.errors import Refused
from bot.moderation.acts import MAX_LISTED, list_picture
from bot.storage.database import Database
from bot.storage.policies import Policies

SERVER = 2


async def test_a_full_list_takes_no_more(database: Database) -> None:
    rows = [(SERVER, f"{number:064x}", None, 0.0) for number in range(MAX_LISTED)]
    statement = "INSERT INTO blocked_pictures VALUES (?, ?, ?, ?)"
    await database.run(lambda connection: connection.executemany(statement, rows))
    policies = Policies(database)
    await policies.load()
    client: Any = SimpleNamespace(policies=policies)
    with pytest.raises(Refused, match="list_full"):
        await list_picture(client, SERVER, "https://cdn.discordapp.com/attachments/1/2/cat.jpg")
    assert len(policies.pictures(SERVER)) == MAX_LISTED
