#include "daemon/sharing.h"

#include <algorithm>
#include <future>
#include <string_view>
#include <utility>

#include "daemon/config/secret_files.h"
#include "protocol/base/crypto/digest.h"

namespace saslatch {
namespace {

// A reservation of a host that died stands for so long after its attempt's answer was due.
constexpr std::chrono::seconds kReservationMargin(1);
// What stopping may wait for a server that answers.
constexpr std::chrono::milliseconds kLastWords(1000);

// One key for each use, of the one that the administrator made.
policy::HashKey derived(const Secret& cluster_key, std::string_view use) {
  std::string digest = hmac(Hash::kSha256, cluster_key.reveal(), use);
  policy::HashKey key{};
  std::copy_n(digest.begin(), key.size(), key.begin());
  wipe(digest);
  return key;
}

state::redis::Target target_of(const config::RedisAddress& address, bool tls) {
  if (address.host.empty()) return {{}, {}, address.path, false};
  return {address.host, std::to_string(address.port), {}, tls};
}

}  // namespace

Result<std::unique_ptr<SharingHosts>> SharingHosts::make(const config::StateConfig& config,
                                                         std::chrono::milliseconds max_hold,
                                                         Parts parts) {
  auto cluster_key = config::read_key_file(config.key_file);
  if (!cluster_key) {
    return failure("[state] key-file " + config.key_file + ": " + cluster_key.error().message);
  }
  state::redis::SharedOptions options;
  if (!config.password_file.empty()) {
    auto password = config::read_password_file(config.password_file);
    if (!password) {
      return failure("[state] password-file " + config.password_file + ": " +
                     password.error().message);
    }
    options.login.password = *std::move(password);
  }
  for (const config::RedisAddress& server : config.servers) {
    options.servers.push_back(target_of(server, config.tls));
  }
  options.sentinel_master = config.sentinel_master;
  options.login.user = config.user;
  options.login.database = static_cast<int>(config.database);
  options.prefix = config.prefix;
  options.budget = config.budget;
  options.stands = max_hold + kReservationMargin;
  return std::unique_ptr<SharingHosts>(
      new SharingHosts(config, *std::move(cluster_key), std::move(options), std::move(parts)));
}

SharingHosts::SharingHosts(const config::StateConfig& config, Secret cluster_key,
                           state::redis::SharedOptions options, Parts parts)
    : parts_(std::move(parts)),
      subject_key_(derived(cluster_key, "saslatch: subjects")),
      fingerprint_key_(derived(cluster_key, "saslatch: password fingerprints")),
      reactor_(net::TlsFiles{config.tls_ca_file, config.tls_cert_file, config.tls_key_file}),
      state_(std::make_unique<state::redis::SharedState>(
          std::move(options), reactor_, parts_.engine, parts_.clock, parts_.audit, parts_.metrics,
          parts_.log, parts_.random)) {}

SharingHosts::~SharingHosts() {
  stop();
  reactor_.stop();
  wipe(fingerprint_key_.data(), fingerprint_key_.size());
}

void SharingHosts::start() {
  parts_.engine.share(fingerprint_key_, parts_.random);
  state_->start();
  reactor_.start();
  is_running_ = true;
}

void SharingHosts::stop() {
  if (!std::exchange(is_running_, false)) return;
  std::promise<void> stopped;
  state_->stop(kLastWords, [&] { stopped.set_value(); });
  stopped.get_future().wait();
  reactor_.stop();
}

}  // namespace saslatch
