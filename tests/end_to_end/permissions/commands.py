"""All commands except /img2img: as they are offered, and as a server can grant them to everybody."""

from pathlib import Path

from tests.end_to_end.permissions.stage import (
    BLOCKED,
    DRAWING,
    Act,
    Acts,
    Person,
    Stage,
    first_line,
    unless,
)

COMMANDS = Acts()


@COMMANDS.of("commands for everybody", "/img2img, models completed")
async def complete(stage: Stage, person: Person) -> str | None:
    client = stage.bot.client
    choices = await client.autocomplete("img2img", "model", "dem", member=person.member, channel=person.channel)
    return None if [choice["value"] for choice in choices] == ["demo"] else f"was offered {choices}"


def command(
    words: str, expected: str, *, undo: str | None, to_all: bool, options: dict[str, str | float | Path]
) -> Act:
    """Return the action of running a command with an ephemeral response; ``undo`` is how the operator reverts it."""

    async def run(stage: Stage, person: Person) -> str | None:
        client, root = stage.bot.client, words.split()[0]
        await client.set_command_access(root, everybody=to_all)
        try:
            answer = await client.command(words, options, member=person.member, channel=person.channel)
            return unless(expected, first_line(await stage.bot.told_at_last(answer)))
        finally:
            await client.set_command_access(root, everybody=False)
            if undo is not None:
                await stage.operator(undo, **options)

    return run


def for_everybody(words: str, expected: str, **options: str | float | Path) -> None:
    COMMANDS.of("commands for everybody", f"/{words}")(
        command(words, expected, undo=None, to_all=False, options=options)
    )


def for_some(row: str, words: str, expected: str, undo: str | None = None, **options: str | float | Path) -> None:
    """Run a command as it is offered, and as granted to everybody: then only the bot's own check is left."""
    for given, to_all in (("", False), (", given to all", True)):
        run = command(words, expected, undo=undo, to_all=to_all, options=options)
        COMMANDS.of(f"{row}{given}", f"/{words}{given}")(run)


for_everybody("queue", "running")
for_everybody("help", "I paint new pictures over yours")
for_everybody("preferences show", "Settings here")
for_everybody("preferences set", "Settings here", count=1)
for_everybody("preferences reset", "Settings here")
for_everybody("privacy show", "What I keep about you")
for_everybody("privacy remixing", "What I keep about you", state="on")
for_everybody("privacy delete", "Deleted", what="preferences")

MODERATORS = "commands for moderators"
for_some(MODERATORS, "defaults show", "Settings here")
for_some(MODERATORS, "defaults set", "Settings here", where="channel", count=1)
for_some(MODERATORS, "defaults reset", "Settings here", where="channel")
for_some(MODERATORS, "limits show", "Limits by role")
for_some(MODERATORS, "limits set", "Limits by role", role="@everyone", daily_budget=0)
for_some(MODERATORS, "limits reset", "Limits by role", role="@everyone")
for_some(MODERATORS, "moderation policy show", "**Pictures** are scored")
for_some(MODERATORS, "moderation policy set", "**Pictures** are scored", spoiler=0.6)
for_some(MODERATORS, "moderation test", "Found: ", prompt="a cat")
for_some(MODERATORS, "moderation log", "**Pictures** are scored")
for_some(MODERATORS, "moderation audit", "Decisions in this server")
for_some(MODERATORS, "moderation reports", "eport")
for_some(MODERATORS, "moderation block add", "Blocked members", member=BLOCKED)
for_some(MODERATORS, "moderation block remove", "isn't on the list", member="Margaret")
for_some(MODERATORS, "moderation block list", "Blocked members")
for_some(MODERATORS, "moderation terms add", "Words", term="quincunx")
for_some(MODERATORS, "moderation terms remove", "isn't on the list", term="no such word")
for_some(MODERATORS, "moderation terms list", "Words")
for_some(MODERATORS, "moderation pictures add", "Pictures", picture=DRAWING)
for_some(MODERATORS, "moderation pictures remove", "isn't on the list", picture="f" * 16)
for_some(MODERATORS, "moderation pictures list", "ictures")

OPERATOR = "commands for the operator"
for_some(OPERATOR, "operator pause", "Paused", undo="resume")
for_some(OPERATOR, "operator resume", "Resumed")
for_some(OPERATOR, "operator drain", "Draining", undo="resume")
for_some(OPERATOR, "operator model", "until the next restart", name="demo")
for_some(OPERATOR, "operator delete", "I no longer have this request", job="0" * 20)
for_some(OPERATOR, "operator block", "Blocked everywhere", undo="unblock", member=BLOCKED)
for_some(OPERATOR, "operator unblock", "isn't on the list", member=BLOCKED)
