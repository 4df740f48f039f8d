// What a state file, or another host, says of locks, familiar networks and counters: numbers and
// bytes of any kind, between logins that go on. What must hold: no lock outlives kMaxLock, no
// record stops a login, and what is saved of all this is taken back.
//
// Input: records, each begun by a byte that says of what kind. Numbers are read as they lie.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "tests/daemon/policy/world.h"

namespace {

using namespace saslatch;
using namespace saslatch::policy;

void require(bool holds) {
  if (!holds) std::abort();
}

class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  template <typename Number>
  Number number() {
    Number value{};
    std::memcpy(&value, bytes_.data(), std::min(sizeof value, bytes_.size()));
    bytes_.remove_prefix(std::min(sizeof value, bytes_.size()));
    return value;
  }
  std::string_view text() {
    const auto size = number<uint16_t>();
    const std::string_view text = bytes_.substr(0, size);
    bytes_.remove_prefix(text.size());
    return text;
  }

 private:
  std::string_view bytes_;
};

std::vector<Rule> rules() {
  Rule account = rule("account", Count::kFailures, By::kUser, 3, 10min, Then::kLock, 1min);
  account.growing = Growth{2, 1h};
  account.spare_familiar = true;
  return {account, rule("spray", Count::kDistinctUsers, By::kIp, 4, kMaxWindow, Then::kLock, 1h),
          rule("words", Count::kDistinctPasswords, By::kNetwork, 1000, 1h, Then::kRefuse),
          rule("rate", Count::kAttempts, By::kEveryone, 500, 1h, Then::kDelay, 1s)};
}

class NoJournal final : public Journal {
 public:
  uint64_t append(const Change& /*change*/) override { return 1; }
};

// Few subjects: every table is one stripe, and quickly made.
Settings settings() {
  Settings few;
  few.max_subjects = 500;
  return few;
}

const Login kLogins[] = {{"alice", "right", "192.0.2.1"},
                         {"alice", "one", "198.51.100.1"},
                         {"alice", "two", "198.51.100.1"},
                         {"bob", "one", "198.51.100.1"},
                         {"carol", "", "198.51.100.2", false}};

// The keys and the heads of counters, as an engine with these rules and this key makes them.
std::vector<CounterRecord> known_counters() {
  NoJournal journal;
  World world(rules(), settings(), &journal);
  for (const Login& login : kLogins) (void)world.login(login);
  std::vector<CounterRecord> known = world.engine->take_changed_counters();
  std::sort(known.begin(), known.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  for (CounterRecord& record : known) record.bytes.resize(1 + sizeof(uint64_t));
  return known;
}

Time time_of(int64_t microseconds) { return Time(std::chrono::microseconds(microseconds)); }

std::optional<Network> network_of(Input& input) {
  const auto network = Network::parse(input.text());
  return network ? std::optional<Network>(*network) : std::nullopt;
}

std::optional<Change> change_of(char kind, uint64_t key, Input& input) {
  switch (kind) {
    case 'l': {
      LockRecord lock;
      lock.key = key;
      // The first bytes of a counter are the id of its rule.
      lock.rule_id = input.number<uint64_t>();
      lock.until = time_of(input.number<int64_t>());
      lock.lasts = Duration(input.number<int64_t>());
      lock.level = input.number<uint32_t>();
      lock.subject = input.text();
      return lock;
    }
    case 'u':
      return LockCleared{key};
    case 'f':
      return FamiliarRecord{key, network_of(input), time_of(input.number<int64_t>())};
    case 'd':
      return FamiliarDropped{key, network_of(input)};
    case 'a':
      return LocksCleared{};
    default:
      return std::nullopt;
  }
}

void check_locks(const World& world) {
  for (const LockInfo& lock : world.engine->locks(world.now))
    require(lock.until > world.now && lock.until - world.now <= kMaxLock);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<CounterRecord> known = known_counters();
  NoJournal journal;
  World world(rules(), settings(), &journal);
  world.account("alice", "right");
  Input input({reinterpret_cast<const char*>(data), size});
  while (!input.empty()) {
    const auto kind = input.number<char>();
    const auto which = input.number<uint8_t>();
    const CounterRecord& counter = known[which % known.size()];
    if (kind == 'c') {
      (void)world.engine->restore({counter.key, counter.bytes + std::string(input.text())},
                                  world.now);
    } else if (kind == 'r') {
      // Of a rule that there is, for the rest as the input says.
      LockRecord lock = std::get<LockRecord>(*change_of('l', counter.key, input));
      std::memcpy(&lock.rule_id, counter.bytes.data() + 1, sizeof lock.rule_id);
      (void)world.engine->restore(lock, world.now);
    } else if (kind == 't') {
      // The system's clock is set, on as well as back, within what it can be set to.
      world.now = time_of(input.number<uint32_t>() * int64_t{1'000'000});
    } else if (const auto change = change_of(kind, counter.key, input)) {
      if (which % 2 == 0)
        (void)world.engine->restore(*change, world.now);
      else
        (void)world.engine->learn(*change, world.now);
    } else {
      (void)world.login(kLogins[which % std::size(kLogins)]);
    }
    check_locks(world);
  }
  for (const Login& login : kLogins) (void)world.login(login);
  world.engine->sweep(world.now);
  check_locks(world);

  World next(rules(), settings());
  next.now = world.now;
  for (const Change& change : world.engine->durable_state(world.now))
    (void)next.engine->restore(change, next.now);
  world.engine->touch_counters();
  for (const CounterRecord& record : world.engine->take_changed_counters())
    (void)next.engine->restore(record, next.now);
  require(next.engine->locks(next.now).size() == world.engine->locks(world.now).size());
  return 0;
}
