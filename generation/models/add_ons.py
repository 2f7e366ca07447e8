"""Small files for a model that the operator names in the catalog: where each is, and how it gets here."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from generation.errors import ModelUnavailable
from generation.models.hub import USUAL_HUB, Hub, OnProgress, Wanted
from generation.models.lock import is_commit
from generation.models.problems import ModelProblem
from generation.models.rows import Kinds, own_path
from generation.models.snapshots import ensure, here, locked_names
from generation.models.tensor_files import is_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOnFile:
    """The single safetensors file of an add-on: at ``path`` on this machine, or ``name`` in a repository on the hub.

    Exactly one of ``path`` and ``hub_id`` is set. ``name`` is None if the repository has only one such file;
    ``revision`` is a 40-digit commit or None. ``model`` and ``add_on`` ("adapter ink") identify it in sentences.
    """

    model: str
    add_on: str
    path: Path | None = None
    hub_id: str | None = None
    revision: str | None = None
    name: str | None = None

    @property
    def source(self) -> str:
        """The hub id, or the file's name for one on this machine."""
        return self.hub_id or (self.path.name if self.path else "")

    def ensure(self, data_dir: Path, hub: Hub = USUAL_HUB, on_progress: OnProgress | None = None) -> Path:
        """Return the file, downloading it if it is missing; see ``generation.models.snapshots.ensure``."""
        if self.hub_id is None:
            return self.locate(data_dir, hub)
        wanted = self._wanted(self.hub_id)
        return ensure(wanted, data_dir, hub, on_progress).path / locked_names(wanted, data_dir)[0]

    def locate(self, data_dir: Path, hub: Hub = USUAL_HUB) -> Path:
        """Return the file without using the network, verified to be the one that was downloaded first.

        Raises ModelUnavailable (``no_file``, ``add_on_not_here``, ``changed``).
        """
        if not self.is_here(data_dir, hub):
            raise self.missing()
        return self.path if self.path is not None else self.ensure(data_dir, hub)

    def is_here(self, data_dir: Path, hub: Hub = USUAL_HUB) -> bool:
        """Tell whether it could be used without the network; nothing is hashed."""
        if self.hub_id is None:
            return self.path is not None and self.path.is_file()
        return here(self._wanted(self.hub_id), data_dir, hub) is not None

    def trouble(self, data_dir: Path, hub: Hub = USUAL_HUB) -> ModelUnavailable | None:
        """Return why it cannot be used, judged only by its location and header, not by whether it fits the model."""
        try:
            path = self.locate(data_dir, hub)
        except ModelUnavailable as error:
            return error
        return None if is_whole(path) else self.problem(ModelProblem.NOT_SAFETENSORS)

    def missing(self) -> ModelUnavailable:
        """Return the error for a missing file."""
        return self.problem(ModelProblem.NO_FILE if self.hub_id is None else ModelProblem.ADD_ON_NOT_HERE)

    def problem(self, reason: ModelProblem, **data: Any) -> ModelUnavailable:
        """Return the error for a reason why it cannot be used."""
        return ModelUnavailable(self.model, reason, add_on=self.add_on, source=self.source, **data)

    def _wanted(self, hub_id: str) -> Wanted:
        return Wanted(
            model=self.model,
            hub_id=hub_id,
            revision=self.revision,
            licence="its page names it",
            lock_name=f"{hub_id}:{self.name or '*.safetensors'}",  # one repository may hold several
            choose=self._chosen,
            named={"add_on": self.add_on},
        )

    def _chosen(self, names: list[str]) -> list[str]:
        weights = [name for name in names if name.endswith(".safetensors")]
        if not weights:
            raise self.problem(ModelProblem.NO_SAFETENSORS)
        if self.name is None and len(weights) > 1:
            raise self.problem(ModelProblem.SEVERAL_FILES)
        if self.name is not None and self.name not in weights:
            raise self.problem(ModelProblem.NO_SUCH_FILE, file=self.name)
        return [self.name or weights[0]]


FILE_KINDS: Kinds = {"file": str, "hub": str, "revision": str}


def take_file(values: dict[str, Any], *, model: str, add_on: str, root: Path) -> AddOnFile:
    """Remove ``file``, ``hub`` and ``revision`` from an add-on's row; raise ValueError with the end of a sentence."""
    name: str | None = values.pop("file", None)
    hub_id: str | None = values.pop("hub", None)
    revision: str | None = values.pop("revision", None)
    if name is None and hub_id is None:
        raise ValueError("that lacks file or hub")
    if name is not None and PurePosixPath(name).suffix != ".safetensors":
        raise ValueError("whose file is not a safetensors file")
    if revision is not None and hub_id is None:
        raise ValueError("that has a revision, but no hub")
    if revision is not None and not is_commit(revision):
        raise ValueError("whose revision is not a 40-digit commit")
    if name is not None and hub_id is None:
        return AddOnFile(model=model, add_on=add_on, path=own_path(root, name))
    return AddOnFile(model=model, add_on=add_on, hub_id=hub_id, revision=revision, name=name)
