"""Where accounts live besides our own database: a private OpenLDAP, a private PAM, a sasldb."""

import os
import signal
import subprocess

from . import programs
from .box import PATIENCE, accepts, free_port
from .certificate import certificate

BASE = "dc=example,dc=com"
SERVICE_DN, SERVICE_PASSWORD = f"cn=saslatch,{BASE}", "the service's own"


class Directory:
    """A slapd with the password policy overlay, StartTLS, and whoever add() was told of."""

    def __init__(self, box):
        self.box = box
        self._slapd, self._slapadd = programs.need("slapd", "slapadd")
        root = self._slapd.parents[2]
        libraries = (root / "usr/lib").glob("*-linux-gnu")
        self._environment = {"PATH": programs.PATH, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
        self.port = free_port()
        self.uri = f"ldap://127.0.0.1:{self.port}"
        cert, key, _ = certificate(box)
        self.ca = cert
        self.password_file = box.write("ldap.password", SERVICE_PASSWORD + "\n", mode=0o600)
        self._config = box.write("slapd.conf", f"""\
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
modulepath {root}/usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {box.path('slapd.pid')}
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
security simple_bind=128
database mdb
suffix {BASE}
directory {box.folder('ldap')}
overlay ppolicy
ppolicy_default cn=policy,{BASE}
ppolicy_use_lockout
access to attrs=userPassword by dn.exact="{SERVICE_DN}" read by anonymous auth by * none
access to * by dn.exact="{SERVICE_DN}" read by * none
""")
        self._entries = f"""\
dn: {BASE}
objectClass: organization
objectClass: dcObject
o: example
dc: example

dn: {SERVICE_DN}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: saslatch
userPassword: {SERVICE_PASSWORD}

dn: cn=policy,{BASE}
objectClass: device
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 1000

"""
        for unit in ("people", "hashes"):
            self._entries += (f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\n"
                              f"ou: {unit}\n\n")
        self.process = None

    def add(self, unit, name, password, *lines):
        """`lines` are further ones of the entry, "attribute: value"."""
        self._entries += "\n".join([
            f"dn: cn={name},ou={unit},{BASE}", "objectClass: inetOrgPerson", f"cn: {name}",
            f"sn: {name}", f"mail: {name}@example.com", f"userPassword: {password}", *lines, "", ""])

    def load(self):
        entries = self.box.write("entries.ldif", self._entries)
        subprocess.run([self._slapadd, "-f", self._config, "-l", entries], check=True,
                       env=self._environment, capture_output=True, timeout=PATIENCE)
        return self

    def start(self, *also):
        """`also`: further URIs to listen at."""
        self.process = self.box.spawn(
            "slapd", [self._slapd, "-f", self._config, "-d", "none", "-h",
                      " ".join(f"{uri}/" for uri in (self.uri, *also))], env=self._environment)
        self.process.wait_ready(lambda: accepts(("127.0.0.1", self.port)), "slapd's port")
        return self

    def stop(self):
        self.process.stop()

    def freeze(self):
        """It accepts connections and answers nobody."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.process.signal(signal.SIGCONT)

    def settings(self, *lines, uri=None, ca=None):
        return "\n".join([f"uri = {uri or self.uri}", f"tls-ca-file = {ca or self.ca}", f"bind-dn = {SERVICE_DN}",
                          f"password-file = {self.password_file}", *lines, ""])


class Pam:
    """A PAM service of its own: pam_userdb, and users that make it hang, crash and wait."""

    HANG, CRASH = "hang", "crash"

    def __init__(self, box, users):
        self.box = box
        load = programs.need("db5.3_load")
        self.worker = programs.need("saslatch-pam-worker")
        self.rhosts = box.path("rhosts")
        database = box.path("pam-users")
        text = "".join(f"{name}\n{password}\n" for name, password in users.items())
        subprocess.run([load, "-T", "-t", "hash", f"{database}.db"], input=text, text=True,
                       check=True, timeout=PATIENCE)
        trouble = box.write("trouble", f"""\
#!/bin/sh
echo "$PAM_RHOST" >>{self.rhosts}
case $PAM_USER in
  {self.HANG}) exec sleep 60 ;;
  {self.CRASH}) kill -SEGV $PPID ;;
esac
""", mode=0o755)
        self.folder = box.folder("pam.d")
        # The module that delays failures would do it for longer than any answer waits.
        box.write("pam.d/smtp", f"""\
auth required pam_faildelay.so delay=20000000
auth required pam_exec.so quiet {trouble}
auth required pam_userdb.so db={database} crypt=none
account required pam_userdb.so db={database} crypt=none
""")

    def settings(self, *lines):
        return "\n".join([f"service-dir = {self.folder}", f"worker = {self.worker}", *lines, ""])


class Sasldb:
    """A file that saslpasswd2 keeps."""

    def __init__(self, box):
        self._saslpasswd2 = programs.need("saslpasswd2")
        self.path = box.path("sasldb2")

    def add(self, name, password):
        user, realm = name.split("@")
        subprocess.run([self._saslpasswd2, "-p", "-c", "-f", self.path, "-u", realm, user],
                       input=password, text=True, check=True, timeout=PATIENCE)
        os.chmod(self.path, 0o644)  # no secret here, and the daemon may be another user

    def delete(self, name):
        user, realm = name.split("@")
        subprocess.run([self._saslpasswd2, "-d", "-f", self.path, "-u", realm, user], check=True,
                       timeout=PATIENCE)
