"""A small file system of one's own, to be filled up."""
import contextlib
import errno
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest


class Disk:
    def __init__(self, path):
        self.path = path

    def free_bytes(self):
        return shutil.disk_usage(self.path).free

    def fill(self, leave_bytes):
        """Fills in steps: what others take or give back meanwhile is seen by the next look."""
        with (self.path / "ballast").open("wb") as ballast:
            while (excess := self.free_bytes() - leave_bytes) > 0:
                try:
                    os.posix_fallocate(ballast.fileno(), ballast.seek(0, os.SEEK_END), min(excess, 1 << 20))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def make_room(self):
        (self.path / "ballast").unlink()

    def holds(self, name):
        """Is there a file of that name that has its room?"""
        file = self.path / name
        return file.exists() and file.stat().st_blocks > 0


@contextlib.contextmanager
def small_disk(megabytes):
    """Skips where there can be none."""
    with tempfile.TemporaryDirectory(prefix="patrond-disk-") as name:
        os.chmod(name, 0o755)
        path = pathlib.Path(name) / "disk"
        path.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], capture_output=True).returncode != 0:
            pytest.skip("no file system can be mounted here")
        try:
            yield Disk(path)
        finally:
            subprocess.run(["umount", "-l", str(path)], check=True)
