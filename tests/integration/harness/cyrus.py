"""Private servers that know libsasl2 only, from conf-examples/: OpenLDAP, Cyrus IMAP, Sendmail; and
Cyrus SASL's own sample server and client. All load our plugin from the build tree."""

import os
import shutil
import subprocess
import threading

from . import programs
from .box import PATIENCE, accepts, free_port
from .certificate import certificate
from .examples import example
from .saslatchd import QUIET_POLICY, Saslatchd, private_paths


def daemon_for(box, folder, sockets, owner):
    """The daemon of conf-examples/FOLDER. `sockets` maps the example's to the box's."""
    lines = {"owner    = " + owner: "", "group    = " + owner: ""} if owner else {}
    config = example(f"{folder}/saslatch.conf", {**private_paths(box), **sockets, **lines})
    return Saslatchd(box, config + QUIET_POLICY, list(sockets.values()))


class Server:
    """What all of them have: a box, the environment that leads libsasl2 to our plugin."""

    package = None  # whose own libraries are needed

    def __init__(self, box):
        programs.need_root()
        self.box = box
        self.port = free_port()
        self.environment = {"PATH": programs.PATH, "SASL_PATH": str(programs.plugin_folder()),
                            "SASL_CONF_PATH": str(box.folder("sasl"))}
        if self.package:
            libraries = (programs.UNPACKED / self.package / "usr" / "lib").glob("*-linux-gnu")
            self.environment["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))

    def run(self, name, argv, **options):
        """Starts it in the foreground and waits for its port."""
        self.process = self.box.spawn(name, argv, env=self.environment, **options)
        self.process.wait_ready(lambda: accepts(("127.0.0.1", self.port)), f"the port of {name}")
        return self

    def client_environment(self):
        """Without what leads to our plugin: clients load Debian's client plugins."""
        return {name: value for name, value in self.environment.items()
                if not name.startswith("SASL_")}

    def client(self, argv, stdin="", environment=()):
        """(exit code, text) of a client with the same libraries; password prompts read `stdin`."""
        done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=True,
                              errors="replace", timeout=PATIENCE, start_new_session=True,
                              env=self.client_environment() | dict(environment))
        return done.returncode, done.stdout + done.stderr


class Slapd(Server):
    """conf-examples/openldap."""

    package = "slapd"

    def __init__(self, box):
        super().__init__(box)
        self._slapd, self._slapadd, self._whoami = (
            programs.need("slapd", "slapadd", "ldapwhoami"))
        root = self._slapd.parents[2]
        tls, key, _ = certificate(box)
        self.socket, self.mux = box.path("auth-ldap"), box.path("mux")
        self._config = box.write("slapd.conf", example("openldap/slapd.conf", {
            "/etc/ldap/schema": root / "etc/ldap/schema",
            "/usr/lib/ldap": root / "usr/lib/ldap",
            "/run/slapd/slapd.pid": box.path("slapd.pid"),
            "/etc/ssl/certs/ldap.example.com.pem": tls,
            "/etc/ssl/private/ldap.example.com.key": key,
            "/var/lib/ldap": box.folder("ldap"),
        }))
        box.write("sasl/sasl2/slapd.conf", example("openldap/sasl2/slapd.conf", {
            "/run/saslatch/auth-ldap": self.socket, "/run/saslatch/mux": self.mux}))
        self._entries = box.write("entries.ldif", """\
dn: dc=example,dc=com
objectClass: organization
objectClass: dcObject
o: example
dc: example

dn: cn=alice,dc=example,dc=com
objectClass: person
cn: alice
sn: alice
userPassword: {SASL}alice
""")

    def daemon(self):
        return daemon_for(self.box, "openldap", {"/run/saslatch/auth-ldap": self.socket,
                                                 "/run/saslatch/mux": self.mux}, "openldap")

    def start(self):
        code, text = self.client([self._slapadd, "-f", self._config, "-l", self._entries])
        assert code == 0, text
        # Debian's slapd has the path of libsasl2's configuration built in; in a name space of its
        # own it finds ours there.
        programs.need_mount_namespace()
        mounted = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/ldap && exec "$@"',
                   self.box.path("sasl")]
        return self.run("slapd", [*mounted, self._slapd, "-f", self._config, "-d", "none",
                                  "-h", f"ldap://127.0.0.1:{self.port}"])

    def whoami(self, *arguments):
        """(exit code, text) of ldapwhoami."""
        return self.client([self._whoami, "-H", f"ldap://127.0.0.1:{self.port}", *arguments],
                           environment={"LDAPTLS_REQCERT": "never"})


