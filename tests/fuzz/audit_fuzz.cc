#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "daemon/audit/audit.h"
#include "daemon/audit/log_targets.h"

// Whatever a client calls itself: the audit line is one line of JSON, and the log line has exactly
// the fields it was given.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saslatch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  AuthEvent event;
  event.user = text;
  const std::string line = to_json_line(event);
  if (line.find('\n') != line.size() - 1 || !nlohmann::json::accept(line)) std::abort();

  const std::string logged = format_log_line("name", "sentence", {{"key", text}});
  const std::string value = logged.substr(std::string("name: sentence key=").size());
  for (const char c : logged) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) std::abort();
  }
  const bool quoted = value.starts_with('"');
  if (quoted && !nlohmann::json::accept(value)) std::abort();
  if (!quoted && (value.empty() || value.find_first_of(" =\"") != std::string::npos)) std::abort();
  return 0;
}
