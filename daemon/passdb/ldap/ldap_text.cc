#include "daemon/passdb/ldap/ldap_text.h"

#include <algorithm>
#include <utility>

#include "daemon/passdb/mask.h"

namespace saslatch::passdb {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '@';
}

bool starts_with_scheme(std::string_view value, std::string_view scheme) {
  return value.size() >= scheme.size() &&
         std::equal(scheme.begin(), scheme.end(), value.begin(),
                    [](char a, char b) { return ascii_lower(a) == ascii_lower(b); });
}

// Takes the next word off `rest`; empty at its end.
std::string_view take_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

}  // namespace

std::string escape_ldap(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (is_plain(c)) {
      escaped += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    escaped += '\\';
    escaped += kHex[byte >> 4];
    escaped += kHex[byte & 15];
  }
  return escaped;
}

Result<LdapTemplate> LdapTemplate::parse(std::string_view text) {
  LdapTemplate made;
  bool has_name = false;
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    const char what = ++i < text.size() ? text[i] : '\0';
    if (what == '%') {
      plain += '%';
      continue;
    }
    if (what != 'u' && what != 'n' && what != 'd') {
      return failure("'" + std::string(text.substr(i - 1, 2)) +
                     "' means nothing; accepted: %u, %n, %d, and %% for a %");
    }
    made.pieces_.push_back({0, std::exchange(plain, {})});
    made.pieces_.push_back({what, {}});
    has_name |= what != 'd';
  }
  made.pieces_.push_back({0, std::move(plain)});
  if (!has_name)
    return failure("neither %u nor %n is in it, so that it would mean everybody alike");
  return made;
}

std::optional<std::string> LdapTemplate::fill(std::string_view username) const {
  const size_t at = username.find('@');
  const std::string_view local = username.substr(0, at);
  const std::string_view domain =
      at == std::string_view::npos ? std::string_view() : username.substr(at + 1);
  std::string filled;
  for (const Piece& piece : pieces_) {
    if (piece.variable == 0) {
      filled += piece.text;
      continue;
    }
    const std::string_view part =
        piece.variable == 'u' ? username : (piece.variable == 'n' ? local : domain);
    if (part.empty()) return std::nullopt;
    filled += escape_ldap(part);
  }
  return filled;
}

Result<LdapAttributes> LdapAttributes::parse(std::string_view words) {
  LdapAttributes made;
  const std::pair<std::string_view, std::string*> kFields[] = {
      {"user", &made.user},       {"password", &made.password},
      {"nologin", &made.nologin}, {"allow_nets", &made.allow_nets},
      {"uid", &made.uid},         {"gid", &made.gid},
      {"home", &made.home}};
  while (true) {
    const std::string_view word = take_word(words);
    if (word.empty()) return made;
    const size_t equals = word.find('=');
    const std::string_view attribute = word.substr(0, equals);
    const std::string_view field =
        equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    const auto* known = std::find_if(std::begin(kFields), std::end(kFields),
                                     [field](const auto& one) { return one.first == field; });
    const bool is_name = !attribute.empty() &&
                         std::all_of(attribute.begin(), attribute.end(),
                                     [](char c) { return (is_plain(c) && c != '@') || c == ';'; });
    if (!is_name || known == std::end(kFields)) {
      return failure("'" + std::string(word) +
                     "' is not ATTRIBUTE=FIELD; the fields are user, password, nologin, "
                     "allow_nets, uid, gid and home");
    }
    *known->second = attribute;
  }
}

std::vector<std::string> LdapAttributes::names() const {
  std::vector<std::string> all;
  for (const std::string* one : {&user, &password, &nologin, &allow_nets, &uid, &gid, &home}) {
    if (!one->empty()) all.push_back(*one);
  }
  return all;
}

std::string stored_password_of_ldap(std::string_view value) {
  const bool has_scheme = value.starts_with('{') && value.find('}') != std::string_view::npos;
  std::string stored;
  stored.reserve(value.size() + sizeof "{LDAP-MD5}");
  if (!has_scheme) return stored.append("{PLAIN}").append(value);
  constexpr std::string_view kMd5 = "{MD5}";
  if (!starts_with_scheme(value, kMd5) || value.substr(kMd5.size()).starts_with('$')) {
    return stored.append(value);
  }
  return stored.append("{LDAP-MD5}").append(value.substr(kMd5.size()));
}

}  // namespace saslatch::passdb
