#include "daemon/passdb/passwd_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "daemon/passdb/mask.h"
#include "daemon/passdb/typical.h"

namespace saslatch::passdb {
namespace {

// More user and group names than a mail server's file can mean; further ones stay unknown.
constexpr size_t kMaxIdNames = 1000;

// How many lines may be accounts.
size_t count_entries(std::string_view bytes) {
  size_t entries = 0;
  for (size_t begin = 0; begin < bytes.size();) {
    const char first = bytes[begin];
    entries += first != '\n' && first != '#' && first != ':' ? 1 : 0;
    begin = std::min(bytes.find('\n', begin), bytes.size()) + 1;
  }
  return entries;
}

// Writes what one line has to tell into the report.
class LineNotes final : public PasswdNotes {
 public:
  explicit LineNotes(PasswdReport& report) : report_(report) {}

  void problem(std::string text) override {
    ++report_.problems;
    if (report_.first.size() < PasswdReport::kMaxProblems) {
      report_.first.push_back({report_.lines, std::move(text)});
    }
  }
  void ignored(std::string_view field) override {
    std::string name(field.substr(0, kMaxFieldName));
    const bool full = report_.ignored.size() >= PasswdReport::kMaxFields;
    if (full && !report_.ignored.contains(name)) name = "...";
    ++report_.ignored[name];
  }

 private:
  static constexpr size_t kMaxFieldName = 64;

  PasswdReport& report_;
};

}  // namespace

PasswdTable::PasswdTable(std::string bytes, PasswdFormat format, const IdResolver& resolve,
                         Random& random, PasswdReport& report)
    : bytes_(std::move(bytes)), format_(std::move(format)), seed_(random.below(UINT64_MAX)) {
  slots_.resize(std::bit_ceil(2 * std::min(count_entries(bytes_), kMaxAccounts) + 2));
  load(resolve, random, report);
}

PasswdTable::~PasswdTable() { wipe(bytes_); }

void PasswdTable::load(const IdResolver& resolve, Random& random, PasswdReport& report) {
  LineNotes notes(report);
  TypicalTally tally;
  uint64_t to_next_sample = 0;
  const uint64_t sample_step = std::max<uint64_t>(1, slots_.size() / 2 / TypicalTally::kSample);
  for (size_t begin = 0; begin < bytes_.size();) {
    const size_t end = std::min(bytes_.find('\n', begin), bytes_.size());
    const auto offset = static_cast<uint32_t>(begin);
    const std::string_view line = line_at(begin);
    begin = end + 1;
    ++report.lines;
    const auto fields = split_passwd_line(line);
    if (!fields) {
      notes.problem(fields.error().message + "; the line is skipped");
      continue;
    }
    if (!*fields) continue;
    const std::string_view name = (*fields)->name;
    const uint64_t hash = hash_of(name);
    Slot& slot = slots_[slot_of(name, hash)];
    if (slot.offset != kFree) {
      notes.problem("the name stands in line " + line_number_of(slot.offset, report) +
                    " already, which counts");
      continue;
    }
    if (accounts_ == kMaxAccounts) {
      notes.problem("the file has more than " + std::to_string(kMaxAccounts) +
                    " accounts; the line is skipped");
      continue;
    }
    slot = {offset, static_cast<uint32_t>(hash >> 32)};
    ++accounts_;
    // Most lines are "user:password", of which nothing more can be wrong here.
    if (!(*fields)->uid.empty() || !(*fields)->gid.empty() || !(*fields)->extra.empty()) {
      read_ids(**fields, resolve);
      Account account;
      (void)read_passwd_entry(**fields, name, format_, ids_, &notes, account);
    }
    if (to_next_sample-- == 0) {
      to_next_sample = sample_step - 1;
      if (Account account; read_passwd_entry(**fields, name, format_, ids_, nullptr, account)) {
        for (const Secret& stored : account.credentials) tally.add(stored.reveal(), "", random);
      }
    }
  }
  report.accounts = accounts_;
  typical_ = tally.result(accounts_);
}

std::string PasswdTable::line_number_of(uint32_t offset, const PasswdReport& report) const {
  // Counting is slow, and nobody will read the number.
  if (report.first.size() >= PasswdReport::kMaxProblems) return "?";
  return std::to_string(1 + std::count(bytes_.begin(), bytes_.begin() + offset, '\n'));
}

void PasswdTable::read_ids(const PasswdFields& fields, const IdResolver& resolve) {
  const NamedIds named = named_ids(fields);
  const auto learn = [&resolve](std::string_view name, bool group, auto& names) {
    if (name.empty() || names.size() >= kMaxIdNames || names.contains(name)) return;
    if (const auto id = resolve(name, group)) names.emplace(name, *id);
  };
  learn(named.user, false, ids_.users);
  learn(named.group, true, ids_.groups);
}

uint64_t PasswdTable::hash_of(std::string_view name) const {
  // FNV-1a from a random start, mixed at the end because the table uses the low bits.
  uint64_t hash = 0xcbf29ce484222325u ^ seed_;
  for (const char c : name) {
    hash ^= static_cast<uint8_t>(format_.lowercase ? ascii_lower(c) : c);
    hash *= 0x100000001b3u;
  }
  hash ^= hash >> 32;
  hash *= 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 29;
}

bool PasswdTable::is_name_at(uint32_t offset, std::string_view name) const {
  const std::string_view at = std::string_view(bytes_).substr(offset, name.size() + 1);
  const std::string_view there = at.substr(0, name.size());
  const auto is_same = [](char a, char b) { return ascii_lower(a) == ascii_lower(b); };
  if (there != name && !(format_.lowercase && there.size() == name.size() &&
                         std::equal(there.begin(), there.end(), name.begin(), is_same))) {
    return false;
  }
  if (there.find(':') != std::string_view::npos || there.find('\n') != std::string_view::npos) {
    return false;
  }
  return at.size() == name.size() || at.back() == ':' || at.back() == '\n' || at.back() == '\r';
}

size_t PasswdTable::slot_of(std::string_view name, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  size_t i = hash & mask;
  while (slots_[i].offset != kFree &&
         (slots_[i].tag != tag || !is_name_at(slots_[i].offset, name))) {
    i = (i + 1) & mask;
  }
  return i;
}

std::string_view PasswdTable::line_at(size_t offset) const {
  std::string_view line = std::string_view(bytes_).substr(offset);
  line = line.substr(0, line.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

Lookup PasswdTable::find(std::string_view name) const {
  Lookup found(std::in_place_type<Account>);
  const Slot& slot = slots_[slot_of(name, hash_of(name))];
  if (slot.offset != kFree) {
    const auto fields = split_passwd_line(line_at(slot.offset));
    if (fields && *fields &&
        read_passwd_entry(**fields, name, format_, ids_, nullptr, std::get<Account>(found))) {
      return found;
    }
  }
  found = UnknownUser{};
  return found;
}

void PasswdTable::list(std::string_view mask,
                       const std::function<bool(std::string_view name)>& each) const {
  for (size_t begin = 0; begin < bytes_.size();) {
    const std::string_view line = line_at(begin);
    const auto fields = split_passwd_line(line);
    if (fields && *fields) {
      std::string name((*fields)->name);
      // A second line for the name is no account.
      const bool counts = slots_[slot_of(name, hash_of(name))].offset == begin;
      if (format_.lowercase) std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
      if (counts && matches_mask(mask, name) && !each(name)) return;
    }
    begin = std::min(bytes_.find('\n', begin), bytes_.size()) + 1;
  }
}

}  // namespace saslatch::passdb
