"""How many rows a call of the denoiser takes: as many as pay off, measured on the calls that are made anyway."""

from collections import deque

_NARROWEST = 2  # one picture with guidance
# A wider call must cost at most this much per row, relative to a narrower one: its pictures also wait longer for it.
_MAX_RELATIVE_COST = 0.97
_MEASURED_CALLS = 3  # at each width before it is judged: the first call of a shape is slow
_REMEMBERED_CALLS = 8
_REMEASURE_AFTER_CALLS = 128  # from half the width: other programs may have come or gone


class FixedWidth:
    """Take as many rows as are allowed, whatever they cost; only a shortage of memory lowers that."""

    def __init__(self, most: int) -> None:
        self.most = max(1, most)

    @property
    def rows(self) -> int:
        """The maximum number of rows of the next call."""
        return self.most

    def bound(self, most: int) -> None:
        """Take at most this many from now on: the model is now held in less memory."""
        self.most = max(1, min(self.most, most))

    def narrow(self, rows: int) -> None:
        """Take at most half as many from now on: memory ran out with this many rows."""
        self.bound(min(self.most, rows) // 2)

    def learn(self, rows: int, seconds: float) -> None:
        """Record how long a call took."""


class MeasuredWidth(FixedWidth):
    """Widen step by step while rows get cheaper, and go back when they do not.

    Each width is twice the one before. It is judged by the fastest of its last calls, so that a single disturbed call
    decides nothing.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._rows = min(_NARROWEST, self.most)
        self._seconds_per_row: dict[int, deque[float]] = {}
        self._is_judged = False
        self._calls = 0  # since it was judged

    @property
    def rows(self) -> int:
        """The maximum number of rows of the next call."""
        return min(self._rows, self.most)

    def learn(self, rows: int, seconds: float) -> None:
        """Record how long a call took; only full calls say anything about the width."""
        self._calls += 1
        if self._is_judged and self._calls >= _REMEASURE_AFTER_CALLS:
            self._is_judged = False
            self._seconds_per_row.clear()
            self._rows = max(min(_NARROWEST, self.most), self.rows // 2)
        if rows + 1 < self.rows or rows > self.rows:  # one row may stay empty next to pictures of two
            return
        known = self._seconds_per_row.setdefault(self.rows, deque(maxlen=_REMEMBERED_CALLS))
        known.append(seconds / rows)
        if not self._is_judged and len(known) >= _MEASURED_CALLS:
            self._judge()

    def _judge(self) -> None:
        here, narrower = min(self._seconds_per_row[self.rows]), self._seconds_per_row.get(self.rows // 2)
        if narrower and here > _MAX_RELATIVE_COST * min(narrower):
            self._rows = self.rows // 2
            self._is_judged, self._calls = True, 0
        elif 2 * self.rows <= self.most:
            self._rows = 2 * self.rows
        else:
            self._is_judged, self._calls = True, 0
