"""Set up a virtual environment in this folder and do the main job in it. Needs nothing but Python 3.11 to 3.14.

    python run.py          the bot if DISCORD_TOKEN is set (in .env or the environment), else the playground
    python run.py test     the tests
    python run.py lint     style and types
    python run.py prove    the long proofs, see docs/reliability.md
    python run.py setup    only the environment

TORCH_INDEX_URL names another package index for torch, such as https://download.pytorch.org/whl/cpu; .venv remembers it.
"""

from __future__ import annotations  # an old Python must get as far as the sentence that says what it is

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
INDEX_NAME = "torch-index-url"
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)  # torch is built for no newer one yet


def python_problem(version: tuple[int, int], *, has_ensurepip: bool) -> str | None:
    """Return why this Python cannot make the environment and what to do, or None if it can."""
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return (
            f"Palimpsest needs Python 3.11 to 3.14, but this is {version[0]}.{version[1]}: install one of these and"
            " name it, as in `make run PYTHON=python3.13` or, on Windows, `py -3.13 run.py`."
        )
    if not has_ensurepip:
        return "Python's own venv is missing here: on Debian and Ubuntu, `sudo apt install python3-venv` installs it."
    return None


def set_up(requirements: str) -> None:
    """Make the environment, or bring it up to date when a requirements file has changed."""
    index_url = torch_index_url()
    base, lock = HERE / "requirements.txt", HERE / "requirements.lock"
    files = {base, lock, HERE / requirements}
    stamps = {
        ENVIRONMENT / f"{name_of(file)}.sha256": hashlib.sha256(file.read_bytes() + index_url.encode()).hexdigest()
        for file in files
    }
    is_made = can_run("import pip")
    if is_made and all(stamp.exists() and stamp.read_text() == digest for stamp, digest in stamps.items()):
        return
    if not is_made:  # never, or not to the end, or the system has another Python since
        print(f"Creating a virtual environment in {ENVIRONMENT.name}/ …", file=sys.stderr)
        venv.create(ENVIRONMENT, clear=not can_run("pass"), symlinks=os.name != "nt", with_pip=True)
    print("Installing packages; torch is large, this can take a few minutes …", file=sys.stderr)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if index_url:
        torch = next(line for line in base.read_text().splitlines() if line.startswith("torch=="))
        # By force, because pip takes the builds of one version for the same whatever index they come from.
        subprocess.run([*pip, "--force-reinstall", "--no-deps", torch, "--index-url", index_url], check=True)
        (ENVIRONMENT / INDEX_NAME).write_text(index_url)  # only now: a mistyped one is not to come again
    # The same versions of everything everywhere; the hashes are for the container, as pip takes all or none of them.
    constraints = ENVIRONMENT / "constraints.txt"
    constraints.write_text("\n".join(locked_versions(lock)) + "\n")
    subprocess.run([*pip, "-r", str(HERE / requirements), "--constraint", str(constraints)], check=True)
    for stamp, digest in stamps.items():
        stamp.write_text(digest)


def can_run(code: str) -> bool:
    """Tell whether the environment's Python runs this."""
    try:
        return subprocess.run([str(PYTHON), "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:  # there is none, or it leads to one that is gone
        return False


def torch_index_url() -> str:
    """Return where torch comes from: what is named now, else what was named when the environment was made.

    Else an update, or a service that knows nothing of the variable, would bring another build of torch.
    """
    remembered = ENVIRONMENT / INDEX_NAME
    return os.environ.get("TORCH_INDEX_URL") or (remembered.read_text() if remembered.exists() else "")


def name_of(file: Path) -> str:
    """Return a name for a file of this folder that no other one has, without its folders' slashes."""
    return "-".join(file.relative_to(HERE).parts)


def locked_versions(lock: Path) -> list[str]:
    """Return what the lock names, such as ``numpy==2.4.6``, with its markers and without its hashes."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return [line.removesuffix("\\").strip() for line in lines if line[:1].isalnum()]


def main_job() -> list[str]:
    """Return what ``run`` starts: the bot where there is a token, the playground where there is none."""
    # The settings' own library reads .env, and it is there only inside the environment.
    question = "from bot.settings import Settings; from generation.settings import read_settings\n"
    question += "print(read_settings(Settings).discord_token is not None)"
    answer = subprocess.run([str(PYTHON), "-c", question], cwd=HERE, capture_output=True, text=True, check=False)
    # Settings that are wrong are the bot's to complain about, in one sentence.
    return ["-m", "playground"] if answer.stdout.strip() == "False" else ["-m", "bot"]


def pytest_arguments(arguments: list[str], cores: int) -> list[str]:
    """Return pytest's arguments: all tests run file by file on half of the cores, as many of them start processes.

    Two cores serve two files, as one file leaves a core idle most of the time. What was named on the command line is
    run in one process, where a debugger works.
    """
    workers = min(cores, max(cores // 2, 2), 6)
    # In the order of the folders, in which the longest files are not the last.
    side_by_side = ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    return arguments or (side_by_side if workers > 1 else [])


def become(arguments: list[str]) -> int:
    """Continue as the environment's Python, so that signals reach the program itself."""
    os.chdir(HERE)
    if os.name == "posix":
        os.execv(PYTHON, [str(PYTHON), *arguments])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the child, which decides
    return subprocess.run([str(PYTHON), *arguments], check=False).returncode


def main(arguments: list[str]) -> int:
    """Do what the first argument says; return the exit status."""
    if not can_run("import pip"):  # once made, the environment has a Python of its own
        has_ensurepip = importlib.util.find_spec("ensurepip") is not None
        problem = python_problem(sys.version_info[:2], has_ensurepip=has_ensurepip)
        if problem is not None:
            print(problem, file=sys.stderr)
            return 2
    verb = arguments[0] if arguments else "run"
    if verb in ("-h", "--help", "help"):
        print(__doc__)
        return 0
    if verb not in ("run", "test", "lint", "prove", "setup"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        set_up("requirements.txt" if verb in ("run", "setup") else "requirements-dev.txt")
        if verb == "prove":
            set_up("prove/requirements.txt")
    except subprocess.CalledProcessError:
        print("The packages could not be installed; pip's output above says why.", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"{ENVIRONMENT} cannot be created ({error.strerror}): is this folder yours, and is there room on the disk?",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("Interrupted; run the same command again to continue.", file=sys.stderr)
        return 128 + signal.SIGINT
    if verb == "run":
        return become([*main_job(), *arguments[1:]])
    if verb == "test":
        return become(["-m", "pytest", *pytest_arguments(arguments[1:], os.cpu_count() or 1)])
    if verb == "prove":
        return become(["-m", "prove", *arguments[1:]])
    if verb == "lint":
        checks = (["-m", "ruff", "check"], ["-m", "ruff", "format", "--check"], ["-m", "pyright"])
        return max(subprocess.run([str(PYTHON), *check], cwd=HERE, check=False).returncode for check in checks)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
