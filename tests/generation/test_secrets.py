"""The hub's token goes where it is needed and appears nowhere else, whatever breaks."""

import dataclasses
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from generation.child.frames import Frame
from generation.errors import ExecutorError, ModelUnavailable
from generation.executors.child import ChildExecutor
from generation.models.catalog import ModelEntry, load_catalog
from generation.models.download import Commit
from generation.models.files import ensure_model
from generation.models.hub import Hub
from generation.sentences import error_sentence
from generation.settings import PACKAGED_MODELS_FILE, GenerationSettings, settings_sentence
from generation.tracebacks import stack_of
from tests.generation.hub_server import REPOSITORY, HubServer
from tests.generation.samples import request

CANARY = "hf_CANARYcanaryCANARYcanary7f3a91"


def everything_about(error: BaseException) -> str:
    """Return all that printing, logging or inspecting an error and its causes would reveal."""
    parts = ["".join(traceback.format_exception(error)), stack_of(error)]
    link: BaseException | None = error
    while link is not None:
        parts += [str(link), repr(link), repr(link.args), repr(vars(link))]
        link = link.__cause__ or link.__context__
    return "\n".join(parts)


def test_settings_show_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", CANARY)
    settings = GenerationSettings()
    assert settings.for_child()["hf_token"] == CANARY, "the canary must be where it can leak from"
    shown = (repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json())
    assert CANARY not in "".join((*shown, repr(vars(settings))))
    monkeypatch.setenv("DEVICE", "toaster")
    with pytest.raises(ValidationError) as wrong:
        GenerationSettings()
    assert CANARY not in everything_about(wrong.value) + settings_sentence(wrong.value)


def test_what_carries_the_token_does_not_show_it() -> None:
    commit = Commit(repository="a/b", revision="c", cache=Path(), endpoint=None, token=CANARY)
    carriers = (Hub(token=CANARY), commit, Frame("configure", {"options": {"hf_token": CANARY}}, (CANARY.encode(),)))
    for carrier in carriers:
        assert CANARY in repr([getattr(carrier, field.name) for field in dataclasses.fields(carrier)])
        assert CANARY not in repr(carrier) + str(carrier)


@pytest.fixture
def entry() -> ModelEntry:
    return dataclasses.replace(load_catalog(PACKAGED_MODELS_FILE)["sd-turbo"], hub_id=REPOSITORY, revision=None)


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer({"model_index.json": b"{}", "unet/model.safetensors": b"weights" * 1000}) as server:
        yield server


def gated(server: HubServer) -> None:
    server.refusal = (403, "GatedRepo")


def missing(server: HubServer) -> None:
    server.refusal = (401, "RepoNotFound")


def other_token(server: HubServer) -> None:
    server.accepted_token = "hf_another"


def gone_files(server: HubServer) -> None:
    server.file_refusal = (404, "EntryNotFound")


def broken(server: HubServer) -> None:
    server.refusal = (500, "")


def wrong_contents(server: HubServer) -> None:
    server.wrong_hash = True


def unreachable(server: HubServer) -> None:
    pass


@pytest.mark.parametrize("break_it", [gated, missing, other_token, gone_files, broken, wrong_contents, unreachable])
def test_errors_of_the_hub_show_no_token(
    break_it: Callable[[HubServer], None],
    server: HubServer,
    entry: ModelEntry,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    break_it(server)
    endpoint = "http://127.0.0.1:9" if break_it is unreachable else server.url
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelUnavailable) as problem:
        ensure_model(entry, tmp_path, Hub(token=CANARY, endpoint=endpoint, cache_dir=tmp_path / "cache"))
    written = "".join(capfd.readouterr())
    assert CANARY not in everything_about(problem.value) + error_sentence(problem.value) + caplog.text + written


async def test_a_generation_process_that_breaks_shows_no_token(
    make_executor: Callable[..., ChildExecutor],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        broken = make_executor(hf_token=CANARY, quotes_options=True)
        with pytest.raises(ExecutorError) as problem:
            await broken.start()
        assert "[secret]" in str(problem.value), "the error must quote what it was given"
        dying = make_executor(hf_token=CANARY)
        events = [
            event
            for job, word in enumerate(("segfault", "die", "bug", "device_lost"))
            async for event in dying.run(str(job), 1, request(word))
        ]
    written = "".join(capfd.readouterr())
    assert "quotes what it was given" in written, "the child's own log must be among what is searched"
    assert CANARY not in everything_about(problem.value) + repr(events) + caplog.text + written
