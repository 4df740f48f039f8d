#include "daemon/policy/window.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace saslatch::policy {
namespace {

// Cells with equal merging of a window above kExactEvents: 128 spans, and as many again where
// networks alternate. Beyond, the two oldest become one that keeps the younger time.
constexpr size_t kMaxEventCells = 256;
constexpr uint32_t kTicksPerSecond = 1000 / 4;
// No cell is further ahead of the present than one merged span of the longest window.
constexpr uint32_t kAhead = 1u << 25;

static_assert(kTick == Duration(4));
static_assert(kExactMembers + 1 < UINT16_MAX);

uint32_t tick_of(Time now) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<Duration>(now.time_since_epoch()).count() / kTick.count());
}

uint32_t seconds_of(Time now) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

bool is_expired(uint32_t at, uint32_t now, uint32_t ticks) {
  const uint32_t age = now - at;
  return age >= ticks && age < UINT32_MAX - kAhead;
}

}  // namespace

Shape Shape::of(const Rule& rule) {
  Shape shape;
  shape.distinct = rule.count == Count::kDistinctUsers || rule.count == Count::kDistinctPasswords;
  shape.limit = rule.limit.events;
  // One tick more, since an event's time is rounded down: it must not leave early.
  shape.ticks = static_cast<uint32_t>((rule.limit.window + kTick - Duration(1)) / kTick) + 1;
  if (shape.limit > kExactEvents) shape.merge = shape.ticks / 128;
  shape.keeps = rule.then != Then::kLock;
  return shape;
}

Window::Window(Window&& other) noexcept { *this = std::move(other); }

Window& Window::operator=(Window&& other) noexcept {
  if (this == &other) return *this;
  release();
  key = other.key;
  rule = other.rule;
  changed = other.changed;
  level_ = other.level_;
  size_ = other.size_;
  capacity_ = other.capacity_;
  touched_ = other.touched_;
  if (other.on_heap())
    heap_ = other.heap_;
  else
    std::copy_n(other.inline_, kInline, inline_);
  other.size_ = 0;
  other.capacity_ = kInline;
  return *this;
}

void Window::release() {
  if (on_heap()) delete[] heap_;
  size_ = 0;
  capacity_ = kInline;
  level_ = 0;
}

size_t Window::heap_bytes() const { return on_heap() ? capacity_ * sizeof(Cell) : 0; }

template <typename Keep>
void Window::keep_if(Keep keep) {
  Cell* begin = cells();
  Cell* end = std::remove_if(begin, begin + size_, [&](const Cell& cell) { return !keep(cell); });
  size_ = static_cast<uint16_t>(end - begin);
  if (size_ == 0) release();
}

void Window::push(Cell cell) {
  if (size_ == capacity_) {
    const auto more = static_cast<uint16_t>(capacity_ < 8 ? 8 : capacity_ + capacity_ / 2);
    Cell* grown = new Cell[more];
    std::copy_n(cells(), size_, grown);
    if (on_heap()) delete[] heap_;
    heap_ = grown;
    capacity_ = more;
  }
  cells()[size_++] = cell;
}

bool Window::advance(const Shape& shape, Time time) {
  if (size_ == 0) return false;
  const uint32_t now = tick_of(time);
  const uint32_t seconds = seconds_of(time);
  if (seconds < touched_) {
    touched_ = seconds;
    for (Cell* cell = cells(); cell != cells() + size_; ++cell)
      if (now - cell->at >= shape.ticks) cell->at = now;
  } else if (seconds - touched_ > (shape.ticks + shape.merge) / kTicksPerSecond + 1) {
    release();  // also keeps the 32 bits of the ticks from going round
  } else {
    keep_if([&](const Cell& cell) { return !is_expired(cell.at, now, shape.ticks); });
  }
  return size_ > 0;
}

uint32_t Window::count(const Shape& shape) const {
  if (shape.distinct) return static_cast<uint32_t>(size_) << level_;
  uint32_t sum = 0;
  for (const Cell* cell = cells(); cell != cells() + size_; ++cell) sum += cell->id;
  return sum;
}

