"""Reads the settings that a picture was made with from the texts in its file.

The texts may come from anyone. The result is only proposed to a member, and is checked like any other input when they
send it.
"""

from collections.abc import Callable, Mapping

from generation.images.recipes.infotext import of_infotext
from generation.images.recipes.invokeai import INVOKEAI_KEY, of_invokeai
from generation.images.recipes.own import of_our_record
from generation.images.recipes.recipe import Recipe
from generation.images.texts import COMMENT_KEY, RECORD_KEY, TEXT_KEY

# In this order: a file that an extension or another program also wrote to is best described by our own record.
_READERS: tuple[tuple[str, Callable[[str], Recipe]], ...] = (
    (RECORD_KEY, of_our_record),
    (TEXT_KEY, of_infotext),
    (COMMENT_KEY, of_infotext),
    (INVOKEAI_KEY, of_invokeai),
)


def read_recipe(texts: Mapping[str, str]) -> Recipe | None:
    """Return the settings from the first text that has any, or None."""
    recipes = (read(texts[key]) for key, read in _READERS if key in texts)
    return next((recipe for recipe in recipes if recipe != Recipe()), None)
