"""The bot's settings: read once from the environment and ``.env``; wrong ones are refused with one sentence."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import ByteSize, Field, HttpUrl, field_validator
from pydantic_settings import NoDecode
from yarl import URL

from generation.settings import ENV_FILE, ENV_FILE_ENCODING, GenerationSettings, Token

MEBIBYTE = 1024 * 1024
_NOT_OURS = ("HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "TORCH_INDEX_URL")  # read by others, which do not read .env
_SAME_NAME = 0.8  # "SLOTTS" and "DISCORD_TOKENS" are meant as settings, "HF_HOME" is not a misspelt HF_TOKEN


class Settings(GenerationSettings):
    """Everything an operator can set; ``.env.example`` explains each setting."""

    discord_token: Token | None = None
    discord_api_url: HttpUrl | None = None
    discord_gateway_url: str | None = None
    user_installs: bool = False
    attachment_hosts: Annotated[tuple[str, ...], NoDecode] = (
        "cdn.discordapp.com",
        "media.discordapp.net",
        # Discord's proxy stores the pictures of embeds here.
        "images-ext-1.discordapp.net",
        "images-ext-2.discordapp.net",
    )

    input_retention_hours: float = Field(default=72, ge=0)
    job_retention_days: float = Field(default=30, ge=0)
    spool_max_bytes: ByteSize = Field(default=ByteSize(2048 * MEBIBYTE), ge=64 * MEBIBYTE)
    max_waiting: int = Field(default=100, ge=1)
    max_waiting_per_server: int = Field(default=50, ge=1)
    max_waiting_in_direct_messages: int = Field(default=50, ge=1)
    max_waiting_per_member: int = Field(default=5, ge=1)
    max_running_per_member: int | None = Field(default=None, ge=1)
    cooldown_seconds: int = Field(default=0, ge=0)
    daily_budget_seconds: int = Field(default=0, ge=0)
    max_count: int = Field(default=4, ge=1, le=10)
    status_interval_seconds: float = Field(default=3, ge=0.1)
    shutdown_grace_seconds: float = Field(default=20, ge=0)
    shutdown_queue: Literal["keep", "drain"] = "keep"

    monitoring_host: str = "127.0.0.1"
    monitoring_port: int | None = Field(default=9330, ge=0, le=65535)

    @field_validator("discord_gateway_url")
    @classmethod
    def _is_websocket(cls, value: str | None) -> str | None:
        if value is not None and URL(value).scheme not in ("ws", "wss"):
            raise ValueError("it must begin with ws:// or wss://")
        return value

    @field_validator("attachment_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(host.strip().lower() for host in value.split(",") if host.strip())
        return value

    @field_validator("attachment_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or any("/" in host for host in value):
            raise ValueError("it must be host names without https://, such as cdn.discordapp.com")
        return value

    @field_validator("monitoring_port", mode="before")
    @classmethod
    def _may_be_off(cls, value: object) -> object:
        return None if isinstance(value, str) and value.strip().lower() == "off" else value

    @property
    def spool_dir(self) -> Path:
        """The folder for the pictures of jobs."""
        return self.data_dir / "spool"


def is_env_file_open() -> bool:
    """Return whether other accounts of this machine can read ``.env`` and its token; not checked on Windows."""
    path = Path(ENV_FILE)
    return os.name == "posix" and path.is_file() and bool(path.stat().st_mode & 0o077)


def unused_settings() -> Mapping[str, str]:
    """Return the names in ``.env`` that look like settings but have no effect, with what to do instead."""
    known = [name.upper() for name in Settings.model_fields]
    found = dotenv_values(ENV_FILE, encoding=ENV_FILE_ENCODING, interpolate=False)
    unknown = [name for name in found if name.upper() not in known]
    meant = {name: difflib.get_close_matches(name.upper(), known, 1, _SAME_NAME) for name in unknown}
    return {
        **{name: f"Write {names[0]}." for name, names in meant.items() if names},
        # In a container .env becomes the environment.
        **{name: "Set it in the environment." for name in unknown if name in _NOT_OURS and name not in os.environ},
    }
