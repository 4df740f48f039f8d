#include "daemon/passdb/passwd_entry.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "daemon/passdb/mask.h"
#include "daemon/password/stored_password.h"

namespace saslatch::passdb {
namespace {

// Takes what stands before the next `separator` off `rest`.
std::string_view take(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return taken;
}

void fold(std::string& name) {
  std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
}

// Decimal digits only. The last value is (uid_t)-1, which is nobody's.
std::optional<uint32_t> parse_id(std::string_view text) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id == UINT32_MAX) return {};
  return id;
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The forms of libpam-pwdfile, "text[13]" and so on; Dovecot takes them if there is no other mark.
std::string with_old_type(std::string_view password, std::string_view default_scheme) {
  constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {"[13]", "{CRYPT}"}, {"[34]", "{PLAIN-MD5}"}, {"[56]", "{DIGEST-MD5}"}};
  if (!password.starts_with('{') && !password.starts_with('$')) {
    for (const auto& [type, scheme] : kTypes) {
      if (password.size() > type.size() && password.ends_with(type)) {
        return std::string(scheme).append(password.substr(0, password.size() - type.size()));
      }
    }
  }
  return password::with_scheme(password, default_scheme);
}

// Reads the extra fields of one line into an Account.
class ExtraFields {
 public:
  ExtraFields(Account& account, const IdNames& ids, PasswdNotes* notes)
      : account_(account), ids_(ids), notes_(notes) {}

  void read(std::string_view words);
  void set(std::string_view key, std::string_view value);
  void set_id(std::string_view text, bool group);

  [[nodiscard]] bool authenticates() const { return authenticates_; }
  // What can only be said when all fields are known.
  void finish();

 private:
  // What a word is about; each is one bit of seen_.
  enum Field : unsigned {
    kUser = 1u << 0,
    kUsername = 1u << 1,
    kDomain = 1u << 2,
    kAllowNets = 1u << 3,
    kAllowRealNets = 1u << 4,
    kNodelay = 1u << 5,
    kNologin = 1u << 6,
    kNopassword = 1u << 7,
    kFail = 1u << 8,
    kNoauthenticate = 1u << 9,
    kUserdbUid = 1u << 10,
    kUserdbGid = 1u << 11,
    kUserdbHome = 1u << 12,
  };
  static std::optional<Field> field_named(std::string_view key);

  void obey(Field field, std::string_view value);
  void rename(Field field, std::string_view value);
  void set_networks(std::string_view list);
  void problem(std::string text) {
    if (notes_ != nullptr) notes_->problem(std::move(text));
  }

  Account& account_;
  const IdNames& ids_;
  PasswdNotes* notes_;
  unsigned seen_ = 0;
  bool authenticates_ = true;
};

std::optional<ExtraFields::Field> ExtraFields::field_named(std::string_view key) {
  constexpr std::pair<std::string_view, Field> kFields[] = {
      {"user", kUser},
      {"username", kUsername},
      {"domain", kDomain},
      {"allow_nets", kAllowNets},
      {"allow_real_nets", kAllowRealNets},
      {"nodelay", kNodelay},
      {"nologin", kNologin},
      {"nopassword", kNopassword},
      {"fail", kFail},
      {"noauthenticate", kNoauthenticate},
      {"userdb_uid", kUserdbUid},
      {"userdb_gid", kUserdbGid},
      {"userdb_home", kUserdbHome},
  };
  for (const auto& [name, field] : kFields) {
    if (key == name) return field;
  }
  return std::nullopt;
}

void ExtraFields::read(std::string_view words) {
  while (!words.empty()) {
    std::string_view value = take(words, ' ');
    if (value.empty()) continue;
    const std::string_view key = take(value, '=');
    set(key, value);
  }
}

void ExtraFields::set(std::string_view key, std::string_view value) {
  const std::string_view whole_key = key;
  bool only_if_unset = false;
  for (const std::string_view suffix : {":default", ":protected"}) {
    if (key.ends_with(suffix)) {
      key.remove_suffix(suffix.size());
      only_if_unset = true;
      break;
    }
  }
  const auto field = field_named(key);
  if (!field) {
    if (notes_ != nullptr) notes_->ignored(whole_key);
    return;
  }
  if (only_if_unset && (seen_ & *field) != 0) return;
  seen_ |= *field;
  obey(*field, value);
}

void ExtraFields::obey(Field field, std::string_view value) {
  switch (field) {
    case kUser:
    case kUsername:
    case kDomain:
      rename(field, value);
      break;
    case kAllowRealNets:
      // The address of the connection itself, which no MTA tells us apart from the rip.
      problem("allow_real_nets is taken as allow_nets");
      if ((seen_ & kAllowNets) == 0) set_networks(value);
      break;
    case kAllowNets:
      set_networks(value);
      break;
    case kNodelay:
      account_.nodelay = true;
      break;
    case kNologin:
    case kFail:
      account_.disabled = true;
      break;
    case kNopassword:
      account_.nopassword = true;
      break;
    case kNoauthenticate:
      authenticates_ = false;
      break;
    case kUserdbUid:
    case kUserdbGid:
      set_id(value, field == kUserdbGid);
      break;
    case kUserdbHome:
      account_.home = value;
      break;
  }
}

