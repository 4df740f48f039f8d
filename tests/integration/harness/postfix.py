"""A private Postfix from conf-examples/postfix-dovecot or postfix-cyrus."""

import json
import pwd
import subprocess

from . import programs
from .box import PATIENCE, accepts, free_port, wait_until
from .certificate import certificate
from .examples import example, with_settings


class Postfix:
    """conf-examples/postfix-dovecot/{main,master}.cf with its own queue, data and mail folders.

    `settings` are further main.cf lines; `chroot` runs its smtpd chrooted into the queue directory.
    """

    examples, chroot_of_example = "postfix-dovecot", "n"

    def __init__(self, box, settings=None, chroot=False):
        programs.need_root()
        self._postfix = programs.need("postfix")
        self.box = box
        self.port, self.smtps_port, self.mx_port = free_port(), free_port(), free_port()
        self.queue = box.folder("queue")
        self.socket = self.queue / "private" / "saslatch"
        self.mail = box.folder("mail", owner="postfix")
        self._config = box.folder("postfix")
        self._log = box.log_file("postfix.log")
        self._master = None
        box.folder("data", owner="postfix")
        box.folder("queue", "private", mode=0o700, owner="postfix")
        uid = pwd.getpwnam("postfix").pw_uid
        main = example(f"{self.examples}/main.cf", {
            "/var/spool/postfix": self.queue,
            "/var/lib/postfix": box.path("data"),
            "/var/mail/vhosts": self.mail,
            "/etc/ssl/private/mail.example.com.pem": certificate(box)[2],
            "static:5000": f"static:{uid}",
        })
        main = with_settings(main, {
            "inet_interfaces": "127.0.0.1",
            "maillog_file": self._log,
            "maillog_file_prefixes": box.dir,
            "alias_maps": "",
            "alias_database": "",
            "smtpd_peername_lookup": "no",
            "virtual_mailbox_maps": "static:inbox/",
            "virtual_minimum_uid": "1",
            **(settings or {}),
        })
        jail = "y" if chroot else "n"
        services = {"submission": self.port, "smtps": self.smtps_port, "smtp": self.mx_port}
        master = example(f"{self.examples}/master.cf", {
            f"{name:<9} inet  n       -       {self.chroot_of_example} ":
                f"127.0.0.1:{port} inet  n       -       {jail} "
            for name, port in services.items()
        })
        box.write("postfix/main.cf", main)
        box.write("postfix/master.cf", master)

    def start(self):
        """Starts it and waits for its port; smtpd itself starts with the first client."""
        # What `postfix start` does, but for the last step: its master would leave our session.
        subprocess.run([self._postfix, "-c", self._config, "check"], check=True,
                       capture_output=True, timeout=PATIENCE)
        master = self._postconf("daemon_directory") + "/master"
        self._master = self.box.spawn("master", [master, "-c", self._config, "-d"])
        self._master.wait_ready(lambda: accepts(("127.0.0.1", self.port)), "Postfix's port")
        return self

    def _postconf(self, name):
        return subprocess.run(["postconf", "-c", self._config, "-h", name], check=True,
                              env={"PATH": programs.PATH}, capture_output=True,
                              text=True).stdout.strip()

    def stop(self):
        self._master.stop()

    def log(self):
        return self._log.read_text(errors="replace")

    def wait_log(self, text):
        """Waits for a text in the mail log, which postlogd writes a little after the fact."""
        return wait_until(lambda: text in self.log(), f"{text!r} in Postfix's log")

    def delivered(self):
        """The messages in the mailbox, as text."""
        folder = self.mail / "inbox" / "new"
        return [path.read_text() for path in sorted(folder.glob("*"))] if folder.exists() else []


class CyrusPostfix(Postfix):
    """conf-examples/postfix-cyrus: libsasl2 with our plugin, by default in a chroot, as there.

    `plugin_path` is where libsasl2 looks for plugins; `options` are further lines of smtpd.conf.
    """

    examples, chroot_of_example = "postfix-cyrus", "y"

    def __init__(self, box, settings=None, chroot=True, plugin_path=None, options=""):
        path = plugin_path or programs.plugin_folder()
        super().__init__(box, {
            "import_environment": f"MAIL_CONFIG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE "
                                  f"POSTLOG_HOSTNAME SASL_PATH={path}", **(settings or {})}, chroot)
        box.write("postfix/sasl/smtpd.conf", example("postfix-cyrus/smtpd.conf", {}) + options)

    def doctor(self, daemon):
        """What `saslatch doctor` finds about Cyrus SASL, as "RESULT WHAT"."""
        text = daemon.cli("doctor", "--json", exit_code=None, MAIL_CONFIG=str(self._config))
        return [f"{finding['result']} {finding['what']}" for finding in json.loads(text)
                if finding["check"] == "cyrus"]
