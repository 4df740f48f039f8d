#ifndef SASLATCH_DAEMON_PASSWORD_RANDOM_BYTES_H_
#define SASLATCH_DAEMON_PASSWORD_RANDOM_BYTES_H_

#include <string>

#include "protocol/base/random.h"

namespace saslatch::password {

inline std::string random_bytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  random.fill({reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  return bytes;
}

}  // namespace saslatch::password

#endif  // SASLATCH_DAEMON_PASSWORD_RANDOM_BYTES_H_
