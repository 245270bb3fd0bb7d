"""Whether a SLURM cluster could ever run what is about to be submitted: asked of SLURM before the first job."""

import math
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class ClusterError(ValueError):
    """Jobs that a cluster would refuse, or let wait for ever; one line for each mistake."""


class Request(NamedTuple):
    """What a job asks for; a partition or account of None is the cluster's default."""

    job: str
    partition: str | None
    account: str | None
    options: tuple[str, ...]  # others that sbatch will get, such as --qos=long
    lacks_gpu: bool  # that the config insists on
    gpus: int
    minutes: int
    mem_mb: int
    cpus: int


class Limits(NamedTuple):
    """The most that any job of a partition gets, now and once its nodes are back."""

    minutes: float
    mem_mb: float
    cpus: float
    gpus: float
    away: frozenset[tuple[int, int, int]]  # megabytes, CPUs and GPUs of nodes that are down, drained or not yet back


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        raise ClusterError(f"expected SLURM's {command[0]} on this machine, found none; use a login node") from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f"expected an answer of {command[0]} within a minute, got none; is SLURM up?") from None


def _minutes(text: str) -> float:
    """Read a time limit as SLURM prints it, such as 1-00:00:00, 30:00 or infinite."""
    if not text[0].isdigit():
        return float("inf")
    days, _, clock = text.rpartition("-")
    hours, minutes, seconds = ([0, 0, 0] + [int(part) for part in clock.split(":")])[-3:]
    return (int(days or 0) * 24 + hours) * 60 + minutes + seconds / 60


def read_partitions() -> tuple[dict[str, Limits], str | None]:
    """Ask SLURM for its partitions.

    Returns
    -------
    limits : dict
        By partition.
    default : str or None
        The partition of jobs that name none.

    Raises
    ------
    ClusterError
        If SLURM does not answer.
    """
    answer = _run("sinfo", "--noheader", "--all", "--Node", "--format=%P|%l|%m|%c|%G|%T")
    if answer.returncode:
        raise ClusterError(f"expected the cluster's partitions, but sinfo says: {answer.stderr.strip()}")
    limits: dict[str, Limits] = {}
    default = None
    for line in set(answer.stdout.split()):
        name, time, memory, cpus, devices, state = line.split("|")
        gpus = sum(int(count) for count in re.findall(r"gpu(?::[^:,(]+)?:(\d+)", devices))
        has = int(memory.rstrip("+")), int(cpus.rstrip("+")), gpus
        there = re.fullmatch(r"(idle|mixed|allocated|completing|planned)[^*]*", state)
        node = Limits(_minutes(time), *has, frozenset() if there else frozenset({has}))
        if name.endswith("*"):
            name = default = name.rstrip("*")
        limits[name] = _joined([limits.get(name, node), node])
    return limits, default


def _joined(several: Sequence[Limits]) -> Limits:
    """What a job gets that may run under any of several limits."""
    *most, away = zip(*several, strict=True)
    return Limits(*map(max, most), frozenset().union(*away))


def keeps_accounts() -> bool:
    """Ask SLURM whether it keeps accounts of jobs, from which ``sacct`` answers.

    Raises
    ------
    ClusterError
        If SLURM does not answer.
    """
    answer = _run("scontrol", "show", "config")
    if answer.returncode:
        raise ClusterError(f"expected the cluster's configuration, but scontrol says: {answer.stderr.strip()}")
    return bool(re.search(r"^AccountingStorageType\s*=\s*accounting_storage/(?!none)", answer.stdout, re.MULTILINE))


def _most(request: Request, limits: Mapping[str, Limits], default: str | None) -> Limits:
    """Return the limits of a request's partitions; none where the cluster chooses one by itself."""
    names = [name for name in (request.partition or default or "").split(",") if name]
    if not names:
        return _joined([Limits(*[math.inf] * 4, frozenset()), *limits.values()])
    return _joined([limits[name] for name in names])


