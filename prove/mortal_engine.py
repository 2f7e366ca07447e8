"""The engine that computes nothing, for a process that dies of the prompt ``die``."""

import os
from pathlib import Path
from typing import Any

from generation.engine.base import Run
from generation.phases import Phase
from generation.requests import Img2ImgRequest, Img2ImgResult
from prove.scripted_engine import ScriptedEngine
from tests.end_to_end.patient_engine import PatientEngine

DEADLY_PROMPT = "die"


def create_engine(options: dict[str, Any]) -> PatientEngine:
    """Make the engine; it can stand still."""
    return PatientEngine(MortalEngine(slots=1), Path(options["data_dir"]))


class MortalEngine(ScriptedEngine):
    """Takes its process along when it is asked to."""

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Compute nothing, or die of it."""
        if request.prompt == DEADLY_PROMPT:
            run.enter(Phase.ENCODE)
            os._exit(1)
        return super().run(request, run)
