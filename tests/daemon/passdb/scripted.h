#ifndef SASLATCH_TESTS_DAEMON_PASSDB_SCRIPTED_H_
#define SASLATCH_TESTS_DAEMON_PASSDB_SCRIPTED_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/passdb/passdb.h"

namespace saslatch::passdb {

// A passdb that says what it was told to.
class ScriptedPassdb final : public Passdb {
 public:
  explicit ScriptedPassdb(std::string name) : name_(std::move(name)) {}

  // The account, made anew for each lookup because it does not copy.
  using Maker = std::function<Account()>;
  void set(const std::string& name, std::vector<std::string> stored,
           std::function<void(Account&)> change = {}) {
    accounts_[name] = [name, stored = std::move(stored), change = std::move(change)] {
      Account account;
      account.name = name;
      for (const std::string& text : stored) account.credentials.emplace_back(text);
      if (change) change(account);
      return account;
    };
  }
  bool down = false;
  bool slow = false;
  bool remembers = false;  // where slow: knows without waiting
  TypicalCredential typical;

  std::string_view name() const override { return name_; }
  bool blocks() const override { return slow; }
  std::optional<Lookup> recall(std::string_view username,
                               std::chrono::steady_clock::time_point) override {
    std::optional<Lookup> answer;
    if (remembers) find(std::string(username), [&answer](Lookup l) { answer = std::move(l); });
    return answer;
  }
  void find(std::string username, std::function<void(Lookup)> done) override {
    if (down) return done(Unavailable{"it is down"});
    const auto known = accounts_.find(username);
    if (known == accounts_.end()) return done(UnknownUser{});
    done(known->second());
  }
  bool list(std::string_view, const std::function<bool(std::string_view)>& each) override {
    for (const auto& [name, maker] : accounts_) {
      if (!each(name)) break;
    }
    return !down;
  }
  TypicalCredential typical_credential() const override { return typical; }
  PassdbStatus status() const override { return {name_, "scripted", !down, "", {}}; }

 private:
  std::string name_;
  std::map<std::string, Maker> accounts_;
};

// Says what it was told to, at once or when it is let go; notes what it was asked.
class ScriptedAuthenticator final : public Authenticator {
 public:
  ProofResult says{ProofVerdict::kRight, "", {}};
  bool waits = false;
  std::vector<std::string> asked;  // the password, or "-" for NoProof
  std::optional<std::chrono::steady_clock::time_point> deadline;

  void authenticate(ProofRequest request, std::function<void(ProofResult)> done) override {
    const auto* shown = std::get_if<PasswordProof>(&request.proof);
    asked.emplace_back(shown != nullptr ? shown->password.reveal() : "-");
    deadline = request.deadline;
    if (waits) {
      waiting_.push_back(std::move(done));
    } else {
      done(says);
    }
  }
  void answer() {
    for (const auto& done : std::exchange(waiting_, {})) done(says);
  }

 private:
  std::vector<std::function<void(ProofResult)>> waiting_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_TESTS_DAEMON_PASSDB_SCRIPTED_H_
