"""The list of faults, in the order in which they run."""

import ctypes
import subprocess

import scene  # noqa: F401  (first: it says where the harness is)
import clients
import clocks
import kills
import limits
import passdbs
import reloads
import storage

CLONE_NEWNS = 0x20000


def own_mounts():
    """A mount name space of this process's own, where it may have one: what the faults mount is
    seen by nobody else and gone with it. Where it may not, nothing is mounted, and those faults are
    skipped. To be called before there are threads."""
    libc = ctypes.CDLL(None, use_errno=True)
    storage.may_mount = libc.unshare(CLONE_NEWNS) == 0 and subprocess.run(
        ["mount", "--make-rprivate", "/"], capture_output=True).returncode == 0


ALL = {**kills.SCENES, **storage.SCENES, **limits.SCENES, **clocks.SCENES, **passdbs.SCENES,
       **clients.SCENES, **reloads.SCENES}
