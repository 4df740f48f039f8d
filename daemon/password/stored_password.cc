#include "daemon/password/stored_password.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "daemon/password/limits.h"
#include "daemon/password/number.h"
#include "protocol/base/base64.h"

namespace saslatch::password {
namespace {

enum class Encoding { kNone, kBase64, kHex };

struct Scheme;
// Reads the data behind the prefix; `encoding` is what the suffix said.
using Reader = Result<StoredPassword> (*)(const Scheme&, std::string_view data, Encoding encoding);

struct Scheme {
  std::string_view name;
  Reader read;
  Hash hash = Hash::kMd5;      // of those that are one hash
  std::string_view note = {};  // of those that are refused: why
};

template <typename T>
Result<StoredPassword> as_stored(Result<T> parsed) {
  if (!parsed) return tl::make_unexpected(std::move(parsed.error()));
  return StoredPassword(*std::move(parsed));
}

std::optional<Secret> decode(std::string_view data, Encoding encoding) {
  std::optional<std::string> bytes;
  switch (encoding) {
    case Encoding::kNone:
      return Secret(data);
    case Encoding::kBase64:
      return base64_decode_secret(data);
    case Encoding::kHex:
      bytes = hex_decode(data);
      if (!bytes) return std::nullopt;
      return Secret::take(*bytes);
  }
  return std::nullopt;
}

constexpr std::string_view kNotEncoded =
    "the data is neither base64 nor hexadecimal as it should be";

// Data that is text; a suffix says how it is wrapped.
template <typename Read>
Result<StoredPassword> with_text(std::string_view data, Encoding encoding, Read read) {
  const std::optional<Secret> text = decode(data, encoding);
  if (!text) return failure(std::string(kNotEncoded));
  return read(text->reveal());
}

// Data that is bytes. Without a suffix Dovecot takes text of twice the digest's length for
// hexadecimal; what is not, and every other length, is base64.
std::optional<Secret> decode_digest(std::string_view data, Encoding encoding, size_t fixed_size) {
  if (encoding != Encoding::kNone) return decode(data, encoding);
  if (fixed_size != 0 && data.size() == 2 * fixed_size) {
    if (auto bytes = decode(data, Encoding::kHex)) return bytes;
  }
  return decode(data, Encoding::kBase64);
}

Result<StoredPassword> wrong_size(size_t size, const std::string& accepted) {
  return failure("the data has " + std::to_string(size) + " bytes; accepted are " + accepted);
}

Result<StoredPassword> plaintext(Secret password) {
  if (password.size() > kMaxPasswordSize) {
    return failure("the password is longer than the " + std::to_string(kMaxPasswordSize) +
                   " bytes that are checked");
  }
  return StoredPassword(Plaintext{std::move(password)});
}

Result<StoredPassword> read_plain(const Scheme&, std::string_view data, Encoding encoding) {
  std::optional<Secret> text = decode(data, encoding);
  if (!text) return failure(std::string(kNotEncoded));
  return plaintext(*std::move(text));
}

// "8-password": where all characters that the number promises are there, the program that stored
// them may have cut the rest off, and Dovecot lets longer passwords pass.
Result<StoredPassword> read_plain_trunc(const Scheme&, std::string_view data, Encoding encoding) {
  return with_text(data, encoding, [](std::string_view text) -> Result<StoredPassword> {
    const auto digits = take_until(text, '-');
    if (!digits) return failure("no LENGTH-PREFIX, as in 8-password");
    const auto length = parse_parameter("the length", *digits, 0, UINT32_MAX);
    if (!length) return tl::make_unexpected(length.error());
    const bool cut = text.size() == *length && !text.empty() && text.size() <= kMaxPasswordSize;
    if (!cut) return plaintext(Secret(text));
    return StoredPassword(TruncatedPlaintext{Secret(text)});
  });
}

Result<StoredPassword> read_cram_md5(const Scheme&, std::string_view data, Encoding encoding) {
  const auto bytes = decode_digest(data, encoding, CramMd5Context::kSize);
  if (!bytes) return failure(std::string(kNotEncoded));
  auto context = CramMd5Context::from_bytes(bytes->reveal());
  if (!context) return wrong_size(bytes->size(), std::to_string(CramMd5Context::kSize));
  return StoredPassword(CramMd5{*std::move(context)});
}

Result<StoredPassword> read_digest(const Scheme& scheme, std::string_view data, Encoding encoding) {
  const size_t size = digest_size(scheme.hash);
  const auto bytes = decode_digest(data, encoding, size);
  if (!bytes) return failure(std::string(kNotEncoded));
  if (bytes->size() != size) return wrong_size(bytes->size(), std::to_string(size));
  return StoredPassword(SaltedDigest{scheme.hash, std::string(bytes->reveal()), ""});
}

Result<StoredPassword> read_salted(const Scheme& scheme, std::string_view data, Encoding encoding) {
  const size_t size = digest_size(scheme.hash);
  const auto bytes = decode_digest(data, encoding, 0);
  if (!bytes) return failure(std::string(kNotEncoded));
  if (bytes->size() <= size) {
    return wrong_size(bytes->size(), "the " + std::to_string(size) + " of the digest and a salt");
  }
  const std::string_view all = bytes->reveal();
  return StoredPassword(
      SaltedDigest{scheme.hash, std::string(all.substr(0, size)), std::string(all.substr(size))});
}

Result<StoredPassword> read_crypt(const Scheme&, std::string_view data, Encoding encoding) {
  return with_text(data, encoding, [](auto text) { return as_stored(parse_crypt(text)); });
}

// Dovecot calls crypt(3) for all names of its family but these two, which insist on their method.
Result<StoredPassword> read_bcrypt(const Scheme&, std::string_view data, Encoding encoding) {
  return with_text(data, encoding, [](std::string_view text) -> Result<StoredPassword> {
    if (!text.starts_with("$2")) return failure("no bcrypt string ($2y$...)");
    return as_stored(parse_crypt(text));
  });
}

Result<StoredPassword> read_md5_crypt(const Scheme&, std::string_view data, Encoding encoding) {
  return with_text(data, encoding, [](std::string_view text) -> Result<StoredPassword> {
    if (!text.starts_with("$1$")) return failure("no MD5-CRYPT string ($1$...)");
    return as_stored(parse_crypt(text));
  });
}

// MD5 is either MD5-CRYPT or PLAIN-MD5.
Result<StoredPassword> read_md5(const Scheme& scheme, std::string_view data, Encoding encoding) {
  const bool crypt = data.starts_with("$1$") || encoding != Encoding::kNone;
  return crypt ? read_md5_crypt(scheme, data, encoding) : read_digest(scheme, data, encoding);
}

Result<StoredPassword> read_argon2(const Scheme&, std::string_view data, Encoding encoding) {
  return with_text(data, encoding, [](auto text) { return as_stored(parse_argon2(text)); });
}

Result<StoredPassword> read_pbkdf2(const Scheme&, std::string_view data, Encoding encoding) {
  return with_text(data, encoding, [](std::string_view text) -> Result<StoredPassword> {
    constexpr std::string_view kForm = "no string of the form $1$salt$rounds$40 hex digits";
    if (!text.starts_with("$1$")) return failure(std::string(kForm));
    text.remove_prefix(3);
    const auto salt = take_until(text, '$');
    const auto digits = take_until(text, '$');
    if (!salt || salt->empty() || !digits) return failure(std::string(kForm));
    const auto iterations = parse_parameter("rounds", *digits, 1, kMaxIterations);
    if (!iterations) return tl::make_unexpected(iterations.error());
    auto key = hex_decode(text);
    if (!key || key->size() != digest_size(Hash::kSha1)) return failure(std::string(kForm));
    return StoredPassword(Pbkdf2{std::string(*salt), *iterations, *std::move(key)});
  });
}

Result<StoredPassword> read_scram(const Scheme& scheme, std::string_view data, Encoding encoding) {
  return with_text(data, encoding, [&](std::string_view text) -> Result<StoredPassword> {
    const auto digits = take_until(text, ',');
    const auto salt_text = take_until(text, ',');
    const auto stored_key_text = take_until(text, ',');
    if (!digits || !salt_text || !stored_key_text) {
      return failure("no string of the form iterations,salt,StoredKey,ServerKey");
    }
    const auto iterations =
        parse_parameter("the iteration count", *digits, kMinScramIterations, kMaxIterations);
    if (!iterations) return tl::make_unexpected(iterations.error());
    const auto salt = base64_decode(*salt_text);
    const auto stored_key = base64_decode(*stored_key_text);
    const auto server_key = base64_decode(text);
    const size_t size = digest_size(scheme.hash);
    if (!salt || salt->empty() || !stored_key || stored_key->size() != size || !server_key ||
        server_key->size() != size) {
      return failure("salt, StoredKey or ServerKey is damaged: accepted is base64, the keys of " +
                     std::to_string(size) + " bytes");
    }
    return StoredPassword(Scram{scheme.hash, *iterations, *salt, *stored_key, *server_key});
  });
}

Result<StoredPassword> read_refused(const Scheme& scheme, std::string_view, Encoding) {
  return failure(std::string(scheme.note));
}

constexpr std::string_view kWithName =
    "hashes the user's name with the password and is not supported; set the password anew";
constexpr std::string_view kNotOffered = "is not supported; set the password anew";

constexpr std::array kSchemes = {
    Scheme{"PLAIN", read_plain},
    Scheme{"CLEAR", read_plain},
    Scheme{"CLEARTEXT", read_plain},
    Scheme{"PLAIN-TRUNC", read_plain_trunc},
    Scheme{"CRAM-MD5", read_cram_md5},
    Scheme{"HMAC-MD5", read_cram_md5},
    Scheme{"SHA", read_digest, Hash::kSha1},
    Scheme{"SHA1", read_digest, Hash::kSha1},
    Scheme{"SHA256", read_digest, Hash::kSha256},
    Scheme{"SHA512", read_digest, Hash::kSha512},
    Scheme{"SSHA", read_salted, Hash::kSha1},
    Scheme{"SSHA256", read_salted, Hash::kSha256},
    Scheme{"SSHA512", read_salted, Hash::kSha512},
    Scheme{"SMD5", read_salted, Hash::kMd5},
    Scheme{"LDAP-MD5", read_digest, Hash::kMd5},
    Scheme{"PLAIN-MD5", read_digest, Hash::kMd5},
    Scheme{"MD5", read_md5, Hash::kMd5},
    Scheme{"MD5-CRYPT", read_md5_crypt},
    Scheme{"CRYPT", read_crypt},
    Scheme{"DES-CRYPT", read_crypt},
    Scheme{"SHA256-CRYPT", read_crypt},
    Scheme{"SHA512-CRYPT", read_crypt},
    Scheme{"BLF-CRYPT", read_bcrypt},
    Scheme{"ARGON2", read_argon2},
    Scheme{"ARGON2I", read_argon2},
    Scheme{"ARGON2ID", read_argon2},
    Scheme{"PBKDF2", read_pbkdf2},
    Scheme{"SCRAM-SHA-1", read_scram, Hash::kSha1},
    Scheme{"SCRAM-SHA-256", read_scram, Hash::kSha256},
    Scheme{"DIGEST-MD5", read_refused, {}, kWithName},
    Scheme{"PLAIN-MD4", read_refused, {}, kNotOffered},
    Scheme{"OTP", read_refused, {}, kNotOffered},
    Scheme{"SKEY", read_refused, {}, kNotOffered},
    Scheme{"NTLM", read_refused, {}, kNotOffered},
    Scheme{"LANMAN", read_refused, {}, kNotOffered},
    Scheme{"RPA", read_refused, {}, kNotOffered},
};

bool equal_names(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::toupper(x) == std::toupper(y);
  });
}

