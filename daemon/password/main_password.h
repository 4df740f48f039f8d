#ifndef SASLATCH_DAEMON_PASSWORD_MAIN_PASSWORD_H_
#define SASLATCH_DAEMON_PASSWORD_MAIN_PASSWORD_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/result.h"

namespace saslatch::password {

// Whether an account's main password lets in where authorization codes do.
enum class MainPassword {
  kAllowed,
  kRefused,         // only codes let in
  kRefusedIfCodes,  // the same from an account's first usable code on
};
std::string_view to_string(MainPassword word);

// `main-password`: a word for all services, and others for some of them, as in "allowed
// smtp:refused-if-codes". A value.
class MainPasswordRules {
 public:
  // More would be a mistake of a generator; each attempt looks through them.
  static constexpr size_t kMaxServices = 32;
  static constexpr size_t kMaxServiceBytes = 64;

  // Words separated by blanks or commas, each `allowed`, `refused` or `refused-if-codes`, for one
  // service with its name and a colon before it. Names are taken in either case. At most one word
  // for all services; without it the others are allowed.
  static Result<MainPasswordRules> parse(std::string_view text);
  // What parse() accepts.
  static std::string_view accepts();

  // As parse() takes it; "allowed" for what refuses nothing.
  [[nodiscard]] std::string to_string() const;
  // `service` as a client sent it, in either case; empty where it sent none.
  [[nodiscard]] MainPassword of(std::string_view service) const;

  friend bool operator==(const MainPasswordRules&, const MainPasswordRules&) = default;

 private:
  MainPassword others_ = MainPassword::kAllowed;
  std::vector<std::pair<std::string, MainPassword>> services_;
};

// A service's name as codes and rules write it: letters, digits, `-`, `_` and `.`, in lower case.
// An error says what is accepted.
Result<std::string> parse_service(std::string_view text);

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_MAIN_PASSWORD_H_
