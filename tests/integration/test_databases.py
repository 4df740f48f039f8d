"""driver = sql through a real Postfix, with a real PostgreSQL, MariaDB and SQLite."""

import json
import threading
import time
import unittest

from harness import programs, setups
from harness.auth import AuthClient
from harness.box import wait_until
from harness.case import IntegrationCase
from harness.certificate import Authority
from harness.databases import PASSWORD, Mariadb, Postgres, Sqlite
from harness.postfix import Postfix
from harness.saslatchd import Saslatchd, private_paths
from harness.smtp import Smtp

ALICE, BOB, CAROL, DORA = (f"{name}@example.com" for name in ("alice", "bob", "carol", "dora"))
FRANK = "frank@example.com"  # of the passdb before it

CORPUS = programs.REPOSITORY / "tests" / "integration" / "injection.txt"


class Backend:
    """What holds for every database. `make` is its kind."""

    make = None

    @classmethod
    def prepare(cls):
        cls.database = cls.make(cls.box)
        cls.postfix = Postfix(cls.box)
        paths = private_paths(cls.box)
        modules = programs.saslatch_bin().parent / "passdb"
        characters = "".join(map(chr, range(0x21, 0x7f)))
        cls.daemon = Saslatchd(cls.box, f"""\
[daemon]
state-dir = {paths['/var/lib/saslatch']}
run-dir = {paths['/run/saslatch']}
audit-log = {paths['/var/log/saslatch/audit.jsonl']}
module-dir = {modules}
[usernames]
allowed-chars = {characters}
[listen.postfix]
socket = {cls.postfix.socket}
owner = postfix
[listen.auth]
socket = {cls.box.path('auth')}
[passdb.own]
driver = embedded
{cls.database.section('people', 'timeout = 1s' + chr(10))}
[policy]
preset = none
failure-delay = 0
""", [cls.postfix.socket, cls.box.path("auth")]).start()
        cls.daemon.add_user(FRANK, PASSWORD, "--scheme", "SHA512-CRYPT")
        cls.postfix.start()

    def answer(self, user, password=PASSWORD, mechanism="PLAIN"):
        with Smtp(self.postfix.port) as session:
            return session.auth(mechanism, user, password).code

    def is_available(self):
        status = json.loads(self.daemon.cli("status", "--json"))
        return next(p["available"] for p in status["passdbs"] if p["name"] == "people")

    def test_1_right_wrong_and_unknown(self):
        for user in (ALICE, BOB):
            self.assertEqual(self.answer(user), 235, user)
            self.assertEqual(self.answer(user, mechanism="LOGIN"), 235, user)
            self.assertEqual(self.answer(user, "wrong"), 535, user)
        self.assertEqual(self.answer("nobody@example.com"), 535)
        self.assertEqual(self.daemon.wait_audit(user="nobody@example.com")["cause"], "unknown-user")
        self.assertEqual(self.answer(CAROL), 535)
        self.assertEqual(self.daemon.wait_audit(user=CAROL)["cause"], "disabled")
        self.assertEqual(self.answer(DORA), 535, "no password matches NULL")
        self.assertEqual(self.answer(DORA, "x"), 535)

    def test_2_cram_md5_where_the_stored_password_can_serve_it(self):
        self.assertEqual(self.answer(ALICE, mechanism="CRAM-MD5"), 235)
        self.assertEqual(self.answer(ALICE, "wrong", "CRAM-MD5"), 535)
        self.assertEqual(self.answer(BOB, mechanism="CRAM-MD5"), 535)

    def test_3_a_change_of_a_row_holds_at_once(self):
        self.database.ask(f"UPDATE users SET active = 0 WHERE name = '{BOB}'")
        self.assertEqual(self.answer(BOB), 535)
        self.database.ask(f"UPDATE users SET active = 1 WHERE name = '{BOB}'")
        self.assertEqual(self.answer(BOB), 235)

    def test_4_names_that_look_like_sql_move_nothing(self):
        before = self.database.rows()
        names = [line for line in CORPUS.read_text().splitlines()
                 if line and not line.startswith("# ")]
        # What stands for a blank in SQL, since no name may have one.
        tried = {name.replace(" ", blank) for name in names for blank in ("/**/", "+")}
        with AuthClient(self.box.path("auth")) as client:
            for name in sorted(tried):
                for password in (PASSWORD, "x"):
                    reply = client.plain(name, password)
                    self.assertEqual(reply and reply[0], "FAIL", name)
        self.assertEqual(self.database.rows(), before)
        self.assertEqual(self.answer(ALICE), 235)
        asked = {event["user"] for event in self.daemon.audit(cause="unknown-user")}
        self.assertGreater(len(asked), 80, "most of them were looked up")

    def test_5_it_is_tried_by_check_and_doctor(self):
        self.daemon.cli("reload")
        found = self.daemon.cli("doctor", exit_code=None)
        self.assertIn("passdb people (driver = sql) answers", found)

    def test_6_a_slow_database_delays_its_own_users_only(self):
        release = self.database.block()
        try:
            slow = [threading.Thread(target=self.answer, args=(ALICE,)) for _ in range(8)]
            for thread in slow:
                thread.start()
            answers = []
            while any(thread.is_alive() for thread in slow):
                began = time.monotonic()
                answers.append(self.answer(FRANK))
                last = time.monotonic() - began
            self.assertGreater(len(answers), 0)
            self.assertEqual(set(answers), {235}, f"the last one took {last:.1f} s")
            self.assertEqual(self.answer(ALICE), 454)
        finally:
            release()
        wait_until(lambda: self.answer(ALICE) == 235, "the database to be used again")

    def test_7_down_is_temporary_and_back_is_back(self):
        self.database.stop()
        try:
            self.assertEqual(self.answer(ALICE), 454)
            self.assertEqual(self.answer("nobody@example.com"), 454)
            self.assertEqual(self.answer(FRANK), 235)
            self.assertFalse(self.is_available())
        finally:
            self.database.start()
        wait_until(lambda: self.answer(ALICE) == 235, "the database to be found again")
        self.assertTrue(self.is_available())

    def test_8_a_restart_between_two_logins_costs_none(self):
        self.assertEqual(self.answer(ALICE), 235)
        self.database.stop()
        self.database.start()
        self.assertEqual(self.answer(ALICE), 235)


