"""Downloading and locking, against a local stand-in for the hub."""

import dataclasses
import json
import logging
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir

from generation.errors import ModelUnavailable
from generation.models.catalog import ModelEntry, load_catalog
from generation.models.files import ensure_model, is_here, wanted_files
from generation.models.hub import Hub
from generation.models.problems import ModelProblem
from generation.models.snapshots import LOCK_NAME
from generation.sentences import error_sentence
from generation.settings import PACKAGED_MODELS_FILE
from tests.generation.hub_server import COMMIT, LATER_COMMIT, REPOSITORY, HubServer

FILES = {
    "model_index.json": b"{ }",
    "README.md": b"words",
    "run_me.py": b"import os",
    "all_in_one.safetensors": b"everything",
    "all_in_one.ckpt": b"a pickle",
    "unet/config.json": b"{}",
    "unet/model.safetensors": b"weights",
    "unet/model.fp16.safetensors": b"half",
    "unet/model.bin": b"a pickle",
    "vae/model.safetensors": b"weights of the autoencoder",
    "tokenizer/merges.txt": b"a b",
    "safety_checker/model.safetensors": b"a checker",
}


@pytest.fixture
def entry() -> ModelEntry:
    packaged = load_catalog(PACKAGED_MODELS_FILE)["stable-diffusion-v1-5"]
    return dataclasses.replace(packaged, hub_id=REPOSITORY, revision=None)


def problem_of(entry: ModelEntry, data_dir: Path, hub: Hub) -> ModelUnavailable:
    with pytest.raises(ModelUnavailable) as caught:
        ensure_model(entry, data_dir, hub)
    sentence = error_sentence(caught.value)
    assert sentence.endswith(".")
    assert "can't be used at the moment" not in sentence  # the text for reasons without a sentence
    assert "hf_secret" not in sentence + str(caught.value)
    return caught.value


def test_the_first_download_takes_only_what_is_read_and_writes_the_lock(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path
) -> None:
    assert not is_here(entry, tmp_path, hub)
    files = ensure_model(entry, tmp_path, hub)
    expected = {
        "model_index.json",
        "unet/config.json",
        "unet/model.fp16.safetensors",
        "vae/model.safetensors",
        "tokenizer/merges.txt",
    }
    assert server.downloads() == expected
    assert {path.relative_to(files.path).as_posix() for path in files.path.rglob("*") if path.is_file()} == expected
    assert (files.path / "unet/model.fp16.safetensors").read_bytes() == b"half"
    assert files.revision == COMMIT
    locked = json.loads((tmp_path / LOCK_NAME).read_text())[REPOSITORY]
    assert locked["revision"] == COMMIT
    assert set(locked["files"]) == expected
    assert is_here(entry, tmp_path, hub)


def test_a_download_is_told_in_the_log_and_what_is_here_is_not(
    hub: Hub, entry: ModelEntry, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generation.models.hub._LOGGED_BYTES", 1)
    caplog.set_level(logging.INFO, "generation.models")
    ensure_model(entry, tmp_path, hub)
    first, *between, last = caplog.messages
    assert first.startswith(f"downloading {REPOSITORY}: ")
    assert all(line.endswith(" % done") for line in between)
    assert between[-1] == f"downloading {REPOSITORY}: 100 % done"
    assert last == f"{REPOSITORY} has been downloaded"
    caplog.clear()
    ensure_model(entry, tmp_path, hub)
    assert caplog.messages == []


def test_later_loads_ask_nobody_and_keep_the_commit(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path
) -> None:
    first = ensure_model(entry, tmp_path, hub)
    server.requests.clear()
    server.commit = LATER_COMMIT  # the author pushes something new
    server.files["unet/model.fp16.safetensors"] = b"new weights"
    assert ensure_model(entry, tmp_path, hub) == first
    assert server.requests == []


def test_hugging_faces_own_tools_see_what_is_wanted_and_what_is_left_over(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path
) -> None:
    ensure_model(entry, tmp_path, hub)
    server.commit = LATER_COMMIT
    ensure_model(dataclasses.replace(entry, revision=LATER_COMMIT), tmp_path, hub)
    (repository,) = scan_cache_dir(hub.cache_dir).repos
    # `hf cache prune` deletes what has no ref.
    assert {revision.commit_hash: bool(revision.refs) for revision in repository.revisions} == {
        COMMIT: False,
        LATER_COMMIT: True,
    }


def test_a_file_that_changed_on_disk_is_refused(hub: Hub, entry: ModelEntry, tmp_path: Path) -> None:
    ensure_model(entry, tmp_path, hub)
    files = ensure_model(entry, tmp_path, hub)  # now the lock file records it
    (files.path / "vae/model.safetensors").resolve().write_bytes(b"something evil")
    error = problem_of(entry, tmp_path, hub)
    assert (error.reason, error.data["file"]) == (ModelProblem.CHANGED, "vae/model.safetensors")


def test_a_file_that_is_gone_is_fetched_again_and_must_be_the_same(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path
) -> None:
    files = ensure_model(entry, tmp_path, hub)
    missing = files.path / "vae/model.safetensors"
    missing.resolve().unlink()
    missing.unlink(missing_ok=True)  # it may have been a link
    assert ensure_model(entry, tmp_path, hub) == files
    missing.resolve().unlink()
    missing.unlink(missing_ok=True)  # it may have been a link
    server.files["vae/model.safetensors"] = b"rewritten history"
    assert problem_of(entry, tmp_path, hub).reason == ModelProblem.CHANGED


def test_the_lock_of_another_data_dir_is_not_known(hub: Hub, entry: ModelEntry, tmp_path: Path) -> None:
    ensure_model(entry, tmp_path / "one", hub)
    assert is_here(entry, tmp_path / "one", hub)
    assert not is_here(entry, tmp_path / "two", hub)


def test_the_catalogs_revision_is_the_one_that_is_fetched(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path
) -> None:
    ensure_model(entry, tmp_path, hub)
    server.commit = LATER_COMMIT
    pinned = dataclasses.replace(entry, revision=LATER_COMMIT)
    assert ensure_model(pinned, tmp_path, hub).revision == LATER_COMMIT
    server.commit = COMMIT
    absent = dataclasses.replace(entry, revision="f" * 40)
    assert problem_of(absent, tmp_path, hub).reason == ModelProblem.NO_SUCH_REVISION


def test_a_download_that_is_not_what_the_hub_announced_is_refused(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path
) -> None:
    server.wrong_hash = True
    assert problem_of(entry, tmp_path, hub).reason == ModelProblem.DAMAGED
    assert not (tmp_path / LOCK_NAME).exists()


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ((403, "GatedRepo"), ModelProblem.GATED),
        ((401, "GatedRepo"), ModelProblem.GATED),
        ((401, "RepoNotFound"), ModelProblem.NOT_FOUND),
        ((404, "RepoNotFound"), ModelProblem.NOT_FOUND),
        ((403, ""), ModelProblem.TOKEN_REFUSED),
        ((429, ""), ModelProblem.HUB_BUSY),
        ((503, ""), ModelProblem.HUB_BUSY),
    ],
)
def test_every_no_of_the_hub_has_its_reason(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path, refusal: tuple[int, str], reason: ModelProblem
) -> None:
    server.refusal = refusal
    assert problem_of(entry, tmp_path, hub).reason == reason


