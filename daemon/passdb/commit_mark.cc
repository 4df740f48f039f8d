#include "daemon/passdb/commit_mark.h"

#include <atomic>

namespace saslatch::passdb {
namespace {

// The format of the index since SQLite 3.7.0, its first word.
constexpr uint32_t kFormat = 3007000;
// The word that begins with isInit, a byte.
constexpr size_t kIsMade = 3;

}  // namespace

std::optional<CommitMarks> CommitMarks::of(Database& database) {
  const volatile uint32_t* const index = database.shared_index();
  if (index == nullptr || index[0] != kFormat) return std::nullopt;
  return CommitMarks(index);
}

// The head is there twice. Who writes it writes the second, then the first.
std::optional<CommitMark> CommitMarks::read() const {
  CommitMark first{};
  CommitMark second{};
  for (size_t i = 0; i < first.size(); ++i) first[i] = index_[i];
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (size_t i = 0; i < second.size(); ++i) second[i] = index_[first.size() + i];
  if (first != second || first[kIsMade] == 0) return std::nullopt;
  return first;
}

}  // namespace saslatch::passdb
