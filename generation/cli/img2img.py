"""``img2img``: one file through decoder, service and executor, with the results written to files."""

import argparse
import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from generation.adapter_weights import write_adapters
from generation.cli import EXIT_BAD_INPUT, EXIT_FAILURE, EXIT_OK
from generation.cli.result_files import NoPlaceForResults, result_stems, write_whole
from generation.errors import ExecutorError, GenerationError, InvalidRequest, ModelUnavailable
from generation.events import Event, Failed, Finished, Progress, Started, is_final
from generation.executors.child import ChildExecutor
from generation.images.decoder import CleanImage, ImageDecoder, read_input
from generation.images.transparency import require_transparency
from generation.job_id import new_job_id
from generation.models.catalog import Catalog, ModelEntry
from generation.models.families import FAMILIES
from generation.models.files import check_folder, path_here
from generation.models.problems import ModelProblem
from generation.requests import (
    MAX_COUNT,
    MAX_STRENGTH,
    MIN_SIZE,
    Img2ImgRequest,
    Picture,
    Repaint,
    check_number,
    draw_seed,
    steps_for_strength,
)
from generation.samplers import check_sampler
from generation.sentences import (
    error_sentence,
    failure_sentence,
    unreadable_file_sentence,
    unwritable_file_sentence,
)
from generation.serving.queue import Ticket
from generation.serving.service import GenerationService
from generation.settings import GenerationSettings
from generation.strength_ladder import LADDER, RUNGS, rungs

MAX_RESULT_BYTES = 2**30  # files on disk need no limit


