#include "daemon/cli/command_table.h"

#include "daemon/cli/code_commands.h"
#include "daemon/cli/daemon_commands.h"
#include "daemon/cli/doctor.h"
#include "daemon/cli/policy_command.h"
#include "daemon/cli/replay_command.h"
#include "daemon/cli/test_command.h"
#include "daemon/cli/user_commands.h"

namespace saslatch::cli {
namespace {

// More would be a mistake of a shell's pattern; each is opened once before the replay begins.
constexpr size_t kManyLogs = 10'000;

const Option kPasswordStdin{"password-stdin", "",
                            "read the password from the first line of standard input"};
const Option kScheme{"scheme", "S",
                     "ARGON2ID (default), SHA512-CRYPT, BLF-CRYPT, SCRAM-SHA-256 or CRAM-MD5"};
const Option kKeepCodes{"keep-codes", "", "leave the authorization codes of the account in force"};
const Option kNoCramMd5{"no-cram-md5", "", "keep no context for CRAM-MD5 logins"};

std::vector<Command> user_commands() {
  return {
      {"user add",
       "NAME",
       1,
       1,
       {kScheme, kNoCramMd5, kPasswordStdin},
       "make an account",
       R"(Makes an account in STATE-DIR/users.db. The password is asked for twice, or read
with --password-stdin; it is never taken from the command line. A running daemon
knows the account at the next login. NAME is kept as a login with it would be
looked up: in lower case and with the default domain, as [usernames] says.

Where [mechanisms] offers CRAM-MD5, a context for it is kept too, sealed under
STATE-DIR/secret.key. Whoever has both files can log in with it: --no-cram-md5
keeps none, and the account then cannot use CRAM-MD5.

Examples:
  saslatch user add alice@example.org
  pwgen 16 1 | saslatch user add printer --password-stdin --no-cram-md5
)",
       user_add},
      {"user passwd",
       "NAME",
       1,
       1,
       {kScheme, kNoCramMd5, kKeepCodes, kPasswordStdin},
       "give it a new password",
       R"(Replaces every credential of the account and revokes its authorization codes,
unless --keep-codes is given. Sessions that are logged in stay so. The old
password is recognised for 30 days, so that a device that still uses it counts
once and is named by `saslatch explain`; it lets nobody in.

Examples:
  saslatch user passwd alice@example.org
)",
       user_passwd},
      {"user list",
       "[MASK]",
       0,
       1,
       {},
       "list accounts, or those that match a mask",
       R"(MASK may hold * and ?, and matches in either case of letters.

Examples:
  saslatch user list
  saslatch user list '*@example.org' --json
)",
       user_list},
      {"user show",
       "NAME",
       1,
       1,
       {},
       "show one account, without its credentials",
       R"(Shows whether the account is enabled, which schemes its credentials have, when it
was made and changed, how many authorization codes it has and whether its main
password lets in beside them. No hash is ever shown.

Examples:
  saslatch user show alice@example.org
)",
       user_show},
      {"user main-password",
       "NAME RULE...",
       2,
       20,
       {},
       "say where its main password lets in beside codes",
       R"(RULE is allowed, refused or refused-if-codes (refused from the first usable code
on); with a service before it, as in smtp:refused, it is for that service alone.
`default` is what [codes] main-password says. NAME may be an account of any
configured passdb. It holds from the very next login.

