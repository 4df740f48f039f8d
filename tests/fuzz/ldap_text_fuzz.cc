// What a directory's passdb reads and writes as text: by the first byte a filter or DN with a name
// put in, the words of `attributes`, or a stored password as a directory has it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/passdb/ldap/ldap_text.h"
#include "protocol/base/base64.h"

namespace {

using namespace saslatch;
using namespace saslatch::passdb;

void require(bool holds) {
  if (!holds) std::abort();
}

// As RFC 4514 and RFC 4515 read a value: "\XX" is a byte, and nothing else may mean anything.
std::optional<std::string> read_value(std::string_view text) {
  std::string value;
  while (!text.empty()) {
    if (std::string_view("\\()*,+\"<>;=# /&|!~").find(text.front()) == std::string_view::npos) {
      value += text.front();
      text.remove_prefix(1);
      continue;
    }
    if (text.front() != '\\') return std::nullopt;
    const auto byte = hex_decode(text.substr(1, 2));
    if (!byte || byte->size() != 1) return std::nullopt;
    value += *byte;
    text.remove_prefix(3);
  }
  return value;
}

void fill(std::string_view text) {
  const std::string_view name = text.substr(0, text.find('\n'));
  require(read_value(escape_ldap(name)) == name);
  // A name leaves the rest of a filter as it is.
  const auto filter = LdapTemplate::parse("(&(objectClass=person)(uid=%u)(cn=*))");
  const auto filled = filter->fill(name);
  require(filled.has_value() == !name.empty());
  if (filled) {
    const std::string_view begin = "(&(objectClass=person)(uid=", end = ")(cn=*))";
    require(filled->starts_with(begin) && filled->ends_with(end));
    require(read_value(std::string_view(*filled).substr(
                begin.size(), filled->size() - begin.size() - end.size())) == name);
  }
  if (name.size() == text.size()) return;
  const auto made = LdapTemplate::parse(text.substr(name.size() + 1));
  if (!made) return require(!made.error().message.empty());
  // Only the escaped parts of the name are added to what the template has itself.
  if (const auto whole = made->fill(name)) require(whole->size() <= 3 * name.size() * text.size());
  require(!made->fill(""));
}

void attributes(std::string_view text) {
  const auto read = LdapAttributes::parse(text);
  if (!read) return require(!read.error().message.empty());
  for (const std::string& name : read->names()) {
    require(!name.empty() && name.find_first_of(" \t=()*\\@") == std::string::npos);
    require(text.find(name) != std::string_view::npos);
  }
}

void stored(std::string_view text) {
  const std::string read = stored_password_of_ldap(text);
  require(read.starts_with('{') && read.find('}') != std::string::npos);
  require(stored_password_of_ldap(read) == read);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0]) {
    case 'a':
      attributes(text);
      break;
    case 's':
      stored(text);
      break;
    default:
      fill(text);
  }
  return 0;
}
