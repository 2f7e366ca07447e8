"""Why a model cannot be used, as short codes; ``generation.sentences`` makes them readable."""

from enum import StrEnum


class ModelProblem(StrEnum):
    """The reasons of ModelUnavailable, each with the data that its sentence names."""

    UNKNOWN = "unknown"  # known
    NOT_DOWNLOADED = "not_downloaded"
    NO_FOLDER = "no_folder"  # folder
    NOT_A_MODEL = "not_a_model"  # source
    ADD_ON_NOT_HERE = "add_on_not_here"  # add_on
    NO_FILE = "no_file"  # add_on, source
    NO_SUCH_FILE = "no_such_file"  # add_on, source, file
    SEVERAL_FILES = "several_files"  # add_on, source
    DOES_NOT_FIT = "does_not_fit"  # add_on, source
    NOT_SAFETENSORS = "not_safetensors"  # add_on, source
    NO_SAFETENSORS = "no_safetensors"  # source
    GATED = "gated"  # url, licence
    NOT_FOUND = "not_found"  # source
    NO_SUCH_REVISION = "no_such_revision"  # source, revision
    TOKEN_REFUSED = "token_refused"
    HUB_BUSY = "hub_busy"
    UNREACHABLE = "unreachable"  # source
    CUT_OFF = "cut_off"
    DISK_FULL = "disk_full"  # needed_bytes, free_bytes, folder
    FILE_TROUBLE = "file_trouble"  # path, why
    CHANGED = "changed"  # file, lock
    LOCK_BROKEN = "lock_broken"  # lock
    DAMAGED = "damaged"  # file