struct Split {
  std::string_view scheme;
  std::string_view data;
};

// A "{" that no "}" follows is no prefix but the beginning of a plaintext.
Split split(std::string_view text, std::string_view default_scheme) {
  if (has_scheme(text)) {
    const size_t end = text.find('}');
    return {text.substr(1, end - 1), text.substr(end + 1)};
  }
  return {text.starts_with("$1$") ? "MD5-CRYPT" : default_scheme, text};
}

std::optional<Encoding> encoding_of(std::string_view suffix) {
  if (suffix.empty()) return Encoding::kNone;
  if (equal_names(suffix, ".b64") || equal_names(suffix, ".base64")) return Encoding::kBase64;
  if (equal_names(suffix, ".hex")) return Encoding::kHex;
  return std::nullopt;
}

// What stands between the braces is not shown: it may begin somebody's plaintext password.
std::string unknown_scheme() {
  std::string message = "unknown password scheme; accepted are";
  for (const Scheme& known : kSchemes) {
    if (known.read != read_refused) message.append(" ").append(known.name);
  }
  return message;
}

}  // namespace

Result<StoredPassword> parse(std::string_view text, std::string_view default_scheme) {
  if (text.size() > kMaxStoredSize) {
    return failure("the stored password is longer than " + std::to_string(kMaxStoredSize) +
                   " bytes");
  }
  const Split parts = split(text, default_scheme);
  const std::string_view name = parts.scheme.substr(0, parts.scheme.find('.'));
  const auto* const scheme =
      std::find_if(kSchemes.begin(), kSchemes.end(),
                   [&](const Scheme& known) { return equal_names(known.name, name); });
  if (scheme == kSchemes.end()) return failure(unknown_scheme());
  const std::optional<Encoding> encoding = encoding_of(parts.scheme.substr(name.size()));
  if (!encoding) {
    return failure(std::string(scheme->name) +
                   ": unknown encoding; accepted behind a scheme are .b64, .base64 and .hex");
  }
  // "{SHA}" with nothing behind it, or an empty field, is no damaged hash: it is no password.
  if (parts.data.empty() && scheme->read != read_refused) return Plaintext{};
  auto stored = scheme->read(*scheme, parts.data, *encoding);
  if (!stored) stored.error().message = std::string(scheme->name) + ": " + stored.error().message;
  return stored;
}

bool has_scheme(std::string_view text) {
  return text.starts_with('{') && text.find('}') != std::string_view::npos;
}

std::string with_scheme(std::string_view text, std::string_view default_scheme) {
  const Split parts = split(text, default_scheme);
  if (parts.data.size() != text.size()) return std::string(text);
  std::string prefixed;
  prefixed.reserve(parts.scheme.size() + text.size() + 2);
  return prefixed.append("{").append(parts.scheme).append("}").append(text);
}

}  // namespace saslatch::password
