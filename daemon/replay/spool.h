#ifndef SASLATCH_DAEMON_REPLAY_SPOOL_H_
#define SASLATCH_DAEMON_REPLAY_SPOOL_H_

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

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
  // No more will be added: what is in it can be read.
  void finish();
  // Why not every attempt is in it; empty: they are.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  friend class SpoolReader;
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::string record_;
  std::string trouble_;
  uint64_t size_ = 0;
};

// Reads a finished spool from the first attempt to the last. Several may read one spool at a time,
// each on a thread of its own. The spool outlives it.
class SpoolReader {
 public:
  explicit SpoolReader(const Spool& spool);
  // False: no more. `attempt.user` is the normalised name; there is no file and no line.
  bool next(Attempt& attempt);

 private:
  [[nodiscard]] const char* take(size_t bytes);

  int descriptor_;
  uint64_t left_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_SPOOL_H_
