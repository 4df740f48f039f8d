#ifndef SASLATCH_DAEMON_REPLAY_SPOOL_H_
#define SASLATCH_DAEMON_REPLAY_SPOOL_H_

#include <cstdio>
#include <memory>
#include <string>

#include "daemon/replay/assembler.h"

namespace saslatch::replay {

// Attempts kept to be replayed again, in a file without a name (in TMPDIR, else /tmp) that is gone
// with the object: some 40 bytes each, so that memory does not grow with the logs.
class Spool {
 public:
  Spool();
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // `user`: normalised. After a write that failed (a full disk) nothing more is kept.
  void add(const Attempt& attempt, std::string_view user);
  // Why not every attempt is in it; empty: they are.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] uint64_t size() const { return size_; }

  // From the first one; the attempts have no file and line.
  void rewind();
  // False: no more. `attempt.user` is the normalised name.
  bool next(Attempt& attempt);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::string record_;
  std::string trouble_;
  uint64_t size_ = 0;
  uint64_t left_ = 0;
};

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_SPOOL_H_
