"""Run all proofs, or the named ones, and report which promises hold; each writes its lines into docs/reliability.md.

    python -m prove              what has not been proved at this version of the code
    python -m prove --list       all proofs
    python -m prove kills        some of them
    python -m prove --again      all of them again

Together they take hours and may be stopped at any time: the next run resumes where this one stopped.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from prove import BROKEN, IMPOSSIBLE, KEPT
from prove.rounds import REPOSITORY, Rounds


@dataclass(frozen=True, slots=True)
class Proof:
    """A module of this package that can be run on its own; ``takes`` is its approximate duration."""

    name: str
    shows: str
    takes: str


PROOFS = (
    Proof("foreign_pictures", "pictures that others made to break decoders harm nobody", "20 min"),
    Proof("executor_faults", "a fault in the generation process is recognised, the next job done", "20 min"),
    Proof("kills", "no job is lost, shown twice or stuck, whenever the bot is killed", "1 h"),
    Proof("terminations", "a bot that is told to stop is gone within 30 s and loses nothing", "30 min"),
    Proof("members", "whatever members do at random, each request has one end that is said", "25 min"),
    Proof("trouble", "ten minutes of trouble on Discord's side lose nothing", "15 min"),
    Proof("acknowledgements", "10,000 commands and bursts of 200 are acknowledged in time", "15 min"),
    Proof("overload", "ten times as much as can be painted is refused politely", "7 min"),
    Proof("soak", "ten minutes at four jobs a second let nothing grow", "11 min"),
    Proof("fairness", "members get their share, whatever others ask for", "4 min"),
    Proof("deletion", "what a member deletes leaves no byte", "3 min"),
    Proof("card_memory", "Stable Diffusion 1.5 fits a card of 4 GiB and SDXL one of 6, on a pretended one", "20 min"),
    Proof("screening", "words are found however they are written, a killed check gives no verdict", "3 min"),
    Proof("false_alarms", "harmless pictures are not taken for sexual ones", "5 min"),
    Proof("read_only_root", "a picture is painted as nobody, on a read-only root", "1 min"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return 0 unless something that could be tried is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m prove", description="Prove what is promised; see docs/reliability.md."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a proof; without one, all of them")
    parser.add_argument("--list", action="store_true", help="only say which proofs there are")
    parser.add_argument("--again", action="store_true", help="prove again what has been proved at this version")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - {proof.name for proof in PROOFS}
    if unknown:
        parser.error(f"there is no proof {', '.join(sorted(unknown))}; --list says which there are")
    chosen = [proof for proof in PROOFS if not options.names or proof.name in options.names]
    if options.list:
        for proof in chosen:
            print(f"{proof.name:20} {proof.takes:>8}  {proof.shows}")
        return KEPT
    done = Rounds("all")
    kept = {outcome["proof"] for outcome in done.all if outcome["status"] == KEPT}
    statuses: dict[str, int] = {}
    for proof in chosen:
        if proof.name in kept and not options.again:
            print(f"{proof.name}: proved already at this version", file=sys.stderr)
            continue
        print(f"{proof.name}: {proof.shows} (about {proof.takes})", file=sys.stderr, flush=True)
        status = subprocess.run([sys.executable, "-m", f"prove.{proof.name}"], cwd=REPOSITORY, check=False).returncode
        done.add(proof=proof.name, status=status)
        statuses[proof.name] = status
    for name, status in statuses.items():
        word = {KEPT: "kept", IMPOSSIBLE: "could not be tried here"}.get(status, "BROKEN")
        print(f"{name}: {word}", file=sys.stderr)
    return KEPT if all(status in (KEPT, IMPOSSIBLE) for status in statuses.values()) else BROKEN


if __name__ == "__main__":
    sys.exit(main())
