#!/usr/bin/env bash
# Shows saslatch at work on this machine without touching its mail system: builds it, starts it with
# an empty user database beside a private Postfix on loopback, and logs in.
#
# usage: sudo packaging/quickstart.sh [--exit] [--bin DIR]
#   --exit      end after the demonstration instead of staying up until Ctrl-C
#   --bin DIR   use the saslatchd and saslatch there instead of building them
# shellcheck disable=SC2317  # functions are called through wait_for and traps
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
cd "$repo"

stay=yes
bin=
while [[ $# -gt 0 ]]; do
  case $1 in
    --exit) stay=no ;;
    --bin) bin=$(cd "${2:?--bin needs a folder}" && pwd); shift ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
  shift
done

# How it speaks ------------------------------------------------------------------------------------

if [[ -t 1 ]]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
else bold='' green='' red='' dim='' plain=''; fi
steps=7
step=0
say_step() { step=$((step + 1)); printf '\n%s[%d/%d] %s%s\n' "$bold" "$step" "$steps" "$*" "$plain"; }
ok() { printf '  %sok%s    %s\n' "$green" "$plain" "$*"; }
note() { printf '  %s\n' "$*"; }
fail() {  # WHAT MEND [LOG]: what went wrong, what mends it, the end of the log that tells more
  printf '  %sfail%s  %s\n' "$red" "$plain" "$1" >&2
  if [[ -s ${3:-} ]]; then tail -n 25 "$3" | sed 's/^/        /' >&2; fi
  printf '  mend  %s\n' "$2" >&2
  exit 1
}

[[ $EUID -eq 0 ]] || fail "only root may start a Postfix" "sudo $0"

# What it starts, it ends --------------------------------------------------------------------------

dir=$(mktemp -d /tmp/saslatch-quickstart.XXXXXX)
chmod 755 "$dir"
saslatchd_pid=
postfix_pid=
end_process() {  # PID: SIGTERM, and SIGKILL if that is not enough
  [[ -n $1 ]] || return 0
  kill "$1" 2>/dev/null || return 0
  for _ in {1..100}; do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
  kill -9 "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
clean_up() {
  trap - EXIT INT TERM
  end_process "$postfix_pid"
  end_process "$saslatchd_pid"
  rm -rf "$dir"
}
trap clean_up EXIT
trap 'printf "\n"; exit 130' INT
trap 'exit 143' TERM

wait_for() {  # WHAT MEND LOG COMMAND...: until the command succeeds, 20 s at most
  local what=$1 mend=$2 log=$3
  shift 3
  for _ in {1..200}; do
    if "$@" 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  fail "$what" "$mend" "$log"
}

# 1, 2: the programs -------------------------------------------------------------------------------

say_step "Installing what is missing (apt; nothing that is there is changed)"
packaging/install-deps.sh --demo || fail "the packages could not be installed" "see the lines above"
ok "compiler, libraries, Postfix $(postconf -dh mail_version), swaks"

say_step "Building saslatch"
if [[ -n $bin ]]; then
  ok "taken from $bin"
else
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  # -O1 and no debug information: two fifths less to compile, and nothing of it shows here.
  cmake -S . -B build/quickstart -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O1 \
    -DSASLATCH_TESTS=OFF >"$dir/cmake.log" 2>&1 ||
    fail "cmake found something missing" "packaging/install-deps.sh" "$dir/cmake.log"
  cmake --build build/quickstart --target saslatchd saslatch ||
    fail "it does not compile" "rm -rf build/quickstart, and again; else please report the lines above"
  bin=$repo/build/quickstart/bin
fi
for program in saslatchd saslatch; do
  [[ -x $bin/$program ]] || fail "$bin/$program is not there" "leave --bin out, to build it"
done
ok "$("$bin/saslatchd" --version | head -n 1)"

# 3: saslatchd -------------------------------------------------------------------------------------

say_step "Starting saslatchd with an empty user database"
queue=$dir/queue
install -d -m 755 "$queue" "$dir/log" "$dir/run" "$dir/postfix" "$dir/tls"
install -d -m 700 "$dir/state"
install -d -m 700 -o postfix "$queue/private" "$dir/data" "$dir/mail"
if id -u saslatch >/dev/null 2>&1; then chown saslatch "$dir/state" "$dir/log" "$dir/run"; fi
conf=$dir/saslatch.conf
sed -e "s|/var/lib/saslatch|$dir/state|" -e "s|/run/saslatch|$dir/run|" \
  -e "s|/var/log/saslatch|$dir/log|" -e "s|/var/spool/postfix|$queue|" \
  conf-examples/postfix-dovecot/saslatch.conf >"$conf"
audit=$dir/log/audit.jsonl
"$bin/saslatchd" --config "$conf" >"$dir/log/saslatchd.log" 2>&1 &
saslatchd_pid=$!
wait_for "saslatchd did not open its socket" "look at its log above" "$dir/log/saslatchd.log" \
  test -S "$queue/private/saslatch"
ok "it listens on $queue/private/saslatch"
user=alice@example.com
password=$(openssl rand -base64 12)
printf '%s\n' "$password" | "$bin/saslatch" --config "$conf" user add "$user" --password-stdin \
  >"$dir/log/user-add.log" 2>&1 ||
  fail "the user could not be added" "look at the lines above" "$dir/log/user-add.log"
ok "saslatch user add $user    ${dim}(password: $password)$plain"

# 4: Postfix ---------------------------------------------------------------------------------------

say_step "Starting a private Postfix on loopback, with STARTTLS"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
  -subj /CN=mail.example.com -keyout "$dir/tls/key.pem" -out "$dir/tls/cert.pem" 2>"$dir/log/openssl.log" ||
  fail "no certificate could be made" "look at the lines above" "$dir/log/openssl.log"
cat "$dir/tls/key.pem" "$dir/tls/cert.pem" >"$dir/tls/both.pem"
chmod 600 "$dir"/tls/*
sed -e "s|/var/spool/postfix|$queue|" -e "s|/var/lib/postfix|$dir/data|" \
  -e "s|/var/mail/vhosts|$dir/mail|" -e "s|/var/log/mail.log|$dir/log/mail.log|" \
  -e "s|/etc/ssl/private/mail.example.com.pem|$dir/tls/both.pem|" \
  -e "s|static:5000|static:$(id -u postfix)|" \
  conf-examples/postfix-dovecot/main.cf >"$dir/postfix/main.cf"
# One port is enough to show it.
sed -e '/^smtps\? *inet/,/^  -o/d' -e "s|^submission inet |127.0.0.1:$port inet |" \
  conf-examples/postfix-dovecot/master.cf >"$dir/postfix/master.cf"
postconf -c "$dir/postfix" -e inet_interfaces=127.0.0.1 "maillog_file_prefixes=$dir" \
  smtpd_peername_lookup=no alias_maps= alias_database= virtual_minimum_uid=1
postfix -c "$dir/postfix" check >"$dir/log/postfix.log" 2>&1 ||
  fail "Postfix does not accept its configuration" "look at the lines above" "$dir/log/postfix.log"
"$(postconf -dh daemon_directory)/master" -c "$dir/postfix" -d >>"$dir/log/postfix.log" 2>&1 &
postfix_pid=$!
greets() { (exec 3<>"/dev/tcp/127.0.0.1/$port" && read -r -t 10 line <&3 && [[ $line == 220* ]]); }
wait_for "Postfix does not greet on 127.0.0.1:$port" "look at its log above" "$dir/log/mail.log" greets
ok "127.0.0.1:$port  smtpd_sasl_type = dovecot, smtpd_sasl_path = private/saslatch"

# 5, 6: logins -------------------------------------------------------------------------------------

events() { if [[ -f $audit ]]; then grep -c '"event":"auth"' "$audit" || true; else echo 0; fi; }
more_events_than() { [[ $(events) -gt $1 ]]; }
login() {  # MECHANISM PASSWORD EXPECTED-CODE SWAKS-OPTION...: the reply to AUTH, and its audit line
  local mechanism=$1 secret=$2 expected=$3 before reply
  shift 3
  before=$(events)
  swaks --server 127.0.0.1 --port "$port" --tls --auth "$mechanism" --auth-user "$user" \
    --auth-password "$secret" "$@" >"$dir/log/swaks.log" 2>&1 || true
  reply=$(sed -n '/^ ~> AUTH/,$p' "$dir/log/swaks.log" | grep -oE '^<~\*? +[245][0-9][0-9] .*' |
    head -n 1 | sed 's/^<~[* ]*//') || true
  [[ $reply == "$expected "* ]] ||
    fail "AUTH $mechanism was answered '$reply', not $expected" "look at the session above" "$dir/log/swaks.log"
  ok "AUTH $(printf '%-9s' "$mechanism") $reply"
  wait_for "no audit line" "is $audit writable?" "$dir/log/saslatchd.log" more_events_than "$before"
  note "      $dim$(grep '"event":"auth"' "$audit" | tail -n 1)$plain"
}

