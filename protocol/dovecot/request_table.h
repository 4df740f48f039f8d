#ifndef SASLATCH_PROTOCOL_DOVECOT_REQUEST_TABLE_H_
#define SASLATCH_PROTOCOL_DOVECOT_REQUEST_TABLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace saslatch::dovecot {

// The unfinished requests of one connection, by id. Sorted by id: clients count upwards and rarely
// have more than a few, so the usual insert is a push_back and the usual search ends at once; a
// client that does its worst moves some kilobytes.
template <typename State>
class RequestTable {
 public:
  [[nodiscard]] size_t size() const { return entries_.size(); }

  // nullptr if `id` is not in the table. Borrowed until the table changes.
  [[nodiscard]] State* find(uint32_t id) {
    const auto at = place_of(id);
    return at != entries_.end() && at->id == id ? &at->state : nullptr;
  }

  // `id` is not yet in the table.
  State& insert(uint32_t id, State state) {
    return entries_.insert(place_of(id), Entry{id, std::move(state)})->state;
  }

  // False if there was none.
  bool erase(uint32_t id) {
    const auto at = place_of(id);
    if (at == entries_.end() || at->id != id) return false;
    entries_.erase(at);
    return true;
  }

 private:
  struct Entry {
    uint32_t id;
    State state;
  };

  auto place_of(uint32_t id) {
    if (!entries_.empty() && entries_.back().id < id) return entries_.end();
    return std::lower_bound(entries_.begin(), entries_.end(), id,
                            [](const Entry& entry, uint32_t wanted) { return entry.id < wanted; });
  }

  std::vector<Entry> entries_;
};

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_REQUEST_TABLE_H_
