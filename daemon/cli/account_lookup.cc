#include "daemon/cli/account_lookup.h"

#include <chrono>
#include <future>
#include <utility>

#include "daemon/audit/no_log.h"
#include "daemon/cli/user_names.h"
#include "daemon/config/secret_files.h"
#include "daemon/passdb/drivers/make_passdb.h"
#include "daemon/passdb/passwd_file.h"

namespace saslatch::cli {
AccountLookup::AccountLookup(const Settings& settings)
    : settings_(settings), log_(std::make_unique<NoLog>()) {
  const passdb::PassdbParts parts{*log_,
                                  random_,
                                  std::chrono::steady_clock::now,
                                  settings.config.policy.max_hold,
                                  settings.usernames.lowercase,
                                  config::read_password_file};
  for (const config::PassdbConfig& wanted : settings.config.passdb) {
    auto made = passdb::make_passdb(
        wanted, {settings.state_dir(), settings.config.daemon.module_dir}, parts);
    if (!made) made = passdb::make_missing_passdb(wanted, made.error().message);
    if (const auto file = std::dynamic_pointer_cast<passdb::PasswdFilePassdb>(*made)) {
      file->refresh(parts.clock());
    }
    chain_.push_back(*std::move(made));
  }
}

AccountLookup::~AccountLookup() {
  for (const auto& passdb : chain_) passdb->stop();
}

AccountLookup::Answer AccountLookup::find(const std::string& typed) {
  const auto name = normalise_username(typed, settings_.usernames);
  if (!name) return {Found::kNo, typed, why_refused(typed, settings_.usernames)};
  Answer answer{Found::kNo, *name, "no configured passdb knows the account '" + *name + "'"};
  for (const auto& passdb : chain_) {
    std::promise<passdb::Lookup> answered;
    passdb->find(*name, [&answered](passdb::Lookup one) { answered.set_value(std::move(one)); });
    const passdb::Lookup found = answered.get_future().get();
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
