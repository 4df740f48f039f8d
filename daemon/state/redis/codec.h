#ifndef SASLATCH_DAEMON_STATE_REDIS_CODEC_H_
#define SASLATCH_DAEMON_STATE_REDIS_CODEC_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/policy/journal.h"
#include "daemon/policy/shared.h"
#include "daemon/state/redis/resp.h"

namespace saslatch::state::redis {

using Milliseconds = std::chrono::milliseconds;

// The server's clock is the one that all hosts share: what is stored is in its time.
class ServerClock {
 public:
  // The server said that it is `server` milliseconds since 1970 when it was `now` here.
  void set(int64_t server, policy::Time now) {
    ahead_ = Milliseconds(server) - std::chrono::floor<Milliseconds>(now.time_since_epoch());
  }
  [[nodiscard]] int64_t to_server(policy::Time time) const {
    return (std::chrono::floor<Milliseconds>(time.time_since_epoch()) + ahead_).count();
  }
  [[nodiscard]] policy::Time from_server(int64_t time) const {
    return policy::Time(Milliseconds(time) - ahead_);
  }

 private:
  Milliseconds ahead_{};
};

// The names of the keys, all behind the site's prefix. A subject's keys carry its key in braces, so
// that a Redis Cluster keeps them in one slot.
class KeyNames {
 public:
  explicit KeyNames(std::string prefix) : prefix_(std::move(prefix)) {}
  [[nodiscard]] std::string subject(uint64_t subject) const;  // see common.lua
  [[nodiscard]] std::string memory(
      uint64_t subject) const;  // sorted set: its wrong passwords, where they are many
  [[nodiscard]] std::string told(uint64_t subject) const;  // sorted set: what it was told lately
  [[nodiscard]] std::string locks() const { return prefix_ + ":locks"; }        // hash: key, News
  [[nodiscard]] std::string familiar() const { return prefix_ + ":familiar"; }  // sorted set
  // Sorted set: subjects whose locks an administrator has cleared, by when.
  [[nodiscard]] std::string cleared() const { return prefix_ + ":cleared"; }
  [[nodiscard]] std::string changes() const { return prefix_ + ":changes"; }   // stream of News
  [[nodiscard]] std::string every_subject() const { return prefix_ + ":{*"; }  // a pattern

 private:
  std::string prefix_;
};

// EVALSHA of a script whose digest is `sha`. `stands`: how long a reservation is kept for a host
// that dies.
Command reserve_command(const KeyNames& keys, const std::string& sha,
                        const policy::SharedRequest& request, Milliseconds stands);
Command settle_command(const KeyNames& keys, const std::string& sha,
                       const policy::SharedSettlement& settlement, Milliseconds age);
Command lock_command(const KeyNames& keys, const std::string& sha, uint64_t subject,
                     const policy::LockRecord& lock, policy::Time now);

// What reserve.lua says; nullopt for nonsense. The server's clock is the second item of each.
std::optional<policy::SharedReply> parse_reserved(const Reply& reply);

// What settle.lua says.
struct SharedLock {
  size_t hold = 0;
  size_t rule = 0;
  Milliseconds left{};
  uint32_t level = 1;
};
struct SettledReply {
  int64_t server_time = 0;
  std::vector<size_t> gave;  // holds whose subjects gave failures back
  std::vector<SharedLock> locks;
};
std::optional<SettledReply> parse_settled(const Reply& reply);

// What hosts tell each other.
struct SubjectCleared {
  uint64_t subject = 0;
  std::vector<uint64_t> locks = {};  // of who clears it: the keys its locks may have had
};
struct FailuresGivenBack {
  uint64_t subject = 0;
  uint32_t tag = 0;
};
struct WindowUsedUp {
  uint64_t key = 0;
};
using News = std::variant<policy::LockRecord, policy::FamiliarRecord, policy::LocksCleared,
                          SubjectCleared, FailuresGivenBack, WindowUsedUp>;

// As text, in the server's time, and back; nullopt for what is none.
std::string encode(const News& news, const ServerClock& clock);
std::optional<News> decode(std::string_view text, const ServerClock& clock);

// A member of the sorted set of familiar networks, whose score is the last success.
std::string familiar_member(const policy::FamiliarRecord& record);
std::optional<policy::FamiliarRecord> parse_familiar(std::string_view member, int64_t score,
                                                     const ServerClock& clock);

std::string to_hex(uint64_t value);
std::optional<uint64_t> from_hex(std::string_view text);

// Of the server's clock: what is meant seriously.
bool is_time(int64_t time);

}  // namespace saslatch::state::redis

#endif  // SASLATCH_DAEMON_STATE_REDIS_CODEC_H_
