// A stored password as a passwd-file or an import gives it: never crashes the parser, and whatever
// is accepted keeps its promises. Only what is not slow is verified, so each input takes
// microseconds.

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "daemon/password/dummy.h"
#include "daemon/password/limits.h"
#include "daemon/password/verify.h"

namespace {

class FixedRandom final : public saslatch::Random {
 public:
  void fill(std::span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(engine_());
  }

 private:
  std::mt19937 engine_;
};

void demand(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saslatch::password;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::string_view default_scheme : {"CRYPT", "PLAIN", "SHA256"}) {
    const auto stored = parse(text, default_scheme);
    if (!stored) {
      demand(!stored.error().message.empty());
      continue;
    }
    // The prefix makes it longer, and there is a limit.
    const std::string prefixed = with_scheme(text, default_scheme);
    demand(prefixed.size() > kMaxStoredSize || parse(prefixed, "").has_value());
    demand(verify(*stored, "") == Check::kMismatch);
    if (!is_slow(*stored)) {
      demand(verify(*stored, text.substr(0, 64)) != Check::kUnusable);
      demand(verify_cram_md5(*stored, text, "0123456789abcdef") != Check::kMatch);
    }
    FixedRandom random;
    const auto dummy = parse(dummy_like(*stored, random), "");
    demand(dummy && is_slow(*dummy) == is_slow(*stored));
  }
  return 0;
}
