"""Each class in a process of its own with a time limit: forked after the imports, which cost seconds."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from benchmarks.architectures.outcome import Outcome


@dataclass(frozen=True)
class _Job:
    """A class that is being examined."""

    model_type: str
    task: str
    process: BaseProcess
    result: Connection
    ends_at: float


def examine_all(
    classes: Sequence[tuple[str, str]],
    examine: Callable[[str, str], Outcome],
    *,
    n_workers: int,
    limit_seconds: float,
) -> Iterator[Outcome | tuple[str, str, str]]:
    """Outcomes as they come; (model type, task, what happened) for a process that gave none.

    Args:
        classes: (model type, task).
        examine: what is called in each process.
        n_workers: processes at a time.
        limit_seconds: after which a process is ended.
    """
    waiting, running = list(reversed(classes)), []
    while waiting or running:
        while waiting and len(running) < n_workers:
            running.append(_start(*waiting.pop(), examine, limit_seconds))
        wait([job.result for job in running], timeout=max(min(job.ends_at for job in running) - time.monotonic(), 0.0))
        still = []
        for job in running:
            if job.result.poll():
                yield _result(job)
            elif time.monotonic() >= job.ends_at:
                job.process.kill()
                job.process.join()
                yield job.model_type, job.task, f"not done after {limit_seconds:g} s"
            else:
                still.append(job)
        running = still


def _start(model_type: str, task: str, examine: Callable[[str, str], Outcome], limit_seconds: float) -> _Job:
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=_run, args=(examine, model_type, task, sender))
    process.start()
    sender.close()
    return _Job(model_type, task, process, receiver, time.monotonic() + limit_seconds)


def _run(examine: Callable[[str, str], Outcome], model_type: str, task: str, sender: Connection) -> None:
    sender.send(examine(model_type, task))


def _result(job: _Job) -> Outcome | tuple[str, str, str]:
    try:
        return job.result.recv()
    except EOFError:
        job.process.join()
        return job.model_type, job.task, f"its process ended with exit code {job.process.exitcode}"
    finally:
        job.process.join()
