#!/usr/bin/env bash
# shellcheck disable=SC2317  # functions are called through "$1" and must
# What packaging/check-packages.sh runs inside of its containers, as root of a booted Debian 12 whose
# packages are in apt's cache. usage: check-packages-guest.sh use|modules|upgrade|tests
set -uo pipefail
say() { printf -- '-- %s\n' "$*"; }
finish() { echo "$1" >/check/status; exit 0; }
fail() { printf 'FAILED: %s\n' "$*"; journalctl --no-pager -n 60 -u 'saslatchd*'; finish "$*"; }
must() { "$@" || fail "$*"; }

# Each of them: systemctl is content with one.
are_active() { local unit; for unit in "$@"; do systemctl is-active "$unit" || fail "$unit is not active"; done; }
install_offline() { must apt-get install -y -q --no-install-recommends "$@" >/check/apt.log 2>&1 || { tail /check/apt.log; fail "apt-get install $*"; }; }
ours() { printf '%s\n' /check/"$1"_[0-9]*.deb | head -n 1; }
user=alice@example.com
password='correct horse battery'

with_postfix() {
  echo 'postfix postfix/main_mailer_type select Internet Site' | debconf-set-selections
  echo 'postfix postfix/mailname string mail.example.com' | debconf-set-selections
  install_offline postfix ssl-cert swaks libnet-ssleay-perl libdigest-hmac-perl ca-certificates
}

# README.Debian, from the first line to a message that arrives.
follow_the_readme() {
  must postconf -e smtpd_sasl_type=dovecot smtpd_sasl_path=private/saslatch
  must postconf -e smtpd_sasl_auth_enable=yes
  must postconf -e inet_interfaces=loopback-only home_mailbox=Maildir/ mydestination=example.com,localhost
  must systemctl restart postfix
  printf '%s\n' "$password" | saslatch user add "$user" --password-stdin || fail "user add"
  printf '%s\n' "$password" | saslatch test "$user" --password-stdin || fail "saslatch test"
  must saslatch doctor
  id carol >/dev/null 2>&1 || useradd --create-home carol
  swaks --server 127.0.0.1 --tls --auth PLAIN --auth-user "$user" --auth-password "$password" \
    --from "$user" --to carol@example.com --header 'Subject: after README.Debian' >/check/swaks.log 2>&1 ||
    { cat /check/swaks.log; fail "the message was not taken"; }
  for _ in $(seq 100); do
    grep -rqs 'Subject: after README.Debian' /home/carol/Maildir/new && break
    sleep 0.1
  done
  grep -rh -e '^Subject:' -e 'Authenticated' -e '^Received: .*ESMTPSA' /home/carol/Maildir/new || fail "nothing arrived"
  grep -c '"outcome":"ok"' /var/log/saslatch/audit.jsonl || fail "no audit event"
}