class CyrusImap(Server):
    """conf-examples/cyrus-imap: Cyrus's master, which starts imapd as the user nobody."""

    package = "cyrus-common"

    def __init__(self, box):
        super().__init__(box)
        folder = "usr/lib/cyrus/bin"
        common, imap, clients = (programs.UNPACKED / package / folder for package in
                                 ("cyrus-common", "cyrus-imapd", "cyrus-clients"))
        self._master, imapd, self._imtest = programs.need_files(
            common / "master", imap / "imapd", clients / "imtest")
        self.smtptest, = programs.need_files(clients / "smtptest")
        tls, key, _ = certificate(box)
        shutil.chown(key, "nobody")
        self.socket, self.mux = box.path("auth-imap"), box.path("mux")
        self._imapd_conf = box.write("imapd.conf", example("cyrus-imap/imapd.conf", {
            "/var/lib/cyrus": box.folder("cyrus", owner="nobody"),
            "/var/spool/cyrus/mail": box.folder("spool", owner="nobody"),
            "/etc/ssl/certs/mail.example.com.pem": tls,
            "/etc/ssl/private/mail.example.com.key": key,
            "/run/saslatch/auth-imap": self.socket,
            "/run/saslatch/mux": self.mux,
        }) + "cyrus_user: nobody\nfailedloginpause: 0\n")
        cyrus = "/usr/sbin/cyrus ctl_cyrusdb"
        self._cyrus_conf = box.write("cyrus.conf", example("cyrus-imap/cyrus.conf", {
            cyrus: f"{common}/ctl_cyrusdb -C {self._imapd_conf}",
            'cmd="imapd': f'cmd="{imapd} -C {self._imapd_conf}',
            'listen="imap"': f'listen="127.0.0.1:{self.port}"',
        }))

    def daemon(self):
        daemon = daemon_for(self.box, "cyrus-imap", {"/run/saslatch/auth-imap": self.socket,
                                                     "/run/saslatch/mux": self.mux}, None)
        text = daemon.config.read_text()
        daemon.config.write_text(text.replace("= cyrus\n", "= nobody\n").replace(
            "group    = nobody", "group    = nogroup"))
        return daemon

    def start(self):
        return self.run("cyrus", [self._master, "-C", self._imapd_conf, "-M", self._cyrus_conf,
                                  "-p", self.box.path("master.pid"), "-D"])

    def imtest(self, mechanism, user, password):
        """The server's last word to a login by AUTHENTICATE, or by LOGIN with mechanism "login"."""
        code, text = self.client(
            [self._imtest, "-p", self.port, "-m", mechanism, "-a", user, "-u", user, "-w", password,
             "-t", "", "127.0.0.1"], stdin=". LOGOUT\n")
        return text


