"""``python -m generation download`` against a local stand-in for the hub, over real HTTP."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.utils import WeakFileLock

import generation.models.download
from generation.cli.download import download_model
from generation.models.catalog import REPOSITORY as ROOT
from generation.models.catalog import Catalog, load_catalog
from generation.models.digests import DIGESTS_NAME
from generation.models.files import ensure_model
from generation.models.hub import Hub, cache_folder
from generation.models.snapshots import LOCK_NAME, ModelFiles
from generation.settings import PACKAGED_MODELS_FILE, GenerationSettings
from tests.generation.hub_server import COMMIT, REPOSITORY, HubServer

MEBIBYTE = 2**20
WEIGHTS = "unet/model.fp16.safetensors"
NAME = "some-model"
CHUNK = 10 * MEBIBYTE  # how much the library writes at a time
LARGE = bytes(range(256)) * (40 * MEBIBYTE // 256)
FILES = {"model_index.json": b"{ }", "unet/config.json": b"{}", WEIGHTS: b"half of the weights"}


@pytest.fixture
def catalog() -> Catalog:
    packaged = load_catalog(PACKAGED_MODELS_FILE)
    v1_5 = packaged["stable-diffusion-v1-5"]
    ours = dataclasses.replace(v1_5, name=NAME, hub_id=REPOSITORY, revision=None, tiny_autoencoder=None)
    return Catalog({"demo": packaged["demo"], NAME: ours})


class Download:
    """The command, run in this process so that it can be pointed at the stand-in."""

    def __init__(
        self, catalog: Catalog, settings: GenerationSettings, hub: Hub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.catalog, self.settings, self.hub, self._capsys = catalog, settings, hub, capsys

    def __call__(self, name: str | None = NAME) -> tuple[int, str, str]:
        """Run it; return exit status, stdout, and the last line of stderr."""
        status = download_model(name, self.catalog, self.settings, self.hub)
        shown = self._capsys.readouterr()
        assert "hf_secret" not in shown.out + shown.err
        assert "Traceback" not in shown.err
        return status, shown.out, shown.err.strip().splitlines()[-1] if shown.err.strip() else ""


@pytest.fixture
def download(catalog: Catalog, settings: GenerationSettings, hub: Hub, capsys: pytest.CaptureFixture[str]) -> Download:
    return Download(catalog, settings, hub, capsys)


def test_without_a_name_it_tells_what_there_is(server: HubServer, download: Download) -> None:
    status, out, _ = download(None)
    assert status == 0
    assert NAME in out
    assert REPOSITORY in out
    assert "demo" not in out
    assert "not here yet" in out
    assert server.requests == []
    download()
    assert "is here" in download(None)[1]


def test_a_model_arrives_is_locked_and_is_not_fetched_twice(server: HubServer, download: Download) -> None:
    status, out, bar = download()
    assert (status, "100%" in bar) == (0, True)
    assert COMMIT in out
    assert f"MODEL={NAME}" in out
    locked = json.loads((download.settings.data_dir / LOCK_NAME).read_text())[REPOSITORY]
    assert locked["revision"] == COMMIT
    assert set(locked["files"]) == set(server.files)
    server.requests.clear()
    status, out, bar = download()
    assert (status, bar, server.requests) == (0, "", [])
    assert "was already here" in out


def test_whether_it_is_whole_is_looked_up_in_every_byte(download: Download) -> None:
    download()
    ensure_model(download.catalog.find(NAME), download.settings.data_dir, download.hub)  # a start of the bot
    memory = download.settings.data_dir / DIGESTS_NAME
    rows = json.loads(memory.read_text())
    memory.write_text(json.dumps({name: [*row[:-1], "0" * 64] for name, row in rows.items()}))
    assert download()[0] == 0


def test_a_model_of_this_repository_needs_no_download(server: HubServer, download: Download) -> None:
    status, out, _ = download("demo")
    assert status == 0
    assert "needs no download" in out
    assert server.requests == []


def test_a_name_that_nobody_knows_is_bad_input(download: Download) -> None:
    status, _, sentence = download("stable-difusion")
    assert status == 2
    assert NAME in sentence


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((404, "RepoNotFound"), [REPOSITORY, "HF_TOKEN"]),
        ((404, "RevisionNotFound"), [REPOSITORY, "revision"]),
        ((429, ""), ["too busy", "later"]),
        ((503, ""), ["too busy", "later"]),
    ],
)
def test_each_refusal_is_two_sentences_at_most(
    server: HubServer, download: Download, refusal: tuple[int, str], words: list[str]
) -> None:
    server.refusal = refusal
    status, _, sentence = download()
    assert status == 1
    assert all(word in sentence for word in words), sentence
    assert sentence.count(". ") <= 1


def test_a_gated_model_names_its_licence_the_place_and_the_token(server: HubServer, download: Download) -> None:
    server.file_refusal = (403, "GatedRepo")  # the hub lists the files for everyone, but refuses their contents
    status, _, sentence = download()
    assert status == 1
    licence = download.catalog[NAME].licence
    assert all(word in sentence for word in (licence, f"https://huggingface.co/{REPOSITORY}", "HF_TOKEN")), sentence


def test_a_wrong_token_is_told(server: HubServer, download: Download) -> None:
    server.accepted_token = "hf_another"
    status, _, sentence = download()
    assert status == 1
    assert "doesn't accept HF_TOKEN" in sentence


def test_no_network_is_told(download: Download) -> None:
    download.hub = dataclasses.replace(download.hub, endpoint="http://127.0.0.1:9")  # nobody listens there
    status, _, sentence = download()
    assert status == 1
    assert "can't be reached" in sentence


def test_a_disk_without_room_is_told_before_anything_is_fetched(server: HubServer, download: Download) -> None:
    server.sizes[WEIGHTS] = 2**50
    status, _, sentence = download()
    assert status == 1
    assert f"{2**20 * 1.1:.1f} GiB more" in sentence  # including the margin
    assert "are free in" in sentence
    assert server.downloads() == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_a_disk_that_fills_up_meanwhile_is_told(server: HubServer, download: Download, tmp_path: Path) -> None:
    blobs = tmp_path / "cache" / f"models--{REPOSITORY.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    half = blobs / f"{COMMIT}-{WEIGHTS.replace('/', '-')}.incomplete"
    half.symlink_to("/dev/full")
    status, _, sentence = download()
    assert status == 1
    assert "enough room on the disk" in sentence
    half.unlink()
    assert download()[0] == 0


@pytest.mark.parametrize("small", [set(), set(FILES)], ids=["large", "small"])
def test_contents_that_were_not_announced_are_thrown_away(
    server: HubServer, download: Download, small: set[str]
) -> None:
    server.wrong_hash, server.small = True, small
    status, _, sentence = download()
    assert status == 1
    assert "isn't what Hugging Face announced" in sentence
    assert not (download.settings.data_dir / LOCK_NAME).exists()
    server.wrong_hash = False
    assert download()[0] == 0


def test_a_data_folder_that_takes_nothing_is_told_and_costs_no_second_download(
    server: HubServer, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = download.settings.data_dir / LOCK_NAME

    def refuse_the_lock(draft: Path, target: Path, *, replace: Any = os.replace) -> None:
        if target == lock:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(draft))
        replace(draft, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse_the_lock)
        status, _, sentence = download()
    assert (status, str(lock) in sentence) == (1, True)
    server.requests.clear()
    assert download()[0] == 0
    assert server.downloads() == set()


def test_a_cache_that_cannot_be_written_is_not_taken_for_a_broken_connection(
    download: Download, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    download.hub = dataclasses.replace(download.hub, cache_dir=tmp_path / "file" / "hub")
    status, _, sentence = download()
    assert status == 1
    assert f"needs {tmp_path / 'file'}" in sentence


def test_what_was_begun_of_other_commits_goes(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation.models.download, "_HEARTBEAT_SECONDS", 0.01)
    folder = f"models--{REPOSITORY.replace('/', '--')}"
    blobs, locks = (cache_folder(download.hub) / name for name in (f"{folder}/blobs", f".locks/{folder}"))
    for path in (blobs, locks):
        path.mkdir(parents=True)
    names = ("a" * 40 + "-unet-x", "b" * 40 + "-unet-x", "the-librarys-own")
    for name in names:
        (blobs / f"{name}.incomplete").touch()
    with WeakFileLock(locks / f"{'b' * 40}.lock"):  # another process is fetching this one
        assert download()[0] == 0
    assert {path.stem for path in blobs.iterdir()} == set(names[1:])


@pytest.mark.parametrize("resets", [False, True])
def test_a_cut_connection_is_taken_up_where_it_broke(server: HubServer, download: Download, resets: bool) -> None:
    server.files[WEIGHTS] = LARGE
    server.cut_after[WEIGHTS] = 36 * MEBIBYTE
    server.resets = resets
    told: list[int] = []
    files = ensure_model(
        download.catalog[NAME], download.settings.data_dir, download.hub, lambda arrived, _: told.append(arrived)
    )
    assert (files.path / WEIGHTS).read_bytes() == LARGE
    ((name, wanted),) = server.ranges
    assert name == WEIGHTS
    assert int(wanted.removeprefix("bytes=").removesuffix("-")) in (CHUNK, 2 * CHUNK, 3 * CHUNK)
    assert told == sorted(told)
    assert told[-1] == sum(map(len, server.files.values()))


def test_the_host_that_keeps_the_contents_never_sees_the_token(server: HubServer, download: Download) -> None:
    server.files[WEIGHTS] = LARGE
    server.cut_after[WEIGHTS] = 36 * MEBIBYTE
    server.redirects = True
    assert download()[0] == 0
    assert len(server.tokens_elsewhere) == len(server.files) + 1
    assert set(server.tokens_elsewhere) == {None}
    assert len(server.ranges) == 1


def test_a_hub_that_gives_up_in_the_middle_loses_nothing(server: HubServer, download: Download) -> None:
    server.files[WEIGHTS] = LARGE
    server.cut_after[WEIGHTS] = 36 * MEBIBYTE
    server.cut_then_refuse = (503, "")
    assert download()[0] == 1
    server.file_refusal = server.cut_then_refuse = None
    status, _, bar = download()
    assert (status, "100%" in bar) == (0, True)
    assert server.ranges[-1][1] == f"bytes={3 * CHUNK}-"


def test_an_older_half_that_is_too_long_is_begun_anew(server: HubServer, download: Download, tmp_path: Path) -> None:
    blobs = tmp_path / "cache" / f"models--{REPOSITORY.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{COMMIT}-{WEIGHTS.replace('/', '-')}.incomplete").write_bytes(b"x" * 1000)
    assert download()[0] == 0
    assert server.ranges == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process alone")
def test_control_c_keeps_what_has_arrived(server: HubServer, tmp_path: Path) -> None:
    rows = PACKAGED_MODELS_FILE.read_text(encoding="utf-8").split("\n[")
    row = next(row for row in rows if row.startswith("stable-diffusion-v1-5]"))
    lines = [line for line in row.splitlines()[1:] if not line.startswith(("hub", "revision", "#"))]
    models_file = tmp_path / "models.toml"
    models_file.write_text("\n".join([f"[{NAME}]", f'hub = "{REPOSITORY}"', *lines]), encoding="utf-8")
    ours = {"MODELS_FILE": str(models_file), "DATA_DIR": str(tmp_path / "data")}
    theirs = {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": "hf_secret"}
    # A shell without job control starts background jobs with SIGINT ignored, and children inherit that.
    program = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    program += "from generation.cli.main import main; sys.exit(main())"

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", program, "download", NAME],
            env={**os.environ, **ours, **theirs, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    server.files[WEIGHTS] = LARGE
    server.hold_after[WEIGHTS] = 36 * MEBIBYTE
    with start() as process:
        assert server.is_held.wait(300)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "What has been downloaded is kept" in stderr
    assert "Traceback" not in stderr
    server.hold_after.clear()
    with start() as process:
        stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert "has been downloaded and is complete" in stdout
    ((_, wanted),) = server.ranges
    assert int(wanted.removeprefix("bytes=").removesuffix("-")) >= CHUNK


def test_who_waits_for_another_download_tells_how_far_that_is(
    server: HubServer, hub: Hub, catalog: Catalog, settings: GenerationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation.models.download, "_HEARTBEAT_SECONDS", 0.01)
    folder = f"models--{REPOSITORY.replace('/', '--')}"
    lock = cache_folder(hub) / ".locks" / folder / f"{COMMIT}.lock"
    lock.parent.mkdir(parents=True)
    is_told, files = threading.Event(), list[ModelFiles]()

    def ask() -> None:
        files.append(ensure_model(catalog[NAME], settings.data_dir, hub, lambda *_: is_told.set()))

    asking = threading.Thread(target=ask)
    with WeakFileLock(lock):
        asking.start()
        assert is_told.wait(60)
        assert server.downloads() == set()
    asking.join()
    assert server.downloads() == set(FILES)
    assert files[0].revision == COMMIT
