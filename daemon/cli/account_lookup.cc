#include "daemon/cli/account_lookup.h"

#include <chrono>

#include "daemon/cli/user_names.h"
#include "daemon/passdb/embedded.h"
#include "daemon/passdb/passwd_file.h"

namespace saslatch::cli {
namespace {

class NoLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view,
             std::initializer_list<LogField>) override {}
};

}  // namespace

AccountLookup::AccountLookup(const Settings& settings)
    : settings_(settings), log_(std::make_unique<NoLog>()) {
  for (const config::PassdbConfig& wanted : settings.config.passdb) {
    switch (wanted.driver) {
      case config::PassdbDriver::kEmbedded:
        chain_.push_back(
            std::make_shared<passdb::EmbeddedPassdb>(wanted.name, settings.state_dir(), random_));
        break;
      case config::PassdbDriver::kPasswdFile: {
        auto file = std::make_shared<passdb::PasswdFilePassdb>(
            passdb::PasswdFileOptions{wanted.name, wanted.path, wanted.default_scheme,
                                      settings.usernames.lowercase},
            *log_, random_);
        file->refresh(std::chrono::steady_clock::now());
        chain_.push_back(std::move(file));
        break;
      }
    }
  }
}

AccountLookup::Answer AccountLookup::find(const std::string& typed) {
  const auto name = normalise_username(typed, settings_.usernames);
  if (!name) return {Found::kNo, typed, why_refused(typed, settings_.usernames)};
  Answer answer{Found::kNo, *name, "no configured passdb knows the account '" + *name + "'"};
  for (const auto& passdb : chain_) {
    passdb::Lookup found;
    passdb->find(*name, [&found](passdb::Lookup one) { found = std::move(one); });
    if (const auto* account = std::get_if<passdb::Account>(&found)) {
      return {Found::kYes, account->name, ""};
    }
    if (const auto* down = std::get_if<passdb::Unavailable>(&found)) {
      answer.found = Found::kUnknown;
      answer.trouble = "the passdb '" + std::string(passdb->name()) +
                       "' cannot be asked whether it knows '" + *name + "': " + down->reason;
    }
  }
  return answer;
}

}  // namespace saslatch::cli
