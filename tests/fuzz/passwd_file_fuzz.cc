// A passwd-file, as the driver loads it and as `saslatch user import` reads it. The first byte says
// whether names are folded.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/passdb/passwd_table.h"
#include "daemon/passdb/user_import.h"
#include "daemon/password/stored_password.h"
#include "protocol/base/random.h"

namespace {

using namespace saslatch;
using namespace saslatch::passdb;

void require(bool holds) {
  if (!holds) std::abort();
}

class Zeros final : public Random {
 public:
  void fill(std::span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = 0;
  }
};

std::optional<uint32_t> resolve(std::string_view name, bool) {
  if (name == "mail") return 8;
  return std::nullopt;
}

void load(std::string_view bytes, bool lowercase) {
  Zeros random;
  PasswdReport report;
  const PasswdTable table(std::string(bytes), {"CRYPT", lowercase}, resolve, random, report);
  require(report.first.size() <= PasswdReport::kMaxProblems);
  require(report.ignored.size() <= PasswdReport::kMaxFields + 1);
  std::vector<std::string> names;
  table.list("*", [&names](std::string_view name) {
    names.emplace_back(name);
    return true;
  });
  require(names.size() == table.size() && report.accounts == table.size());
  for (const std::string& name : names) {
    const Lookup found = table.find(name);
    if (const auto* account = std::get_if<Account>(&found)) {
      require(is_valid_name(account->name) && account->credentials.size() <= 1);
      require(!account->nopassword || account->credentials.empty());
    } else {
      require(std::holds_alternative<UnknownUser>(found));
      require(bytes.find("noauthenticate") != std::string_view::npos);
    }
  }
}

void import(std::string_view bytes, bool lowercase) {
  const ImportOptions options{"CRYPT", lowercase, false};
  ImportReader reader(bytes, options);
  while (const auto account = reader.next()) {
    require(is_valid_name(account->name));
    require(password::parse(account->stored.reveal(), "").has_value());
  }
  require(reader.errors().size() < 64 * 1024);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool lowercase = (data[0] & 1) != 0;
  load(bytes, lowercase);
  import(bytes, lowercase);
  return 0;
}