use() {
  say "saslatch alone"
  install_offline "$(ours saslatch)"
  are_active saslatchd.service saslatchd.socket
  systemctl is-active saslatchd-postfix.socket && fail "a socket for a Postfix that is not there"
  systemctl is-enabled saslatchd-saslauthd.socket && fail "saslauthd's socket is enabled by itself"
  stat -c '%A %U:%G %n' /run/saslatch /run/saslatch/* /var/lib/saslatch /var/lib/saslatch/* /var/log/saslatch
  systemd-analyze security --no-pager saslatchd.service | tail -n 1
  say "Postfix comes later: the trigger makes its socket"
  with_postfix
  are_active saslatchd.service saslatchd.socket saslatchd-postfix.socket
  stat -c '%A %U:%G %n' /var/spool/postfix/private/saslatch
  follow_the_readme
  saslatch status
  journalctl --no-pager -u saslatchd SASLATCH_NAME=started -o json | head -n 1 | tr ',' '\n' | grep SASLATCH_

  say "watchdog: a daemon that stands still is replaced, and its sockets stay"
  local before
  before=$(systemctl show -P MainPID saslatchd)
  kill -STOP "$before"
  for _ in $(seq 80); do
    [[ $(systemctl show -P MainPID saslatchd) != "$before" && $(systemctl is-active saslatchd) == active ]] && break
    sleep 1
  done
  [[ $(systemctl show -P MainPID saslatchd) != "$before" ]] || fail "still the same process"
  printf '%s\n' "$password" | saslatch test "$user" --password-stdin --socket /var/spool/postfix/private/saslatch ||
    fail "no login after the watchdog"

  say "a wrong configuration: the service is retried, its sockets stay, and it comes back"
  cp /etc/saslatch/saslatch.conf /check/good.conf
  echo 'nonsense = 1' >>/etc/saslatch/saslatch.conf
  systemctl reload saslatchd && fail "a wrong configuration was reloaded"
  must systemctl is-active saslatchd
  systemctl restart saslatchd
  sleep 5
  are_active saslatchd.socket saslatchd-postfix.socket
  cp /check/good.conf /etc/saslatch/saslatch.conf
  for _ in $(seq 100); do systemctl is-active -q saslatchd && break; sleep 0.1; done
  must systemctl is-active saslatchd

  say "logrotate as the package has it"
  install_offline logrotate
  must logrotate --force /etc/logrotate.d/saslatch
  printf '%s\n' "$password" | saslatch test "$user" --password-stdin >/dev/null
  stat -c '%A %U:%G %s %n' /var/log/saslatch/*
  grep -q '"outcome":"ok"' /var/log/saslatch/audit.jsonl || fail "no event in the new file"

  say "saslauthd's socket"
  install_offline sasl2-bin
  cat >>/etc/saslatch/saslatch.conf <<'CONF'
[listen.auth]
protocol = dovecot
socket   = /run/saslatch/auth
[listen.saslauthd]
protocol = saslauthd
socket   = /run/saslauthd/mux
CONF
  must systemctl enable saslatchd-saslauthd.socket
  must systemctl stop saslatchd
  must systemctl start saslatchd
  stat -c '%A %U:%G %n' /run/saslauthd/mux
  must testsaslauthd -f /run/saslauthd/mux -u alice -r example.com -p "$password"
  cp /check/good.conf /etc/saslatch/saslatch.conf

  say "purge"
  must apt-get purge -y -q saslatch >/check/apt.log 2>&1
  local left
  left=$(find / -xdev \( -path /check -o -path /proc -o -path /sys -o -path /var/cache/apt -o -path /higher \
    -o -path /var/log/apt -o -path /var/log/journal -o -path /var/lib/apt -o -path /source \) -prune -o -iname '*saslatch*' -print)
  left+=$(find /run -iname '*saslatch*')
  left+=$(getent passwd saslatch; getent group saslatch)
  left+=$(dpkg-query -W -f '${Package} ${Status}\n' 'saslatch' 2>/dev/null)
  left+=$(systemctl list-units --all --no-legend 'saslatchd*' | grep -v not-found)
  [[ -z $left ]] || fail "purge left: $left"
  say "nothing is left"
}

# USER PASSWORD: whether he gets in.
logs_in() { printf '%s\n' "$2" | saslatch test "$1" --mechanism PLAIN --password-stdin >/check/test.log 2>&1; }
# Since its last start.
daemon_said() { journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID saslatchd)"; }

modules() {
  local all=(sasldb pam ldap pgsql mysql) module
  say "the daemon alone: a driver that is not there names its package"
  install_offline "$(ours saslatch)" sasl2-bin
  cp /etc/saslatch/saslatch.conf /check/good.conf
  echo 'ldap-password' >/etc/saslatch/server.password
  chgrp saslatch /etc/saslatch/server.password && chmod 0640 /etc/saslatch/server.password
  cat >>/etc/saslatch/saslatch.conf <<'CONF'
[passdb.old]
driver = sasldb
path   = /etc/sasldb2
[passdb.system]
driver   = pam
socket   = /run/saslatch-pam/socket
pam-user = %n
[passdb.people]
driver  = ldap
uri     = ldap://127.0.0.1
user-dn = uid=%n,ou=people,dc=example,dc=com
[passdb.table]
driver        = sql
backend       = pgsql
host          = 127.0.0.1
database      = mail
user          = mail
password-file = /etc/saslatch/server.password
query         = SELECT password FROM users WHERE name = '%u'
[passdb.other]
driver        = sql
backend       = mysql
host          = 127.0.0.1
database      = mail
user          = mail
password-file = /etc/saslatch/server.password
query         = SELECT password FROM users WHERE name = '%u'
CONF
  must systemctl restart saslatchd
  saslatch doctor >/check/doctor.log 2>&1
  for module in "${all[@]}"; do
    grep -q "saslatch-$module" /check/doctor.log || { cat /check/doctor.log; fail "nobody names saslatch-$module"; }
  done
  local database
  database=$(find /usr -name '*.so*' -path '*saslatch/passdb*')
  [[ -z $database ]] || fail "modules without their packages: $database"

  say "each one installed: it is loaded"
  for module in "${all[@]}"; do
    install_offline "$(ours "saslatch-$module")"
  done
  useradd --create-home carol
  echo "carol:$password" | chpasswd
  printf '%s' "$password" | saslpasswd2 -p -c -u example.com dave
  chgrp saslatch /etc/sasldb2 && chmod 0640 /etc/sasldb2
  systemctl is-enabled saslatch-pam.socket && fail "root's workers are enabled by themselves"
  printf "@include common-auth\n@include common-account\n" >/etc/pam.d/smtp
  must systemctl enable --now saslatch-pam.socket
  must systemctl restart saslatchd
  stat -c '%A %U:%G %n' /run/saslatch-pam/socket
  saslatch doctor >/check/doctor.log 2>&1
  grep 'passdb' /check/doctor.log
  grep -q 'install the package' /check/doctor.log && fail "a module is missing"
  for module in old system; do
    grep -q "passdb $module .*answers" /check/doctor.log || fail "passdb $module does not answer"
  done
  # What has no server here says so, and of which.
  for module in people table other; do
    grep "passdb $module" /check/doctor.log | grep -q '127.0.0.1' || fail "passdb $module does not name its server"
  done
  daemon_said | grep -i -E 'undefined symbol|cannot open shared object' && fail "a module lacks something"
  logs_in dave@example.com "$password" || { cat /check/test.log; fail "no login by sasldb"; }
  logs_in carol@example.com "$password" || { cat /check/test.log; journalctl --no-pager -n 20 -u 'saslatch-pam*'; fail "no login by pam_unix of root's workers"; }
  logs_in carol@example.com wrong && fail "a wrong password got in by pam"

  say "upgraded together, as apt does it"
  must apt-get install -y -q /higher/*.deb >/check/apt.log 2>&1
  dpkg-query -W 'saslatch*'
  are_active saslatchd saslatch-pam.socket
  logs_in dave@example.com "$password" || fail "no login by sasldb after the upgrade"
  logs_in carol@example.com "$password" || fail "no login by pam after the upgrade"
  grep -q 'saslatch-' /check/apt.log && grep -E 'REMOVED' /check/apt.log && fail "the upgrade removes something"

  say "purged: the daemon goes on without them"
  must apt-get purge -y -q "${all[@]/#/saslatch-}" >/check/apt.log 2>&1
  must systemctl restart saslatchd
  must systemctl is-active saslatchd
  local left
  left=$(find /usr /etc /run /var/lib/saslatch -xdev -path '*saslatch*' \( -name '*pam*' -o -name '*.so' \))
  left+=$(systemctl list-units --all --no-legend 'saslatch-pam*' | grep -v not-found)
  left+=$(dpkg-query -W -f '${Package} ${Status}\n' 'saslatch-*' 2>/dev/null | grep -v 'not-installed')
  [[ -z $left ]] || fail "purge left: $left"
  say "nothing is left"
}

upgrade() {
  install_offline "$(ours saslatch)"
  with_postfix
  follow_the_readme
  install_offline python3
  # A cheap scheme: this is about the sockets, not about hashing.
  printf '%s\n' "$password" | saslatch user passwd "$user" --scheme CRAM-MD5 --password-stdin || fail "user passwd"
  postconf -e smtpd_client_connection_count_limit=0 smtpd_client_connection_rate_limit=0 smtpd_client_auth_rate_limit=0
  postfix reload
  cat >/check/load.py <<'PYTHON'
"""Logs in through Postfix, over and over; counts what is not 235."""
import collections, os, smtplib, ssl, sys, threading, time
stop, seen, lock = "/check/stop", collections.Counter(), threading.Lock()
context = ssl._create_unverified_context()
def one(keep):
    while not os.path.exists(stop):
        try:
            with smtplib.SMTP("127.0.0.1", 25, timeout=60) as session:
                session.starttls(context=context)
                session.login("alice@example.com", "correct horse battery")
                answer = "235"
                if keep: time.sleep(0.3)
        except smtplib.SMTPException as error:
            answer = str(error)
        except OSError as error:
            answer = repr(error)
        with lock: seen[answer] += 1
threads = [threading.Thread(target=one, args=(n % 2,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(dict(seen))
open("/check/load", "w").write("ok" if set(seen) == {"235"} else "failed")
PYTHON
  python3 /check/load.py &
  sleep 3
  local version
  version=$(dpkg-query -W -f '${Version}' saslatch)
  say "upgrade from $version"
  must apt-get install -y -q /higher/saslatch.deb >/check/apt.log 2>&1
  say "to $(dpkg-query -W -f '${Version}' saslatch)"
  sleep 1
  for _ in 1 2 3 4 5; do must systemctl restart saslatchd; sleep 1; done
  must systemctl reload saslatchd
  touch /check/stop
  wait
  [[ $(cat /check/load) == ok ]] || fail "logins failed"
  journalctl --no-pager -u saslatchd.socket -u saslatchd-postfix.socket | tail -n +1 | grep -c -i 'closed' | sed 's/^/sockets closed: /'
  say "kill -9: who connects while nobody runs waits in the queue"
  kill -9 "$(systemctl show -P MainPID saslatchd)"
  printf '%s\n' "$password" | saslatch test "$user" --password-stdin --socket /var/spool/postfix/private/saslatch ||
    fail "no login after kill -9"
}

tests() {
  install_offline autopkgtest
  rm -f /check/status
  # Each test wants its own mail server; Postfix and Exim take turns.
  autopkgtest --no-built-binaries --ignore-restrictions=isolation-container,breaks-testbed \
    /check/*.deb /source/tree/ -- null
  local code=$?
  [[ $code == 0 || $code == 2 ]] || fail "autopkgtest ended with $code"
}

"$1"
finish 0
