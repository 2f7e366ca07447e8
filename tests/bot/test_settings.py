"""Settings are read once, and an invalid one yields one sentence."""

import os
from pathlib import Path

import pytest

from bot.settings import Settings, is_env_file_open, unused_settings
from generation.settings import WrongSettings, read_settings


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DISCORD_TOKEN", "DISCORD_API_URL", "DISCORD_GATEWAY_URL", "ATTACHMENT_HOSTS", "MODEL", "DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_the_example_file_holds_the_defaults(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / ".env.example"
    (tmp_path / ".env").write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    from_example = Settings()
    (tmp_path / ".env").unlink()
    assert from_example == Settings()


def test_every_setting_is_explained_in_the_example() -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"{name.upper()}=" in example


def test_hosts_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTACHMENT_HOSTS", " CDN.example.com , 127.0.0.1:8080,")
    assert Settings().attachment_hosts == ("cdn.example.com", "127.0.0.1:8080")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DISCORD_GATEWAY_URL", "http://127.0.0.1/gateway"),
        ("DISCORD_API_URL", "not an address"),
        ("MAX_COUNT", "11"),
        ("INPUT_RETENTION_HOURS", "-1"),
        ("DEVICE", "toaster"),
        ("SPOOL_MAX_BYTES", "much"),
        ("MONITORING_PORT", "70000"),
        ("MAX_RUNNING_PER_MEMBER", "0"),
        ("LOG_FORMAT", "xml"),
        ("PREVIEWS", "perhaps"),
        ("STATUS_INTERVAL_SECONDS", "0"),
        ("SHUTDOWN_GRACE_SECONDS", "inf"),
        ("ATTACHMENT_HOSTS", "https://cdn.discordapp.com/"),
        ("ATTACHMENT_HOSTS", ","),
        ("DISCORD_TOKEN", '"in quotes"'),
        ("HF_TOKEN", "two\nlines"),
        ("MAX_VRAM", "6"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings) as error:
        read_settings(Settings)
    sentence = str(error.value)
    assert name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "quotes" not in sentence  # a token is never shown, not even an invalid one


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("SLOTS", "two", "it must be a whole number"),
        ("SLOTS", "0", "it must be at least 1"),
        ("MAX_COUNT", "11", "it must be at most 10"),
        ("STATUS_INTERVAL_SECONDS", "often", "it must be a number"),
        ("PREVIEWS", "perhaps", "it must be true or false"),
        ("LOG_FORMAT", "xml", "it must be 'text' or 'json'"),
        ("MAX_VRAM", "lots", "it must be an amount such as 6GiB"),
        ("SPOOL_MAX_BYTES", "2 pictures", "it must be an amount such as 6GiB"),
        ("DISCORD_GATEWAY_URL", "http://127.0.0.1", "it must begin with ws:// or wss://"),
    ],
)
def test_it_says_in_plain_words_what_is_taken(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings) as error:
        read_settings(Settings)
    assert str(error.value) == f"{name} in the environment or in .env cannot be used: {what}."


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_is_one_sentence(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env").write_text("# für uns\nMODEL=demo\n", encoding=encoding)
    with pytest.raises(WrongSettings, match=r"^The file \.env is not in UTF-8: .*\.$"):
        read_settings(Settings)


@pytest.mark.parametrize("line", ["DISCORD_TOKEN: some.token", 'DISCORD_TOKEN="some.token'])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"# A comment.\n\n{line}\nMODEL=demo\n", encoding="utf-8")
    with pytest.raises(WrongSettings, match=r"^Line 3 of \.env cannot be read: .*\.$") as error:
        read_settings(Settings)
    assert "some" not in str(error.value)


def test_a_path_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / ".env").write_text("DATA_DIR=~/data\nMODELS_FILE=~/models.toml\n", encoding="utf-8")
    settings = Settings()
    assert (settings.data_dir, settings.models_file) == (tmp_path / "data", tmp_path / "models.toml")


@pytest.mark.parametrize(("value", "port"), [("", 9330), ("off", None), ("Off ", None), ("0", 0), ("9400", 9400)])
def test_monitoring_can_be_moved_and_switched_off(
    monkeypatch: pytest.MonkeyPatch, value: str, port: int | None
) -> None:
    monkeypatch.setenv("MONITORING_PORT", value)
    assert Settings().monitoring_port == port


@pytest.mark.parametrize("value", ["3GiB", "3221225472"])
def test_room_for_pictures_is_an_amount(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SPOOL_MAX_BYTES", value)
    assert Settings().spool_max_bytes == 3 * 2**30


def test_the_token_is_not_shown() -> None:
    settings = Settings(discord_token="secret-token")  # pyright: ignore[reportArgumentType]  # pydantic converts it
    assert "secret-token" not in repr(settings)


def test_a_name_without_effect_is_told_and_others_are_nobodys_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HOME", "TORCH_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    lines = (
        "SLOTTS=3",
        "Discord_Tokens=x",
        "max_count=2",
        "HF_HOME=/models",
        "TORCH_INDEX_URL=x",
        "COMPOSE_PROFILES=cpu",
    )
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    assert unused_settings() == {
        "SLOTTS": "Write SLOTS.",
        "Discord_Tokens": "Write DISCORD_TOKEN.",
        "HF_HOME": "Set it in the environment.",
        "TORCH_INDEX_URL": "Set it in the environment.",
    }
    for name in ("HF_HOME", "TORCH_INDEX_URL"):  # as Compose does it
        monkeypatch.setenv(name, "x")
    assert list(unused_settings()) == ["SLOTTS", "Discord_Tokens"]
    (tmp_path / ".env").unlink()
    assert unused_settings() == {}


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_file_that_others_can_read_is_noticed(tmp_path: Path) -> None:
    assert not is_env_file_open()
    (tmp_path / ".env").touch(0o600)
    assert not is_env_file_open()
    (tmp_path / ".env").chmod(0o640)
    assert is_env_file_open()


def test_a_mark_before_the_first_name_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MAX_COUNT=2\n", encoding="utf-8-sig")
    assert Settings().max_count == 2
    assert unused_settings() == {}
