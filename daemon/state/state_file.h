#ifndef SASLATCH_DAEMON_STATE_STATE_FILE_H_
#define SASLATCH_DAEMON_STATE_STATE_FILE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/policy/journal.h"
#include "protocol/base/result.h"

struct sqlite3;

namespace saslatch::state {

// STATE-DIR/state.db: locks, growth levels, familiar networks and counters in SQLite, write-ahead
// logged. What commit() has written survives the death of the process at any moment; it is not
// forced to the platter, so a power cut may take the last moments with it and never damages the
// file. Not thread-safe.
class StateFile {
 public:
  enum class Trouble {
    kUnusable,  // cannot be opened, read or written now: full disk, read-only, permissions, busy
    kDamaged,   // not a state file, or a broken one: move it aside
  };
  struct Failure {
    Trouble trouble = Trouble::kUnusable;
    std::string reason;
  };

  // Opens `path`, and makes it with mode 0600 if it is not there.
  static tl::expected<std::unique_ptr<StateFile>, Failure> open(const std::string& path);
  // For reading only, where nothing may be written. What a dead process left in the write-ahead log
  // alone is not seen.
  static tl::expected<std::unique_ptr<StateFile>, Failure> open_for_reading(
      const std::string& path);
  // What is wrong with the file that lies at `path` now, whatever an open StateFile has in its
  // cache: reads all of it. To be asked when no StateFile has it open.
  static std::optional<Failure> check(const std::string& path);
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // The key of the subjects, absent in a new file.
  [[nodiscard]] tl::expected<std::optional<policy::HashKey>, Failure> key();

  // Every stored lock and familiar network (these oldest first), then every counter. The callbacks
  // return whether the record is still wanted; what is not is deleted by the next commit().
  std::optional<Failure> load(const std::function<bool(const policy::Change&)>& change,
                              const std::function<bool(policy::CounterRecord)>& counter);

  // Whether load() has left something to delete.
  [[nodiscard]] bool has_unwanted() const {
    return !unwanted_changes_.empty() || !unwanted_counters_.empty();
  }

  // One transaction. nullopt: all of it is written; else nothing of it is.
  std::optional<Failure> commit(const std::vector<policy::Change>& changes,
                                const std::vector<policy::CounterRecord>& counters);
  // One transaction too: the file holds these and nothing else, under this key.
  std::optional<Failure> replace(const policy::HashKey& key,
                                 const std::vector<policy::Change>& changes,
                                 const std::vector<policy::CounterRecord>& counters);

 private:
  class Statement;
  explicit StateFile(sqlite3* database) : database_(database) {}

  std::optional<Failure> prepare_schema();
  [[nodiscard]] Failure failure_now() const;
  bool run(const char* sql);
  bool write(const std::vector<policy::Change>& changes,
             const std::vector<policy::CounterRecord>& counters);
  bool write_changes(const std::vector<policy::Change>& changes);
  bool write_counters(const std::vector<policy::CounterRecord>& counters);

  sqlite3* database_;
  std::vector<policy::Change> unwanted_changes_;
  std::vector<policy::CounterRecord> unwanted_counters_;
};

}  // namespace saslatch::state

#endif  // SASLATCH_DAEMON_STATE_STATE_FILE_H_
