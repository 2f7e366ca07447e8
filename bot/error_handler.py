"""Error handling for interactions: a sentence for the person, and a log entry for unexpected errors."""

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import discord
from discord import app_commands

from bot import replies
from bot.discord_api.answers import answer_privately
from bot.discord_api.trouble import UNKNOWN_INTERACTION, is_locked_out, is_temporary
from bot.errors import Refused
from bot.storage.trouble import note_trouble
from generation.references import new_reference
from generation.tracebacks import stack_of

if TYPE_CHECKING:
    from bot.client import Palimpsest

log = logging.getLogger(__name__)


async def answer_error(
    interaction: discord.Interaction, error: Exception, *, view: discord.ui.View | None = None
) -> None:
    """Tell the person, in an ephemeral message, what went wrong.

    An interaction that Discord no longer knows gets no answer, since nobody would see it. Refusals and other errors
    raised on purpose get their sentence; everything else gets a reference that the log has with the stack. The prompt
    is quoted back, because neither a command nor a form keeps it; ``view`` is shown below.
    """
    # Nothing can be sent any more, and that is also why the handler failed.
    if interaction.client.is_closed():
        log.info("an interaction was cut short by the end of the bot (%s)", type(error).__name__)
        return
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    if isinstance(cause, discord.NotFound) and cause.code == UNKNOWN_INTERACTION:
        log.warning("an interaction was not answered in time")
        return
    if isinstance(cause, discord.HTTPException) and is_locked_out(cause):  # permissions may change at any moment
        cause = Refused("closed_to_the_bot")
    if isinstance(cause, discord.HTTPException | aiohttp.ClientError) and is_temporary(cause):
        log.warning("an interaction failed because Discord is having trouble (%s)", type(cause).__name__)
        cause = Refused("discord_trouble")
    if isinstance(cause, app_commands.CommandNotFound):  # of an earlier version, or of another bot with this token
        cause = Refused("command_unknown")
    sentence = replies.error_sentence(cause)
    metrics = cast("Palimpsest", interaction.client).metrics
    if sentence is not None:
        metrics.refused(cause)
    note_trouble(cause)
    if sentence is None and isinstance(cause, app_commands.TransformerError | app_commands.CommandSignatureMismatch):
        sentence = "My commands have just changed. Please type the command again."
    if sentence is None:
        metrics.errors.inc()
        reference = new_reference()
        log.error("an interaction failed [%s]\n%s", reference, stack_of(cause))
        sentence = replies.unknown_error(reference)
    sentence = replies.with_typed_prompt(sentence, next(_typed_prompts(interaction.data or {}), ""))
    try:
        await answer_privately(interaction, sentence, view=view)
    except discord.HTTPException as failure:
        log.warning("a refusal could not be sent: Discord answered %s (%s)", failure.status, failure.code)
    except (aiohttp.ClientError, OSError) as failure:
        log.warning("a refusal could not be sent: Discord is out of reach (%s)", type(failure).__name__)


def _typed_prompts(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the prompt from a command's options or a form's fields, at any depth."""
    if "prompt" in (data.get("name"), data.get("custom_id")):
        yield str(data.get("value") or "").strip()
    for name in ("options", "components"):
        for inner in data.get(name, ()):
            yield from _typed_prompts(inner)
    if "component" in data:
        yield from _typed_prompts(data["component"])