Examples:
  saslatch user main-password alice@example.org refused-if-codes
  saslatch user main-password alice@example.org allowed smtp:refused
)",
       user_main_password},
      {"user disable",
       "NAME",
       1,
       1,
       {},
       "let nobody in with it, keep its password",
       R"(The next login is refused, and looks to the client like a wrong password.

Examples:
  saslatch user disable alice@example.org
)",
       user_disable},
      {"user enable",
       "NAME",
       1,
       1,
       {},
       "undo `user disable`",
       R"(The account's password is what it was.

Examples:
  saslatch user enable alice@example.org
)",
       user_enable},
      {"user delete",
       "NAME",
       1,
       1,
       {},
       "remove an account and its credentials",
       R"(There is no way back but `user add`.

Examples:
  saslatch user delete alice@example.org
)",
       user_delete},
      {"user import",
       "FILE",
       1,
       1,
       {{"format", "F", "auto (default), passwd-file, sasldb or sql-dump"},
        {"default-scheme", "S", "of passwords without a {SCHEME}; default CRYPT, as in Dovecot"},
        kNoCramMd5,
        {"table", "T", "of a dump: the table with the accounts; default a usual name"},
        {"user-column", "C", "of a dump: the column with the names; default a usual name"},
        {"password-column", "C", "of a dump: the column with the passwords; likewise"},
        {"replace", "", "an account that exists gets the file's password"},
        kKeepCodes},
       "take over a passwd-file, a sasldb or a database's dump",
       R"(Takes every account of the file, or none: with one line that cannot be taken, each
such line is listed with its number and reason, and nothing is imported. Hashes
are kept as they are. Names are normalised as [usernames] says. `-` reads
standard input.

A sasldb (of saslpasswd2; needs the package saslatch-sasldb) has the passwords
themselves: each is hashed, and with CRAM-MD5 offered a context for it is kept.

A dump is what pg_dump, mysqldump, mariadb-dump or sqlite3's .dump write, table
definitions included. One table is taken: its names, its passwords, and where
the table has a column `active` or `enabled`, whether the account is. It is told
from a passwd-file by itself; a sasldb needs --format.

Examples:
  saslatch user import /etc/dovecot/users
  saslatch user import --format sasldb /etc/sasldb2
  mariadb-dump postfix mailbox | saslatch user import -
  pg_dump mail | saslatch user import - --table logins --user-column mail
  ssh old-server cat /etc/dovecot/users | saslatch user import - --replace
)",
       user_import},
  };
}

std::vector<Command> code_commands() {
  return {
      {"code add",
       "[USER]",
       0,
       1,
       {{"label", "TEXT", "which device it is for, as its owner would say"},
        {"expires", "D", "it ends so long from now: 180d"},
        {"service", "S", "it is for this service only: smtp", true},
        {"from", "NET", "it works from this network or address only", true},
        {"file", "FILE", "make a code for each line of FILE, or of standard input for -"}},
       "make an authorization code: a password for one device",
       R"(Makes a code for an account of any configured passdb and shows it once: 16
characters in groups of four. Blanks, dashes and capitals do not matter when it
is typed. It lets in like the password, with every mechanism, and costs no
password hash. Only a keyed hash of it is kept, and where CRAM-MD5 is offered a
sealed context.

A line of --file is USER, a tab, LABEL, and perhaps expires=D, service=S and
from=NET, each behind a tab; # begins a comment. All codes are made or none, and
written as USER, ID, LABEL and code with tabs between.

Examples:
  saslatch code add alice@example.org --label "Phone"
  saslatch code add scanner --label "3rd floor" --service smtp --from 192.0.2.0/24
  saslatch code add --file new-codes.tsv > codes.tsv
)",
       code_add},
      {"code list",
       "USER",
       1,
       1,
       {},
       "list the codes of an account, never their text",
       R"(Shows each code with its label, scope and last use. Revoked and expired ones are
listed for 30 days. The last use is written some seconds after it, and at most
once a minute.

Examples:
  saslatch code list alice@example.org
)",
       code_list},
      {"code revoke",
       "USER [ID]",
       1,
       2,
       {{"all", "", "revoke every code of the account"}},
       "revoke a code, or all of an account",
       R"(The very next login with it fails. For 30 days it is still recognised, so that
the device that uses it counts once as a guess and is named by
`saslatch explain user:USER`.

Examples:
  saslatch code revoke alice@example.org 3
  saslatch code revoke alice@example.org --all
)",
       code_revoke},
  };
}

