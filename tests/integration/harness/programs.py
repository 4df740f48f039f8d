"""Where the programs under test and the programs that test them are."""

import os
import pathlib
import shutil
import subprocess
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
UNPACKED = REPOSITORY / "build" / "test-programs"  # packaging/install-deps.sh --tests
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def saslatch_bin():
    """The folder with saslatchd and saslatch: $SASLATCH_BIN, or the dev build's."""
    return pathlib.Path(os.environ.get("SASLATCH_BIN") or REPOSITORY / "build" / "dev" / "bin")


def plugin_folder():
    """The folder with libsaslatch.so alone; skips the test when it was not built."""
    folder = saslatch_bin().parent / "sasl2"
    if not (folder / "libsaslatch.so").exists():
        raise unittest.SkipTest("libsaslatch.so is not built")
    return folder


def system_plugin_folder():
    """The folder of Debian's own plugins; skips the test when libsasl2-modules is not there."""
    for folder in pathlib.Path("/usr/lib").glob("*/sasl2"):
        if (folder / "libplain.so").exists():
            return folder
    raise unittest.SkipTest("libsasl2-modules is not installed")


def find(name):
    """The path of a program, or None. Our own build first, then the unpacked packages, then PATH."""
    candidates = [saslatch_bin() / name]
    candidates += UNPACKED.glob(f"*/usr/sbin/{name}")
    candidates += UNPACKED.glob(f"*/usr/bin/{name}")
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which(name, path=PATH)
    return pathlib.Path(found) if found else None


def need(*names):
    """The paths of programs; skips the test, with the reason, when one is not there."""
    paths = []
    for name in names:
        path = find(name)
        if path is None:
            raise unittest.SkipTest(
                f"{name} is not installed (packaging/install-deps.sh --tests installs it)")
        paths.append(path)
    return paths[0] if len(paths) == 1 else paths


def need_files(*paths):
    """The same for programs that are at home where no PATH leads."""
    for path in paths:
        if not path.exists():
            raise unittest.SkipTest(
                f"{path} is not there (packaging/install-deps.sh --tests unpacks it)")
    return paths


def need_mount_namespace():
    """Skips the test where root may not mount, as in many containers."""
    need_root()
    if subprocess.run(["unshare", "--mount", "mount", "--bind", "/etc", "/etc"],
                      capture_output=True).returncode != 0:
        raise unittest.SkipTest("needs a mount name space of its own (CAP_SYS_ADMIN)")


def need_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root: a mail server starts as root and drops to its user")
