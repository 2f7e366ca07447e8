"""The executor process: ``python -m generation.executors.worker`` receives runs and answers with events.

One thread reads messages (so pings are answered whatever is being computed), ``slots`` threads compute, and one loads
the default model in the meantime.
"""

import gc
import importlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from generation.child.frames import Frame
from generation.child.worker import ParentPipe, claim_pipes, end_with_parent
from generation.engine.base import BrokenOutput, DeviceLost, Engine, OutOfMemory, RunCancelled
from generation.engine.device_memory import device_memory_bytes
from generation.errors import ExecutorError, ImageRefused, InvalidRequest, ModelUnavailable
from generation.events import Cancelled, Event, Failed, FailureKind, Finished, Progress, Started
from generation.executors.messages import EXIT_DEVICE_LOST, RunKey, event_frame, key_of, request_of
from generation.images.refusals import Refusal
from generation.logs import log_to_stderr
from generation.models.problems import ModelProblem
from generation.phases import Phase
from generation.references import current_job_id, new_reference
from generation.sentences import error_sentence
from generation.tracebacks import stack_of

log = logging.getLogger("generation.executors.worker")  # here it is __main__

# Problems that may pass: the network may come up later, or disk space be freed. The download resumes where it was.
_TEMPORARY_PROBLEMS = (
    ModelProblem.UNREACHABLE,
    ModelProblem.HUB_BUSY,
    ModelProblem.CUT_OFF,
    ModelProblem.DISK_FULL,
    ModelProblem.FILE_TROUBLE,
)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 30.0, 900.0

CreateEngine = Callable[[dict[str, Any]], Engine]


class PipeRun:
    """One run in this process: carries its reports to the parent and the parent's cancellation to the engine."""

    def __init__(self, key: RunKey, pipe: ParentPipe) -> None:
        self.job_id, self.attempt = key
        self._pipe = pipe
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Make the engine's next report raise RunCancelled; what it computes until then is dropped."""
        self._cancelled.set()

    def enter(self, phase: Phase) -> None:
        """Report a phase."""
        self._check()
        self._pipe.send("phase", job_id=self.job_id, attempt=self.attempt, phase=phase)

    def step(self, step: int, total_steps: int, preview: bytes | None = None) -> None:
        """Report a step."""
        self._check()
        self.report(
            Progress(job_id=self.job_id, attempt=self.attempt, step=step, total_steps=total_steps, preview=preview)
        )

    def report(self, event: Event) -> None:
        """Send an event."""
        frame = event_frame(event)
        self._pipe.send(frame.kind, *frame.blobs, **frame.fields)

    def failed(self, kind: FailureKind, *, reference: str = "", **data: Any) -> Failed:
        """Make the event of this run's failure."""
        return Failed(job_id=self.job_id, attempt=self.attempt, kind=kind, reference=reference, data=data)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise RunCancelled


