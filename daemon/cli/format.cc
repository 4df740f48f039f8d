#include "daemon/cli/format.h"

#include <array>
#include <cstdio>

namespace saslatch::cli {

std::string format_duration(std::chrono::seconds duration) {
  struct Unit {
    int64_t seconds;
    char letter;
  };
  constexpr std::array<Unit, 4> kUnits{{{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}}};
  int64_t left = std::max<int64_t>(duration.count(), 0);
  for (size_t i = 0; i < kUnits.size(); ++i) {
    const int64_t count = left / kUnits[i].seconds;
    if (count == 0 && i + 1 < kUnits.size()) continue;
    std::string text = std::to_string(count) + kUnits[i].letter;
    left %= kUnits[i].seconds;
    if (i + 1 < kUnits.size() && left >= kUnits[i + 1].seconds) {
      text += ' ' + std::to_string(left / kUnits[i + 1].seconds) + kUnits[i + 1].letter;
    }
    return text;
  }
  return "0s";
}

std::string format_time(std::chrono::sys_seconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::string without_fraction(std::string_view time) {
  const size_t dot = time.find('.');
  if (dot == std::string_view::npos || time.back() != 'Z') return std::string(time);
  return std::string(time.substr(0, dot)) + 'Z';
}

std::string counted(uint64_t count, std::string_view singular) {
  return std::to_string(count) + ' ' + std::string(singular) + (count == 1 ? "" : "s");
}

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::string text_field(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

int64_t number_field(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<int64_t>() : 0;
}

bool bool_field(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

const Json& part(const Json& object, std::string_view name) {
  static const Json kNothing = Json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_structured() ? *found : kNothing;
}

}  // namespace saslatch::cli
