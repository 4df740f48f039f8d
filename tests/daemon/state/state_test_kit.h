#ifndef SASLATCH_TESTS_DAEMON_STATE_STATE_TEST_KIT_H_
#define SASLATCH_TESTS_DAEMON_STATE_STATE_TEST_KIT_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/policy/engine.h"
#include "daemon/policy/presets.h"
#include "daemon/state/store.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch::state {

using namespace std::chrono_literals;  // NOLINT: tests only

inline const policy::Time kStart{std::chrono::sys_days(std::chrono::year(2030) / 1 / 1)};

// A folder of its own, gone with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = ::testing::TempDir() + "saslatch-state-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error(pattern);
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all, ignored);
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file() const { return path_ + "/state.db"; }
  [[nodiscard]] size_t count(const std::string& part) const {
    size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      found += entry.path().filename().string().find(part) != std::string::npos ? 1 : 0;
    return found;
  }

 private:
  std::string path_;
};

// The names of the lines, and a wait for one of them.
class Lines final : public Log {
 public:
  void write(LogLevel, std::string_view name, std::string_view,
             std::initializer_list<LogField>) override {
    const std::lock_guard guard(mutex_);
    names_.emplace_back(name);
    changed_.notify_all();
  }
  [[nodiscard]] size_t count(std::string_view name) const {
    const std::lock_guard guard(mutex_);
    return static_cast<size_t>(std::count(names_.begin(), names_.end(), name));
  }
  void wait_for(std::string_view name) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock,
                  [&] { return std::find(names_.begin(), names_.end(), name) != names_.end(); });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> names_;
};

inline std::vector<policy::Rule> three_failures() {
  policy::Rule rule;
  rule.name = "users";
  rule.limit = {3, 1h};
  rule.lasts = 10min;
  rule.growing = policy::Growth{2, 2h};
  rule.spare_familiar = true;
  return {rule};
}

// What saslatchd does with a state directory, from start to end.
class Life {
 public:
  explicit Life(const std::string& directory, policy::Time start = kStart,
                std::vector<policy::Rule> rules = three_failures())
      : now(start), store_(std::make_unique<Store>(log, [this] { return now.load(); })) {
    policy::Settings settings;
    settings.rules = std::move(rules);
    policy::HashKey key{};
    random_.fill(key);
    engine_ = std::make_unique<policy::Engine>(settings, key, random_, store_.get());
    store_->open(directory, random_);
    engine_->adopt_key(store_->key());
    store_->restore(*engine_);
    store_->start(*engine_);
  }
  ~Life() { store_->stop(); }

  policy::Engine& engine() { return *engine_; }
  Store& store() { return *store_; }
  // A login with its answer's wait for the disk. Whether it was verified.
  bool login(const std::string& user, const std::string& password, const std::string& rip,
             policy::Outcome outcome, policy::Settled* settled = nullptr) {
    policy::AttemptFacts facts{user, IpAddress::parse(rip), password};
    auto decision = engine_->reserve(facts, now, nullptr);
    if (decision.verdict != policy::Verdict::kAllow) return false;
    policy::Settled result = engine_->settle(std::move(decision.ticket), outcome, now);
    store_->wait_flushed(result.journalled);
    if (settled != nullptr) *settled = std::move(result);
    return true;
  }
  bool fail(const std::string& user, const std::string& password) {
    return login(user, password, "198.51.100.1", policy::Outcome::kBadCredential);
  }
  bool is_familiar(const std::string& user, const std::string& rip) {
    policy::AttemptFacts facts{user, IpAddress::parse(rip), "x"};
    return engine_->reserve(facts, now, nullptr).familiar;
  }

  Lines log;
  std::atomic<policy::Time> now;

 private:
  SystemRandom random_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<policy::Engine> engine_;
};

}  // namespace saslatch::state

#endif  // SASLATCH_TESTS_DAEMON_STATE_STATE_TEST_KIT_H_
