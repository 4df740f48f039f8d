#include "daemon/password/crypt_string.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "daemon/password/limits.h"
#include "daemon/password/number.h"

namespace saslatch::password {
namespace {

bool is_digits(std::string_view text) {
  return text.find_first_not_of(kCryptDigits) == std::string_view::npos;
}

// crypt(5): a salt may hold any printable character but those that separate fields somewhere.
bool is_salt(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("$:;*!\\").find(c) == std::string_view::npos;
  });
}

// Ends every method: `text` is setting || hash, the salt lies at [salt_begin, salt_end), and the
// hash is all behind hash_begin.
Result<Crypt> finish(std::string_view text, CryptMethod method, size_t salt_begin, size_t salt_end,
                     size_t hash_begin, size_t hash_size) {
  const std::string_view hash = text.substr(hash_begin);
  if (hash.size() != hash_size || !is_digits(hash)) {
    return failure("the hash is damaged: accepted are " + std::to_string(hash_size) +
                   " characters of A-Z a-z 0-9 . /");
  }
  return Crypt{std::string(text), method, salt_begin, salt_end - salt_begin, hash_begin, 0};
}

// "salt$hash" from `begin` on.
Result<Crypt> finish_at_dollar(std::string_view text, CryptMethod method, size_t begin,
                               size_t max_salt, size_t hash_size) {
  const size_t dollar = text.find('$', begin);
  if (dollar == std::string_view::npos) return failure("salt or hash is missing");
  const std::string_view salt = text.substr(begin, dollar - begin);
  if (salt.size() > max_salt || !is_salt(salt)) {
    return failure("the salt is damaged: accepted are up to " + std::to_string(max_salt) +
                   " printable characters");
  }
  return finish(text, method, begin, dollar, dollar + 1, hash_size);
}

// $5$[rounds=N$]salt$hash, $6$...
Result<Crypt> parse_sha(std::string_view text, CryptMethod method, size_t hash_size) {
  constexpr std::string_view kRounds = "rounds=";
  size_t begin = 3;
  if (text.substr(begin).starts_with(kRounds)) {
    std::string_view rest = text.substr(begin + kRounds.size());
    const auto digits = take_until(rest, '$');
    if (!digits) return failure("salt or hash is missing");
    const auto rounds = parse_parameter("rounds", *digits, kMinShaCryptRounds, kMaxShaCryptRounds);
    if (!rounds) return tl::make_unexpected(rounds.error());
    begin = text.size() - rest.size();
  }
  return finish_at_dollar(text, method, begin, 16, hash_size);
}

// $2b$NN$ and then 22 characters of salt and 31 of hash without a separator.
Result<Crypt> parse_bcrypt(std::string_view text) {
  constexpr size_t kSalt = 7, kHash = kSalt + 22;
  if (text.size() < kHash || text[6] != '$' || !is_digits(text.substr(kSalt))) {
    return failure("no bcrypt string of the form $2y$NN$ and 53 characters of A-Z a-z 0-9 . /");
  }
  // Always two digits, so the one leading zero is right here.
  const std::string_view digits = text.substr(text[4] == '0' ? 5 : 4, text[4] == '0' ? 1 : 2);
  const auto cost = parse_parameter("bcrypt's cost", digits, kMinBcryptCost, kMaxBcryptCost);
  if (!cost) return tl::make_unexpected(cost.error());
  return finish(text, CryptMethod::kBcrypt, kSalt, kHash, kHash, 31);
}

// The KiB that N = 2^log2_n and r ask for.
Result<uint64_t> bounded_memory(uint64_t log2_n, uint64_t r, uint64_t lanes) {
  // 128 * N * r bytes; both factors are bounded first, so that the product cannot overflow.
  const bool fits = log2_n <= 28 && r <= kMaxMemoryKib;
  const uint64_t kib = fits ? (uint64_t{128} << log2_n) * r / 1024 : 0;
  if (!fits || kib > kMaxMemoryKib) {
    return failure("N and r ask for more memory than the " + std::to_string(kMaxMemoryKib) +
                   " KiB accepted");
  }
  if (kib * lanes > kMaxMemoryKibPasses) {
    return failure("memory times p is beyond the " + std::to_string(kMaxMemoryKibPasses) +
                   " KiB accepted");
  }
  return kib;
}

