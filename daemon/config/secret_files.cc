#include "daemon/config/secret_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "protocol/base/base64.h"

namespace saslatch::config {
namespace {

std::string why(int error) { return std::generic_category().message(error); }

// All of the file if it is not longer than `most`.
Result<Secret> read_private(const std::string& path, size_t most) {
  // Not blocking: the path may be that of a pipe.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return failure(why(errno));
  struct stat status {};
  std::string text(most + 1, '\0');
  ssize_t got = -1;
  std::string trouble;
  // Of either call errno says why it failed. NOLINTNEXTLINE(bugprone-branch-clone)
  if (fstat(fd, &status) != 0) {
    trouble = why(errno);
  } else if (!S_ISREG(status.st_mode)) {
    trouble = "is no regular file";
  } else if ((status.st_mode & S_IRWXO) != 0) {
    trouble = "others may read it, so it is not used; mend: chmod o= " + path;
  } else if ((got = read(fd, text.data(), text.size())) < 0) {
    trouble = why(errno);
  } else if (static_cast<size_t>(got) > most) {
    trouble = "is longer than " + std::to_string(most) + " bytes";
  }
  close(fd);
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  Secret secret = Secret::take(text);
  if (!trouble.empty()) return failure(trouble);
  return secret;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_text(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](char c) { return is_space(c) || (c > ' ' && c < 0x7f); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

}  // namespace

Result<Secret> read_password_file(const std::string& path) {
  constexpr size_t kLineEnd = 2;
  const auto file = read_private(path, kMaxPasswordBytes + kLineEnd);
  if (!file) return tl::unexpected(file.error());
  std::string_view line = file->reveal().substr(0, file->reveal().find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return failure("its first line is empty");
  if (line.size() > kMaxPasswordBytes || std::any_of(line.begin(), line.end(), is_control)) {
    return failure("its first line is no password");
  }
  return Secret(line);
}

Result<Secret> read_key_file(const std::string& path) {
  auto file = read_private(path, kMaxKeyFileBytes);
  if (!file) return tl::unexpected(file.error());
  if (is_text(file->reveal())) {
    const std::string_view text = trimmed(file->reveal());
    if (auto bytes = hex_decode(text)) {
      *file = Secret::take(*bytes);
    } else if (auto decoded = base64_decode_secret(text)) {
      *file = std::move(*decoded);
    } else {
      return failure("is text, but neither base64 nor hexadecimal");
    }
  }
  if (file->size() < kMinKeyBytes) {
    return failure("holds " + std::to_string(file->size()) + " bytes, and a key has at least " +
                   std::to_string(kMinKeyBytes));
  }
  return file;
}

}  // namespace saslatch::config
