"""A small, real SLURM on loopback for tests: one CPU node, one node with a GPU that is none, all in one folder."""

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
CLIENTS = ("sbatch", "srun", "scancel", "squeue", "sinfo", "scontrol")
NODES = ("cpu1", "gpu1")

# cred_expire: so many seconds a job that was put back into the queue waits before it starts again; 120 by default.
CONF = """
ClusterName=farfield
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=20
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
SlurmdParameters=config_overrides
ReturnToService=2
EnforcePartLimits=ALL
KillWait=5
MinJobAge=3600
GresTypes=gpu
AccountingStorageType=accounting_storage/none
NodeName=cpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=8000
NodeName=gpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory=8000 Gres=gpu:1
PartitionName=cpu Nodes=cpu1 Default=YES MaxTime=1-00:00:00
PartitionName=gpu Nodes=gpu1 MaxTime=02:00:00
"""


def missing() -> str:
    """Say why there can be no SLURM here, or nothing."""
    if os.getuid() != 0:
        return "a SLURM of one's own needs root"
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    return f"{', '.join(absent)} not found: apt-get install slurmctld slurmd slurm-client munge" if absent else ""


def wait_until(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Ask again and again, and fail in a sentence."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"after {seconds:.0f} s: {what}"
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for some in sockets:
            some.bind(("127.0.0.1", 0))
        return [some.getsockname()[1] for some in sockets]


class Slurm:
    """Its daemons, and its commands by `answer`."""

    def __init__(self, folder: Path):
        self.folder, self.daemons = folder, {}
        (folder / "state").mkdir()
        (folder / "bin").mkdir()
        conf = CONF.format(folder=folder, host=socket.gethostname().split(".")[0], ports=_free_ports(3))
        (folder / "slurm.conf").write_text(conf)
        os.mknod(folder / "gpu0", 0o666 | stat.S_IFCHR, os.makedev(1, 3))  # /dev/null will do
        (folder / "gres.conf").write_text(f"NodeName=gpu1 Name=gpu File={folder}/gpu0\n")
        if self._is_new():
            (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
        # The job-step plugin drops every SLURM_* variable before it calls srun, so each command brings its own.
        for name in CLIENTS:
            path = folder / "bin" / name
            path.write_text(
                f'#!/bin/sh\necho "{name} $*" >> {folder}/calls\n'
                f'SLURM_CONF={folder}/slurm.conf exec {shutil.which(name)} "$@"\n'
            )
            path.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "SLURM_CONF": f"{folder}/slurm.conf",
        }
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(0o600)

    def begin(self) -> None:
        """Start every daemon, and wait until jobs can be submitted."""
        folder = self.folder
        self.start("munged")
        wait_until((folder / "munge.socket").exists, "munged has no socket")
        self.start("slurmctld")
        for node in NODES:
            (folder / f"spool-{node}").mkdir()
            self.start(node)
        idle = ["idle"] * len(NODES)
        wait_until(lambda: self.answer("sinfo", "-h", "-N", "-o", "%T").split() == idle, "nodes are not idle")

    @staticmethod
    def _is_new() -> bool:
        """From 23.11 on slurmd wants to be told that it needs no cgroups."""
        version = subprocess.run(["slurmd", "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
        return tuple(map(int, version.split(".")[:2])) >= (23, 11)

    def start(self, name: str) -> None:
        """Start a daemon in the foreground of a process of its own."""
        folder, conf = self.folder, f"{self.folder}/slurm.conf"
        commands = {
            "munged": [
                *("munged", "--foreground", "--force"),
                *(f"--key-file={folder}/munge.key", f"--socket={folder}/munge.socket"),
                *(f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/seed"),
            ],
            "slurmctld": ["slurmctld", "-D", "-f", conf],
            **{node: ["slurmd", "-D", "-f", conf, "-N", node] for node in NODES},
        }
        with (folder / f"{name}.out").open("a") as output:
            self.daemons[name] = subprocess.Popen(
                commands[name], stdout=output, stderr=output, start_new_session=True, cwd=folder
            )

    def kill(self, name: str) -> None:
        """End a daemon as a machine that fails does."""
        self.daemons[name].send_signal(signal.SIGKILL)
        self.daemons[name].wait()

    def fail(self, node: str) -> None:
        """Cut a node's power: its daemon ends, and its jobs without a word."""
        numbers = self.answer("squeue", "-h", "-w", node, "-t", "RUNNING", "-o", "%i").split()
        self.kill(node)
        cut_off = set()
        for step in psutil.process_iter():
            with contextlib.suppress(psutil.Error):  # what has ended meanwhile
                name = re.match(r"slurmstepd:\W+(\d+)\.", " ".join(step.cmdline()))
                if name and name[1] in numbers and Path(step.cwd()) == self.folder:  # its daemon's
                    cut_off.add(name[1])
                    for process in [step, *step.children(recursive=True)]:
                        process.kill()
        assert cut_off == set(numbers), f"jobs {numbers} ran on {node}, and of {cut_off} processes were found"
        self.answer("scontrol", "update", f"nodename={node}", "state=down", "reason=failed")

    def answer(self, *command: str) -> str:
        """Return what a command of SLURM's prints."""
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return result.stdout

    def jobs(self, *states: str, folder: Path | None = None, partition: str = "cpu,gpu") -> dict[str, str]:
        """Comments by job, such as ``rule_square_root``, of those submitted from a folder."""
        wanted = ",".join(states or ["PENDING", "RUNNING", "COMPLETING"])
        lines = self.answer("squeue", "-h", "-t", wanted, "-p", partition, "-o", "%i|%Z|%k").splitlines()
        jobs = [line.split("|", 2) for line in lines]
        return {number: comment for number, where, comment in jobs if folder is None or where == str(folder)}

    def stop(self) -> None:
        """End everything."""
        self.answer("scancel", "--user", "root")
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.jobs(), "jobs do not end", 20)
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
