// The mux protocol, both halves. The first byte is the size of the pieces in which the rest
// arrives.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/saslauthd/reply.h"
#include "protocol/saslauthd/request.h"

namespace {

using namespace saslatch::saslauthd;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_request(std::string_view bytes, size_t piece) {
  RequestParser parser;
  auto state = RequestParser::State::kNeedMore;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    const auto next = parser.receive(bytes.substr(0, piece));
    if (!next) return;
    state = *next;
  }
  if (state == RequestParser::State::kNeedMore) return;
  const Request request = parser.take();
  require(request.login.size() <= kMaxField && request.password.size() <= kMaxField);
  require(request.service.size() <= kMaxField && request.realm.size() <= kMaxField);
  // What was read can be sent, and is read again as the same.
  const auto again = encode_request(request);
  require(again.has_value());
  RequestParser second;
  require(second.receive(again->reveal()).has_value());
  const Request copy = second.take();
  require(copy.authcid() == request.authcid() && copy.service == request.service);
  require(copy.password.reveal() == request.password.reveal() && copy.rip == request.rip);
}

void read_reply(std::string_view bytes, size_t piece) {
  ReplyParser parser;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    const auto reply = parser.receive(bytes.substr(0, piece));
    if (!reply) return;
    if (*reply) require((*reply)->explanation.size() <= kMaxReply);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t piece = data[0] == 0 ? bytes.size() : data[0];
  read_request(bytes, std::max<size_t>(piece, 1));
  read_reply(bytes, std::max<size_t>(piece, 1));
  return 0;
}
