"""Valid jobs and origins for tests, which replace the fields they care about."""

import time
from typing import Any

from bot.orders.origin import Origin
from bot.storage.job import Job, StoredPicture
from generation.job_id import new_job_id

PICTURE = StoredPicture(
    filename="palimpsest-X.png",
    media_type="image/png",
    seed=7,
    width=512,
    height=384,
    native_width=64,
    native_height=48,
)


async def admit_any_preview(_job: Job, _data: bytes) -> bool:
    """Admit every preview."""
    return True


def make_job(**changes: Any) -> Job:
    """Return an accepted job of member 1 in channel 3 of server 2."""
    values: dict[str, Any] = {
        "job_id": new_job_id(),
        "requester_id": 1,
        "guild_id": 2,
        "channel_id": 3,
        "prompt": "a cat on a beach",
        "negative_prompt": "",
        "strength": 0.7,
        "guidance_scale": 4.0,
        "num_inference_steps": 20,
        "seed": 7,
        "count": 1,
        "max_pixels": 64 * 64,
        "model": "demo",
        "max_result_bytes": 10 * 1024 * 1024,
        "sampler": "own",
        "strength_schedule": "noise",
        "spoiler": False,
        "accepted_at": time.time(),
        "attachment_url": "https://cdn.discordapp.com/attachments/1/2/cat.jpg",
        "status_message_id": 4,
    }
    return Job(**(values | changes))


def make_origin(**changes: Any) -> Origin:
    """Return the origin of a request by member 1 in channel 3 of server 2, which allows files of 10 MiB."""
    values: dict[str, Any] = {
        "requester_id": 1,
        "guild_id": 2,
        "channel_id": 3,
        "settings_channel_id": 3,
        "file_limit_bytes": 10 * 2**20,
        "missing_permissions": (),
    }
    return Origin(**(values | changes))