class Worker:
    """The owner of this process's engine and runs."""

    def __init__(self, pipe: ParentPipe) -> None:
        self._pipe = pipe
        self._runs: dict[RunKey, PipeRun] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._engine: Engine | None = None
        self._default_model: str | None = None
        self._is_warm = False

    def handle(self, frame: Frame) -> None:
        """Handle one message from the parent; never blocks."""
        match frame.kind:
            case "configure":
                threading.Thread(target=self._start, args=(frame,), name="start", daemon=True).start()
            case "run":
                assert self._threads is not None, "runs come after hello"
                run = self._runs[key_of(frame)] = PipeRun(key_of(frame), self._pipe)
                self._threads.submit(self._run, run, frame)
            case "cancel":
                if (run := self._runs.get(key_of(frame))) is not None:
                    run.cancel()
            case "ping":
                self._pipe.send("pong", device_memory_bytes=device_memory_bytes())

    def _start(self, frame: Frame) -> None:
        # In the parent's format, because the traceback for a reference given to a user is in this log.
        options = frame.fields["options"]
        self._default_model = options.get("model")
        secrets = [options.get("hf_token") or ""]
        log_to_stderr(options.get("log_format", "text"), secrets, level=logging.WARNING)
        # A download may take an hour, and nothing else would show that it is going on.
        logging.getLogger("generation.models").setLevel(logging.INFO)
        try:
            self._engine = engine = make_engine(frame.fields["engine"], frame.fields["options"])
        except ExecutorError as error:
            self._pipe.send("broken", reason=str(error))
            os._exit(1)
        except Exception as error:
            # The parent has to be told of any error, otherwise it would wait in vain.
            reason = f"{type(error).__name__}: {error}"
            if token := frame.fields["options"].get("hf_token"):
                reason = reason.replace(token, "[secret]")
            log.error("the engine could not be created: %s\n%s", reason, stack_of(error))
            self._pipe.send("broken", reason=reason)
            os._exit(1)
        self._threads = ThreadPoolExecutor(engine.slots, thread_name_prefix="slot")
        self._pipe.send("hello", slots=engine.slots, device=engine.device, dtype=engine.dtype)
        self._warm_up(engine)

    def _warm_up(self, engine: Engine) -> None:
        """Load the default model, retrying while the problem may pass, unless a job loads it first."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        while not self._is_warm:
            try:
                engine.preload()
                self._tell_warm()
            except ModelUnavailable as error:
                log.warning("the default model is not ready: %s", error_sentence(error))
                if error.reason not in _TEMPORARY_PROBLEMS:
                    return
                time.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            except Exception as error:
                # A job that wants the model will hit the same error and report it; here there is nobody to tell.
                log.error("the default model could not be loaded\n%s", stack_of(error))
                return

    def _tell_warm(self) -> None:
        self._is_warm = True
        self._pipe.send("warm")

    def _run(self, run: PipeRun, frame: Frame) -> None:
        current_job_id.set(run.job_id)
        assert self._engine is not None
        try:
            request = request_of(frame)
            total_steps = self._engine.total_steps(request)
            run.report(Started(job_id=run.job_id, attempt=run.attempt, total_steps=total_steps))
            result = self._engine.run(request, run)
            if request.model == self._default_model and not self._is_warm:
                self._tell_warm()
            run.report(Finished(job_id=run.job_id, attempt=run.attempt, result=result))
        except RunCancelled:
            run.report(Cancelled(job_id=run.job_id, attempt=run.attempt))
        except ModelUnavailable as error:
            data = {"model": error.model, "reason": error.reason, **error.data}
            run.report(run.failed(FailureKind.MODEL_UNAVAILABLE, **data))
        except InvalidRequest as error:
            data = {"field": error.field, "reason": error.reason, **error.data}
            run.report(run.failed(FailureKind.INVALID_REQUEST, **data))
        except ImageRefused as error:
            is_result = error.reason == Refusal.RESULT_TOO_LARGE
            kind = FailureKind.RESULT_TOO_LARGE if is_result else FailureKind.IMAGE_REFUSED
            run.report(run.failed(kind, reason=error.reason, **error.data))
        except OutOfMemory:
            run.report(run.failed(FailureKind.OUT_OF_MEMORY))
        except BrokenOutput as error:
            run.report(run.failed(FailureKind.BROKEN_OUTPUT, reference=_log_with_reference(run, error)))
        except DeviceLost as error:
            _log_with_reference(run, error)
            os._exit(EXIT_DEVICE_LOST)  # the parent reports the loss, after this process can send nothing more
        except Exception as error:
            # An unexpected error fails one job only; the reference leads to its traceback in the log.
            run.report(run.failed(FailureKind.INTERNAL, reference=_log_with_reference(run, error)))
        finally:
            del self._runs[run.job_id, run.attempt]
            self._pipe.send("free", job_id=run.job_id, attempt=run.attempt)


def make_engine(path: str, options: dict[str, Any]) -> Engine:
    """Import ``module:function`` and call it with the options.

    Garbage collection is off meanwhile: it would take a quarter of the import time and find nothing.
    """
    module, _, name = path.partition(":")
    gc.disable()
    try:
        create: CreateEngine = getattr(importlib.import_module(module), name)
        return create(options)
    finally:
        gc.freeze()  # imported objects stay, so the collector can skip them
        gc.enable()


def _log_with_reference(run: PipeRun, error: Exception) -> str:
    reference = new_reference()
    log.error("job %s failed [%s]\n%s", run.job_id, reference, stack_of(error))
    return reference


def main() -> None:
    """Serve the parent until it is gone."""
    # Read when torch is loaded; makes waiting threads sleep. Spinning threads made the demo model ten times slower
    # where other programs shared the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    pipe = claim_pipes()
    end_with_parent()
    pipe.serve(Worker(pipe).handle)


if __name__ == "__main__":
    main()
