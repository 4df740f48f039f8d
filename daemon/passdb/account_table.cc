#include "daemon/passdb/account_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <new>

namespace saslatch::passdb {
namespace {

// Fewer slots than this are not worth counting.
constexpr size_t kLeastSlots = 1024;

uint64_t hash_of(std::string_view name) {
  // Names are the administrator's: nobody else can make a chain of slots long.
  return std::hash<std::string_view>()(name);
}

}  // namespace

void AccountRecord::begin(bool is_enabled) {
  bytes_.clear();
  bytes_.push_back(is_enabled ? 1 : 0);
}

void AccountRecord::add(bool is_sealed, std::string_view data) {
  const uint32_t length = static_cast<uint32_t>(data.size()) | (is_sealed ? kSealed : 0);
  bytes_.append(reinterpret_cast<const char*>(&length), sizeof length).append(data);
}

AccountTable::Memory::Memory(size_t size) {
  const size_t unit = size < kPiece ? kSmallPiece : kPiece;
  size_ = (size + unit - 1) / unit * unit;
  // The kernel aligns to small pages only: what is too much on either side goes back.
  const size_t spare = unit == kPiece ? kPiece : 0;
  void* const mapped =
      mmap(nullptr, size_ + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  begin_ = static_cast<char*>(mapped);
  if (spare == 0) return;
  const size_t before = (kPiece - reinterpret_cast<uintptr_t>(begin_) % kPiece) % kPiece;
  if (before != 0) munmap(begin_, before);
  begin_ += before;
  munmap(begin_ + size_, kPiece - before);
  (void)madvise(begin_, size_, MADV_HUGEPAGE);  // where there are any
}

AccountTable::Memory::~Memory() {
  if (begin_ != nullptr) munmap(begin_, size_);
}

void AccountTable::Memory::grow(size_t size) {
  void* const moved = mremap(begin_, size_, size, MREMAP_MAYMOVE);
  if (moved == MAP_FAILED) throw std::bad_alloc();
  begin_ = static_cast<char*>(moved);
  size_ = size;
}

AccountTable::AccountTable(uint64_t accounts, size_t max_bytes)
    : max_bytes_(max_bytes),
      slot_count_(std::bit_ceil(kLeastSlots + 2 * static_cast<size_t>(accounts))),
      slot_memory_(slot_count_ * sizeof(Slot)),
      slots_(reinterpret_cast<Slot*>(slot_memory_.begin())) {}

size_t AccountTable::bytes() const {
  size_t sum = slot_memory_.size();
  if (!pieces_.empty()) sum += pieces_.front().size() + (pieces_.size() - 1) * kPiece;
  return sum;
}

bool AccountTable::make_room(size_t size) {
  if (!pieces_.empty() && end_ + size <= pieces_.back().size()) return true;
  if (pieces_.size() == 1 && end_ + size <= kPiece) {
    const size_t present = pieces_.front().size();
    const size_t wanted = std::min(kPiece, std::bit_ceil(end_ + size));
    if (bytes() + wanted - present > max_bytes_) return false;
    pieces_.front().grow(wanted);
    return true;
  }
  const size_t wanted = pieces_.empty() && size < kSmallPiece - kAlign ? kSmallPiece : kPiece;
  if (bytes() + wanted > max_bytes_) return false;
  pieces_.emplace_back(wanted);
  end_ = pieces_.size() == 1 ? kAlign : 0;  // no place is 0
  return true;
}

size_t AccountTable::slot_of(std::string_view name, uint64_t hash) const {
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t i = hash & (slot_count_ - 1);; i = (i + 1) & (slot_count_ - 1)) {
    if (slots_[i].place == 0) return i;
    if (slots_[i].tag != tag) continue;
    const char* const here = at(slots_[i].place);
    Lengths lengths{};
    std::memcpy(&lengths, here, sizeof lengths);
    if (std::string_view(here + sizeof lengths, lengths.name) == name) return i;
  }
}

std::string_view AccountTable::find(std::string_view name) const {
  const Slot& slot = slots_[slot_of(name, hash_of(name))];
  if (slot.place == 0) return {};
  const char* const here = at(slot.place);
  Lengths lengths{};
  std::memcpy(&lengths, here, sizeof lengths);
  return {here + sizeof lengths + lengths.name, lengths.record};
}

bool AccountTable::put(std::string_view name, std::string_view record) {
  const uint64_t hash = hash_of(name);
  Slot& slot = slots_[slot_of(name, hash)];
  if (slot.place == 0) {
    if (record.empty()) return true;  // nobody knew the name
    if ((taken_ + 1) * 4 > slot_count_ * 3) return false;
  }
  const size_t size =
      (sizeof(Lengths) + name.size() + record.size() + kAlign - 1) / kAlign * kAlign;
  if (size > kPiece - kAlign) return false;
  if (!make_room(size)) return false;
  char* const here = pieces_.back().begin() + end_;
  const Lengths lengths{static_cast<uint32_t>(name.size()), static_cast<uint32_t>(record.size())};
  std::memcpy(here, &lengths, sizeof lengths);
  name.copy(here + sizeof lengths, name.size());
  record.copy(here + sizeof lengths + name.size(), record.size());
  if (slot.place == 0) {
    ++taken_;
  } else {
    Lengths old{};
    std::memcpy(&old, at(slot.place), sizeof old);
    garbage_ += sizeof old + old.name + old.record;
  }
  slot.place = static_cast<uint32_t>(((pieces_.size() - 1) * kPiece + end_) / kAlign);
  slot.tag = static_cast<uint32_t>(hash >> 32);
  end_ += size;
  used_ += size;
  return true;
}

}  // namespace saslatch::passdb
