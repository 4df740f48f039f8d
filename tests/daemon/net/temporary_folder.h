#ifndef SASLATCH_TESTS_DAEMON_NET_TEMPORARY_FOLDER_H_
#define SASLATCH_TESTS_DAEMON_NET_TEMPORARY_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <string>

namespace saslatch::testing {

// A folder of its own for each test; gone with everything in it afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = "/tmp/saslatch-test-XXXXXX";  // short: sockets have 107 bytes for a path
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace saslatch::testing

#endif  // SASLATCH_TESTS_DAEMON_NET_TEMPORARY_FOLDER_H_
