"""How long a run may stay silent."""

from generation.executors.budgets import Pace, PhaseBudgets
from generation.phases import Phase


def test_budgets_grow_with_the_slowest_step() -> None:
    budgets = PhaseBudgets(step_seconds=30, step_factor=10, decode_seconds=60, decode_factor=20)
    assert budgets.seconds_for(Phase.DENOISE, 0.1) == 30
    assert budgets.seconds_for(Phase.DENOISE, 9.0) == 90
    assert budgets.seconds_for(Phase.DECODE, 9.0) == 180


def test_budgets_grow_with_what_a_phase_has_lately_taken() -> None:
    budgets, pace = PhaseBudgets(load_seconds=60, decode_seconds=60, pace_factor=5), Pace(remembered=2)
    assert pace.longest_seconds("a", Phase.DECODE) == 0
    pace.note("a", Phase.DECODE, 100.0)  # on a slow CPU: not a hang, so the next one may take as long
    assert budgets.seconds_for(Phase.DECODE, 0.0, pace.longest_seconds("a", Phase.DECODE)) == 500
    assert pace.longest_seconds("a", Phase.LOAD) == pace.longest_seconds("b", Phase.DECODE) == 0
    for _ in range(2):
        pace.note("a", Phase.DECODE, 1.0)
    assert budgets.seconds_for(Phase.DECODE, 0.0, pace.longest_seconds("a", Phase.DECODE)) == 60
