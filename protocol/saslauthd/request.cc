#include "protocol/saslauthd/request.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace saslatch::saslauthd {
namespace {

enum Field : size_t { kLogin, kPassword, kService, kRealm, kAddress };

constexpr std::array<std::string_view, 5> kFieldNames = {"login", "password", "service", "realm",
                                                         "address"};

}  // namespace

std::string Request::authcid() const { return realm.empty() ? login : login + "@" + realm; }

RequestParser::~RequestParser() { wipe(fields_[kPassword]); }

Result<RequestParser::State> RequestParser::receive(std::string_view bytes) {
  while (!bytes.empty()) {
    if (field_ == kFields) return failure("bytes behind the fifth field");
    if (length_bytes_ < 2) {
      length_ = length_ << 8 | static_cast<uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      if (++length_bytes_ < 2) continue;
      if (auto begun = begin_field(length_); !begun) return tl::unexpected(begun.error());
    }
    std::string& field = fields_[field_];
    const size_t taken = std::min(bytes.size(), length_ - field.size());
    field.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (field.size() < length_) break;
    if (auto ended = end_field(); !ended) return tl::unexpected(ended.error());
  }
  if (field_ == kFields) return State::kComplete;
  return field_ == kAddress ? State::kMaybeFifth : State::kNeedMore;
}

Result<void> RequestParser::begin_field(size_t length) {
  const std::string name(kFieldNames[field_]);
  if (length > kMaxField) {
    return failure(name + " of " + std::to_string(length) + " bytes; accepted: up to " +
                   std::to_string(kMaxField));
  }
  fields_[field_].reserve(length);  // one piece of memory, so that wiping reaches every byte
  return {};
}

Result<void> RequestParser::end_field() {
  if (fields_[field_].find('\0') != std::string::npos) {
    return failure("NUL byte in the " + std::string(kFieldNames[field_]));
  }
  ++field_;
  length_bytes_ = 0;
  length_ = 0;
  return {};
}

Request RequestParser::take() {
  assert(field_ >= kAddress);
  Request request{.login = std::move(fields_[kLogin]),
                  .password = Secret::take(fields_[kPassword]),
                  .service = std::move(fields_[kService]),
                  .realm = std::move(fields_[kRealm]),
                  .rip = std::nullopt};
  if (field_ == kFields) {
    const std::string_view address = fields_[kAddress];
    request.rip = IpAddress::parse(address.substr(0, address.find(';')));
  }
  return request;
}

}  // namespace saslatch::saslauthd