bool Window::sampled(uint32_t id) const { return (id & ((1u << level_) - 1)) == 0; }

bool Window::knows(uint32_t id) const {
  if (!sampled(id)) return true;
  return std::any_of(cells(), cells() + size_, [&](const Cell& cell) { return cell.id == id; });
}

void Window::add(const Shape& shape, Time time, uint32_t id, uint32_t tag) {
  touched_ = seconds_of(time);
  if (shape.distinct)
    add_member(shape, tick_of(time), id, tag);
  else
    add_event(shape, tick_of(time), tag);
}

void Window::add_event(const Shape& shape, uint32_t now, uint32_t tag) {
  Cell* last = size_ > 0 ? cells() + size_ - 1 : nullptr;
  if (last != nullptr && shape.merge > 0 && last->tag == tag && last->at - now <= shape.merge) {
    ++last->id;
  } else {
    if (size_ >= kMaxEventCells) {
      Cell* first = cells();
      first[1].id += first[0].id;
      if (first[1].tag != first[0].tag) first[1].tag = 0;
      std::copy(first + 1, first + size_, first);
      --size_;
    }
    push({now + shape.merge, 1, tag});
  }
  if (!shape.keeps) return;
  uint32_t beyond = count(shape);
  size_t spare = 0;
  while (beyond - cells()[spare].id >= shape.limit) beyond -= cells()[spare++].id;
  if (spare == 0) return;
  std::copy(cells() + spare, cells() + size_, cells());
  size_ = static_cast<uint16_t>(size_ - spare);
}

void Window::add_member(const Shape& shape, uint32_t now, uint32_t id, uint32_t tag) {
  (void)shape;
  for (Cell* cell = cells(); cell != cells() + size_; ++cell) {
    if (cell->id != id) continue;
    cell->at = now;
    cell->tag = tag;
    return;
  }
  if (!sampled(id)) return;
  push({now, id, tag});
  while (size_ > kExactMembers) {
    ++level_;
    const uint8_t level = level_;
    keep_if([&](const Cell& cell) { return sampled(cell.id); });
    if (size_ > 0) continue;
    level_ = level;  // all of them left, against all odds: start over
    break;
  }
}

bool Window::give_back(uint32_t tag) {
  const uint16_t before = size_;
  keep_if([&](const Cell& cell) { return cell.tag != tag; });
  return size_ != before;
}

Time Window::below_limit_at(const Shape& shape, Time time) const {
  const uint32_t now = tick_of(time);
  std::vector<std::pair<uint32_t, uint32_t>> left;  // ticks left, how many
  uint32_t total = 0;
  for (const Cell* cell = cells(); cell != cells() + size_; ++cell) {
    const uint32_t many = shape.distinct ? 1u << level_ : cell->id;
    left.emplace_back(cell->at + shape.ticks - now, many);
    total += many;
  }
  std::sort(left.begin(), left.end());
  for (const auto& [ticks, many] : left) {
    total -= many;
    if (total < shape.limit) return time + ticks * kTick;
  }
  return time;
}

void Window::save(std::string& out, bool anonymous) const {
  const auto put = [&](const auto& value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  put(touched_);
  put(level_);
  put(size_);
  uint32_t number = 0;
  for (const Cell* cell = cells(); cell != cells() + size_; ++cell) {
    Cell copy = *cell;
    if (anonymous) copy.id = number++ << level_;
    put(copy);
  }
}

bool Window::load(std::string_view in) {
  release();
  const auto take = [&](auto& value) {
    if (in.size() < sizeof value) return false;
    std::memcpy(&value, in.data(), sizeof value);
    in.remove_prefix(sizeof value);
    return true;
  };
  uint8_t level = 0;
  uint16_t size = 0;
  if (!take(touched_) || !take(level) || !take(size)) return false;
  if (level > 20 || size > kExactMembers || in.size() != size * sizeof(Cell)) return false;
  for (uint16_t i = 0; i < size; ++i) {
    Cell cell{};
    take(cell);
    push(cell);
  }
  level_ = level;
  return true;
}

}  // namespace saslatch::policy
