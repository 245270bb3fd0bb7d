"""Take away the lock that a killed snakemake left in this folder; `make results` does so first.

    python workflow/unlock.py [arguments of snakemake]

A lock of a snakemake that runs, here or on another machine, stays.
"""

import platform
import re
import subprocess
import sys
from pathlib import Path

import psutil


def holder(folder: Path) -> str | None:
    """Name the snakemake that works in a folder, or may: that which wrote the last log on another machine."""
    mine = {process.pid for process in (psutil.Process(), *psutil.Process().parents())}
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        about = process.info
        called = " ".join(about["cmdline"] or [])
        if "snakemake" in called and about["pid"] not in mine and about["cwd"] and Path(about["cwd"]) == folder:
            return f"process {about['pid']}"
    logs = sorted((folder / ".snakemake/log").glob("*.log"), key=lambda path: path.stat().st_mtime)
    host = re.search(r"^host: (\S+)", logs[-1].read_text(), re.M | re.I) if logs else None
    return f"a snakemake on {host[1]}" if host and host[1] != platform.node() else None


def main() -> None:
    """Unlock, or leave the refusal to snakemake."""
    folder = Path.cwd().resolve()
    if not any((folder / ".snakemake/locks").glob("*")):
        return
    if by := holder(folder):
        print(f"{folder} is locked by {by}; if that has ended, run: snakemake --unlock", file=sys.stderr)
        return
    print("the snakemake that locked this folder was killed; going on", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "snakemake", "--unlock", "--quiet", "all", *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
