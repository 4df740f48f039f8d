#include "daemon/password/main_password.h"

#include <algorithm>
#include <array>
#include <optional>

namespace saslatch::password {
namespace {

constexpr std::array kWords = {MainPassword::kAllowed, MainPassword::kRefused,
                               MainPassword::kRefusedIfCodes};

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<MainPassword> word_of(std::string_view text) {
  const auto found = std::find_if(kWords.begin(), kWords.end(),
                                  [text](MainPassword word) { return to_string(word) == text; });
  return found == kWords.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

std::string_view to_string(MainPassword word) {
  switch (word) {
    case MainPassword::kAllowed:
      return "allowed";
    case MainPassword::kRefused:
      return "refused";
    case MainPassword::kRefusedIfCodes:
      break;
  }
  return "refused-if-codes";
}

Result<std::string> parse_service(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(), lower);
  if (name.empty() || name.size() > MainPasswordRules::kMaxServiceBytes ||
      name.find_first_not_of(kAllowed) != std::string::npos) {
    return failure("a service is a name such as smtp: 1 to " +
                   std::to_string(MainPasswordRules::kMaxServiceBytes) +
                   " letters, digits, '-', '_' and '.'");
  }
  return name;
}

std::string_view MainPasswordRules::accepts() {
  return "allowed | refused | refused-if-codes, and SERVICE:WORD for single services";
}

Result<MainPasswordRules> MainPasswordRules::parse(std::string_view text) {
  constexpr std::string_view kBlank = " \t,";
  MainPasswordRules rules;
  bool any = false;
  bool has_others = false;
  for (;;) {
    const size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    const std::string_view item = text.substr(0, text.find_first_of(kBlank));
    text.remove_prefix(item.size());
    any = true;
    const size_t colon = item.find(':');
    const bool for_all = colon == std::string_view::npos;
    const auto word = word_of(for_all ? item : item.substr(colon + 1));
    if (!word) return failure("no such word; accepted: " + std::string(accepts()));
    if (for_all) {
      if (has_others) return failure("two words for all services");
      has_others = true;
      rules.others_ = *word;
      continue;
    }
    auto service = parse_service(item.substr(0, colon));
    if (!service) return tl::unexpected(service.error());
    if (rules.services_.size() == kMaxServices) {
      return failure("more than " + std::to_string(kMaxServices) + " services");
    }
    for (const auto& [known, ignored] : rules.services_) {
      if (known == *service) return failure("two words for the service " + known);
    }
    rules.services_.emplace_back(*std::move(service), *word);
  }
  if (!any) return failure("accepted: " + std::string(accepts()));
  return rules;
}

std::string MainPasswordRules::to_string() const {
  std::string text(password::to_string(others_));
  for (const auto& [service, word] : services_) {
    text.append(" ").append(service).append(":").append(password::to_string(word));
  }
  return text;
}

MainPassword MainPasswordRules::of(std::string_view service) const {
  for (const auto& [name, word] : services_) {
    if (equal(name, service)) return word;
  }
  return others_;
}

}  // namespace saslatch::password
