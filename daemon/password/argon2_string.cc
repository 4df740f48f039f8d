#include "daemon/password/argon2_string.h"

#include <optional>

#include "daemon/password/limits.h"
#include "daemon/password/number.h"
#include "protocol/base/base64.h"

namespace saslatch::password {
namespace {

// What libsodium decodes, and as much again as anybody stores.
constexpr size_t kMinSalt = 8, kMinHash = 16, kMaxPart = 64;

constexpr std::string_view kForm = "no string of the form $argon2id$v=19$m=M,t=T,p=P$salt$hash";

Result<Argon2Parameters> parse_parameters(bool id, std::string_view text) {
  const auto m = take_until(text, ',');
  const auto t = take_until(text, ',');
  if (!m || !t || !m->starts_with("m=") || !t->starts_with("t=") || !text.starts_with("p=")) {
    return failure(std::string(kForm));
  }
  const auto lanes = parse_parameter("p", text.substr(2), 1, kMaxArgon2Lanes);
  if (!lanes) return tl::make_unexpected(lanes.error());
  // RFC 9106, section 3.1: at least 8 KiB a lane.
  const auto memory = parse_parameter("m (KiB)", m->substr(2), uint64_t{8} * *lanes, kMaxMemoryKib);
  if (!memory) return tl::make_unexpected(memory.error());
  const auto passes = parse_parameter("t", t->substr(2), 1, kMaxMemoryKibPasses / *memory);
  if (!passes) {
    return failure(passes.error().message + " with m=" + std::to_string(*memory));
  }
  return Argon2Parameters{id, *memory, *passes, *lanes};
}

}  // namespace

Result<Argon2> parse_argon2(std::string_view text) {
  std::string_view rest = text;
  bool id = true;
  if (rest.starts_with("$argon2i$")) {
    id = false;
    rest.remove_prefix(9);
  } else if (rest.starts_with("$argon2id$")) {
    rest.remove_prefix(10);
  } else {
    return failure(std::string(kForm));
  }
  const auto version = take_until(rest, '$');
  // Version 16 is Argon2 before its last change of 2016; libsodium has never computed it.
  if (version != "v=19") return failure("not of Argon2's version 19 (v=19)");
  const auto numbers = take_until(rest, '$');
  const auto salt_text = take_until(rest, '$');
  if (!numbers || !salt_text) return failure(std::string(kForm));
  const auto parameters = parse_parameters(id, *numbers);
  if (!parameters) return tl::make_unexpected(parameters.error());
  const auto salt = base64_decode_unpadded(*salt_text);
  const auto hash = base64_decode_unpadded(rest);
  if (!salt || !hash) return failure("salt or hash is not base64 without padding");
  if (salt->size() < kMinSalt || salt->size() > kMaxPart) {
    return failure("the salt has " + std::to_string(salt->size()) + " bytes; accepted are 8 to 64");
  }
  if (hash->size() < kMinHash || hash->size() > kMaxPart) {
    return failure("the hash has " + std::to_string(hash->size()) +
                   " bytes; accepted are 16 to 64");
  }
  return Argon2{std::string(text), *parameters, salt->size(), hash->size()};
}

std::string encode_argon2(const Argon2Parameters& parameters, std::string_view salt,
                          std::string_view hash) {
  const auto unpadded = [](std::string_view bytes) {
    std::string text = base64_encode(bytes);
    while (text.ends_with('=')) text.pop_back();
    return text;
  };
  return std::string(parameters.id ? "$argon2id$v=19$m=" : "$argon2i$v=19$m=") +
         std::to_string(parameters.memory_kib) + ",t=" + std::to_string(parameters.passes) +
         ",p=" + std::to_string(parameters.lanes) + "$" + unpadded(salt) + "$" + unpadded(hash);
}

}  // namespace saslatch::password
