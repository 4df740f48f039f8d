// A driver as a module: knows one account, whose name is the section's.

#include <memory>
#include <utility>

#include "daemon/passdb/module.h"

namespace {

using namespace saslatch;
using namespace saslatch::passdb;

class ObligingPassdb final : public Passdb {
 public:
  explicit ObligingPassdb(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] bool blocks() const override { return false; }
  void find(std::string username, std::function<void(Lookup)> done) override {
    if (username != name_) return done(UnknownUser{});
    Account account;
    account.name = std::move(username);
    account.credentials.emplace_back("{PLAIN}wonderland");
    done(std::move(account));
  }
  bool list(std::string_view, const std::function<bool(std::string_view name)>& each) override {
    each(name_);
    return true;
  }
  [[nodiscard]] TypicalCredential typical_credential() const override { return {}; }
  [[nodiscard]] PassdbStatus status() const override { return {name_, "obliging", true, {}, {}}; }

 private:
  const std::string name_;
};

Result<std::shared_ptr<Passdb>> make(const PassdbSettings& settings, const PassdbParts& parts) {
  if (settings.name.empty()) return failure("it has no name");
  parts.log.info("made", "a passdb was made");
  return std::make_shared<ObligingPassdb>(settings.name);
}

}  // namespace

SASLATCH_PASSDB_MODULE(make)
