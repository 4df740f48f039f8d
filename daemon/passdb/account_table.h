#ifndef SASLATCH_DAEMON_PASSDB_ACCOUNT_TABLE_H_
#define SASLATCH_DAEMON_PASSDB_ACCOUNT_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace saslatch::passdb {

// An account as users.db keeps it, in one string: what AccountTable holds. Built by begin() and
// add(), read by for_each().
class AccountRecord {
 public:
  // Begins anew; what the string had room for stays with it.
  void begin(bool is_enabled);
  void add(bool is_sealed, std::string_view data);
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

  [[nodiscard]] static bool is_enabled(std::string_view record) { return record.front() != 0; }
  // Calls each(bool is_sealed, std::string_view data) for its credentials, in their order.
  template <typename Each>
  static void for_each(std::string_view record, const Each& each);

 private:
  static constexpr uint32_t kSealed = uint32_t{1} << 31;
  std::string bytes_;  // whether enabled, and of each credential: length and kind, data
};

// Accounts by name, in memory that is a few large pieces in huge pages: one of a million names then
// costs two or three waits for memory and as many for its addresses. What is replaced stays as
// garbage until the table is made anew. Not thread-safe for put() and forget().
class AccountTable {
 public:
  // Room for `accounts` and half as many that come later, in at most about `max_bytes`.
  AccountTable(uint64_t accounts, size_t max_bytes);

  // Adds the account or takes the place of the one of this name. False: there is no room, and the
  // table is as it was.
  [[nodiscard]] bool put(std::string_view name, std::string_view record);
  // Makes the name unknown. False as above.
  [[nodiscard]] bool forget(std::string_view name) { return put(name, {}); }
  // The record, borrowed until the next put(); empty: there is no such account.
  [[nodiscard]] std::string_view find(std::string_view name) const;

  // Whether half of what it holds is out of date.
  [[nodiscard]] bool is_wasteful() const { return garbage_ > kMuchGarbage && 2 * garbage_ > used_; }
  [[nodiscard]] size_t bytes() const;

 private:
  // Of a huge page, so that each piece can be one.
  static constexpr size_t kPiece = size_t{2} << 20;
  // Of the first one, at first: a small site has few accounts.
  static constexpr size_t kSmallPiece = size_t{64} << 10;
  static constexpr size_t kAlign = 8;
  static constexpr size_t kMuchGarbage = size_t{1} << 20;

  // Zeros of its own mapping, which goes back to the kernel at once.
  class Memory {
   public:
    // Of at least `size` bytes: huge pages, from kPiece on. Throws std::bad_alloc.
    explicit Memory(size_t size);
    ~Memory();
    Memory(Memory&& other) noexcept
        : begin_(std::exchange(other.begin_, nullptr)), size_(other.size_) {}
    Memory& operator=(Memory&&) = delete;
    // Of a small one; it may move. Throws std::bad_alloc.
    void grow(size_t size);
    [[nodiscard]] char* begin() const { return begin_; }
    [[nodiscard]] size_t size() const { return size_; }

   private:
    char* begin_;
    size_t size_;
  };

  struct Slot {
    uint32_t place = 0;  // in units of kAlign, from 1; 0: free
    uint32_t tag = 0;    // the upper half of the hash: most misses end without a look at the name
  };
  // At a place: the lengths of both, then the name, then the record.
  struct Lengths {
    uint32_t name;
    uint32_t record;
  };

  [[nodiscard]] const char* at(uint32_t place) const {
    return pieces_[place / (kPiece / kAlign)].begin() + place % (kPiece / kAlign) * kAlign;
  }
  // Memory for so much more at end_; false: not within max_bytes_.
  [[nodiscard]] bool make_room(size_t size);
  // The slot of `name`, or the free one where it belongs.
  [[nodiscard]] size_t slot_of(std::string_view name, uint64_t hash) const;

  size_t max_bytes_;
  size_t slot_count_;  // a power of two, at most three quarters in use
  Memory slot_memory_;
  Slot* slots_;
  size_t taken_ = 0;
  std::vector<Memory> pieces_;
  size_t end_ = 0;  // of what is used in the last piece
  size_t used_ = 0;
  size_t garbage_ = 0;
};

template <typename Each>
void AccountRecord::for_each(std::string_view record, const Each& each) {
  record.remove_prefix(1);
  while (!record.empty()) {
    uint32_t length = 0;
    record.copy(reinterpret_cast<char*>(&length), sizeof length);
    record.remove_prefix(sizeof length);
    each((length & kSealed) != 0, record.substr(0, length & ~kSealed));
    record.remove_prefix(length & ~kSealed);
  }
}

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_ACCOUNT_TABLE_H_
