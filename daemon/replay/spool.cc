#include "daemon/replay/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

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

constexpr size_t kBuffer = size_t{256} * 1024;  // of a reader; holds several of the longest records

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

void Spool::finish() {
  if (trouble_.empty() && std::fflush(file_.get()) != 0)
    trouble_ = std::string("the temporary file is full: ") + std::strerror(errno);
}

SpoolReader::SpoolReader(const Spool& spool)
    : descriptor_(spool.file_ ? ::fileno(spool.file_.get()) : -1),
      left_(spool.file_ ? spool.size() : 0),
      buffer_(kBuffer) {}

// The next bytes; nullptr: there are no more.
const char* SpoolReader::take(size_t bytes) {
  while (end_ - begin_ < bytes) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    const ssize_t many = ::pread(descriptor_, buffer_.data() + end_, buffer_.size() - end_,
                                 static_cast<off_t>(offset_));
    if (many < 0 && errno == EINTR) continue;
    if (many <= 0) return nullptr;
    end_ += static_cast<size_t>(many);
    offset_ += static_cast<uint64_t>(many);
  }
  const char* taken = buffer_.data() + begin_;
  begin_ += bytes;
  return taken;
}

bool SpoolReader::next(Attempt& attempt) {
  if (left_ == 0) return false;
  const char* bytes = take(sizeof(Head));
  if (bytes == nullptr) return false;
  --left_;
  Head head;
  std::memcpy(&head, bytes, sizeof head);
  bytes = take(head.name);
  if (bytes == nullptr) return false;
  attempt.user.assign(bytes, head.name);
  attempt.at = Time(Time::duration(head.at));
  attempt.result = static_cast<Result>(head.result);
  attempt.origin = static_cast<Origin>(head.origin);
  attempt.names_user = (head.flags & kNamed) != 0;
  attempt.password.reset();
  if ((head.flags & kPassword) != 0) attempt.password = head.password;
  attempt.rip.reset();
  const std::string_view rip(reinterpret_cast<const char*>(head.rip), sizeof head.rip);
  if ((head.flags & (kV4 | kV6)) != 0)
    attempt.rip = IpAddress::from_bytes(rip.substr(0, (head.flags & kV4) != 0 ? 4 : 16));
  return true;
}

}  // namespace saslatch::replay
