#ifndef SASLATCH_DAEMON_POLICY_WINDOW_H_
#define SASLATCH_DAEMON_POLICY_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "daemon/policy/rule.h"

namespace saslatch::policy {

// Windows reckon in ticks, in 32 bits: enough for twice kMaxWindow, the span in which an entry's
// oldest event and the present may lie apart. An event stays for its window and at most two ticks.
constexpr Duration kTick{4};

// Up to this limit each event has its own time. Above, events within a 128th of the window share
// one and stay up to that much longer: a limit is then never passed, but may trip early.
constexpr uint32_t kExactEvents = 128;
// Different members are all kept up to this number. Above, a random half of them is, then a quarter
// and so on, and the count is an estimate with a standard error of at most 6.3 % (1/sqrt(256)).
constexpr size_t kExactMembers = 512;

// What a rule's counting asks of its windows.
struct Shape {
  bool distinct = false;  // count different ids
  uint32_t limit = 1;
  uint32_t ticks = 1;  // length of the window
  uint32_t merge = 0;  // ticks in which events share a cell
  bool keeps = false;  // refuse, delay: the window is not emptied, the newest `limit` are enough

  static Shape of(const Rule& rule);
};

// The sliding window of one (rule, subject). 48 bytes, two events inline, the rest on the heap.
class Window {
 public:
  uint64_t key = 0;
  uint16_t rule = 0;     // index in the rules in force
  bool changed = false;  // since the counters were last taken

  Window() = default;
  explicit Window(uint64_t table_key) : key(table_key) {}
  ~Window() { release(); }
  Window(Window&& other) noexcept;
  Window& operator=(Window&& other) noexcept;

  // Drops what is older than the window. A clock that went back makes every event happen now.
  // Returns whether anything is left. To be called before the members below.
  bool advance(const Shape& shape, Time now);

  // Events, or different ids (exact or estimated, see above).
  [[nodiscard]] uint32_t count(const Shape& shape) const;
  // Distinct windows: true if `id` is counted already (or would not be sampled).
  [[nodiscard]] bool knows(uint32_t id) const;
  // `id`: the member of a distinct window, else ignored. `tag`: the network, for give_back().
  void add(const Shape& shape, Time now, uint32_t id, uint32_t tag);
  // Takes back the events with this tag; returns whether there were any.
  bool give_back(uint32_t tag);
  void clear() { release(); }
  // When the count falls below the limit if nothing is added.
  [[nodiscard]] Time below_limit_at(const Shape& shape, Time now) const;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] uint32_t last_touched() const { return touched_; }
  // Heap cells in units of a subject, for max-subjects.
  [[nodiscard]] size_t weight() const { return 1 + capacity() / 8; }
  [[nodiscard]] size_t heap_bytes() const;

  // For CounterRecord. `anonymous` replaces the ids by numbers: they come from passwords.
  void save(std::string& out, bool anonymous) const;
  // False, and the window empty, if `in` is not what save() wrote.
  bool load(std::string_view in);

 private:
  struct Cell {
    uint32_t at;   // in ticks, modulo 2^32
    uint32_t id;   // distinct: the member; else: how many events
    uint32_t tag;  // 0: of several networks
  };
  static constexpr uint16_t kInline = 2;

  [[nodiscard]] size_t capacity() const { return capacity_; }
  [[nodiscard]] bool on_heap() const { return capacity_ > kInline; }
  [[nodiscard]] Cell* cells() { return on_heap() ? heap_ : inline_; }
  [[nodiscard]] const Cell* cells() const { return on_heap() ? heap_ : inline_; }
  template <typename Keep>
  void keep_if(Keep keep);
  void push(Cell cell);
  void add_event(const Shape& shape, uint32_t now, uint32_t tag);
  void add_member(const Shape& shape, uint32_t now, uint32_t id, uint32_t tag);
  [[nodiscard]] bool sampled(uint32_t id) const;
  void release();

  uint8_t level_ = 0;  // distinct: members whose id ends in this many zero bits are kept
  uint16_t size_ = 0;
  uint16_t capacity_ = kInline;
  uint32_t touched_ = 0;  // seconds since 1970 of the last event
  union {
    Cell inline_[kInline];
    Cell* heap_;
  };
};

}  // namespace saslatch::policy

#endif  // SASLATCH_DAEMON_POLICY_WINDOW_H_
