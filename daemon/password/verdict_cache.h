#ifndef SASLATCH_DAEMON_PASSWORD_VERDICT_CACHE_H_
#define SASLATCH_DAEMON_PASSWORD_VERDICT_CACHE_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "protocol/base/random.h"

namespace saslatch::password {

// Passwords that were found right a moment ago, so that a mail program that logs in every minute
// costs one slow hash in five and not five. What is kept is a keyed digest of the stored password
// and the one given together: another stored password (a change, a new salt) is another entry, so
// nothing here outlives it; the account itself, whether it is disabled, and every lock are looked
// at before, each time. Wrong passwords are never in it and always cost their hash.
//
// Bounded: kEntries of 20 bytes, made as they are needed; the oldest of eight goes. The key is the
// object's own; entries are wiped when they end, all with the object. Thread-safe.
class VerdictCache {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Digest = std::array<uint8_t, 16>;

  static constexpr size_t kEntries = 65'536;

  // An entry ends `lifetime` after the hash was computed, however often it was used; 0: nothing is
  // kept. `random` makes the key and is not kept.
  VerdictCache(std::chrono::milliseconds lifetime, Random& random);
  ~VerdictCache();
  VerdictCache(const VerdictCache&) = delete;
  VerdictCache& operator=(const VerdictCache&) = delete;

  [[nodiscard]] bool is_on() const { return lifetime_.count() > 0; }
  // `stored` as the passdb has it, "{SCHEME}data".
  [[nodiscard]] Digest digest_of(std::string_view stored, std::string_view given) const;
  [[nodiscard]] bool knows(const Digest& digest, Time now) const;
  void remember(const Digest& digest, Time now);
  // The same with a lifetime of its own, also where is_on() is false.
  void remember(const Digest& digest, Time now, std::chrono::milliseconds lifetime);
  // Wipes what has ended; call it every second or so.
  void sweep(Time now);

 private:
  struct Entry {
    Digest digest{};
    uint32_t ends = 0;  // seconds of the steady clock; 0: free
  };
  static constexpr size_t kWays = 8;
  static constexpr size_t kStripes = 64;

  struct Stripe {
    mutable std::mutex mutex;
    std::vector<Entry> entries;  // empty, or kEntries / kStripes in sets of kWays
  };

  [[nodiscard]] const Stripe& stripe(const Digest& digest) const {
    return stripes_[digest[0] % kStripes];
  }
  // The first entry of the set that may hold `digest`.
  [[nodiscard]] static size_t set_of(const Digest& digest);

  const std::chrono::milliseconds lifetime_;
  std::array<uint8_t, 32> key_;
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_VERDICT_CACHE_H_
