#include "daemon/replay/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace saslatch::replay {
namespace {

// What of an attempt has one size; the name follows.
struct Head {
  int64_t at;
  uint64_t password;
  uint16_t name;
  uint8_t result;
  uint8_t origin;
  uint8_t flags;
  uint8_t rip[16];
};
constexpr uint8_t kNamed = 1, kPassword = 2, kV4 = 4, kV6 = 8;
constexpr size_t kMaxName = UINT16_MAX;

int unnamed_file() {
  const char* folder = std::getenv("TMPDIR");
  std::string path = (folder != nullptr && *folder != '\0' ? folder : "/tmp");
  path += "/saslatch-replay-XXXXXX";
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor >= 0) ::unlink(path.c_str());
  return descriptor;
}

// The bytes of an address back into one: its text form is what IpAddress reads.
std::optional<IpAddress> address_of(const uint8_t* bytes, bool v4) {
  std::string text;
  if (v4) {
    for (int i = 0; i < 4; ++i) text += (i > 0 ? "." : "") + std::to_string(bytes[i]);
  } else {
    constexpr char kDigits[] = "0123456789abcdef";
    for (int i = 0; i < 16; ++i) {
      if (i > 0 && i % 2 == 0) text += ':';
      text += kDigits[bytes[i] >> 4];
      text += kDigits[bytes[i] & 15];
    }
  }
  return IpAddress::parse(text);
}

}  // namespace

Spool::Spool() {
  const int descriptor = unnamed_file();
  if (descriptor >= 0) file_.reset(::fdopen(descriptor, "w+b"));
  if (!file_) trouble_ = std::string("no temporary file: ") + std::strerror(errno);
}

Spool::~Spool() = default;

void Spool::add(const Attempt& attempt, std::string_view user) {
  if (!trouble_.empty()) return;
  user = user.substr(0, kMaxName);
  Head head{};
  head.at = attempt.at.time_since_epoch().count();
  head.password = attempt.password.value_or(0);
  head.name = static_cast<uint16_t>(user.size());
  head.result = static_cast<uint8_t>(attempt.result);
  head.origin = static_cast<uint8_t>(attempt.origin);
  head.flags =
      static_cast<uint8_t>((attempt.names_user ? kNamed : 0) | (attempt.password ? kPassword : 0));
  if (attempt.rip) {
    head.flags |= attempt.rip->is_v4() ? kV4 : kV6;
    const std::string_view bytes = attempt.rip->bytes();
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(head.rip));
  }
  record_.assign(reinterpret_cast<const char*>(&head), sizeof head);
  record_ += user;
  if (std::fwrite(record_.data(), record_.size(), 1, file_.get()) != 1) {
    trouble_ = std::string("the temporary file is full: ") + std::strerror(errno);
    return;
  }
  ++size_;
}

void Spool::rewind() {
  if (!file_) return;
  std::fflush(file_.get());
  std::rewind(file_.get());
  left_ = size_;
}

bool Spool::next(Attempt& attempt) {
  Head head;
  if (left_ == 0 || std::fread(&head, sizeof head, 1, file_.get()) != 1) return false;
  --left_;
  attempt.user.resize(head.name);
  if (head.name > 0 && std::fread(attempt.user.data(), head.name, 1, file_.get()) != 1)
    return false;
  attempt.at = Time(Time::duration(head.at));
  attempt.result = static_cast<Result>(head.result);
  attempt.origin = static_cast<Origin>(head.origin);
  attempt.names_user = (head.flags & kNamed) != 0;
  attempt.password.reset();
  if ((head.flags & kPassword) != 0) attempt.password = head.password;
  attempt.rip.reset();
  if ((head.flags & (kV4 | kV6)) != 0) attempt.rip = address_of(head.rip, (head.flags & kV4) != 0);
  return true;
}

}  // namespace saslatch::replay