class Sendmail(Server):
    """conf-examples/sendmail, in the foreground, with nobody else's files."""

    def __init__(self, box):
        super().__init__(box)
        sendmail, templates = programs.need_files(
            programs.UNPACKED / "sendmail-bin/usr/libexec/sendmail/sendmail",
            programs.UNPACKED / "sendmail-cf/usr/share/sendmail/cf/m4/cf.m4")
        # The package's own is setgid: it would not hear of our libraries and variables.
        self._sendmail = box.path("sendmail")
        shutil.copyfile(sendmail, self._sendmail)
        os.chmod(self._sendmail, 0o755)
        tls, key, _ = certificate(box)
        self.socket = box.path("auth-sendmail")
        source = box.write("sendmail.mc", example("sendmail/sendmail.mc", {
            "Port=587": f"Port={self.port}, Addr=127.0.0.1",
            "/etc/ssl/certs/ca-certificates.crt": tls,
            "`/etc/ssl/certs'": f"`{tls.parent}'",
            "/etc/mail/tls/mail.example.com.pem": tls,
            "/etc/mail/tls/mail.example.com.key": key,
        }) + "define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')dnl the box is below /tmp\n"
             f"define(`confPID_FILE', `{box.path('sendmail.pid')}')dnl\n"
             f"define(`QUEUE_DIR', `{box.folder('mqueue', mode=0o700)}')dnl\n"
             f"define(`STATUS_FILE', `{box.path('statistics')}')dnl\n"
             "define(`ALIAS_FILE', `')dnl\nundefine(`confHOST_STATUS_DIRECTORY')dnl\n"
             # Sendmail empties its environment; these it sets itself.
             "LOCAL_CONFIG\n" + "".join(f"E{name}={value}\n" for name, value in
                                        self.environment.items() if name.startswith("SASL_")))
        made = subprocess.run(["m4", "-Dsm_version=8", f"-D_CF_DIR_={templates.parents[1]}/",
                               templates, source], check=True, capture_output=True, text=True)
        self._config = box.write("sendmail.cf", made.stdout)
        box.write("sasl/Sendmail.conf", example("sendmail/Sendmail.conf", {
            "/run/saslatch/auth-sendmail": self.socket}))
        self.environment |= {
            "LD_PRELOAD": "libnss_wrapper.so",
            # Without a name with a dot for this machine it sleeps for a minute.
            "NSS_WRAPPER_HOSTS": str(box.write(
                "hosts", f"127.0.0.1 mail.example.com {os.uname().nodename} localhost\n")),
        }

    def daemon(self):
        return daemon_for(self.box, "sendmail", {"/run/saslatch/auth-sendmail": self.socket}, None)

    def start(self):
        return self.run("sendmail", [self._sendmail, "-C", self._config, "-bD"])


class SampleServer(Server):
    """sasl-sample-server, talking with sasl-sample-client: lines of base64, one process a login."""

    def __init__(self, box):
        super().__init__(box)
        self._server, self._client, self._stdbuf = programs.need(
            "sasl-sample-server", "sasl-sample-client", "stdbuf")
        self.socket = box.path("auth")
        self.plugins = f"{programs.system_plugin_folder()}:{programs.plugin_folder()}"
        box.write("sasl/sample.conf", f"mech_list: PLAIN LOGIN CRAM-MD5\n"
                                      f"saslatch_socket: {self.socket}\n")

    def _start(self, environment, *argv):
        return subprocess.Popen([self._stdbuf, "-oL", *argv], env=environment, bufsize=0,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)

    def login(self, mechanism, user, password):
        """What the server has printed when the two have come to an end."""
        server = self._start(self.environment, self._server, "-p", self.plugins, "-s", "smtp",
                             "-i", "local=192.0.2.1;25,remote=198.51.100.9;4000")
        client = self._start(self.client_environment(), self._client, "-m", mechanism, "-s", "smtp", "-n", "mail.example.com",
                             "-a", user, "-u", user)
        printed = b""
        patience = threading.Timer(PATIENCE, lambda: (server.kill(), client.kill()))
        patience.start()
        with server, client:
            for line in server.stdout:
                printed += line
                if line.startswith(b"Negotiation complete"):
                    server.stdin.close()
                elif line.startswith(b"S: ") and not server.stdin.closed:
                    client.stdin.write(line)
                    server.stdin.write(self._answer(client, password))
            client.stdin.close()
        patience.cancel()
        return printed.decode()

    @staticmethod
    def _answer(client, password):
        """The client's next line to the server; its prompt for the password has no line end."""
        line = b""
        while not (line.startswith(b"C: ") and line.endswith(b"\n")):
            byte = client.stdout.read(1)
            if not byte:
                return b""
            line = b"" if line.endswith(b"\n") else line
            line += byte
            if line == b"Password: ":
                client.stdin.write(password.encode() + b"\n")
                line = b""
        return line
