"""Ask PyPI's advisories about everything in requirements.lock; where they cannot be read, say so and go on."""

import json
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
ENVIRONMENT = REPOSITORY / "build" / "audit"  # of its own: the program's packages stay as they are
SECONDS = 120


def main() -> int:
    """Return 1 if a locked version has a known weakness, else 0."""
    try:
        if not (ENVIRONMENT / "bin" / "pip-audit").exists():
            venv.create(ENVIRONMENT, with_pip=True)
            pip = [
                str(ENVIRONMENT / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]
            subprocess.run([*pip, "pip-audit==2.10.1"], check=True, timeout=SECONDS, capture_output=True)
        found = audit()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        print(f"pip-audit: skipped ({type(error).__name__}).")
        return 0
    asked = [package for package in found if "vulns" in package]
    if not asked:
        print("pip-audit: skipped, the advisories cannot be read from here.")
        return 0
    weak = {package["name"]: [weakness["id"] for weakness in package["vulns"]] for package in asked if package["vulns"]}
    print(f"pip-audit: {len(asked)} of {len(found)} packages looked up, {len(weak)} with a known weakness.")
    for name, identifiers in weak.items():
        print(f"  {name}: {', '.join(identifiers)}")
    return 1 if weak else 0


def audit() -> list[dict]:
    """Return pip-audit's findings, one a package."""
    command = [str(ENVIRONMENT / "bin" / "pip-audit"), "--disable-pip", "--require-hashes", "--format", "json"]
    command += ["--progress-spinner", "off", "--timeout", "10", "--requirement", str(REPOSITORY / "requirements.lock")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return json.loads(done.stdout)["dependencies"]


if __name__ == "__main__":
    sys.exit(main())