void ExtraFields::rename(Field field, std::string_view value) {
  std::string name(value);
  const size_t at = account_.name.find('@');
  if (field == kUsername && at != std::string::npos && value.find('@') == std::string_view::npos) {
    name.append(account_.name, at);
  } else if (field == kDomain) {
    name = account_.name.substr(0, at);
    if (!value.empty()) name.append(1, '@').append(value);
  }
  if (!is_valid_name(name) || (field != kDomain && value.empty())) {
    problem("user=, username= or domain= makes no valid name; the account is disabled");
    account_.disabled = true;
    return;
  }
  account_.name = std::move(name);
}

void ExtraFields::set_networks(std::string_view list) {
  account_.allow_nets.emplace();
  account_.allow_local = false;
  while (!list.empty()) {
    const std::string_view item = take(list, ',');
    if (item == "local") {
      account_.allow_local = true;
    } else if (const auto network = Network::parse(item)) {
      account_.allow_nets->push_back(*network);
    } else if (!item.empty()) {
      problem(
          "allow_nets has an entry that matches nothing; accepted: addresses, networks like "
          "192.0.2.0/24 and `local`, separated by commas");
    }
  }
}

void ExtraFields::set_id(std::string_view text, bool group) {
  if (text.empty()) return;
  std::optional<uint32_t> id = parse_id(text);
  if (!id && !is_number(text)) {
    const auto& names = group ? ids_.groups : ids_.users;
    if (const auto known = names.find(text); known != names.end()) id = known->second;
  }
  if (!id) {
    problem(group ? "the gid is neither a number nor a group of this system; USER answers without"
                  : "the uid is neither a number nor a user of this system; USER answers without");
  } else if (*id == 0) {
    account_.in_userdb = false;  // Dovecot answers NOTFOUND for root
  }
  (group ? account_.gid : account_.uid) = id;
}

void ExtraFields::finish() {
  if (account_.nopassword && !account_.credentials.empty()) {
    problem("nopassword beside a password; the password counts");
    account_.nopassword = false;
  }
}

}  // namespace

bool is_valid_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::none_of(name.begin(), name.end(),
                      [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
}

Result<std::optional<PasswdFields>> split_passwd_line(std::string_view line) {
  if (line.empty() || line.front() == '#' || line.front() == ':') return std::nullopt;
  if (line.size() > kMaxPasswdLine) {
    return failure("the line is longer than " + std::to_string(kMaxPasswdLine) + " bytes");
  }
  if (line.find('\0') != std::string_view::npos) return failure("a NUL byte is in the line");
  PasswdFields fields;
  fields.name = take(line, ':');
  if (!is_valid_name(fields.name)) {
    return failure("the name is too long (accepted: " + std::to_string(kMaxNameBytes) +
                   " bytes) or has a control character");
  }
  fields.password = take(line, ':');
  fields.uid = take(line, ':');
  fields.gid = take(line, ':');
  take(line, ':');  // gecos
  fields.home = take(line, ':');
  take(line, ':');  // shell
  fields.extra = line;
  return fields;
}

NamedIds named_ids(const PasswdFields& fields) {
  NamedIds named{fields.uid, fields.gid};
  std::string_view words = fields.extra;
  while (!words.empty()) {
    std::string_view value = take(words, ' ');
    const std::string_view key = take(value, '=');
    if (key.starts_with("userdb_uid")) named.user = value;
    if (key.starts_with("userdb_gid")) named.group = value;
  }
  if (is_number(named.user)) named.user = {};
  if (is_number(named.group)) named.group = {};
  return named;
}

bool read_passwd_entry(const PasswdFields& fields, std::string_view asked,
                       const PasswdFormat& format, const IdNames& ids, PasswdNotes* notes,
                       Account& account) {
  account.name = asked;
  account.home = fields.home;
  if (password::has_scheme(fields.password)) {
    account.credentials.emplace_back(fields.password);
  } else if (!fields.password.empty()) {
    std::string stored = with_old_type(fields.password, format.default_scheme);
    account.credentials.push_back(Secret::take(stored));
  }
  ExtraFields extra(account, ids, notes);
  extra.set_id(fields.uid, false);
  extra.set_id(fields.gid, true);
  extra.read(fields.extra);
  extra.finish();
  if (format.lowercase) fold(account.name);
  return extra.authenticates();
}

void read_extra_fields(std::span<const ExtraField> fields, bool lowercase, PasswdNotes* notes,
                       Account& account) {
  const IdNames no_names;
  ExtraFields extra(account, no_names, notes);
  for (const ExtraField& field : fields) extra.set(field.name, field.value);
  extra.finish();
  if (lowercase) fold(account.name);
}

}  // namespace saslatch::passdb