std::vector<Command> lock_commands() {
  return {
      {"lock list",
       "",
       0,
       0,
       {{"limit", "N", "list at most this many (default 1000)"}},
       "list the live locks, the one that ends first at the top",
       R"(RULE `administrator` is a lock made by `lock add`.

Examples:
  saslatch lock list
  saslatch lock list --json --limit 100000
)",
       lock_list},
      {"lock add",
       "SUBJECT",
       1,
       1,
       {{"for", "D", "how long: 30s, 10m, 2h, 7d; at most 365d"},
        {"reason", "TEXT", "why, for the audit log and your colleagues"}},
       "refuse a subject for some time",
       R"(SUBJECT is user:NAME, ip:ADDR, network:CIDR or user+network:NAME,CIDR. The lock
is in force for the very next attempt, spares no familiar network, and survives
restarts. --for and --reason are required.

Examples:
  saslatch lock add user:alice@example.org --for 2h --reason "phished, ticket 4711"
  saslatch lock add network:203.0.113.0/24 --for 7d --reason "spraying since Monday"
)",
       lock_add},
      {"lock clear",
       "[SUBJECT]",
       0,
       1,
       {{"all", "", "clear every lock of every subject"}},
       "end the locks of a subject, and forget its counts",
       R"(Clears each lock on the subject, by rule or administrator, with its growth and
its counted failures. The very next attempt is checked.

Examples:
  saslatch lock clear user:alice@example.org
  saslatch lock clear --all
)",
       lock_clear},
  };
}

std::vector<Command> live_commands() {
  return {
      {"explain",
       "SUBJECT",
       1,
       1,
       {},
       "say what is held on a subject, and what an attempt would meet",
       R"(Shows whether an attempt would be refused now, by which rule and until when; the
locks, the counters, the familiar networks, and the last attempts.
SUBJECT as for `lock add`.

Examples:
  saslatch explain user:alice@example.org
  saslatch explain ip:198.51.100.9
)",
       explain},
      {"status",
       "",
       0,
       0,
       {},
       "show the daemon's figures and health",
       R"(Listeners, passdbs, attempts by outcome and cause, what waits, what is locked.

Examples:
  saslatch status
  saslatch status --json | jq .attempts
)",
       status},
      {"watch",
       "",
       0,
       0,
       {{"interval", "D", "how often, 100ms to 4m (default 1s)"},
        {"count", "N", "end after N frames (default 0: never)"}},
       "show `status` again and again",
       R"(Redraws until q or Ctrl-C. Into a pipe it writes one frame after another; with
--json one object a line.

Examples:
  saslatch watch
  saslatch watch --json --interval 10s --count 6 > minute.jsonl
)",
       watch},
      {"reload",
       "",
       0,
       0,
       {},
       "put a changed configuration in force",
       R"(With any error in it the old configuration stays in force, all errors are
listed, and the exit code is 78. Changes of state-dir, run-dir, user and threads
need a restart, and are named. The daemon reads the file it was started with.

Examples:
  saslatchd --check && saslatch reload
)",
       reload},
  };
}

