#include "daemon/config/config.h"

#include "daemon/config/keys.h"

namespace saslatch::config {

std::string TcpAddress::to_string() const {
  const std::string host = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
  return host + ":" + std::to_string(port);
}

std::string to_string(const SocketAddress& address) {
  if (const auto* tcp = std::get_if<TcpAddress>(&address)) return tcp->to_string();
  return std::get<std::string>(address);
}

std::string RedisAddress::to_string() const {
  if (host.empty()) return path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool plaintext_needs_tls(const Config& config, const ListenConfig& listen) {
  if (listen.plaintext_needs_tls) return *listen.plaintext_needs_tls;
  if (listen.protocol == ListenProtocol::kSaslauthd) return false;
  return config.mechanisms.plaintext_needs_tls;
}

std::vector<std::string> needs_restart(const Config& running, const Config& next) {
  std::vector<std::string> keys;
  const auto compare = [&](const char* key, bool same) {
    if (!same) keys.emplace_back(std::string("[daemon] ") + key);
  };
  compare("state-dir", running.daemon.state_dir == next.daemon.state_dir);
  compare("run-dir", running.daemon.run_dir == next.daemon.run_dir);
  compare("user", running.daemon.user == next.daemon.user);
  compare("threads", running.daemon.threads == next.daemon.threads);
  compare("hash-threads", running.daemon.hash_threads == next.daemon.hash_threads);
  for (const Key<Config>& key : state_keys()) {
    if (key.get(running) != key.get(next)) keys.push_back("[state] " + key.name);
  }
  return keys;
}

}  // namespace saslatch::config
