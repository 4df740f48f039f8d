#include "protocol/sasl/registry.h"

#include <algorithm>

namespace saslatch::sasl {
namespace {

char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// RFC 4422, section 3.1: names are ASCII; no locale has a say.
bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_upper(x) == to_upper(y); });
}

const MechanismInfo* find_in(std::span<const MechanismInfo> mechanisms, std::string_view name) {
  const auto found =
      std::find_if(mechanisms.begin(), mechanisms.end(),
                   [name](const MechanismInfo& info) { return same_name(info.name, name); });
  return found == mechanisms.end() ? nullptr : &*found;
}

std::string names_of(std::span<const MechanismInfo> mechanisms) {
  std::string names;
  for (const MechanismInfo& info : mechanisms) {
    if (!names.empty()) names += ' ';
    names += info.name;
  }
  return names;
}

}  // namespace

Result<Registry> Registry::create(std::span<const MechanismInfo> known,
                                  std::span<const std::string> offer) {
  if (offer.empty()) {
    return failure("no mechanism is offered; accepted: any of " + names_of(known));
  }
  std::vector<MechanismInfo> offered;
  for (const std::string& name : offer) {
    const MechanismInfo* info = find_in(known, name);
    if (info == nullptr) {
      return failure("unknown mechanism '" + name + "'; accepted: any of " + names_of(known));
    }
    if (find_in(offered, name) != nullptr) {
      return failure("mechanism '" + name + "' is offered twice; name each once");
    }
    offered.push_back(*info);
  }
  return Registry(std::move(offered));
}

const MechanismInfo* Registry::find(std::string_view name) const { return find_in(offered_, name); }

}  // namespace saslatch::sasl
