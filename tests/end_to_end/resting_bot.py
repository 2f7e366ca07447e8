"""The unmodified bot, but it rests for an hour instead of half a minute: ``python -m tests.end_to_end.resting_bot``.

It generates without a model.
"""

import sys

from generation.serving.breaker import CircuitBreaker
from prove import mortal_bot

if __name__ == "__main__":
    assert CircuitBreaker.__init__.__kwdefaults__ is not None
    CircuitBreaker.__init__.__kwdefaults__["first_rest_seconds"] = 3600.0
    sys.exit(mortal_bot.run(engine=mortal_bot.QUICK_ENGINE))