def test_a_hub_that_cannot_be_reached_is_told(entry: ModelEntry, tmp_path: Path) -> None:
    hub = Hub(endpoint="http://127.0.0.1:9", cache_dir=tmp_path / "cache")  # the discard port, where nobody listens
    assert problem_of(entry, tmp_path, hub).reason == ModelProblem.UNREACHABLE


def test_a_repository_of_pickles_is_refused(server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path) -> None:
    server.files = {name: data for name, data in FILES.items() if not name.endswith(".safetensors")}
    assert problem_of(entry, tmp_path, hub).reason == ModelProblem.NO_SAFETENSORS
    assert server.downloads() == set()


def test_a_repository_that_is_no_pipeline_is_refused(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path
) -> None:
    del server.files["model_index.json"]
    assert problem_of(entry, tmp_path, hub).reason == ModelProblem.NOT_A_MODEL


@pytest.mark.parametrize("name", ["../leaves.json", "/leaves.json", "..\\leaves.json", "C:/leaves.json"])
def test_a_file_that_would_leave_its_folder_is_not_taken(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path, name: str
) -> None:
    server.files[name] = b"{}"
    files = ensure_model(entry, tmp_path, hub)
    assert server.downloads() == {path.relative_to(files.path).as_posix() for path in files.path.rglob("*.*")}


@pytest.mark.parametrize("commit", ["", "main", "../../elsewhere"])
def test_a_hub_that_names_no_commit_has_said_nothing(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path, commit: str
) -> None:
    server.commit = commit
    assert problem_of(entry, tmp_path, hub).reason == ModelProblem.UNREACHABLE


@pytest.mark.parametrize("contents", ["", "[]", '{"somebody/some-model": {}}', '{"somebody/some-model": 1}'])
def test_a_broken_lock_trusts_nothing(hub: Hub, entry: ModelEntry, tmp_path: Path, contents: str) -> None:
    ensure_model(entry, tmp_path, hub)
    (tmp_path / LOCK_NAME).write_text(contents)
    assert not is_here(entry, tmp_path, hub)
    assert problem_of(entry, tmp_path, hub).reason == ModelProblem.LOCK_BROKEN
    assert (tmp_path / LOCK_NAME).read_text() == contents


def test_a_disk_without_room_is_told_before_the_download(
    server: HubServer, hub: Hub, entry: ModelEntry, tmp_path: Path
) -> None:
    server.sizes["vae/model.safetensors"] = 2**60
    error = problem_of(entry, tmp_path, hub)
    assert error.reason == ModelProblem.DISK_FULL
    assert error.data["needed_bytes"] > 2**60
    assert server.downloads() == set()


def test_a_local_folder_is_known_by_its_contents(entry: ModelEntry, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    local = dataclasses.replace(entry, hub_id=None, folder=folder, variant=None)
    assert problem_of(local, tmp_path, Hub()).reason == ModelProblem.NO_FOLDER
    folder.mkdir()
    assert problem_of(local, tmp_path, Hub()).reason == ModelProblem.NOT_A_MODEL
    (folder / "model_index.json").write_text("{}")
    assert problem_of(local, tmp_path, Hub()).reason == ModelProblem.NO_SAFETENSORS
    (folder / "unet").mkdir()
    (folder / "unet" / "model.safetensors").write_bytes(b"weights")
    first = ensure_model(local, tmp_path, Hub())
    assert (first.path, len(first.revision)) == (folder, 40)
    (folder / "unet" / "model.safetensors").write_bytes(b"other weights")
    assert ensure_model(local, tmp_path, Hub()).revision != first.revision


def test_sharded_weights_are_taken_whole() -> None:
    names = [
        "model_index.json",
        "transformer/a-00001-of-00002.safetensors",
        "transformer/a-00002-of-00002.safetensors",
        "transformer/a.fp16-00001-of-00001.safetensors",
        "transformer/a.safetensors.index.json",
    ]
    assert wanted_files(names, None, frozenset()) == sorted(name for name in names if "fp16" not in name)
    assert "transformer/a.fp16-00001-of-00001.safetensors" in wanted_files(names, "fp16", frozenset())
