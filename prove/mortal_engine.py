"""An engine that computes nothing, and that kills its process on the prompt ``die``."""

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
    """Make the engine, wrapped so that tests can hold it."""
    return PatientEngine(MortalEngine(slots=1), Path(options["data_dir"]))


class MortalEngine(ScriptedEngine):
    """An engine that kills its process when asked to."""

    def run(self, request: Img2ImgRequest, run: Run) -> Img2ImgResult:
        """Compute nothing, or die."""
        if request.prompt == DEADLY_PROMPT:
            run.enter(Phase.ENCODE)
            os._exit(1)
        return super().run(request, run)
