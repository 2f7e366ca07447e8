"""Reads the settings that a picture was made with from the texts in its file.

The texts may come from anyone. Whatever they contain, reading them raises nothing and takes milliseconds. The result is
only proposed to a member, and is checked like any other input when they send it.
"""

from collections.abc import Callable, Mapping

from generation.images.recipes.comfyui import COMFYUI_KEY, of_comfyui
from generation.images.recipes.fooocus import of_fooocus
from generation.images.recipes.infotext import of_infotext
from generation.images.recipes.invokeai import INVOKEAI_KEY, of_invokeai
from generation.images.recipes.novelai import NOVELAI_KEY, of_novelai
from generation.images.recipes.own import of_our_record
from generation.images.recipes.recipe import Recipe
from generation.images.recipes.swarmui import of_swarmui
from generation.images.texts import COMMENT_KEY, RECORD_KEY, TEXT_KEY

# Of a file in which several programs wrote, what is easiest to read comes first: settings before a graph.
_READERS: tuple[tuple[str, Callable[[str], Recipe]], ...] = (
    (RECORD_KEY, of_our_record),
    *((key, read) for key in (TEXT_KEY, COMMENT_KEY) for read in (of_infotext, of_swarmui, of_fooocus)),
    (INVOKEAI_KEY, of_invokeai),
    (NOVELAI_KEY, of_novelai),
    (COMMENT_KEY, of_novelai),
    (COMFYUI_KEY, of_comfyui),
)


def read_recipe(texts: Mapping[str, str]) -> Recipe | None:
    """Return the settings from the first text that has any, or None."""
    recipes = (read(texts[key]) for key, read in _READERS if key in texts)
    return next((recipe for recipe in recipes if recipe != Recipe()), None)
