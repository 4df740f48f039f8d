"""Hosts on one machine: network name spaces around a bridge, or plain loopback where that is not
permitted."""

import ctypes
import os
import subprocess

from . import programs
from .box import free_port, wait_until

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def enter(pid):
    """Moves the calling thread into the network name space of a process."""
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(descriptor)


class Host:
    """Where a program runs. `enter` is for Process(before_exec=…) and for threads."""

    def __init__(self, name, address, pid=None):
        self.name, self.address, self.pid = name, address, pid

    def enter(self):
        if self.pid is not None:
            enter(self.pid)

    def port(self, wanted):
        """`wanted` where nobody else is, else a port that the kernel says is free."""
        return wanted if self.pid is not None else free_port()


def isolation():
    """Why there can be no network name spaces here; None if there can."""
    if os.geteuid() != 0:
        return "not root"
    if programs.find("ip") is None or programs.find("unshare") is None:
        return "no iproute2"
    tried = subprocess.run(
        ["unshare", "--net", programs.find("ip"), "-batch", "-"], capture_output=True, text=True,
        input="link add br0 type bridge\nlink add cable type veth peer name plug\n")
    return None if tried.returncode == 0 else (
        f"no network name spaces: {tried.stderr.strip() or tried.returncode}")


class Network:
    """A hub and `hosts` around it, each in a network name space of its own with a cable to the hub's
    bridge. The name spaces end with the processes that hold them. Where they are not permitted,
    `why_not` says why, and all of them are this machine's loopback: no cable can be pulled then.
    """

    def __init__(self, box, hosts=3):
        self.why_not = isolation()
        names = [f"host{number}" for number in range(1, hosts + 1)]
        if self.why_not:
            print(f"hosts share the loopback of this machine: {self.why_not}", flush=True)
            self.hub = Host("hub", "127.0.0.1")
            self.hosts = [Host(name, "127.0.0.1") for name in names]
            return
        self.hub = Host("hub", "10.77.0.1", self._holder(box, "hub"))
        self._ip(self.hub, "link set lo up", "link add br0 type bridge", "link set br0 up",
                 f"addr add {self.hub.address}/24 dev br0")
        self.hosts = []
        for number, name in enumerate(names, start=10):
            host = Host(name, f"10.77.0.{number}", self._holder(box, name))
            self._ip(self.hub, f"link add {name} type veth peer name eth0 netns {host.pid}",
                     f"link set {name} master br0 up")
            self._ip(host, "link set lo up", f"addr add {host.address}/24 dev eth0",
                     "link set eth0 up")
            self.hosts.append(host)

    @staticmethod
    def _holder(box, name):
        process = box.spawn(f"net-{name}", ["unshare", "--net", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        process.wait_ready(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != own,
                           f"a network name space for {name}")
        return process.pid

    @staticmethod
    def _ip(host, *lines):
        done = subprocess.run([programs.need("ip"), "-batch", "-"], input="\n".join(lines) + "\n",
                              capture_output=True, text=True, preexec_fn=host.enter)
        assert done.returncode == 0, f"ip in {host.name}: {done.stderr}"

    def pull_cable(self, host):
        """From now on what the host sends is lost without a word, and what is sent to it."""
        self._ip(self.hub, f"link set {host.name} down")

    def plug_in(self, host):
        self._ip(self.hub, f"link set {host.name} up")
        wait_until(lambda: subprocess.run(
            [programs.need("ip"), "link", "show", "eth0"], capture_output=True, text=True,
            preexec_fn=host.enter).stdout.find("LOWER_UP") > 0, f"the cable of {host.name}")
