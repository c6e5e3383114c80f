"""What the kernel says of processes."""
import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")


def stat(pid):
    """Fields of its /proc/PID/stat from the state on; None: there is no such process, or nobody has buried it yet."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields


def alive(pid):
    return stat(pid) is not None


def started(pid):
    """When it began: with the number it is this process and no later one. None: it is gone."""
    fields = stat(pid)
    return fields and fields[19]


def cpu_seconds(pids):
    """User and system time of the processes so far; they all live."""
    fields = [stat(pid) for pid in pids]
    return sum(int(f[11]) + int(f[12]) for f in fields) / TICKS
