// What saslatch-pam-worker reads from saslatchd, and the other way round: whatever parses is made
// into the same bytes again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/passdb/pam/pam_frames.h"

using namespace saslatch::passdb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto length = frame_size(bytes.substr(0, kPamHeader));
  if (!length || bytes.size() != kPamHeader + *length) return 0;
  const std::string_view body = bytes.substr(kPamHeader);
  if (const auto question = decode_question(body)) {
    const auto again = encode(*question);
    if (!again || again->reveal() != bytes) std::abort();
  }
  if (const auto answer = decode_answer(body); answer && encode(*answer) != bytes) std::abort();
  return 0;
}
