"""The device loop's own mistakes would be everybody's: it must make none when several things end at once."""

import pytest

from generation.engine.base import RunCancelled
from generation.engine.diffusers_engine import DiffusersEngine
from tests.generation.engine.conftest import RecordedRun
from tests.generation.engine.stock import tiny_request


class GivenUp(RecordedRun):
    """A run that stays given up: every report from the thirtieth step on says so."""

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        super().step(step, total_steps, preview)
        if step >= 30:
            raise RunCancelled


def test_pictures_of_one_order_that_end_in_the_same_step_end_it_once(
    engine: DiffusersEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RunCancelled):
        engine.run(tiny_request(count=4, strength=1.0, num_inference_steps=20), GivenUp())
    assert engine.run(tiny_request(), RecordedRun()).pictures
    assert "the device loop broke" not in caplog.text
