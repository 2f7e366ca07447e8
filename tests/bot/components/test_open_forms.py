"""The input of a refused form is kept for its member only, and not for long."""

from typing import Any

import pytest

from bot.components import open_forms
from bot.components.open_forms import OpenForms
from bot.errors import Refused


class Form:
    """The part of a form that OpenForms uses."""

    token = "0" * 16

    def as_typed(self) -> "Form":
        raise AssertionError("it is kept")


async def is_kept(forms: OpenForms, member_id: int) -> bool:
    interaction: Any = type("Interaction", (), {"user": type("User", (), {"id": member_id})})
    try:
        await forms.show_again(interaction, Form.token)
    except Refused:
        return False
    except AssertionError:
        return True
    raise AssertionError("neither shown nor refused")


async def test_it_goes_when_its_member_deletes_what_is_kept_or_many_others_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_forms, "_MAX_KEPT", 3)
    form: Any = Form()
    forms = OpenForms()
    for member_id in range(4):
        forms.keep_refused(member_id, form)
    assert [await is_kept(forms, member_id) for member_id in range(4)] == [False, True, True, True]
    forms.keep_refused(2, form)  # replaces this member's own form only
    assert await is_kept(forms, 1)
    forms.forget(1)
    assert not await is_kept(forms, 1)
