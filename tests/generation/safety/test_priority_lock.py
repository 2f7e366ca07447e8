"""One at a time, urgent ones first, and nobody loses a turn because another leaves."""

import asyncio

from generation.safety.priority_lock import PriorityLock


async def test_the_urgent_go_first_and_each_kind_in_its_order() -> None:
    lock, seen = PriorityLock(), list[str]()

    async def have(name: str) -> None:
        async with lock.hold(is_urgent=name.startswith("urgent")):
            seen.append(name)

    assert not lock.is_held
    async with lock.hold():
        assert lock.is_held
        waiting = [asyncio.create_task(have(name)) for name in ("a", "b", "urgent 1", "c", "urgent 2")]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert seen == ["urgent 1", "urgent 2", "a", "b", "c"]
    assert not lock.is_held


async def test_whoever_leaves_takes_nobodys_turn() -> None:
    lock, seen = PriorityLock(), list[str]()

    async def have(name: str) -> None:
        async with lock.hold():
            seen.append(name)

    async with lock.hold():
        leaving, called, staying = (asyncio.create_task(have(name)) for name in ("leaving", "called", "staying"))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
    called.cancel()  # its turn has just come
    await asyncio.gather(leaving, called, staying, return_exceptions=True)
    assert seen == ["staying"]
    assert not lock.is_held
