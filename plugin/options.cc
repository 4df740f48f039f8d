#include "plugin/options.h"

#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "protocol/sasl/mechanisms.h"

namespace saslatch::plugin {
namespace {

// A name of the auth protocol's `service=`; RFC 4422 calls for one of GSSAPI's, which are short.
constexpr size_t kMaxService = 64;

class Reader {
 public:
  explicit Reader(const sasl_utils_t& utils) : utils_(utils) {}

  // Without the white space around it; absent or empty: nullopt.
  [[nodiscard]] std::optional<std::string> value(const char* name) const {
    const char* text = nullptr;
    unsigned length = 0;
    if (utils_.getopt(utils_.getopt_context, "saslatch", name, &text, &length) != SASL_OK ||
        text == nullptr) {
      return std::nullopt;
    }
    // `length` is not set by every application's own getopt.
    const std::string_view all(text);
    const size_t first = all.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return std::nullopt;
    return std::string(all.substr(first, all.find_last_not_of(" \t\r\n") - first + 1));
  }

 private:
  const sasl_utils_t& utils_;
};

void complain(Options& options, const std::string& name, const std::string& value,
              const std::string& accepted) {
  options.complaints.push_back(name + ": '" + value + "' is not accepted: " + accepted);
}

void read_socket(const Reader& reader, Options& options) {
  const auto value = reader.value("saslatch_socket");
  if (!value) return;
  if (value->size() < sizeof(sockaddr_un::sun_path)) {
    options.socket = *value;
    return;
  }
  complain(options, "saslatch_socket", *value,
           "a path has at most " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes; " +
               options.socket + " is used");
}

std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text) {
  int number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(rest, static_cast<size_t>(text.data() + text.size() - rest));
  if (number < 0 || number > kMostTimeout.count()) return std::nullopt;
  std::chrono::milliseconds timeout(number);
  if (unit.empty() || unit == "s") {
    timeout = std::chrono::seconds(number);
  } else if (unit != "ms") {
    return std::nullopt;
  }
  if (timeout < kLeastTimeout || timeout > kMostTimeout) return std::nullopt;
  return timeout;
}

void read_timeout(const Reader& reader, Options& options) {
  const auto value = reader.value("saslatch_timeout");
  if (!value) return;
  if (const auto timeout = parse_timeout(*value)) {
    options.timeout = *timeout;
    return;
  }
  complain(options, "saslatch_timeout", *value,
           "from 100ms to 60s, seconds without a unit; 8s is used");
}

// Unknown names are left out and the others kept: who names CRAM-MD5 and a typing error does not
// want PLAIN.
void read_mechanisms(const Reader& reader, Options& options) {
  const std::vector<sasl::MechanismInfo> known = sasl::known_mechanisms();
  std::vector<std::string> names;
  if (const auto value = reader.value("saslatch_mechanisms")) {
    for (size_t at = 0; (at = value->find_first_not_of(" \t,", at)) != std::string::npos;) {
      const size_t end = std::min(value->find_first_of(" \t,", at), value->size());
      const std::string name = value->substr(at, end - at);
      at = end;
      std::vector<std::string> more = names;
      more.push_back(name);
      if (const auto registry = sasl::Registry::create(known, more); registry) {
        names = std::move(more);
      } else {
        complain(options, "saslatch_mechanisms", name, registry.error().message);
      }
    }
    if (names.empty()) {
      // An empty list would stop smtpd ("no SASL authentication mechanisms").
      complain(options, "saslatch_mechanisms", *value, "no mechanism is left; all are offered");
    }
  }
  options.mechanisms =
      names.empty() ? known : sasl::Registry::create(known, names).value().offered();
}

void read_service(const Reader& reader, Options& options) {
  const auto value = reader.value("saslatch_service");
  if (!value) return;
  const bool is_word = std::all_of(value->begin(), value->end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  if (is_word && value->size() <= kMaxService) {
    options.service = *value;
    return;
  }
  complain(options, "saslatch_service", *value,
           "letters, digits, '-', '_' and '.', at most 64; the application's own is used");
}

void read_assume_tls(const Reader& reader, Options& options) {
  const auto value = reader.value("saslatch_assume_tls");
  if (!value) return;
  constexpr std::array<const char*, 4> kYes = {"yes", "true", "on", "1"};
  constexpr std::array<const char*, 4> kNo = {"no", "false", "off", "0"};
  const auto is_one_of = [&value](const auto& words) {
    return std::any_of(words.begin(), words.end(), [&value](const char* word) {
      return ::strcasecmp(value->c_str(), word) == 0;
    });
  };
  if (is_one_of(kYes)) {
    options.assume_tls = true;
  } else if (!is_one_of(kNo)) {
    complain(options, "saslatch_assume_tls", *value, "yes or no; no is used");
  }
}

}  // namespace

Options read_options(const sasl_utils_t& utils) {
  const Reader reader(utils);
  Options options;
  read_socket(reader, options);
  read_timeout(reader, options);
  read_mechanisms(reader, options);
  read_service(reader, options);
  read_assume_tls(reader, options);
  return options;
}

}  // namespace saslatch::plugin