class Img2ImgCommand:
    """One invocation of the command; ``run`` returns the exit status."""

    def __init__(self, options: argparse.Namespace, settings: GenerationSettings, catalog: Catalog) -> None:
        self._options = options
        self._settings = settings
        self._catalog = catalog
        self._requests: dict[str, Img2ImgRequest] = {}
        self._ends: dict[str, Event] = {}
        self._steps: dict[str, tuple[int, int]] = {}  # done and total
        self._all_ended = asyncio.Event()
        self._bar: tqdm[NoReturn] | None = None

    async def run(self) -> int:
        """Generate, write the files and print one line for each."""
        try:
            entry = self._entry()
            # A count that is too large is refused below; do not search for that many free names first.
            total = len(self._options.prompts) * min(self._count, MAX_COUNT)
            stems = result_stems(self._options.input, self._options.output, total)
            data = await asyncio.to_thread(read_input, self._options.input)
            mask = None if self._options.mask is None else await asyncio.to_thread(read_input, self._options.mask)
            check_folder(entry)
            if path_here(entry, self._settings.data_dir) is None:  # gigabytes are not downloaded unasked
                raise ModelUnavailable(entry.name, ModelProblem.NOT_DOWNLOADED)
        except NoPlaceForResults as error:
            return self._refuse(str(error))
        except ModelUnavailable as error:
            return self._refuse(
                error_sentence(error), EXIT_BAD_INPUT if error.reason == ModelProblem.UNKNOWN else EXIT_FAILURE
            )
        except OSError as error:
            return self._refuse(unreadable_file_sentence(str(error.filename or self._options.input), error))
        settings = self._settings.for_child()
        strict = settings["strict"] or self._options.strict
        executor = ChildExecutor({**settings, "model": entry.name, "strict": strict})
        starting = asyncio.create_task(executor.start())  # takes seconds, during which the picture is read
        try:
            async with ImageDecoder() as decoder:
                image = await decoder.decode(data, mask)
            self._requests = {new_job_id(): self._request(entry, image, prompt) for prompt in self._options.prompts}
            await starting
            await self._generate(executor)
        except ExecutorError as error:
            print(f"The generation process did not start: {error}.", file=sys.stderr)
            return EXIT_FAILURE
        except GenerationError as error:
            return self._refuse(error_sentence(error))
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await executor.stop()
        return self._write(iter(stems))

    async def _generate(self, executor: ChildExecutor) -> None:
        service = GenerationService(executor, load_request=self._load_request, report=self._report)
        for job_id in self._requests:
            service.submit(Ticket(job_id=job_id, owner="command line", group=""))
        serving = asyncio.create_task(service.run())
        total = sum(request.total_steps for request in self._requests.values())
        try:
            with tqdm(total=total, desc="loading", unit="step", file=sys.stderr) as self._bar:
                await self._all_ended.wait()
        finally:
            await service.close(grace_seconds=0)
            await asyncio.gather(serving, return_exceptions=True)

    async def _load_request(self, ticket: Ticket) -> Img2ImgRequest:
        return self._requests[ticket.job_id]

    async def _report(self, event: Event) -> None:
        assert self._bar is not None
        match event:
            case Started():
                self._bar.set_description("painting")
            case Progress():
                self._steps[event.job_id] = (event.step, event.total_steps)
                unseen = [request for job_id, request in self._requests.items() if job_id not in self._steps]
                self._bar.total = sum(total for _, total in self._steps.values())
                self._bar.total += sum(request.total_steps for request in unseen)
                self._bar.update(sum(step for step, _ in self._steps.values()) - self._bar.n)
        if is_final(event):
            self._ends[event.job_id] = event
            if len(self._ends) == len(self._requests):
                self._all_ended.set()

    @property
    def _is_ladder(self) -> bool:
        return self._options.strength == LADDER

    @property
    def _count(self) -> int:
        usual = len(RUNGS) if self._is_ladder else 1
        return usual if self._options.count is None else self._options.count

    @property
    def _repaint(self) -> Repaint:
        return self._options.repaint or ("all" if self._options.mask is None else "transparent")

    def _strength(self, default: float) -> float:
        if self._options.strength is not None:
            return self._options.strength
        return MAX_STRENGTH if self._repaint == "transparent" else default

    def _entry(self) -> ModelEntry:
        return self._catalog.find(self._options.model or self._settings.model)

    def _request(self, entry: ModelEntry, image: CleanImage, prompt: str) -> Img2ImgRequest:
        """Decide whatever was left open; raise InvalidRequest."""
        options, defaults = self._options, entry.defaults
        family = FAMILIES[entry.family]
        check_number("count", self._count)
        strengths = rungs(self._count) if self._is_ladder else ()
        if strengths:
            family.check_ladder(entry.title)
            strength = strengths[0]
        else:
            strength = family.strength_for(self._strength(defaults.strength))
        family.check_repaint(self._repaint, entry.title)
        if self._repaint == "transparent":
            require_transparency(image.data)
        family.check_negative_prompt(options.negative_prompt, entry.title)
        size = defaults.size if options.size is None else options.size
        if not MIN_SIZE <= size <= entry.max_size:
            raise InvalidRequest("max_pixels", "out_of_range", value=size**2, low=MIN_SIZE**2, high=entry.max_size**2)
        if options.seed is None:
            options.seed = draw_seed()  # one for all prompts, so that they can be compared
        sampler = options.sampler or defaults.sampler
        check_sampler(sampler)
        adapter, weight = write_adapters(entry.checked_adapters(options.adapter, options.adapter_weight))
        family.check_sampler(sampler, entry.title)
        steps = defaults.num_inference_steps if options.steps is None else options.steps
        return Img2ImgRequest(
            image=image.data,
            input_sha256=image.sha256,
            prompt=prompt,
            negative_prompt=options.negative_prompt,
            strength=strength,
            strengths=strengths,
            guidance_scale=defaults.guidance_scale if options.guidance_scale is None else options.guidance_scale,
            num_inference_steps=steps_for_strength(strength, steps) if strength > 0 and steps > 0 else steps,
            seed=options.seed,
            count=self._count,
            max_pixels=size**2,
            model=entry.name,
            max_result_bytes=MAX_RESULT_BYTES,
            sampler=sampler,
            strength_schedule=options.strength_schedule or self._settings.strength_schedule,
            native=options.native,
            adapter=adapter,
            adapter_weight=weight,
            repaint=self._repaint,
        )

    def _write(self, stems: Iterator[str]) -> int:
        status = EXIT_OK
        for job_id, request in self._requests.items():
            names = list(itertools.islice(stems, request.count))  # a prompt that fails keeps its numbers
            end = self._ends[job_id]
            if isinstance(end, Failed):
                print(failure_sentence(end.kind, end.data, end.reference), file=sys.stderr)
                status = EXIT_FAILURE
            if isinstance(end, Finished):
                seconds = end.result.seconds / request.count
                for name, picture in zip(names, end.result.pictures, strict=True):
                    path = Path(f"{name}.{picture.extension}")
                    try:
                        write_whole(path, picture.data)
                    except OSError as error:
                        print(unwritable_file_sentence(str(path), error), file=sys.stderr)
                        status = EXIT_FAILURE
                        continue
                    self._tell(path, picture, request, seconds)
        return status

    def _tell(self, path: Path, picture: Picture, request: Img2ImgRequest, seconds: float) -> None:
        if self._options.json:
            numbers = {"max_pixels": request.max_pixels, "seconds": round(seconds, 3)}
            print(json.dumps({"file": str(path), **picture.parameters, **numbers}))
        else:
            strength = f"  strength {picture.parameters['strength']:g}" if request.strengths else ""
            print(f"{path}  seed {picture.seed}{strength}  {picture.width}x{picture.height}  {seconds:.1f} s")

    @staticmethod
    def _refuse(sentence: str, status: int = EXIT_BAD_INPUT) -> int:
        print(sentence, file=sys.stderr)
        return status
