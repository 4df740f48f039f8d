#include "daemon/password/verdict_cache.h"

#include <sodium.h>

#include <algorithm>

namespace saslatch::password {
namespace {

uint32_t seconds_of(VerdictCache::Time time) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

}  // namespace

VerdictCache::VerdictCache(std::chrono::milliseconds lifetime, Random& random)
    : lifetime_(lifetime) {
  random.fill(key_);
}

VerdictCache::~VerdictCache() {
  sodium_memzero(key_.data(), key_.size());
  for (Stripe& each : stripes_) {
    sodium_memzero(each.entries.data(), each.entries.size() * sizeof(Entry));
  }
}

VerdictCache::Digest VerdictCache::digest_of(std::string_view stored,
                                             std::string_view given) const {
  // Keyed BLAKE2b. The length keeps the two parts apart.
  const uint64_t length = stored.size();
  Digest digest;
  crypto_generichash_state state;
  crypto_generichash_init(&state, key_.data(), key_.size(), digest.size());
  const auto update = [&state](const void* data, size_t size) {
    crypto_generichash_update(&state, static_cast<const unsigned char*>(data), size);
  };
  update(&length, sizeof length);
  update(stored.data(), stored.size());
  update(given.data(), given.size());
  crypto_generichash_final(&state, digest.data(), digest.size());
  sodium_memzero(&state, sizeof state);
  return digest;
}

size_t VerdictCache::set_of(const Digest& digest) {
  constexpr size_t kSets = kEntries / kStripes / kWays;
  return (size_t{digest[1]} << 8 | digest[2]) % kSets * kWays;
}

bool VerdictCache::knows(const Digest& digest, Time now) const {
  const Stripe& here = stripe(digest);
  const uint32_t at = seconds_of(now);
  const std::lock_guard guard(here.mutex);
  if (here.entries.empty()) return false;
  const auto first = here.entries.begin() + static_cast<std::ptrdiff_t>(set_of(digest));
  return std::any_of(first, first + kWays, [&](const Entry& entry) {
    return entry.ends > at && sodium_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0;
  });
}

void VerdictCache::remember(const Digest& digest, Time now) {
  if (is_on()) remember(digest, now, lifetime_);
}

void VerdictCache::remember(const Digest& digest, Time now, std::chrono::milliseconds lifetime) {
  Stripe& here = stripes_[digest[0] % kStripes];
  const std::lock_guard guard(here.mutex);
  if (here.entries.empty()) here.entries.resize(kEntries / kStripes);
  const auto first = here.entries.begin() + static_cast<std::ptrdiff_t>(set_of(digest));
  auto place = std::find_if(first, first + kWays,
                            [&](const Entry& entry) { return entry.digest == digest; });
  if (place == first + kWays) {
    place = std::min_element(first, first + kWays,
                             [](const Entry& a, const Entry& b) { return a.ends < b.ends; });
  }
  *place = {digest, seconds_of(now + lifetime)};
}

void VerdictCache::sweep(Time now) {
  const uint32_t at = seconds_of(now);
  for (Stripe& here : stripes_) {
    const std::lock_guard guard(here.mutex);
    for (Entry& entry : here.entries) {
      if (entry.ends != 0 && entry.ends <= at) sodium_memzero(&entry, sizeof entry);
    }
  }
}

}  // namespace saslatch::password
