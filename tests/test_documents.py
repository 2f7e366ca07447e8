"""What the documents mention exists: files, headings, commands, settings, models. The container's files are valid."""

import importlib.util
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import discord
import pytest
import yaml

from bot.checks.application import NEEDED_PERMISSIONS, SCOPES
from bot.settings import Settings
from bot.storage.migrations import migrate
from generation.cli.main import main as generation_main
from generation.models.catalog import REPOSITORY, load_catalog
from generation.settings import PACKAGED_MODELS_FILE

DOCUMENTS = sorted(
    path
    for folder in (REPOSITORY, REPOSITORY / "docs", REPOSITORY / "docs" / "pictures")
    for path in folder.glob("*.md")
)
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)|<(?:img|source)[^>]*\ssrc(?:set)?=\"(?P<source>[^\"]+)\"")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
MODULE = re.compile(r"(?<![\w/])python -m (?P<arguments>[a-z][^`\n|]*)")
CAPITALS = re.compile(r"(?<![\w./-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w-])")

SETTINGS = {name.upper() for name in Settings.model_fields}
# Variables read by code other than the settings: setup, playground, container, Hugging Face, systemd, compose.
OTHER_VARIABLES = {
    "TORCH_INDEX_URL": "run.py",
    "PYTHON_IMAGE": "Dockerfile",
    "HF_HOME": "generation/models/hub.py",
    "PLAYGROUND_PORT": "playground/demo.py",
    "DISCORD_OPENAPI": "playground/openapi_document.py",
    "OMP_WAIT_POLICY": "generation/executors/worker.py",
}
FOREIGN_WORDS = {
    "HF_HUB_DISABLE_SYMLINKS_WARNING",
    "COMPOSE_PROFILES",
    "YOUR_APPLICATION_ID",
    "MALLOC_ARENA_MAX",  # these three are glibc's
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "SCHED_BATCH",  # of Linux
}


