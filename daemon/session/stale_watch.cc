#include "daemon/session/stale_watch.h"

namespace saslatch {

bool StaleWatch::note(std::string_view account, const passdb::Spent& spent,
                      const std::optional<IpAddress>& rip, Wall now) {
  std::string key(account);
  key.append(1, '\0').append(spent.credential).append(1, '\0').append(to_string(spent.why));
  if (rip) key.append(1, '\0').append(rip->bytes());
  const std::lock_guard lock(mutex_);
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) {
    if (entries_.size() >= kMost) {
      by_key_.erase(entries_.back().first);
      entries_.pop_back();
    }
    const SpentTries tries{std::string(account), spent.credential, spent.why, rip, now, now, 1};
    entries_.emplace_front(std::move(key), Entry{tries, now});
    by_key_.emplace(entries_.front().first, entries_.begin());
    return true;
  }
  entries_.splice(entries_.begin(), entries_, known->second);
  Entry& entry = entries_.front().second;
  // After a long silence it begins anew: the interval should tell what it does now.
  if (now - entry.tries.last > kRemembered || now < entry.tries.last) {
    entry.tries.first = now;
    entry.tries.count = 0;
  }
  entry.tries.last = now;
  ++entry.tries.count;
  if (now - entry.told < kEvery && now >= entry.told) return false;
  entry.told = now;
  return true;
}

std::vector<SpentTries> StaleWatch::tries(std::optional<std::string_view> account,
                                          const std::optional<Network>& network, Wall now) const {
  std::vector<SpentTries> found;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, entry] : entries_) {
    const SpentTries& tries = entry.tries;
    if (now - tries.last > kRemembered) continue;
    if (account && tries.account != *account) continue;
    if (network && (!tries.rip || !network->contains(*tries.rip))) continue;
    found.push_back(tries);
  }
  return found;
}

}  // namespace saslatch
