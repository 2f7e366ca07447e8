"""The help text: how to request pictures, the model, prompts that it understands, where the settings are."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import Refused
from bot.orders.origin import Origin
from bot.replies import error_sentence
from generation.errors import ModelUnavailable

if TYPE_CHECKING:
    from bot.client import Palimpsest

_MAX_NAMED = 8  # with more adapters or words the help would not fit into one message
_DEMO = ", a small, quick one for trying out the bot. It knows a few dozen things."
_ELSEWHERE = "• I'm not a member here, so your pictures come in our direct messages. There you can also send me one."
_EXAMPLES = ("a watercolor of a fox in the snow", "a castle at sunset, oil painting", "the same place in winter")


def help_text(client: "Palimpsest", origin: Origin) -> str:
    """Return the help as it currently applies in a channel."""
    mention = client.user.mention if client.user else "@me"
    lines = [
        "**I paint new pictures over yours.**",
        "• `/img2img`: attach a picture (and a mask) and write a prompt.",
        _ELSEWHERE
        if origin.is_elsewhere
        else f"• Send a picture with a prompt and mention {mention} (not needed in a direct message).",
        "• Reply to one of my pictures: new words paint over it, `strength 0.7` or `seed 5` changes only that,"
        " `again` or `4 more` uses new seeds, and `seed?` tells you its seed.",
        "• Right-click (long-press) anybody's message with a picture → Apps → **Remix**: the form starts with the"
        " settings in its file.",
        "**Options**, anywhere in the text: `strength` (0.3 or `subtle`, 0.6 or `balanced`, 0.9 or `strong`;"
        " `ladder` paints several to choose from),"
        " `seed` (the same seed gives the same picture), `guidance`, `steps`, `count`, `size`, `model`, `sampler`,"
        " `repaint: transparent` or `mask`, and `negative:` at the end.",
        *_about_model(client, origin),
    ]
    return "\n".join(lines)


def _about_model(client: "Palimpsest", origin: Origin) -> list[str]:
    settings = (
        "**More**: `/queue` shows what's waiting, `/preferences` saves your own settings, `/privacy` shows and deletes"
        " what I keep about you, and **Report** under a picture alerts the moderators."
        " For moderators: `/defaults`, `/limits`, `/moderation`."
    )
    try:
        model = client.orders.model_for(origin)
    except (ModelUnavailable, Refused) as error:
        return [f"⚠️ {error_sentence(error)}", settings]
    lines = [
        f"**Model** here: {model.title}" + (f". {model.summary}" if not model.is_demo else _DEMO),
        "**Try**: " + " · ".join(f"*{example}*" for example in _examples(model.folder)),
        settings,
    ]
    if adapters := client.shelf.adapters(model):
        offered = [f"`{each.name}`" + (f" (write *{each.trigger}*)" if each.trigger else "") for each in adapters]
        lines.insert(1, "**Adapters** (`adapter: name` or `adapter: name:0.8, other:0.5`): " + _named(offered))
    if embeddings := client.shelf.embeddings(model):
        words = [f"`{each.word}`" + (f" ({each.title})" if each.title != each.word else "") for each in embeddings]
        lines.insert(1, "**Words** this model knows, for a prompt or negative prompt: " + _named(words))
    if model.is_demo:
        lines.append(
            "-# The operator can get a real model with `python -m generation download` and set MODEL in `.env`."
        )
    return lines


def _named(names: Sequence[str]) -> str:
    """List the first names, and how many more there are."""
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


@cache
def _examples(folder: Path | None) -> tuple[str, ...]:
    """Return prompts that a model understands: from its vocabulary file if it has one, else generic ones."""
    try:
        words = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8")) if folder else {}
    except OSError:
        words = {}
    return tuple(words.get("examples", _EXAMPLES))[:5]