class ByTls(Backend):
    def test_9_a_certificate_of_another_authority_is_not_taken(self):
        box = self.own_box()
        section = self.database.section("people")
        section = section.replace(str(self.database.ca), str(Authority(box).certificate))
        daemon = setups.on_socket(box, section, daemon_section=(
            f"module-dir = {programs.saslatch_bin().parent / 'passdb'}\n")).start()
        with AuthClient(daemon.socket) as client:
            self.assertIsNone(client.plain(ALICE, PASSWORD), "temporary: the client is hung up on")
        self.assertRegex(daemon.log(), "(?i)certificate")


class OnPostgres(ByTls, IntegrationCase):
    make = Postgres

    def test_9_what_pg_dump_writes_can_be_imported(self):
        for options in ((), ("--inserts",), ("--column-inserts",)):
            self.daemon.cli("user", "import", "-", "--replace", stdin=self.database.dump(*options))
            names = [user["name"] for user in json.loads(self.daemon.cli("user", "list", "--json"))]
            self.assertEqual(names, [ALICE, BOB, CAROL, FRANK], options)


class OnMariadb(ByTls, IntegrationCase):
    make = Mariadb

    def test_9_what_mariadb_dump_writes_can_be_imported(self):
        for options in ((), ("--complete-insert", "--skip-extended-insert"), ("--compact",)):
            self.daemon.cli("user", "import", "-", "--replace", stdin=self.database.dump(*options))
            names = [user["name"] for user in json.loads(self.daemon.cli("user", "list", "--json"))]
            self.assertEqual(names, [ALICE, BOB, CAROL, FRANK], options)
        with AuthClient(self.imported().socket) as client:
            self.assertEqual(client.plain(ALICE, PASSWORD)[0], "OK")
            self.assertEqual(client.plain(BOB, "wrong")[0], "FAIL")

    def imported(self):
        """A daemon that has nothing but what the last dump had."""
        daemon = setups.on_socket(self.own_box()).start()
        daemon.cli("user", "import", "-", stdin=self.database.dump())
        return daemon


class OnSqlite(Backend, IntegrationCase):
    make = Sqlite

    def test_9_its_dump_can_be_imported(self):
        self.daemon.cli("user", "import", "-", "--replace", stdin=self.database.dump())
        names = [user["name"] for user in json.loads(self.daemon.cli("user", "list", "--json"))]
        self.assertEqual(names, [ALICE, BOB, CAROL, FRANK])


class Modules(IntegrationCase):
    def test_a_missing_module_names_its_package(self):
        box = self.own_box()
        daemon = setups.on_socket(
            box, "[passdb.people]\ndriver = sql\nbackend = pgsql\ndatabase = mail\n"
            "query = SELECT password FROM users WHERE name = '%u'\n",
            daemon_section=f"module-dir = {box.folder('none')}\n")
        daemon.start()
        with AuthClient(daemon.socket) as client:
            self.assertIsNone(client.plain(ALICE, PASSWORD))
        daemon.wait_log("install the package saslatch-pgsql")


if __name__ == "__main__":
    unittest.main()
