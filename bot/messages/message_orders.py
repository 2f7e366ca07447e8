"""What a message requests: a picture and words, a reply to a result or to somebody's picture, or nothing."""

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import discord

from bot.errors import Refused
from bot.help import help_text
from bot.orders.free_text import ParsedText, parse_text, picture_named
from bot.orders.options import Options, Source, changed
from bot.orders.origin import Origin
from bot.orders.sources import source_in, source_in_result, source_with_owner
from bot.storage.job import Job, JobState

if TYPE_CHECKING:
    from bot.client import Palimpsest

_LONGEST_THREAD = 5  # messages followed back; no misunderstanding lasts longer


class MessageOrders:
    """Interprets messages that are meant for the bot, in the context of earlier ones, and submits their requests."""

    def __init__(self, client: "Palimpsest") -> None:
        self._client = client

    async def answer(self, message: discord.Message) -> str | None:
        """Submit a message's request; if it has none, return the text to answer with, if any.

        Raises Refused, StorageTrouble, GenerationError, and Discord's errors for the acknowledgement.
        """
        said = parse_text(message.content, models=self._client.shelf.names)
        if said.has_no_words:
            raise Refused("no_words", text=said.options.prompt[:40])
        # Someone who edits a request into "cancel" or "thanks" does not want that painted over their picture.
        is_small_talk = source_in(message) is None or message.edited_at is not None
        if said.remark and is_small_talk:
            return None
        if said.asks_to_cancel and is_small_talk:
            raise Refused("given_up_by_button")
        thread = await self._thread(message)
        shown = next((each for each in thread if source_in(each) is not None), None)
        source = None if shown is None else await self._source_in(shown)
        said = _with_earlier_options(said, thread[1:], self._client.shelf.names)
        if source is not None and not said.help:
            said = await self._with_options_of_answered_job(said, thread[-1], source)
            await self._submit_prompt(message, said, source)
            return None
        reference = thread[-1].reference
        if said.help or reference is None or reference.message_id is None:
            if not said.is_empty and not said.help:
                raise Refused("no_picture")
            return help_text(self._client, Origin.of_message(message))
        job = await self._client.desk.find_by_message(reference.message_id, message.channel.id)
        if job is not None:
            return await self._remix_result(message, said, job)
        source = await self._source_in(reference.resolved) if isinstance(reference.resolved, discord.Message) else None
        if source is None:
            raise Refused("picture_not_visible")
        await self._submit_prompt(message, said, source)
        return None

    async def _source_in(self, message: discord.Message) -> Source | None:
        return await source_with_owner(self._client, self._client.jobs, message)

    async def _thread(self, message: discord.Message) -> list[discord.Message]:
        """Return a message and, if it answers one of the bot's questions, the messages before it, newest first.

        Discord shows the content of these too, since each was meant for the bot.
        """
        thread = [message]
        while len(thread) < _LONGEST_THREAD:
            question = thread[-1].reference and thread[-1].reference.resolved
            if not isinstance(question, discord.Message) or question.author != self._client.user:
                break
            if await self._client.desk.find_by_message(question.id, message.channel.id) is not None:
                break
            try:
                # Fetched again, because a referenced message need not contain its own reference.
                asked = (await message.channel.fetch_message(question.id)).reference
                if asked is None or asked.message_id is None:
                    break
                thread.append(await message.channel.fetch_message(asked.message_id))
            except discord.HTTPException:
                break  # deleted, or no longer visible to the bot
        return thread

    async def _remix_result(self, message: discord.Message, said: ParsedText, job: Job) -> str | None:
        """Answer a reply to one of the bot's results, or to the status message that links to it.

        New words paint over the result, or over the original picture if there is no result or if only its transparent
        parts are repainted, unless they name one of several results. Options alone repeat the same request with the
        same seed and these options changed; "again" repeats it with a new seed. The answer to "seed?" is the seed and
        nothing else, so that it can be copied on a phone.
        """
        if said.seed:
            seeds = dict.fromkeys(str(picture.seed) for picture in job.pictures)  # a ladder's pictures share one
            return "\n".join(seeds) or str(job.seed)
        earlier = self._client.orders.options_again(Origin.of_message(message), job)
        if said.options.prompt:
            if not job.state.is_settled:
                raise Refused("not_done_yet")
            number, prompt = picture_named(said.options.prompt, 1 if job.can_be_tried_again else job.count)
            if not prompt:
                raise Refused("nothing_to_change")
            # Only the picture that was sent in has transparent parts; who names a result means all of that.
            repaint = said.options.repaint or ("all" if number else job.repaint)
            said = replace(said, options=replace(said.options, prompt=prompt, repaint=repaint))
            if job.can_be_tried_again or repaint == "transparent":
                source = Source(parent=job, spoiler=job.spoiler)
            else:
                index = (number or 1) - 1
                earlier = self._client.orders.options_again(Origin.of_message(message), job, index)
                picture = await source_in_result(self._client, job, index)
                source = replace(picture, ignored_pictures=0 if number else job.count - 1)
            options = changed(replace(earlier, negative_prompt=None), said.options)
        else:
            if said.is_empty:
                raise Refused("nothing_to_change")
            source = Source(parent=job, spoiler=job.spoiler)
            options = changed(replace(earlier, seed=None if said.again else job.seed), said.options)
        await self._submit(message, options, source)
        return None

    async def _with_options_of_answered_job(
        self, said: ParsedText, message: discord.Message, source: Source
    ) -> ParsedText:
        """Complete what was said with the options of the job that the message answers, if it has no prompt itself."""
        answered_id = message.reference and message.reference.message_id
        if said.options.prompt or answered_id is None:
            return said
        job = await self._client.desk.find_by_message(answered_id, message.channel.id)
        if job is None or (job.is_withdrawn and job.requester_id != message.author.id):
            return said
        earlier = self._client.orders.options_again(Origin.of_message(message), job)
        if job.mask_url is not None and (source.mask_url is not None or job.state is JobState.FAILED):
            earlier = replace(earlier, repaint="mask")  # the second picture is the new one's mask
        elif job.repaint == "transparent":
            earlier = replace(earlier, repaint="transparent if any")
        return replace(said, options=changed(earlier, said.options))

    async def _submit_prompt(self, message: discord.Message, said: ParsedText, source: Source) -> None:
        if not said.options.prompt:
            raise Refused("no_prompt")
        await self._submit(message, said.options, source)

    async def _submit(self, message: discord.Message, options: Options, source: Source) -> None:
        async def acknowledge(text: str, view: discord.ui.View) -> int | None:
            return (await message.reply(text, view=view, mention_author=False)).id

        before = await self._client.jobs.by_request(message.author.id, message.id)
        if before is not None and before.state in (JobState.RUNNING, JobState.RENDERED):
            raise Refused("edited_too_late")
        await self._client.admission.accept(
            Origin.of_message(message),
            options,
            source,
            acknowledge,
            request_message_id=message.id,
            instead_of=None if before is None or before.state.is_settled else before,
        )


def _with_earlier_options(said: ParsedText, earlier: Sequence[discord.Message], models: Collection[str]) -> ParsedText:
    """Complete what was said with the options of earlier messages; those that were not understood are skipped."""
    for message in earlier:
        with contextlib.suppress(Refused):
            before = parse_text(message.content, models=models)
            if not before.has_no_words:
                said = replace(said, options=changed(before.options, said.options))
    return said
