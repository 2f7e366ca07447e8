"""The operator's add-ons, from a local stand-in for the hub: downloaded once, used without it."""

import dataclasses
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from generation.cli.download import download_model
from generation.errors import ModelUnavailable
from generation.models.adapters import adapters_of
from generation.models.add_ons import AddOnFile
from generation.models.catalog import Catalog, ModelEntry, load_catalog
from generation.models.hub import Hub
from generation.models.problems import ModelProblem
from generation.models.snapshots import LOCK_NAME
from generation.sentences import error_sentence
from generation.settings import PACKAGED_MODELS_FILE, GenerationSettings
from tests.generation.hub_server import COMMIT, LATER_COMMIT, REPOSITORY, HubServer

MEBIBYTE = 2**20


def tensors(note: str) -> bytes:
    """Return a safetensors file without tensors."""
    header = json.dumps({"__metadata__": {"note": note}}).encode()
    return struct.pack("<Q", len(header)) + header


FILES = {
    "README.md": b"words",
    "ink.safetensors": tensors("ink"),
    "ink.ckpt": b"a pickle",
    "clay/weights.safetensors": tensors("clay"),
}


def entry_with(**rows: dict[str, Any]) -> ModelEntry:
    demo = load_catalog(PACKAGED_MODELS_FILE)["demo"]
    return dataclasses.replace(demo, adapters=adapters_of(rows, model="demo", root=Path()))


def ink(**changes: Any) -> AddOnFile:
    row = {"hub": REPOSITORY, "file": "ink.safetensors", **changes}
    return entry_with(ink={key: value for key, value in row.items() if value is not None}).adapters["ink"].file


def problem_of(file: AddOnFile, data_dir: Path, hub: Hub) -> ModelUnavailable:
    with pytest.raises(ModelUnavailable) as caught:
        file.ensure(data_dir, hub)
    sentence = error_sentence(caught.value)
    assert sentence.endswith(".")
    assert sentence.count(". ") <= 1
    assert "can't be used at the moment" not in sentence  # the text for reasons without a sentence
    assert "hf_secret" not in sentence + str(caught.value)
    return caught.value


def test_the_command_fetches_what_is_offered_beside_a_model(
    server: HubServer, hub: Hub, settings: GenerationSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    clay = {"hub": REPOSITORY, "revision": COMMIT, "file": "clay/weights.safetensors"}
    entry = entry_with(ink={"hub": REPOSITORY, "file": "ink.safetensors"}, clay=clay)
    catalog = Catalog({"demo": entry})
    assert download_model(None, catalog, settings, hub) == 0
    assert capsys.readouterr().out.count("not here yet") == 2
    assert download_model("demo", catalog, settings, hub) == 0
    shown = capsys.readouterr()
    assert "Its adapter ink has been downloaded and is complete: ink.safetensors of somebody/some-model." in shown.out
    assert "Its adapter clay has been downloaded" in shown.out
    assert server.downloads() == {"ink.safetensors", "clay/weights.safetensors"}
    locked = json.loads((settings.data_dir / LOCK_NAME).read_text())
    assert {name: list(row["files"]) for name, row in locked.items()} == {
        f"{REPOSITORY}:ink.safetensors": ["ink.safetensors"],
        f"{REPOSITORY}:clay/weights.safetensors": ["clay/weights.safetensors"],
    }
    server.requests.clear()
    assert download_model("demo", catalog, settings, hub) == 0
    assert capsys.readouterr().out.count("was already here") == 2
    assert server.requests == []
    download_model(None, catalog, settings, hub)
    assert "not here yet" not in capsys.readouterr().out


def test_what_is_here_needs_no_hub_and_stays_the_same(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    path = ink().ensure(tmp_path, hub)
    assert path.read_bytes() == FILES["ink.safetensors"]
    offline = dataclasses.replace(hub, endpoint="http://127.0.0.1:9")  # the discard port, where nobody listens
    assert ink().locate(tmp_path, offline) == path
    server.commit, server.files["ink.safetensors"] = LATER_COMMIT, b"another ink"
    assert ink().ensure(tmp_path, hub).read_bytes() == FILES["ink.safetensors"]
    pinned = ink(revision=LATER_COMMIT)
    assert not pinned.is_here(tmp_path, hub)
    assert pinned.ensure(tmp_path, hub).read_bytes() == b"another ink"
    pinned.locate(tmp_path, offline).resolve().write_bytes(b"something evil")
    assert problem_of(pinned, tmp_path, hub).reason == ModelProblem.CHANGED


def test_what_is_not_here_names_the_command_that_fetches_it(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        ink().locate(tmp_path, hub)
    assert error_sentence(caught.value) == (
        "The adapter ink of demo hasn't been downloaded yet. The operator can do that with "
        "`python -m generation download demo`."
    )
    assert server.requests == []
    local = ink(hub=None, file=str(tmp_path / "gone.safetensors"))
    assert error_sentence(problem_of(local, tmp_path, hub)) == (
        "The file gone.safetensors of the adapter ink of demo isn't here."
    )


def test_the_only_file_of_a_repository_need_not_be_named(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    assert problem_of(ink(file=None), tmp_path, hub).reason == ModelProblem.SEVERAL_FILES
    del server.files["clay/weights.safetensors"]
    assert ink(file=None).ensure(tmp_path, hub).read_bytes() == FILES["ink.safetensors"]
    assert server.downloads() == {"ink.safetensors"}


def test_pickles_and_files_that_are_not_there_are_refused(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    absent = problem_of(ink(file="paint.safetensors"), tmp_path, hub)
    assert (absent.reason, absent.data["file"]) == (ModelProblem.NO_SUCH_FILE, "paint.safetensors")
    server.files = {"ink.ckpt": b"a pickle"}
    assert problem_of(ink(file=None), tmp_path, hub).reason == ModelProblem.NO_SAFETENSORS
    assert server.downloads() == set()


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ((403, "GatedRepo"), ModelProblem.GATED),
        ((401, "RepoNotFound"), ModelProblem.NOT_FOUND),
        ((404, "RevisionNotFound"), ModelProblem.NO_SUCH_REVISION),
        ((403, ""), ModelProblem.TOKEN_REFUSED),
        ((503, ""), ModelProblem.HUB_BUSY),
    ],
)
def test_every_no_of_the_hub_is_a_sentence_about_the_add_on(
    server: HubServer, hub: Hub, tmp_path: Path, refusal: tuple[int, str], reason: ModelProblem
) -> None:
    server.refusal = refusal
    assert problem_of(ink(), tmp_path, hub).reason == reason


def test_contents_that_were_not_announced_are_thrown_away(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    server.wrong_hash = True
    error = problem_of(ink(), tmp_path, hub)
    assert (error.reason, error.data["add_on"]) == (ModelProblem.DAMAGED, "adapter ink")
    server.wrong_hash = False
    assert ink().ensure(tmp_path, hub).is_file()


def test_a_cut_connection_is_taken_up_where_it_broke(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    server.files["ink.safetensors"] = bytes(12 * MEBIBYTE)
    server.cut_after["ink.safetensors"] = 11 * MEBIBYTE
    assert ink().ensure(tmp_path, hub).stat().st_size == 12 * MEBIBYTE
    assert server.ranges == [("ink.safetensors", f"bytes={10 * MEBIBYTE}-")]  # the library writes ten MiB at a time
