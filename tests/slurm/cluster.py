"""A real one-node SLURM with accounting, started for the tests and removed afterwards. Needs root and Debian packages.

Everything lies in one temporary folder: configs, keys, sockets, logs, spool and database. Ports are chosen free, and
the SLURM commands find the cluster by SLURM_CONF, so a SLURM of the machine is neither used nor changed.
Its GPUs exist for the scheduler only: device nodes that behave like /dev/null.
"""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

PROGRAMS = {
    "munged": "munge",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "slurmdbd": "slurmdbd",
    "mariadbd": "mariadb-server",
}
DAEMONS = ("mariadbd", "munged", "slurmdbd", "slurmctld", "slurmd")  # in the order they start
CPUS, MEMORY_MB, GPUS = 32, 64_000, 2  # as declared to SLURM; the rules ask for more threads than a small machine has
ACCOUNT = "lab"
PATIENCE_S = 120

SLURM_CONF = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slurmctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
MpiDefault=none
SwitchType=switch/none
# No cgroups: they cannot be had in every container. Memory is looked at each second instead.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
# Believe the node's line below, not the hardware.
SlurmdParameters=config_overrides
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=0,sched_min_interval=0
KillWait=2
OverTimeLimit=0
JobRequeue=0
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={slurmdbd_port}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""
SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={slurmdbd_port}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadbd_port}
StorageUser=root
StorageLoc=accounting
"""


class NotReady(Exception):
    """The machine lacks something, or a daemon does not answer."""


def missing() -> list[str]:
    """Reasons why no cluster can be started here, in words; empty if it can."""
    found = [] if os.geteuid() == 0 else ["root (SLURM's daemons start jobs in a user's name)"]
    packages = sorted({package for program, package in PROGRAMS.items() if _program(program) is None})
    if packages:
        found.append(f"Debian packages: apt-get install --no-install-recommends {' '.join(packages)}")
    return found


class Cluster:
    """The running cluster. Use as a context manager: leaving it stops only the processes that it started.

    Attributes:
        folder: of everything it writes.
        environment: variables by which SLURM's commands find it.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # short: a socket's path may have 107 bytes
        self.folder.chmod(0o755)
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Cluster":
        try:
            self._write_files()
            for daemon in DAEMONS:
                self.start(daemon)
            self._open_account()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if "slurmctld" in self._running:
            self.cancel_all()
        for daemon in reversed(DAEMONS):
            if daemon in self._running:
                self.stop(daemon)
        shutil.rmtree(self.folder)

    def start(self, daemon: str) -> None:
        """Start a daemon and wait until it answers.

        Raises:
            NotReady: with the end of its log.
        """
        arguments, answers = self._daemons()[daemon]
        log = (self.folder / f"{daemon}.out").open("ab")
        self._running[daemon] = subprocess.Popen(
            [_program(daemon), *arguments],
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        if not wait_until(answers):
            raise NotReady(f"{daemon} does not answer:\n{self._log(daemon)}")

    def stop(self, daemon: str) -> None:
        """End a daemon, first with SIGTERM."""
        process = self._running.pop(daemon)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def cancel_all(self) -> None:
        """Cancel every job and wait until none is left."""
        self.command("scancel", "--user=root", check=False)
        wait_until(lambda: not self.command("squeue", "--noheader", check=False).strip())

    def command(self, *command: str, check: bool = True) -> str:
        """Output of one of SLURM's commands."""
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        if check and done.returncode:
            raise NotReady(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def _daemons(self) -> dict[str, tuple[list[str], Callable[[], bool]]]:
        """Daemon → its arguments, all in the foreground, and whether it answers."""
        at, folder = self._ports, self.folder
        database = (
            f"--no-defaults --user=root --datadir={folder}/mysql --socket={folder}/mysql.socket --port={at['mariadbd']}"
        )
        munge = f"--foreground --force --socket={folder}/munge.socket --key-file={folder}/munge.key"
        munge += f" --pid-file={folder}/munged.pid --log-file={folder}/munged.log --seed-file={folder}/munge.seed"
        return {
            "mariadbd": ([*database.split(), "--bind-address=127.0.0.1"], lambda: _listens(at["mariadbd"])),
            "munged": (munge.split(), (folder / "munge.socket").exists),
            "slurmdbd": (["-D"], lambda: self._says("sacctmgr", "--noheader", "show", "cluster") is not None),
            "slurmctld": (["-D", "-f", f"{folder}/slurm.conf"], lambda: "UP" in (self._says("scontrol", "ping") or "")),
            "slurmd": (["-D", "-f", f"{folder}/slurm.conf", "-N", _host()], self._node_is_up),
        }

    def _node_is_up(self) -> bool:
        return (self._says("sinfo", "--noheader", "--format=%T") or "").strip() in ("idle", "mixed", "allocated")

    def _says(self, *command: str) -> str | None:
        try:
            return self.command(*command)
        except NotReady:
            return None

    def _open_account(self) -> None:
        for what in (f"account {ACCOUNT} cluster=tests", f"user root account={ACCOUNT} cluster=tests"):
            self.command("sacctmgr", "--immediate", "--quiet", "add", *what.split())

    def _write_files(self) -> None:
        folder, host = self.folder, _host()
        names = ("mariadbd", "slurmdbd", "slurmctld", "slurmd")
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        values = {"folder": folder, "host": host, "cpus": CPUS, "memory_mb": MEMORY_MB, "gpus": GPUS}
        values |= {f"{name}_port": port for name, port in self._ports.items()}
        for name in ("state", "spool"):
            (folder / name).mkdir()
        _write(folder / "slurm.conf", SLURM_CONF.format(**values))
        _write(folder / "slurmdbd.conf", SLURMDBD_CONF.format(**values), mode=0o600)
        _write(folder / "cgroup.conf", "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        for i in range(GPUS):
            os.mknod(folder / f"gpu{i}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        _write(folder / "gres.conf", f"NodeName={host} Name=gpu File={folder}/gpu[0-{GPUS - 1}]\n")
        # The executor plugin takes SLURM_CONF from the environment in which a job calls srun.
        (folder / "bin").mkdir()
        _write(
            folder / "bin/srun", f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {_program("srun")} "$@"\n', mode=0o755
        )
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o400)
        install = f"--no-defaults --datadir={folder}/mysql --user=root --auth-root-authentication-method=normal"
        subprocess.run(["mariadb-install-db", *install.split(), "--skip-test-db"], check=True, capture_output=True)

    def _log(self, daemon: str) -> str:
        found = [self.folder / f"{daemon}.{ending}" for ending in ("log", "out")]
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in found if path.exists())


def wait_until(holds: Callable[[], object], seconds: float = PATIENCE_S, pause: float = 0.1) -> bool:
    """Poll until the condition holds or the time is over; return whether it held."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(pause)
    return False


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _host() -> str:
    return socket.gethostname().split(".")[0]


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(n: int) -> list[int]:
    probes = [socket.socket() for _ in range(n)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)
