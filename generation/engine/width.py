"""How many rows one call of the denoiser takes: as many as pay, found out with the calls that are made anyway."""

from collections import deque

_NARROWEST = 2  # a picture with guidance
# A wider call must be quicker per row by so much: it also keeps whoever is in it waiting for longer.
_WORTH = 0.97
_MEASURED_CALLS = 3  # of each width before it is judged: the first one of a shape is slow
_REMEMBERED_CALLS = 8
_JUDGED_FOR_CALLS = 128  # then it is looked at again, from half of it: another program may have come or gone


class FixedWidth:
    """Take as many rows as are allowed, whatever they cost; out of memory only lowers it."""

    def __init__(self, most: int) -> None:
        self.most = max(1, most)

    @property
    def rows(self) -> int:
        """The most rows of the next call."""
        return self.most

    def bound(self, most: int) -> None:
        """Take at most so many from now on: the model is held in less memory than it was."""
        self.most = max(1, min(self.most, most))

    def narrow(self, rows: int) -> None:
        """Take at most half from now on: the memory did not suffice for so many rows."""
        self.bound(min(self.most, rows) // 2)

    def learn(self, rows: int, seconds: float) -> None:
        """Hear what a call took."""


class MeasuredWidth(FixedWidth):
    """Widen step by step while rows become cheaper, and go back where they do not.

    Widths are doubled. A width counts by the quickest of its last calls, so that a disturbed one decides nothing.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._rows = min(_NARROWEST, self.most)
        self._seconds_per_row: dict[int, deque[float]] = {}
        self._is_judged = False
        self._calls = 0  # since then

    @property
    def rows(self) -> int:
        """The most rows of the next call."""
        return min(self._rows, self.most)

    def learn(self, rows: int, seconds: float) -> None:
        """Hear what a call took; only calls that were full tell something about the width."""
        self._calls += 1
        if self._is_judged and self._calls >= _JUDGED_FOR_CALLS:
            self._is_judged = False
            self._seconds_per_row.clear()
            self._rows = max(min(_NARROWEST, self.most), self.rows // 2)
        if rows + 1 < self.rows or rows > self.rows:  # one row may stay empty beside pictures with two
            return
        known = self._seconds_per_row.setdefault(self.rows, deque(maxlen=_REMEMBERED_CALLS))
        known.append(seconds / rows)
        if not self._is_judged and len(known) >= _MEASURED_CALLS:
            self._judge()

    def _judge(self) -> None:
        here, narrower = min(self._seconds_per_row[self.rows]), self._seconds_per_row.get(self.rows // 2)
        if narrower and here > _WORTH * min(narrower):
            self._rows = self.rows // 2
            self._is_judged, self._calls = True, 0
        elif 2 * self.rows <= self.most:
            self._rows = 2 * self.rows
        else:
            self._is_judged, self._calls = True, 0
