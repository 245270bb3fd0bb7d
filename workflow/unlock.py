"""Take away the lock that a killed snakemake left in this folder; `make results` does so first.

    python workflow/unlock.py [arguments of snakemake]

A lock of a snakemake that runs, here or on another machine, stays.
"""

import os
import platform
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import psutil


def _is_snakemake(command: list[str]) -> bool:
    return any(Path(word).name == "snakemake" for word in command[:4])  # python, its options, -m


def holder(folder: Path, locks: list[Path]) -> str | None:
    """Name who may hold a folder's lock: another user, a snakemake that runs here, or one of another machine."""
    status = locks[0].stat()
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return f"user {status.st_uid}"
    mine = {process.pid for process in (psutil.Process(), *psutil.Process().parents())}
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        about = process.info
        here = about["cwd"] and Path(about["cwd"]) == folder
        if here and about["pid"] not in mine and _is_snakemake(about["cmdline"] or []):
            return f"process {about['pid']}"
    # Its log, which names its machine, was begun before the lock; later ones are of those that were refused.
    begun = datetime.fromtimestamp(status.st_mtime).isoformat()
    logs = [log for log in sorted((folder / ".snakemake/log").glob("*.log")) if log.name < begun.replace(":", "")]
    host = re.search(r"^\s*host: (\S+)", logs[-1].read_text(), re.MULTILINE | re.IGNORECASE) if logs else None
    return f"a snakemake on {host[1]}" if host and host[1] != platform.node() else None


def main() -> None:
    """Unlock, or end with the name of the holder."""
    folder = Path.cwd().resolve()
    locks = sorted((folder / ".snakemake/locks").glob("*"))
    if not locks:
        return
    if by := holder(folder, locks):
        sys.exit(f"{folder} is locked by {by}; wait for it, or, if it has ended, run: snakemake --unlock")
    print("the snakemake that locked this folder was killed; going on", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "snakemake", "--unlock", "--quiet", "all", *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
