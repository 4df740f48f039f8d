"""A private Exim from conf-examples/exim."""

import pwd

from . import programs
from .box import accepts, free_port
from .certificate import certificate, readable_by
from .examples import example

USER = "Debian-exim"


class Exim:
    """conf-examples/exim/exim.conf with its own spool, mail folder and socket. It queues only:
    a delivery is a new Exim, which starts setuid and so without the wrapper below.

    Debian's Exim refuses to run without the user Debian-exim; libnss_wrapper tells it that one
    exists (with the ids of nobody), so the machine's user database stays as it is.
    """

    def __init__(self, box):
        programs.need_root()
        self._exim = programs.need("exim4")
        self.box = box
        self.port = free_port()
        self.socket = box.path("auth-exim")
        self.mail = box.folder("mail", owner="nobody")
        self._log = box.log_file("exim.log")
        spool = box.folder("spool", owner="nobody")
        logs = box.folder("exim-log", owner="nobody")
        tls = certificate(box)[2]
        readable_by(tls, "nobody")
        readable_by(tls.parent, "nobody")
        self._config = box.write("exim.conf", example("exim/exim.conf", {
            "daemon_smtp_ports = 587":
                f"daemon_smtp_ports = {self.port}\nlocal_interfaces = 127.0.0.1\nqueue_only",
            "/usr/sbin/exim4": self._exim,
            "/var/spool/exim4": spool,
            "/var/log/exim4/%slog": logs / "%slog",
            "/run/exim4/exim.pid": spool / "exim.pid",
            "/etc/exim4/mail.example.com.pem": tls,
            "/var/mail/vhosts": self.mail,
            "/run/saslatch/auth-exim": self.socket,
            "keep_environment =": "keep_environment = LD_PRELOAD : ^NSS_WRAPPER_",
        }))
        self._main_log = box.log_file("exim-log/mainlog")
        readable_by(self._main_log, "nobody")
        nobody = pwd.getpwnam("nobody")
        self._env = {
            "PATH": programs.PATH,
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": str(box.write("passwd", "".join(
                f"{name}:x:{uid}:{gid}::/nonexistent:/usr/sbin/nologin\n" for name, uid, gid in (
                    ("root", 0, 0), ("nobody", nobody.pw_uid, nobody.pw_gid),
                    (USER, nobody.pw_uid, nobody.pw_gid))))),
            "NSS_WRAPPER_GROUP": str(box.write("group", "".join(
                f"{name}:x:{gid}:\n" for name, gid in (
                    ("root", 0), ("mail", 8), ("nogroup", nobody.pw_gid),
                    (USER, nobody.pw_gid))))),
        }

    def start(self):
        process = self.box.spawn("exim", [self._exim, "-C", self._config, "-bdf"],
                                 env=self._env)
        process.wait_ready(lambda: accepts(("127.0.0.1", self.port)), "Exim's port")
        return self

    def main_log(self):
        return self._main_log.read_text(errors="replace")
