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
    seen by nobody else and gone with it. To be called before there are threads."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) == 0:
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    # Else it is not root's process, and mounting is refused: those faults say so and are skipped.


ALL = {**kills.SCENES, **storage.SCENES, **limits.SCENES, **clocks.SCENES, **passdbs.SCENES,
       **clients.SCENES, **reloads.SCENES}
