# For the tests of this folder: a running daemon with one account. Without a service manager (a plain
# chroot) it is started by its init script.
user=alice@example.com
password='correct horse battery'

fail() { echo "FAILED: $*" >&2; journalctl -u saslatchd --no-pager -n 30 2>/dev/null >&2 || true; exit 1; }

start_daemon() {
	if [ -d /run/systemd/system ]; then
		systemctl is-active saslatchd.service || fail "saslatchd.service does not run"
	else
		service saslatchd restart || fail "the init script does not start it"
	fi
	saslatch user show "$user" >/dev/null 2>&1 ||
		printf '%s\n' "$password" | saslatch user add "$user" --password-stdin
}

# PORT MECHANISM PASSWORD CODE [SWAKS-OPTION...]: what the server answers to AUTH
login() {
	port=$1 mechanism=$2 secret=$3 code=$4
	shift 4
	said=$(swaks --server 127.0.0.1 --port "$port" --tls --auth "$mechanism" --auth-user "$user" \
		--auth-password "$secret" "$@" 2>&1) || true
	echo "$said" | sed -n '/~> AUTH/,$p' | grep -qE "^<~.? +$code " ||
		fail "AUTH $mechanism was not answered with $code:
$said"
	echo "AUTH $mechanism: $code"
}
