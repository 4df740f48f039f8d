#include "daemon/policy/keyed_hash.h"

#include <bit>
#include <cstring>

namespace saslatch::policy {
namespace {

static_assert(std::endian::native == std::endian::little, "load() reads words as they lie");

uint64_t load(const char* bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

class Sip {
 public:
  Sip(uint64_t k0, uint64_t k1)
      : v0_(k0 ^ 0x736f6d6570736575ull),
        v1_(k1 ^ 0x646f72616e646f6dull),
        v2_(k0 ^ 0x6c7967656e657261ull),
        v3_(k1 ^ 0x7465646279746573ull) {}

  void compress(uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }

  uint64_t finish() {
    v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace

uint64_t keyed_hash(const HashKey& key, uint64_t domain, std::string_view data) {
  const char* k = reinterpret_cast<const char*>(key.data());
  Sip sip(load(k), load(k + 8));
  sip.compress(domain);
  const uint64_t length = data.size() + sizeof domain;
  while (data.size() >= 8) {
    sip.compress(load(data.data()));
    data.remove_prefix(8);
  }
  char last[8] = {};
  if (!data.empty()) std::memcpy(last, data.data(), data.size());
  last[7] = static_cast<char>(length);
  sip.compress(load(last));
  return sip.finish();
}

}  // namespace saslatch::policy
