#ifndef SASLATCH_TESTS_DAEMON_PASSDB_SCRATCH_DIR_H_
#define SASLATCH_TESTS_DAEMON_PASSDB_SCRATCH_DIR_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace saslatch::passdb {

// A folder of its own, gone with the object.
class ScratchDir {
 public:
  ScratchDir() : path_(::testing::TempDir() + "/saslatch-passdb-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "cannot make " << path_;
  }
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

  // Rewrites the file in place, as an editor or a shell's `>` does.
  std::string write(std::string_view name, std::string_view bytes) const {
    std::ofstream(file(name), std::ios::binary | std::ios::trunc) << bytes;
    return file(name);
  }
  // Puts a new file in its place, as `mv` does.
  void replace(std::string_view name, std::string_view bytes) const {
    write("new", bytes);
    std::filesystem::rename(file("new"), file(name));
  }

 private:
  std::string path_;
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_TESTS_DAEMON_PASSDB_SCRATCH_DIR_H_
