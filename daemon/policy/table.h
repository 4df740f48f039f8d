#ifndef SASLATCH_DAEMON_POLICY_TABLE_H_
#define SASLATCH_DAEMON_POLICY_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace saslatch::policy {

// A hash table of entries with a member `uint64_t key`, whose values are spread already (keyed
// hashes). The entries lie dense in a vector, so that eviction can sample and a sweep can walk
// them; the index of eight bytes a slot is all that a look-up of an absent key touches. Pointers
// are good until the next insertion or erasure. Not thread-safe. Where memory ends, insert() throws
// and has changed nothing; nothing else needs any.
template <typename Entry>
class Table {
 public:
  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] size_t bytes() const {
    return entries_.capacity() * sizeof(Entry) + index_.capacity() * sizeof(Slot);
  }
  // By position, for walking; erasing position i moves the last entry there.
  Entry& at(size_t position) { return entries_[position]; }
  const Entry& at(size_t position) const { return entries_[position]; }

  [[nodiscard]] Entry* find(uint64_t key) {
    const size_t slot = slot_of(key);
    return slot == kNone ? nullptr : &entries_[index_[slot].position];
  }
  [[nodiscard]] const Entry* find(uint64_t key) const {
    return const_cast<Table*>(this)->find(key);
  }

  // The entry with this key, made with Entry(key) if there is none; `second` tells whether.
  std::pair<Entry*, bool> insert(uint64_t key) {
    if (Entry* found = find(key)) return {found, false};
    if ((entries_.size() + 1) * 4 > index_.size() * 3)
      rehash(index_.empty() ? 8 : index_.size() * 2);
    // By a fifth, not twice: at a million entries the empty half would be 30 MB.
    if (entries_.size() == entries_.capacity()) entries_.reserve(entries_.size() * 6 / 5 + 4);
    entries_.emplace_back(key);
    place(key, static_cast<uint32_t>(entries_.size() - 1));
    return {&entries_.back(), true};
  }

  bool erase(uint64_t key) noexcept {
    const size_t slot = slot_of(key);
    if (slot == kNone) return false;
    const uint32_t position = index_[slot].position;
    vacate(slot);
    const auto last = static_cast<uint32_t>(entries_.size() - 1);
    if (position != last) {
      index_[slot_of(entries_[last].key)].position = position;
      entries_[position] = std::move(entries_[last]);
    }
    entries_.pop_back();
    // A table that was filled by an attack gives its memory back when that is over.
    if (entries_.capacity() > 16 && entries_.size() * 4 < entries_.capacity()) shrink();
    return true;
  }

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t position = kFree;
  };
  static constexpr uint32_t kFree = UINT32_MAX;
  static constexpr size_t kNone = SIZE_MAX;

  static uint32_t tag_of(uint64_t key) { return static_cast<uint32_t>(key >> 32); }
  // The low bits chose the stripe and are the same in all of its keys.
  [[nodiscard]] size_t home(uint64_t key) const { return (key >> 16) & (index_.size() - 1); }
  [[nodiscard]] size_t next(size_t slot) const { return (slot + 1) & (index_.size() - 1); }

  [[nodiscard]] size_t slot_of(uint64_t key) const {
    if (index_.empty()) return kNone;
    for (size_t slot = home(key); index_[slot].position != kFree; slot = next(slot))
      if (index_[slot].tag == tag_of(key) && entries_[index_[slot].position].key == key)
        return slot;
    return kNone;
  }

  void place(uint64_t key, uint32_t position) {
    size_t slot = home(key);
    while (index_[slot].position != kFree) slot = next(slot);
    index_[slot] = {tag_of(key), position};
  }

  // Linear probing without tombstones: what follows moves up, unless it is at home already.
  void vacate(size_t hole) {
    for (size_t slot = next(hole); index_[slot].position != kFree; slot = next(slot)) {
      const size_t from_home =
          (slot - home(entries_[index_[slot].position].key)) & (index_.size() - 1);
      const size_t from_hole = (slot - hole) & (index_.size() - 1);
      if (from_home < from_hole) continue;
      index_[hole] = index_[slot];
      hole = slot;
    }
    index_[hole] = Slot{};
  }

  void rehash(size_t slots) {
    index_.assign(slots, Slot{});
    index_.shrink_to_fit();
    for (uint32_t i = 0; i < entries_.size(); ++i) place(entries_[i].key, i);
  }

  void shrink() {
    entries_.shrink_to_fit();
    size_t slots = 8;
    while ((entries_.size() + 1) * 2 > slots) slots *= 2;
    if (slots < index_.size()) rehash(slots);  // which needs no memory then
  }

  std::vector<Entry> entries_;
  std::vector<Slot> index_;
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_TABLE_H_