std::vector<Command> other_commands() {
  return {
      {"test",
       "USER",
       1,
       1,
       {{"socket", "PATH",
         "the auth socket, or ADDRESS:PORT (default: the first dovecot listener)"},
        {"mechanism", "M", "PLAIN, LOGIN or CRAM-MD5 (default: all that are offered)", true},
        {"clear", "", "do not say `secured`: as over a connection without TLS"},
        {"rip", "ADDR", "the client's address to send (default 127.0.0.1)"},
        kPasswordStdin},
       "log in over the socket, as a mail server would",
       R"(A real exchange for each mechanism, on a connection of its own, with the verdict
that a mail server would come to and the time it took. It is counted by the
policy like any other attempt. Works with Dovecot's auth socket too.

Exit code: 0 all ok; 77 refused (a mail server says 535); 75 temporary (454);
69 no auth server there. The worst of them, in the order 69, 75, 77.

Examples:
  saslatch test alice@example.org
  saslatch test alice --mechanism CRAM-MD5 --password-stdin < secret
  saslatch test alice --clear --socket /var/spool/postfix/private/saslatch
)",
       test_login},
      {"policy list",
       "",
       0,
       0,
       {},
       "list the shipped policies",
       R"([policy] preset takes one of these names.

Examples:
  saslatch policy list
)",
       policy_list},
      {"policy show",
       "NAME",
       1,
       1,
       {},
       "show the rules of a shipped policy",
       R"(As sections for saslatch.conf: what `preset = NAME` stands for. A [rule.NAME] of
your own changes the preset's rule of that name.

Examples:
  saslatch policy show small-site
  saslatch policy show pci-dss --json
)",
       policy_show},
      {"policy replay",
       "[LOG]...",
       0,
       kManyLogs,
       {{"policy", "FILE", "the policy to try: a saslatch.conf, or the name of a preset"},
        {"events", "LOG", "a log, plain, .gz, .xz or .zst; - is standard input", true},
        {"format", "F", "auto (default), audit, postfix or dovecot"},
        {"report", "FILE.html", "write a page with plots, to be opened in any browser"},
        {"decisions", "FILE", "write a JSON line for each attempt: allow, refuse or delay"},
        {"compare", "OTHER.conf", "try another policy too, and say what it changes"}},
       "say what a policy would have done on the logs of a mail server",
       R"(Reads logs of Postfix or Dovecot, or saslatchd's own audit log, puts every
attempt to log in to the policy in order of time, and tells whom it would have
refused: attackers, by how much, and owners, by account. It needs no daemon and
changes nothing. What a log cannot tell is said, rule by rule, and lines that were
of no use are counted, with an example of each kind.

A login that succeeded is taken for an owner's. A failed attempt is an owner's
slip where its account has logged in from the same network anywhere in the logs,
else a guess. Stamps without a time zone are read in this machine's; another:
TZ=Europe/Berlin in front of the command. Exit code: 65 if there is no attempt in
the logs, 78 if the policy is wrong.

Examples:
  sudo saslatch policy replay --policy small-site --events /var/log/mail.log*
  saslatch policy replay --policy new.conf --compare /etc/saslatch/saslatch.conf \
      --events /var/log/saslatch/audit.jsonl --report report.html
  journalctl -o short-iso-precise -u postfix@- -u dovecot --since -30d |
      saslatch policy replay --policy pci-dss --events -
)",
       policy_replay},
      {"policy suggest",
       "[LOG]...",
       0,
       kManyLogs,
       {{"events", "LOG", "a log, plain, .gz, .xz or .zst; - is standard input", true},
        {"format", "F", "auto (default), audit, postfix or dovecot"},
        {"policy", "BASE", "whose limits to change: a preset (small-site) or a saslatch.conf"},
        {"except", "USER", "the logins of this account are no owner's (a stolen one)", true},
        {"except-stolen", "", "nor those of accounts that look stolen"},
        {"learn", "D", "nor those of the first time, 7d: networks are only learnt"}},
       "find limits that would have refused no owner in the logs",
       R"(Reads the logs as `saslatch policy replay` does, and tries other limits for each
rule of BASE by replaying them. What comes out on standard output is a
configuration: BASE with the smallest limits that would have refused or slowed no
owner's login. Above each rule stands what that rests on: who came nearest, and
what that limit, its half and its double let through. At the end all rules are
replayed together, and loosened until they spare every owner together too. All
else of a rule (window, lock, whom it counts) stays as in BASE. The same logs give
the same limits.

Whoever logs in with a stolen password looks like an owner, and no limit that
spares him stops much. Accounts that logged in from ten or more new networks within
a day are named; find out about them, and leave them out. At the beginning of the
logs no network is familiar yet, as none would be to a daemon on its first day;
--learn 7d asks for limits that spare owners from the eighth day on. Exit code: 65
if there is no attempt in the logs, 78 if BASE is wrong.

Examples:
  sudo saslatch policy suggest --events /var/log/mail.log* > new.conf
  saslatch policy suggest --policy pci-dss --except alice@example.org \
      --events /var/log/saslatch/audit.jsonl
  saslatchd --check --config new.conf
  saslatch policy replay --policy new.conf --compare small-site --events other.log
)",
       policy_suggest},
      {"doctor",
       "",
       0,
       0,
       {},
       "find out why something does not work",
       R"(Checks the configuration, the daemon, its sockets as the mail server's user sees
them, the database and its key, the audit log, Postfix's settings and the clock.
Each finding is ok, warn or fail, with what mends it. Changes nothing. Run it as
root: else some checks are left out. Exit code: 78 if anything failed.

Examples:
  sudo saslatch doctor
  sudo saslatch doctor --quiet      (only what is not ok)
)",
       doctor},
  };
}

}  // namespace

std::vector<Command> command_table() {
  std::vector<Command> all;
  for (auto* family :
       {user_commands, code_commands, lock_commands, live_commands, other_commands}) {
    for (Command& command : family()) all.push_back(std::move(command));
  }
  return all;
}

}  // namespace saslatch::cli
