"""Private databases with the same table of users: PostgreSQL, MariaDB, a file of SQLite.

    users(name, password, active)      alice, bob and carol, who is not active
"""

import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess

from . import programs
from .box import PATIENCE, free_port
from .certificate import certificate

PASSWORD = "correct horse battery"
TABLE = ("CREATE TABLE users (name VARCHAR(250) PRIMARY KEY, password VARCHAR(250), "
         "active INTEGER NOT NULL)")
# bob's is SHA-512 of PASSWORD, as doveadm makes it
ROWS = f"""INSERT INTO users VALUES
  ('alice@example.com', '{{PLAIN}}{PASSWORD}', 1),
  ('bob@example.com', '{{SHA512.hex}}{__import__("hashlib").sha512(PASSWORD.encode()).hexdigest()}', 1),
  ('carol@example.com', '{{PLAIN}}{PASSWORD}', 0),
  ('dora@example.com', NULL, 1)"""
QUERY = "SELECT name AS user, password, 1 - active AS nologin FROM users WHERE name = '%u'"
SECRET = "the database's own"


def as_nobody(*argv):
    """A server that refuses to be root, as nobody; it dies with the test all the same."""
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=KILL",
            *map(str, argv)]


class Database:
    """Made and filled; start() and stop() are the server's. `section` is what [passdb.X] says."""

    def __init__(self, box):
        self.box, self.server = box, None
        self.password_file = box.write("database.password", SECRET + "\n", mode=0o600)

    def section(self, name, more=""):
        lines = {"driver": "sql", "query": QUERY, "list-query": "SELECT name FROM users",
                 **self.settings()}
        return (f"[passdb.{name}]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()) + more)

    def rows(self):
        return sorted(self.ask("SELECT name, password, active FROM users"))

    def stop(self):
        self.server.stop()

    def _own(self, *parts):
        folder = self.box.folder(*parts, mode=0o700)
        shutil.chown(folder, "nobody", "nogroup")
        return folder

    def _tls(self):
        cert, key, _ = certificate(self.box)
        own = pathlib.Path(shutil.copy(key, self.box.path("database.key")))
        own.chmod(0o600)
        shutil.chown(own, "nobody", "nogroup")
        return cert, own


class Postgres(Database):
    """Reached by TCP and TLS, with a password."""

    def __init__(self, box):
        super().__init__(box)
        programs.need_root()
        unpacked = programs.UNPACKED
        self._postgres, self._initdb, self._psql = programs.need_files(
            *(unpacked / f"postgresql{kind}-15/usr/lib/postgresql/15/bin" / name for kind, name in
              (("", "postgres"), ("", "initdb"), ("-client", "psql"))))
        self.port, self._data = free_port(), self._own("pgdata")
        self._sockets = self._own("pgsockets")
        self._run(self._initdb, "-D", self._data, "-U", "postgres", "-E", "UTF8", "--locale=C",
                  "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--no-instructions")
        cert, key = self._tls()
        self.ca = cert
        self._options = {"port": self.port, "listen_addresses": "localhost", "fsync": "off",
                         "unix_socket_directories": self._sockets, "ssl": "on", "ssl_cert_file": cert,
                         "ssl_key_file": key, "max_connections": 30, "timezone": "GMT"}
        self.start()
        self.ask(f"CREATE ROLE mail LOGIN PASSWORD '{SECRET.replace(chr(39), chr(39) * 2)}'", "postgres")
        self.ask("CREATE DATABASE mail OWNER mail", "postgres")
        self.ask(TABLE)
        self.ask(ROWS)
        self.ask("GRANT ALL ON users TO mail")  # more than it should have: nothing may use it

    def _run(self, *argv):
        subprocess.run(as_nobody(*argv), check=True, capture_output=True, timeout=PATIENCE,
                       cwd="/", env={"PATH": programs.PATH, "LC_ALL": "C"})

    def start(self):
        argv = [self._postgres, "-D", self._data]
        for name, value in self._options.items():
            argv += ["-c", f"{name}={value}"]
        self.server = self.box.spawn("postgres", as_nobody(*argv), cwd="/")
        self.box.cleanup(self.stop)
        self.server.wait_ready(lambda: self._psql_run("SELECT 1", "postgres").returncode == 0,
                               "PostgreSQL to answer")

    def stop(self):
        self.server.signal(signal.SIGINT)  # "fast": ends what is connected
        self.server.exit_code()

    def _argv(self, database):
        return [self._psql, "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h",
                self._sockets, "-p", str(self.port), "-U", "postgres", "-d", database]

    def _psql_run(self, text, database):
        return subprocess.run([*map(str, self._argv(database)), "-c", text], capture_output=True,
                              text=True, timeout=PATIENCE)

    def ask(self, text, database="mail"):
        done = self._psql_run(text, database)
        assert done.returncode == 0, done.stderr
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]

    def dump(self, *options):
        self.ask("DELETE FROM users WHERE password IS NULL")
        done = subprocess.run([self._psql.with_name("pg_dump"), "-h", self._sockets, "-p",
                               str(self.port), "-U", "postgres", *options, "mail"], check=True,
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout

    def block(self):
        """Whoever asks for users waits, until the returned function is called."""
        session = subprocess.Popen([*map(str, self._argv("mail"))], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        session.stdin.write("BEGIN; LOCK TABLE users; SELECT 'locked';\n")
        session.stdin.flush()
        assert session.stdout.readline().strip() == "locked"
        return lambda: session.communicate("ROLLBACK;\n", timeout=PATIENCE)

    def settings(self):
        return {"backend": "pgsql", "host": "localhost", "port": self.port, "database": "mail",
                "user": "mail", "password-file": self.password_file, "tls": "yes",
                "tls-ca-file": self.ca}


class Mariadb(Database):
    """Reached by TCP and TLS, with a password."""

    def __init__(self, box):
        super().__init__(box)
        programs.need_root()
        root = programs.UNPACKED / "mariadb-server-core" / "usr"
        self._mariadbd, self._mariadb, self._dump = programs.need_files(
            root / "sbin/mariadbd", programs.UNPACKED / "mariadb-client-core/usr/bin/mariadb",
            programs.UNPACKED / "mariadb-client/usr/bin/mariadb-dump")
        self._root, self.port, self._data = root, free_port(), self._own("mariadb")
        self.socket = self._data / "socket"
        # Its tables are made by a script that looks for programs of other packages; only its SQL is
        # needed.
        share = root / "share/mysql"
        bootstrap = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n" + "".join(
            line for name in ("mysql_system_tables", "mysql_system_tables_data")
            for line in (share / f"{name}.sql").read_text().splitlines(keepends=True) + ["\n"]
            if "@current_hostname" not in line)
        subprocess.run(as_nobody(self._mariadbd, *self._arguments(), "--bootstrap"), check=True,
                       input=bootstrap, text=True, capture_output=True, timeout=PATIENCE, cwd="/")
        cert, key = self._tls()
        self.ca = cert
        self._tls_arguments = [f"--ssl-cert={cert}", f"--ssl-key={key}"]
        self.start()
        self.ask("CREATE DATABASE mail CHARACTER SET utf8mb4", "mysql")
        self.ask("CREATE USER mail IDENTIFIED BY '" + SECRET.replace("'", "''") + "'", "mysql")
        self.ask("GRANT ALL ON mail.* TO mail", "mysql")
        self.ask(TABLE)
        self.ask(ROWS)

    def _arguments(self):
        return ["--no-defaults", f"--basedir={self._root}", f"--datadir={self._data}",
                f"--lc-messages-dir={self._root}/share/mysql", f"--socket={self.socket}",
                f"--pid-file={self._data}/pid", "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--skip-log-bin",
                "--innodb-use-native-aio=0", "--skip-name-resolve"]

    def start(self):
        self.server = self.box.spawn("mariadbd", as_nobody(
            self._mariadbd, *self._arguments(), *self._tls_arguments,
            "--bind-address=127.0.0.1", f"--port={self.port}"), cwd="/")
        self.server.wait_ready(lambda: self._client("SELECT 1", "mysql").returncode == 0,
                               "MariaDB to answer")

    def _client(self, text, database):
        return subprocess.run([self._mariadb, "--no-defaults", f"--socket={self.socket}", "-u", "root",
                               "-N", "-B", database, "-e", text], capture_output=True, text=True,
                              timeout=PATIENCE)

    def ask(self, text, database="mail"):
        done = self._client(text, database)
        assert done.returncode == 0, done.stderr
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]

    def dump(self, *options):
        self.ask("DELETE FROM users WHERE password IS NULL")
        done = subprocess.run([self._dump, "--no-defaults",
                               f"--socket={self.socket}", "-u", "root", *options, "mail"], check=True,
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout

    def block(self):
        self.server.signal(signal.SIGSTOP)
        return lambda: self.server.signal(signal.SIGCONT)

    def settings(self):
        return {"backend": "mysql", "host": "localhost", "port": self.port, "database": "mail",
                "user": "mail", "password-file": self.password_file, "tls": "yes",
                "tls-ca-file": self.ca}


class Sqlite(Database):
    """A file; it is down when it is not there."""

    def __init__(self, box):
        super().__init__(box)
        self.path = box.path("mail.db")
        self.ask(TABLE)
        self.ask(ROWS)

    def ask(self, text):
        with sqlite3.connect(self.path) as connection:
            rows = [tuple(map(str, row)) for row in connection.execute(text)]
        connection.close()
        return rows

    def start(self):
        os.rename(self.path.with_suffix(".away"), self.path)

    def stop(self):
        os.rename(self.path, self.path.with_suffix(".away"))

    def dump(self):
        self.ask("DELETE FROM users WHERE password IS NULL")
        with sqlite3.connect(self.path) as connection:
            return "PRAGMA foreign_keys=OFF;\n" + "\n".join(connection.iterdump()) + "\n"

    def block(self):
        connection = sqlite3.connect(self.path)
        connection.execute("BEGIN EXCLUSIVE")
        return connection.close

    def settings(self):
        return {"backend": "sqlite", "database": self.path}
