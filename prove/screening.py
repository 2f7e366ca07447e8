"""Words are found however they are spelled, and a picture check that dies gives no verdict.

    python -m prove.screening

Every word of the built-in list is disguised at random, with what people use for it: other alphabets, invisible
characters, combining marks, digits for letters, separated letters, repeated letters, and two of these at once. Prompts
from the demo model's vocabulary must raise no alarm. Then the process that classifies pictures is killed at random
moments while it is asked about pictures whose scores are known.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import signal
import statistics
import sys
import time
from collections.abc import Sequence

import psutil

from generation.errors import CheckFailed
from generation.safety import terms
from generation.safety.checker import PictureChecker
from generation.safety.prompt import check_prompt
from generation.safety.verdict import Label
from prove import KEPT
from prove.page import say_broken, write_line
from prove.rounds import REPOSITORY, Rounds

DISGUISES_EACH = 60
KILLS = 50
LEAST_FOUND = 0.99
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u202a\u202e\u2066"
_MARKS = "\u0301\u0308\u0327\u0332\u0336\u035c"
_CYRILLIC = str.maketrans("aceopxyisj", "асеорхуіѕј")
_DIGITS = str.maketrans("oieast", "013457")


def _mathematical(word: str, first: int) -> str:
    """Return a word in the letters of another Unicode block, which starts with its a."""
    return re.sub("[a-z]", lambda letter: chr(first + ord(letter[0]) - ord("a")), word.lower())


def disguise(word: str, draw: random.Random) -> str:
    """Return a word as someone would write it who does not want it to be found."""
    ways = draw.sample(("alphabet", "invisible", "marks", "digits", "apart", "repeated", "case"), draw.randint(1, 2))
    if "digits" in ways:
        word = "".join(letter.translate(_DIGITS) if draw.random() < 0.5 else letter for letter in word)
    if "case" in ways:
        word = "".join(letter.upper() if draw.random() < 0.5 else letter for letter in word)
    if "repeated" in ways:
        word = "".join(letter * draw.randint(1, 4) if letter.isalpha() else letter for letter in word)
    if "alphabet" in ways:
        word = draw.choice(
            (
                lambda text: _mathematical(text, 0x1D4D0 + 26),
                lambda text: _mathematical(text, 0x1D5BA),
                lambda text: "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text),
                lambda text: text.translate(_CYRILLIC),
                lambda text: _mathematical(text, 0x24D0),
            )
        )(word)
    if "apart" in ways:
        word = draw.choice((" ", ".", "-", "*", "_", " . ")).join(word)
    if "marks" in ways:
        word = "".join(letter + draw.choice(_MARKS) if draw.random() < 0.5 else letter for letter in word)
    if "invisible" in ways:
        word = "".join(letter + draw.choice(_INVISIBLE) for letter in word)
    return word


def words() -> list[str]:
    """Return the built-in single words in ASCII; phrases consist of the same letters."""
    listed = [word.strip() for word in terms.SEXUAL.replace("\n", " ").split(",")]
    return [word for word in listed if word.isascii() and word.isalpha()]


def count_found() -> tuple[int, int, list[str]]:
    """Return how many disguised words were found, out of how many, and the missed ones."""
    draw = random.Random(6)
    tried = [disguise(word, draw) for word in words() for _ in range(DISGUISES_EACH)]
    missed = [text for text in tried if not check_prompt(f"a {text} there").has(Label.SEXUAL)]
    return len(tried) - len(missed), len(tried), missed


def count_alarms() -> tuple[int, int]:
    """Return how many harmless prompts raised an alarm, out of how many."""
    vocabulary = json.loads((REPOSITORY / "models" / "demo" / "vocabulary.json").read_text(encoding="utf-8"))
    nouns = vocabulary["nouns"] if isinstance(vocabulary["nouns"], list) else list(vocabulary["nouns"])
    prompts = [f"a {one} beside a {other}" for one, other in itertools.permutations(nouns, 2)]
    alarms = sum(bool(check_prompt(prompt).scores) for prompt in prompts)
    return alarms, len(prompts)


async def kill_at_random(rounds: Rounds) -> None:
    """Kill the child while it is being asked, and record the answers."""
    pictures = [path.read_bytes() for path in sorted((REPOSITORY / "playground" / "photographs").glob("*.*g"))]
    draw = random.Random(len(rounds))
    async with PictureChecker(deadline_seconds=60) as checker:
        known = [(await checker.check(data)).verdict for data in pictures]
        while len(rounds) < KILLS:
            index = draw.randrange(len(pictures))
            asked = asyncio.create_task(checker.check(pictures[index]))
            await asyncio.sleep(draw.uniform(0, 0.05))
            began = time.perf_counter()
            if checker.pid is not None:
                os.kill(checker.pid, signal.SIGKILL)
            try:
                wrong = (await asked).verdict != known[index]
            except CheckFailed:
                wrong = False
            after = await checker.check(pictures[index])
            seconds = time.perf_counter() - began
            resident = psutil.Process(checker.pid).memory_info().rss
            warm = time.perf_counter()
            await checker.check(pictures[index])
            rounds.add(
                wrong=int(wrong),
                after=int(after.verdict != known[index]),
                restart_seconds=seconds,
                check_seconds=time.perf_counter() - warm,
                resident_bytes=resident,
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing; return 1 if a promise is broken."""
    argparse.ArgumentParser(prog="python -m prove.screening").parse_args(arguments)
    found, tried, missed = count_found()
    alarms, harmless = count_alarms()
    print("missed, for example:", *missed[:10], sep="\n  ", file=sys.stderr)
    if found / tried < LEAST_FOUND or alarms:
        return say_broken([f"{found} of {tried} found, {alarms} alarms"])
    write_line(
        "At least 99 % of randomly disguised words are found, without false alarms for harmless prompts",
        f"{found:,} of {tried:,} found ({found / tried:.2%}), {alarms} false alarms in {harmless:,} harmless prompts",
        "python -m prove.screening",
    )
    rounds = Rounds("screening")
    asyncio.run(kill_at_random(rounds))
    wrong = sum(one["wrong"] + one["after"] for one in rounds.all)
    if wrong:
        return say_broken([f"{wrong} wrong verdicts"])
    check_seconds = statistics.median(one["check_seconds"] for one in rounds.all)
    restart_seconds = statistics.median(one["restart_seconds"] for one in rounds.all)
    mebibytes = max(one["resident_bytes"] for one in rounds.all) / 2**20
    write_line(
        "A picture check that is killed gives no verdict, and the next picture is checked",
        f"{len(rounds)} kills: {wrong} wrong verdicts; median {check_seconds * 1000:.0f} ms a picture,"
        f" {restart_seconds:.1f} s from a kill to the next verdict, at most {mebibytes:.0f} MiB",
        "python -m prove.screening",
    )
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
