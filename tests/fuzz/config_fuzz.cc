#include <cstdlib>
#include <string_view>

#include "daemon/config/parse.h"

// saslatch.conf: no crash, a bounded number of messages, and what can be used dumps to a file that
// can be used and dumps to itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saslatch::config;
  if (size > 16384) return 0;
  const Parsed parsed = parse({reinterpret_cast<const char*>(data), size});
  if (parsed.problems.size() > kMaxProblems) std::abort();
  if (parsed.has_errors()) return 0;
  const std::string once = dump(parsed.config);
  const Parsed again = parse(once);
  if (again.has_errors() || dump(again.config) != once) std::abort();
  return 0;
}
