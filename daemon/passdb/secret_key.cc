#include "daemon/passdb/secret_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "daemon/passdb/descriptor.h"
#include "protocol/base/base64.h"
#include "protocol/base/crypto/aead.h"

namespace saslatch::passdb {
namespace {

using Kind = StoreError::Kind;

tl::unexpected<StoreError> system_failure(const std::string& what, int error) {
  const bool denied = error == EACCES || error == EPERM;
  return store_failure(denied ? Kind::kPermission : Kind::kCantCreate,
                       what + ": " + std::generic_category().message(error));
}

bool sync_directory(const std::string& directory) {
  const Descriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened.get() >= 0 && fsync(opened.get()) == 0;
}

// Makes the key under a name of its own and links it into place, so that whoever sees the file sees
// all of it, and a second maker finds it there.
StoreResult<void> create_key(const std::string& state_dir, Random& random) {
  std::array<uint8_t, 8> tag;
  random.fill(tag);
  const std::string path = secret_key_path(state_dir);
  const std::string temporary =
      path + "." + hex_encode({reinterpret_cast<const char*>(tag.data()), tag.size()});
  const Descriptor file(create_private_file(temporary, state_dir));
  if (file.get() < 0) return system_failure("cannot make " + path, errno);

  std::array<uint8_t, kAeadKeySize> key;
  random.fill(key);
  const bool written =
      write(file.get(), key.data(), key.size()) == static_cast<ssize_t>(key.size()) &&
      fsync(file.get()) == 0;
  int error = written ? 0 : errno;
  wipe(key.data(), key.size());
  if (written && link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) error = errno;
  unlink(temporary.c_str());
  if (error == 0 && !sync_directory(state_dir)) error = errno;
  if (error != 0) return system_failure("cannot make " + path, error);
  return {};
}

}  // namespace

std::string secret_key_path(const std::string& state_dir) { return state_dir + "/secret.key"; }

int create_private_file(const std::string& path, const std::string& directory) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return -1;
  struct stat owner {};
  const bool well =
      fchmod(fd, 0600) == 0 && (geteuid() != 0 || (stat(directory.c_str(), &owner) == 0 &&
                                                   fchown(fd, owner.st_uid, owner.st_gid) == 0));
  if (well) return fd;
  const int error = errno;
  close(fd);
  unlink(path.c_str());
  errno = error;
  return -1;
}

StoreResult<Secret> load_secret_key(const std::string& state_dir) {
  const std::string path = secret_key_path(state_dir);
  const Descriptor file(
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  if (file.get() < 0) return system_failure("cannot read " + path, errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return system_failure("cannot read " + path, errno);
  if (!S_ISREG(status.st_mode) || status.st_size != static_cast<off_t>(kAeadKeySize)) {
    return store_failure(Kind::kBroken, path + " is no key file of " +
                                            std::to_string(kAeadKeySize) +
                                            " bytes; restore it from a backup");
  }
  if ((status.st_mode & 077) != 0) {
    return store_failure(Kind::kPermission, path +
                                                " may be read by others, so it is not used; "
                                                "mend: chmod 600 " +
                                                path);
  }
  std::string key(kAeadKeySize, '\0');
  const ssize_t got = read(file.get(), key.data(), key.size());
  Secret secret = Secret::take(key);
  if (got != static_cast<ssize_t>(kAeadKeySize)) {
    return store_failure(Kind::kBroken, "cannot read all of " + path);
  }
  return secret;
}

StoreResult<Secret> load_or_create_secret_key(const std::string& state_dir, Random& random) {
  if (access(secret_key_path(state_dir).c_str(), F_OK) != 0 && errno == ENOENT) {
    if (auto made = create_key(state_dir, random); !made) return tl::unexpected(made.error());
  }
  return load_secret_key(state_dir);
}

}  // namespace saslatch::passdb
