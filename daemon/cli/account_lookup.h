#ifndef SASLATCH_DAEMON_CLI_ACCOUNT_LOOKUP_H_
#define SASLATCH_DAEMON_CLI_ACCOUNT_LOOKUP_H_

#include <memory>
#include <string>
#include <vector>

#include "daemon/audit/log.h"
#include "daemon/cli/settings.h"
#include "daemon/passdb/passdb.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch::cli {

// Knows the accounts as a login would find them, in every configured passdb. Reads what it has to
// at its construction and first look-up.
class AccountLookup {
 public:
  // `settings` outlives it.
  explicit AccountLookup(const Settings& settings);
  ~AccountLookup();
  AccountLookup(const AccountLookup&) = delete;
  AccountLookup& operator=(const AccountLookup&) = delete;

  enum class Found { kYes, kNo, kUnknown };  // kUnknown: a passdb cannot be asked
  struct Answer {
    Found found = Found::kNo;
    std::string name;     // canonical, where it was found; else as a login would look it up
    std::string trouble;  // of kNo and kUnknown, for an administrator
  };
  [[nodiscard]] Answer find(const std::string& typed);

 private:
  const Settings& settings_;
  SystemRandom random_;
  std::unique_ptr<Log> log_;  // outlives the passdbs
  std::vector<std::shared_ptr<passdb::Passdb>> chain_;
};

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_ACCOUNT_LOOKUP_H_