def _mistakes(request: Request, limits: Mapping[str, Limits], default: str | None) -> Iterator[str]:
    names = (request.partition or default or "").split(",")
    unknown = [name for name in names if name and name not in limits]
    if unknown:
        known = ", ".join(sorted(limits))
        yield f"slurm_partition: expected one of {known}, got {unknown[0]!r}; change the profile's line"
        return
    if request.lacks_gpu:
        yield "gpu: the config says device: cuda, but the profile gives none; remove its line gpu, or set device: cpu"
    most = _most(request, limits, default)
    where = f"partition {','.join(names)}"
    if request.gpus > most.gpus:
        yield f"gpu: expected at most the {most.gpus} of {where}, got {request.gpus}; change slurm_partition"
    if request.minutes > most.minutes:
        limit = math.floor(most.minutes)
        yield (
            f"runtime: expected at most the {limit} minutes of {where}, got {request.minutes}; take another, "
            "set a runtime in the profile's set-resources (a training that is cut off goes on at its next attempt) "
            "or, where rules share the job, take them out of groups"
        )
    if request.mem_mb > most.mem_mb:
        yield (
            f"mem_mb: expected at most the {most.mem_mb} of a node of {where}, got {request.mem_mb}; lower memory in "
            "the config, or set mem_mb for it in the profile's set-resources"
        )
    if request.cpus > most.cpus:
        yield f"threads: expected at most the {most.cpus} of {where}, got {request.cpus}; lower group-components"


def _refusal(request: Request, away: Iterable[tuple[int, int, int]]) -> str | None:
    """What SLURM itself says against a request; nothing is submitted."""
    options = {"--partition": request.partition, "--account": request.account, "--gpus": request.gpus}
    command = [f"{option}={value}" for option, value in options.items() if value] + [*request.options]
    answer = _run(
        *("sbatch", "--test-only", f"--time={request.minutes}", f"--mem={request.mem_mb}"),
        *(f"--cpus-per-task={request.cpus}", *command, "--wrap=true"),
    )
    if answer.returncode == 0:
        return None
    reason = answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else "no reason given"
    if "node configuration is not available" in reason:  # said also of nodes that are down: a job would wait for them
        asked = request.mem_mb, request.cpus, request.gpus
        if any(all(want <= have for want, have in zip(asked, node, strict=True)) for node in away):
            return None
    return (
        f"refused with account {request.account or '(none)'} in partition {request.partition or '(default)'}: "
        f"{reason}; see slurm_account, slurm_partition and what else the profile asks for it"
    )


def check(requests: Iterable[Request]) -> tuple[float, float]:
    """Refuse what a cluster could never run.

    Parameters
    ----------
    requests : iterable of Request
        Of every job to come.

    Returns
    -------
    minutes, mem_mb : float
        By what factor every job could ask for more, at a next attempt, and still be run.

    Raises
    ------
    ClusterError
        With a line for each mistake that names job, resource, limit and repair.
    """
    limits, default = read_partitions()
    largest: dict[tuple[Any, ...], Request] = {}
    for request in requests:  # of each kind, what asks for most
        kind = (request.job, request.partition, request.account, request.options, request.lacks_gpu, request.gpus)
        other = largest.get(kind, request)
        largest[kind] = request._replace(
            minutes=max(request.minutes, other.minutes),
            mem_mb=max(request.mem_mb, other.mem_mb),
            cpus=max(request.cpus, other.cpus),
        )
    mistakes = [
        f"{request.job}: {mistake}" for request in largest.values() for mistake in _mistakes(request, limits, default)
    ]
    if not mistakes:
        room = [(_most(request, limits, default), request) for request in largest.values()]
        refusals = {_refusal(request, most.away): request.job for most, request in room}
        mistakes = [f"{job}: {refusal}" for refusal, job in refusals.items() if refusal]
    if mistakes:
        raise ClusterError("\n".join(mistakes))
    return (
        min((most.minutes / max(1, request.minutes) for most, request in room), default=1.0),
        min((most.mem_mb / max(1, request.mem_mb) for most, request in room), default=1.0),
    )
