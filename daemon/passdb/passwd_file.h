#ifndef SASLATCH_DAEMON_PASSDB_PASSWD_FILE_H_
#define SASLATCH_DAEMON_PASSDB_PASSWD_FILE_H_

#include <chrono>
#include <memory>
#include <string>

#include "daemon/audit/log.h"
#include "daemon/passdb/passdb.h"
#include "protocol/base/random.h"

namespace saslatch::passdb {

struct PasswdFileOptions {
  std::string name;  // the NAME of [passdb.NAME]
  std::string path;
  std::string default_scheme = "CRYPT";
  bool lowercase = true;  // [usernames] lowercase: applies to the names in the file too
};

// driver = passwd-file: accounts out of a file in Dovecot's format, held in memory.
//
// Lookups never touch the disk and never wait for a reload. refresh() looks at the file and is
// called by a timer, every kPasswdFilePoll, on a worker; together with the settling time below a
// change is in force within a second. What was loaded last stays in force while the file is
// missing, unreadable, no regular file or too long (logged once a minute), and while it may be
// half-written:
//  - it changed less than kSettle before, or somebody who writes to it has not closed it yet;
//  - it is empty, or its last line has no newline: until it has been so for kHalfWritten.
// Before the first good load every lookup is Unavailable.
class PasswdFilePassdb final : public Passdb {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Reads nothing. `log` and `random` outlive the object.
  PasswdFilePassdb(PasswdFileOptions options, Log& log, Random& random);
  ~PasswdFilePassdb() override;

  // Looks at the file and loads it if it changed and is whole. The first call loads it at once
  // unless it looks half-written. Calls from several threads are well: one looks, the others
  // return. `now` never goes back.
  void refresh(Time now);

  // For --check: whether the file can be opened now, is a regular one and is not too long. Reads
  // nothing of it.
  [[nodiscard]] Result<void> check_usable() override;

  [[nodiscard]] std::string_view name() const override;
  [[nodiscard]] bool blocks() const override { return false; }
  // `done` is called before find() returns.
  void find(std::string username, std::function<void(Lookup)> done) override;
  bool list(std::string_view mask, const std::function<bool(std::string_view name)>& each) override;
  [[nodiscard]] TypicalCredential typical_credential() const override;
  [[nodiscard]] PassdbStatus status() const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

constexpr std::chrono::milliseconds kPasswdFilePoll{200};
constexpr std::chrono::milliseconds kSettle{400};
constexpr std::chrono::seconds kHalfWritten{10};
// The longest file that is read: some seven million accounts with long hashes.
constexpr size_t kMaxPasswdFileBytes = size_t{1} << 30;

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_PASSWD_FILE_H_