def of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings as GitHub generates them."""
    headings = (match["text"] for match in HEADING.finditer(FENCE.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def fenced(path: Path, language: str) -> list[str]:
    return [match["text"] for match in FENCE.finditer(text_of(path)) if match["language"] == language]


def compose() -> dict[str, Any]:
    return yaml.safe_load(text_of(REPOSITORY / "compose.yaml"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=of)
def test_links_lead_somewhere(document: Path) -> None:
    for match in LINK.finditer(FENCE.sub("", text_of(document))):
        target, _, anchor = (match["target"] or match["source"]).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), f"{match[0]} leads nowhere"
        assert not anchor or anchor in anchors(text_of(path)), f"{match[0]} names no heading there"


@pytest.mark.parametrize("document", DOCUMENTS, ids=of)
def test_commands_exist(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for match in MODULE.finditer(text_of(document)):
        module, *arguments = shlex.split(match["arguments"], comments=True)
        assert importlib.util.find_spec(module) is not None, match[0]
        if module == "generation" and arguments and arguments[0].isascii():
            command = arguments[0].rstrip(".,;")
            with pytest.raises(SystemExit) as ended:  # argparse ends --help with 0 and an unknown command with 2
                generation_main([command, "--help"])
            assert ended.value.code == 0, match[0]
            known = capsys.readouterr().out
            assert all(option in known for option in arguments if option.startswith("--")), match[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=of)
def test_settings_exist(document: Path) -> None:
    named = set(CAPITALS.findall(text_of(document)))

    assert named <= SETTINGS | OTHER_VARIABLES.keys() | FOREIGN_WORDS


@pytest.mark.parametrize(("name", "reader"), OTHER_VARIABLES.items())
def test_other_variables_are_read_where_it_is_said(name: str, reader: str) -> None:
    assert name in text_of(REPOSITORY / reader)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_setting_is_explained(name: str) -> None:
    assert re.search(rf"^(# )?{name}=", text_of(REPOSITORY / ".env.example"), re.MULTILINE)


def test_the_example_settings_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    defaults = Settings()
    example = text_of(REPOSITORY / ".env.example").replace("# ATTACHMENT_HOSTS=", "ATTACHMENT_HOSTS=")
    (tmp_path / ".env").write_text(example, encoding="utf-8")

    assert Settings() == defaults


def test_models_are_those_of_the_catalog() -> None:
    document = text_of(REPOSITORY / "docs" / "models.md")
    for name, entry in load_catalog(PACKAGED_MODELS_FILE).items():
        gibibytes = f"{entry.memory_bytes / 2**30:g}"
        licence = f"{entry.licence} (gated)" if entry.gated else entry.licence
        row = f"| `{name}` | {entry.defaults.size} pixels | {gibibytes} GiB | {licence} |"
        assert row in document, f"docs/models.md needs the row {row} …"


def test_the_example_entries_are_some(tmp_path: Path) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text("\n".join(fenced(REPOSITORY / "docs" / "models.md", "toml")), encoding="utf-8")

    assert list(load_catalog(models_file)) == ["my-style", "kandinsky-3"]


def test_the_invitation_asks_for_what_is_needed() -> None:
    document = text_of(REPOSITORY / "docs" / "discord.md")
    link = discord.utils.oauth_url(0, permissions=NEEDED_PERMISSIONS, scopes=SCOPES)

    assert link.replace("client_id=0", "client_id=YOUR_APPLICATION_ID") in document


def test_what_privacy_tells_the_operator_to_do_deletes() -> None:
    member = 123456789012345678
    (by_member,) = fenced(REPOSITORY / "PRIVACY.md", "sql")
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    needed = [row[1] for row in connection.execute("PRAGMA table_info(jobs)") if row[3] and row[4] is None]
    for job_id, requester_id, settled_at in (("A", member, 0), ("B", 5, 0), ("C", 5, None)):
        values = dict.fromkeys(needed, 0) | {"job_id": job_id, "requester_id": requester_id, "settled_at": settled_at}
        marks = ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO jobs ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
    connection.executemany("INSERT INTO defaults VALUES (?, ?, 'count', '1')", [("member", member), ("server", member)])
    connection.execute("INSERT INTO reports VALUES ('A', ?, 5, 0), ('A', 6, 5, 0)", (member,))
    connection.execute("INSERT INTO remix_refusals VALUES (?)", (member,))

    connection.executescript(by_member)
    assert connection.execute("SELECT job_id FROM jobs ORDER BY job_id").fetchall() == [("B",), ("C",)]
    assert connection.execute("SELECT layer FROM defaults").fetchall() == [("server",)]
    assert connection.execute("SELECT member_id FROM reports").fetchall() == [(6,)]
    assert connection.execute("SELECT member_id FROM remix_refusals").fetchall() == []

    connection.close()


@pytest.mark.parametrize("service", ["bot", "bot-nvidia"])
def test_compose_gives_the_bot_time_to_end(service: str) -> None:
    grace = compose()["services"][service]["stop_grace_period"]

    assert grace.endswith("s")
    assert float(grace.removesuffix("s")) > Settings.model_fields["shutdown_grace_seconds"].default


def test_compose_has_a_profile_for_each_machine() -> None:
    services = compose()["services"]

    assert {name: service["profiles"] for name, service in services.items()} == {
        "bot": ["cpu"],
        "bot-nvidia": ["nvidia"],
    }
    (device,) = services["bot-nvidia"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


def test_compose_and_image_agree_on_the_volumes() -> None:
    dockerfile = text_of(REPOSITORY / "Dockerfile")
    for service in compose()["services"].values():
        for volume in service["volumes"]:
            assert f'"{volume.partition(":")[2]}"' in dockerfile
        for name in ("DATA_DIR", "HF_HOME"):
            assert f"{name}={service['environment'][name]} " in dockerfile.replace("\n", " ")


def test_the_image_runs_as_nobody_in_particular() -> None:
    lines = text_of(REPOSITORY / "Dockerfile").splitlines()
    (user,) = (line.split()[1] for line in lines if line.startswith("USER "))

    assert int(user) > 0  # a number, so that Kubernetes can tell that it is not root
    assert f"useradd --uid {user} " in "\n".join(lines)
    assert lines[-1] == 'CMD ["python", "-m", "bot"]'  # the exec form: signals reach the bot
    assert "STOPSIGNAL SIGTERM" in lines


def test_compose_takes_every_right_that_the_bot_does_not_need() -> None:
    for service in compose()["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]
        assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "user", "devices"}


def test_the_image_takes_nothing_but_what_is_locked() -> None:
    dockerfile = text_of(REPOSITORY / "Dockerfile")
    installs = re.findall(r"\$pip install (.*?)(?: \\|;)*$", dockerfile, re.MULTILINE)
    unhashed = [line for line in installs if "--require-hashes" not in line]

    assert len(installs) == 3
    assert [line.split()[-2:] for line in unhashed] == [["--index-url", '"$TORCH_INDEX_URL"']]


def compiler_packages(tmp_path: Path, torch_index_url: str) -> list[str]:
    """Run the step that installs a compiler, with an apt-get and an rm that only record their arguments."""
    (step,) = re.findall(r"^RUN (case (?:.*\\\n)+.*)$", text_of(REPOSITORY / "Dockerfile"), re.MULTILINE)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, does in {
        "apt-get": f'echo "$@" >> "{tmp_path}/told"',
        "rm": f'echo rm "$@" >> "{tmp_path}/told"',
        "python": f'echo "{tmp_path}/include"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    (tmp_path / "told").touch()
    environment = {"PATH": str(programs), "TORCH_INDEX_URL": torch_index_url}
    subprocess.run(["/bin/sh", "-f", "-c", step], env=environment, check=True)  # -f: a * stays one
    return text_of(tmp_path / "told").splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="the step is one of a shell")
def test_an_image_for_a_cpu_has_no_compiler(tmp_path: Path) -> None:
    (default,) = re.findall(r"^ARG TORCH_INDEX_URL=(.*)$", text_of(REPOSITORY / "Dockerfile"), re.MULTILINE)

    assert compiler_packages(tmp_path, default) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the step is one of a shell")
@pytest.mark.parametrize("service", ["bot-nvidia", None], ids=["compose", "default-index"])
@pytest.mark.parametrize(("header", "more"), [("Python.h", ""), ("other.h", " libpython3-dev")])
def test_an_image_for_a_card_has_what_triton_compiles_with(
    tmp_path: Path, service: str | None, header: str, more: str
) -> None:
    index_url = compose()["services"][service]["build"]["args"]["TORCH_INDEX_URL"] if service else ""
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / header).touch()

    assert compiler_packages(tmp_path, index_url) == [
        "update",
        f"install --yes --no-install-recommends gcc libc6-dev{more}",
        "rm -rf /var/lib/apt/lists/*",
    ]


def test_the_builder_keeps_what_pip_fetched() -> None:
    install, _, after = text_of(REPOSITORY / "Dockerfile").partition("$pip uninstall")

    assert "--mount=type=cache,target=/root/.cache/pip" in install
    assert "XDG_CACHE_HOME" not in install  # pip would keep its files there
    assert "XDG_CACHE_HOME=/cache" in after


def test_the_image_holds_what_it_copies() -> None:
    let_in = re.findall(r"^!(\S+)$", text_of(REPOSITORY / ".dockerignore"), re.MULTILINE)
    copied = re.findall(r"^COPY (?:--\S+ )*(\S+) \S+$", text_of(REPOSITORY / "Dockerfile"), re.MULTILINE)

    assert sorted(copied) == sorted(let_in)
    assert all((REPOSITORY / name).exists() for name in copied)
