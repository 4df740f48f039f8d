#ifndef SASLATCH_TESTS_DAEMON_PASSWORD_VECTORS_H_
#define SASLATCH_TESTS_DAEMON_PASSWORD_VECTORS_H_

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace saslatch::password {

// Rows of a file of data/: columns between TABs, comments and empty lines left out.
inline std::vector<std::vector<std::string>> read_rows(const std::string& name, size_t columns) {
  std::ifstream file(std::string(SASLATCH_TESTS_DIR "/daemon/password/data/") + name);
  EXPECT_TRUE(file) << name;
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::vector<std::string> row;
    size_t begin = 0;
    for (size_t tab = 0; tab != std::string::npos; begin = tab + 1) {
      tab = line.find('\t', begin);
      row.push_back(line.substr(begin, tab == std::string::npos ? tab : tab - begin));
    }
    EXPECT_EQ(row.size(), columns) << name << ": " << line;
    if (row.size() == columns) rows.push_back(std::move(row));
  }
  EXPECT_FALSE(rows.empty()) << name;
  return rows;
}

}  // namespace saslatch::password

#endif  // SASLATCH_TESTS_DAEMON_PASSWORD_VECTORS_H_