say_step "Logging in with swaks, and the audit line of each login"
login PLAIN "$password" 235 --quit-after AUTH
login LOGIN "$password" 235 --quit-after AUTH
login CRAM-MD5 "$password" 235 --from "$user" --to postmaster@example.com \
  --header "Subject: delivered after a login checked by saslatch"
mailbox=$dir/mail/postmaster/new
delivered() { [[ -n $(find "$mailbox" -type f 2>/dev/null) ]]; }
wait_for "the message did not arrive" "look at the mail log above" "$dir/log/mail.log" delivered
message=$(find "$mailbox" -type f | head -n 1)
ok "one message delivered: $(grep -h '^Subject:' "$message")"
note "      $dim$(grep -h -o '(Authenticated sender: [^)]*)' "$message")$plain"

say_step "A wrong password is refused"
login PLAIN "not the password" 535 --quit-after AUTH

# 7 ------------------------------------------------------------------------------------------------

say_step "For your own Postfix"
note "install saslatch, write /etc/saslatch/saslatch.conf (conf-examples/postfix-dovecot/), then:"
note ""
note "  ${bold}postconf -e smtpd_sasl_type=dovecot smtpd_sasl_path=private/saslatch$plain"
note "  ${bold}postconf -e smtpd_sasl_auth_enable=yes && postfix reload$plain"
note ""
if [[ $stay == no ]]; then
  ok "done in $SECONDS s; everything is stopped and removed"
  exit 0
fi
note "All of it is up until Ctrl-C (done in $SECONDS s). Try:"
note "  swaks --server 127.0.0.1 --port $port --tls --quit-after AUTH --auth PLAIN \\"
note "        --auth-user $user --auth-password '$password'"
note "  $bin/saslatch --config $conf user list"
note "  tail -f $audit"
wait -n "$saslatchd_pid" "$postfix_pid" || true
fail "one of the two ended by itself" "look at its log above" "$dir/log/saslatchd.log"
