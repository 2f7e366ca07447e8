"""How long a run may stay silent before it counts as hung."""

from collections import deque
from dataclasses import dataclass

from generation.phases import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseBudgets:
    """How long each phase may stay silent, in seconds.

    A slow machine is not a hung one: once a step of this run has been seen, the budgets of later phases are at least a
    multiple of its slowest step (``step_factor`` for a step, ``decode_factor`` for decoding and for encoding the next
    picture), and every phase gets at least ``pace_factor`` times what it has recently taken here. ``start_seconds`` is
    for the process to start, ``answer_seconds`` for its reader thread to answer a ping sent every ``ping_seconds``.
    """

    start_seconds: float = 300.0
    load_seconds: float = 600.0
    first_step_seconds: float = 600.0
    step_seconds: float = 120.0
    decode_seconds: float = 300.0
    step_factor: float = 10.0
    decode_factor: float = 20.0
    pace_factor: float = 5.0
    ping_seconds: float = 10.0
    answer_seconds: float = 120.0

    def seconds_for(self, phase: Phase, slowest_step_seconds: float, recent_seconds: float = 0.0) -> float:
        """Return how long the phase may stay silent.

        ``slowest_step_seconds`` is that of this run, 0 before its first step; ``recent_seconds`` is the longest silence
        of the phase in earlier runs, 0 if there were none.
        """
        return max(self._seconds_for(phase, slowest_step_seconds), self.pace_factor * recent_seconds)

    def _seconds_for(self, phase: Phase, slowest_step_seconds: float) -> float:
        match phase:
            case Phase.LOAD:
                return self.load_seconds
            case Phase.ENCODE | Phase.PRIOR:
                return max(self.first_step_seconds, self.decode_factor * slowest_step_seconds)
            case Phase.DENOISE:
                return max(self.step_seconds, self.step_factor * slowest_step_seconds)
            case Phase.DECODE:
                return max(self.decode_seconds, self.decode_factor * slowest_step_seconds)


class Pace:
    """How long each phase of each model has recently been silent on this machine."""

    def __init__(self, remembered: int = 200) -> None:
        self._remembered = remembered
        self._seconds: dict[tuple[str, Phase], deque[float]] = {}

    def note(self, model: str, phase: Phase, seconds: float) -> None:
        """Remember a silence that ended well."""
        self._seconds.setdefault((model, phase), deque(maxlen=self._remembered)).append(seconds)

    def longest_seconds(self, model: str, phase: Phase) -> float:
        """Return the longest of the remembered silences, 0 if there are none."""
        return max(self._seconds.get((model, phase), ()), default=0.0)
