#ifndef SASLATCH_DAEMON_PASSDB_COMMIT_MARK_H_
#define SASLATCH_DAEMON_PASSDB_COMMIT_MARK_H_

#include <array>
#include <cstdint>
#include <optional>

#include "daemon/passdb/sqlite.h"

namespace saslatch::passdb {

// What differs once anybody has committed anything to a database in WAL mode: the head of the index
// that all its connections, of all processes, have in shared memory
// (https://sqlite.org/walformat.html, 2.1). A commit is in it before the command that made it goes
// on. To read it takes no system call and no lock, so that an event loop may ask where a writer, or
// the disk, keeps everybody else waiting.
using CommitMark = std::array<uint32_t, 12>;

// Of one database, as long as `database` is open, which is borrowed; thread-safe.
class CommitMarks {
 public:
  // nullopt: it has no such index, or one of a form that is not known.
  static std::optional<CommitMarks> of(Database& database);

  // nullopt: it is being written this very moment.
  [[nodiscard]] std::optional<CommitMark> read() const;

 private:
  explicit CommitMarks(const volatile uint32_t* index) : index_(index) {}
  const volatile uint32_t* index_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_COMMIT_MARK_H_
