"""Settings of this package from the environment and ``.env``: read once at startup, passed on as values."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from dotenv.parser import parse_stream
from pydantic import AfterValidator, ByteSize, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from generation.logs import LogFormat
from generation.requests import StrengthSchedule

ENV_FILE = ".env"
ENV_FILE_ENCODING = "utf-8-sig"  # some editors on Windows write a byte order mark first
PACKAGED_MODELS_FILE = Path(__file__).with_name("models.toml")

_TOKEN = re.compile(r"[!#-&(-~]+")  # printable ASCII without spaces and quotes


class WrongSettings(Exception):
    """The environment or ``.env`` cannot be used; the message is one sentence that says why."""


# pydantic's own messages for these are written for programmers.
_PLAIN_WORDS = {
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a number",
    "bool_parsing": "it must be true or false",
    "greater_than_equal": "it must be at least {ge}",
    "less_than_equal": "it must be at most {le}",
    "literal_error": "it must be {expected}",
    "byte_size": "it must be an amount such as 6GiB",
    "byte_size_unit": "it must be an amount such as 6GiB",
}


def _with_home_expanded(path: Path) -> Path:
    return Path(os.path.expanduser(path))


def _at_least_a_gibibyte(value: ByteSize) -> ByteSize:
    if value < 2**30:
        raise ValueError("it must be an amount of memory such as 6GiB, and at least 1GiB")
    return value


def _plausible_token(token: SecretStr) -> SecretStr:
    if _TOKEN.fullmatch(token.get_secret_value()) is None:
        raise ValueError("it contains a space, a quote or another character that no token has")
    return token


OwnPath = Annotated[Path, AfterValidator(_with_home_expanded)]
"""A path as an operator writes it: ``~`` is the home folder, as in a shell."""

Token = Annotated[SecretStr, AfterValidator(_plausible_token)]
"""A token, refused without being shown when it cannot be one."""


class GenerationSettings(BaseSettings):
    """Which model runs where; where its files are is left to ``HF_HOME``, as usual with Hugging Face.

    ``slots`` requests are generated concurrently; one call of the denoiser takes up to ``max_width`` rows (a picture
    with guidance has two), and with ``strict`` it serves a single picture. ``compile_denoiser`` lets torch compile it
    in the background. ``max_vram`` limits, in bytes, what the executor process takes of an NVIDIA card.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding=ENV_FILE_ENCODING,
        extra="ignore",
        env_ignore_empty=True,
        frozen=True,
        allow_inf_nan=False,
    )

    model: str = "demo"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    max_vram: Annotated[ByteSize, AfterValidator(_at_least_a_gibibyte)] | None = None
    slots: int = Field(default=8, ge=1, le=64)
    max_width: int = Field(default=16, ge=1)
    strict: bool = False
    compile_denoiser: bool = False
    data_dir: OwnPath = Path("data")
    models_file: OwnPath = PACKAGED_MODELS_FILE
    hf_token: Token | None = None
    strength_schedule: StrengthSchedule = "noise"
    previews: bool = True
    log_format: LogFormat = "text"

    def for_child(self) -> dict[str, Any]:
        """Return these settings as JSON values for the executor process; the token is in clear text."""
        return {
            "model": self.model,
            "device": self.device,
            "dtype": self.dtype,
            "max_vram": self.max_vram,
            "slots": self.slots,
            "max_width": self.max_width,
            "strict": self.strict,
            "compile_denoiser": self.compile_denoiser,
            "data_dir": str(self.data_dir.resolve()),
            "models_file": str(self.models_file.resolve()),
            "hf_token": self.hf_token.get_secret_value() if self.hf_token else None,
            "previews": self.previews,
            "log_format": self.log_format,
        }


AnySettings = TypeVar("AnySettings", bound=GenerationSettings)


def read_settings(kind: type[AnySettings]) -> AnySettings:
    """Read the environment and ``.env``; raise WrongSettings."""
    try:
        _check_lines()
        return kind()
    except ValidationError as error:
        raise WrongSettings(settings_sentence(error)) from error
    except UnicodeDecodeError as error:
        raise WrongSettings("The file .env is not in UTF-8: open it in an editor and save it as UTF-8.") from error
    except OSError as error:
        raise WrongSettings(f"The file .env cannot be read ({error.strerror}): change its owner or mode.") from error


def _check_lines() -> None:
    """Raise WrongSettings for a line of ``.env`` that its parser would only warn about."""
    path = Path(ENV_FILE)
    if path.is_file():
        with path.open(encoding=ENV_FILE_ENCODING) as file:
            wrong = next((binding.original for binding in parse_stream(file) if binding.error), None)
        if wrong is not None:
            line = wrong.line + wrong.string[: -len(wrong.string.lstrip())].count("\n")  # it may start with empty lines
            raise WrongSettings(f"Line {line} of .env cannot be read: write it as NAME=value.")


def settings_sentence(error: ValidationError) -> str:
    """Say in one sentence which settings are wrong, by their names in the environment."""
    wrong = dict[str, str]()
    for problem in error.errors(include_url=False, include_input=False):
        wrong.setdefault("_".join(str(part) for part in problem["loc"]).upper(), _problem_words(problem))
    if len(wrong) == 1:
        [(name, what)] = wrong.items()
        return f"{name} in the environment or in .env cannot be used: {what}."
    several = ", ".join(f"{name} ({what})" for name, what in wrong.items())
    return f"{len(wrong)} settings in the environment or in .env cannot be used: {several}."


def _problem_words(problem: ErrorDetails) -> str:
    plain = _PLAIN_WORDS.get(problem["type"])
    what = plain.format_map(problem.get("ctx", {})) if plain else _lower_first(problem["msg"])
    return what.removeprefix("value error, ")


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
