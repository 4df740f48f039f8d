#include "daemon/password/system_crypt.h"

#include <crypt.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <memory>

#include "daemon/password/limits.h"
#include "protocol/base/secret.h"

namespace saslatch::password {
namespace {

// crypt_data is 32 KiB in which the password and what is derived from it remain.
struct WipeAndDelete {
  void operator()(crypt_data* data) const {
    wipe(data, sizeof *data);
    delete data;
  }
};

}  // namespace

std::optional<std::string> system_crypt(std::string_view password, const std::string& setting) {
  assert(password.size() <= kMaxPasswordSize && password.find('\0') == std::string_view::npos);
  const std::unique_ptr<crypt_data, WipeAndDelete> data(new crypt_data());
  std::array<char, kMaxPasswordSize + 1> phrase{};
  std::copy(password.begin(), password.end(), phrase.begin());
  const char* const hashed =
      crypt_rn(phrase.data(), setting.c_str(), data.get(), sizeof(crypt_data));
  wipe(phrase.data(), phrase.size());
  if (hashed == nullptr) return std::nullopt;
  return hashed;
}

std::string new_setting(const char* prefix, uint32_t cost, std::string_view entropy) {
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  const char* const made =
      crypt_gensalt_rn(prefix, cost, entropy.data(), static_cast<int>(entropy.size()),
                       setting.data(), static_cast<int>(setting.size()));
  return made == nullptr ? std::string() : made;
}

}  // namespace saslatch::password