Result<Crypt> with_memory(Result<Crypt> parsed, uint64_t kib) {
  if (parsed) parsed->memory_kib = kib;
  return parsed;
}

// $y$ flavour N r $salt$hash. The numbers have a variable length, but up to 47 they are one digit,
// and crypt_gensalt(3) writes no larger ones, nor the optional fields (p, t, g, NROM) that could
// follow.
Result<Crypt> parse_yescrypt(std::string_view text, CryptMethod method, size_t begin) {
  constexpr size_t kOneDigit = 48;
  const std::string_view fields = text.substr(begin);
  if (fields.size() < 4 || fields[3] != '$') {
    return failure("yescrypt parameters other than flavour, N and r are not accepted");
  }
  const size_t log2_n = kCryptDigits.find(fields[1]) + 1, r = kCryptDigits.find(fields[2]) + 1;
  if (fields[0] != 'j') return failure("a yescrypt flavour other than 'j' is not accepted");
  if (log2_n == 0 || r == 0 || log2_n > kOneDigit || r > kOneDigit) {
    return failure("yescrypt's N or r is damaged, or more than " + std::to_string(kOneDigit));
  }
  const auto kib = bounded_memory(log2_n, r, 1);
  if (!kib) return tl::make_unexpected(kib.error());
  return with_memory(finish_at_dollar(text, method, begin + 4, 86, 43), *kib);
}

// Five digits, the least significant first; nullopt unless all are digits.
std::optional<uint64_t> thirty_bits(std::string_view text) {
  uint64_t value = 0;
  for (size_t i = 5; i-- > 0;) {
    const size_t digit = kCryptDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 6 | digit;
  }
  return value;
}

// $7$ N (one digit) r p (five digits each) salt$hash.
Result<Crypt> parse_scrypt(std::string_view text) {
  constexpr size_t kSalt = 14;
  if (text.size() < kSalt) return failure("scrypt's N, r or p is missing");
  const size_t log2_n = kCryptDigits.find(text[3]);
  const auto r = thirty_bits(text.substr(4, 5)), p = thirty_bits(text.substr(9, 5));
  if (log2_n == std::string_view::npos || log2_n == 0 || !r || !p || *r == 0 || *p == 0) {
    return failure("scrypt's N, r or p is damaged");
  }
  const auto kib = bounded_memory(log2_n, *r, *p);
  if (!kib) return tl::make_unexpected(kib.error());
  return with_memory(finish_at_dollar(text, CryptMethod::kScrypt, kSalt, 86, 43), *kib);
}

}  // namespace

Result<Crypt> parse_crypt(std::string_view text) {
  if (text.starts_with("$1$")) return finish_at_dollar(text, CryptMethod::kMd5, 3, 8, 22);
  if (text.starts_with("$5$")) return parse_sha(text, CryptMethod::kSha256, 43);
  if (text.starts_with("$6$")) return parse_sha(text, CryptMethod::kSha512, 86);
  for (const std::string_view bcrypt : {"$2a$", "$2b$", "$2x$", "$2y$"}) {
    if (text.starts_with(bcrypt)) return parse_bcrypt(text);
  }
  if (text.starts_with("$y$")) return parse_yescrypt(text, CryptMethod::kYescrypt, 3);
  if (text.starts_with("$gy$")) return parse_yescrypt(text, CryptMethod::kGostYescrypt, 4);
  if (text.starts_with("$7$")) return parse_scrypt(text);
  if (text.size() == 13 && is_digits(text)) return finish(text, CryptMethod::kDes, 0, 2, 2, 11);
  return failure(
      "no crypt(3) string that is accepted: $1$ $2a$ $2b$ $2x$ $2y$ $5$ $6$ $7$ $y$ $gy$, or the "
      "13 characters of DES");
}

}  // namespace saslatch::password
