"""The engine that computes nothing, for a process that dies of the prompt ``die``."""

import os
from typing import Any

from generation.engine.base import Run
from generation.executors.budgets import Phase
from generation.requests import Img2ImgRequest, Img2ImgResult
from prove.scripted_engine import ScriptedEngine

DEADLY_PROMPT = "die"


def create_engine(_options: dict[str, Any]) -> "MortalEngine":
    """Make the engine."""
    return MortalEngine(slots=1)


class MortalEngine(ScriptedEngine):
    """Takes its process along when it is asked to."""

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Compute nothing, or die of it."""
        if request.prompt == DEADLY_PROMPT:
            run.enter(Phase.ENCODE)
            os._exit(1)
        return super().run(request, run)
