#ifndef SASLATCH_DAEMON_PASSDB_PAM_PAM_PASSDB_H_
#define SASLATCH_DAEMON_PASSDB_PAM_PAM_PASSDB_H_

#include <memory>
#include <string>
#include <string_view>

#include "daemon/passdb/module.h"
#include "daemon/passdb/passdb.h"

namespace saslatch::passdb {

// driver = pam: PAM judges. Its modules wait, leak, crash, and are no matter of threads, so that
// they run in processes of their own (saslatch-pam-worker), one question each at a time: children
// of the daemon, as unprivileged as it is; or, with `socket`, whatever saslatch-pam.socket starts,
// as root, which pam_unix needs. As many as `connections`. One that does not answer in time is
// killed and replaced.
//
// Each name is presumed: whether there is such a user PAM tells, when it has been asked. A user is
// asked for as `pam-user` says, and that is the account, so that names that mean one user are
// counted and locked together. PAM lists nobody.
class PamPassdb final : public Passdb {
 public:
  // Starts nothing. The error is for an administrator.
  static Result<std::shared_ptr<Passdb>> make(const PassdbSettings& settings,
                                              const PassdbParts& parts);
  ~PamPassdb() override;

  [[nodiscard]] std::string_view name() const override;
  [[nodiscard]] bool blocks() const override { return false; }
  void find(std::string username, std::function<void(Lookup)> done) override;
  bool list(std::string_view mask, const std::function<bool(std::string_view name)>& each) override;
  [[nodiscard]] TypicalCredential typical_credential() const override;
  [[nodiscard]] PassdbStatus status() const override;
  // Starts a worker, or connects to one, and asks about a user that cannot be.
  [[nodiscard]] Result<void> check_usable() override;
  void stop() override;

 private:
  class Impl;
  explicit PamPassdb(std::shared_ptr<Impl> impl);
  const std::shared_ptr<Impl> impl_;  // also of authenticators that are under way
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_PAM_PAM_PASSDB_H_
