#include "protocol/saslauthd/reply.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace saslatch::saslauthd {
namespace {

constexpr size_t kStatusSize = 2;  // OK or NO

void append_counted(std::string& out, std::string_view bytes) {
  out.push_back(static_cast<char>(bytes.size() >> 8));
  out.push_back(static_cast<char>(bytes.size() & 0xFF));
  out.append(bytes);
}

}  // namespace

std::string encode_reply(const Reply& reply) {
  std::string text = reply.ok ? "OK" : "NO";
  if (!reply.explanation.empty()) text += " " + reply.explanation;
  if (text.size() > kMaxReply) text.resize(kMaxReply);
  std::string out;
  append_counted(out, text);
  return out;
}

Result<Secret> encode_request(const Request& request) {
  std::vector<std::string_view> fields{request.login, request.password.reveal(), request.service,
                                       request.realm};
  const std::string address = request.rip ? request.rip->to_string() + ";0" : "";
  if (request.rip) fields.push_back(address);
  size_t size = 0;
  for (const std::string_view field : fields) {
    if (field.size() > kMaxField) {
      return failure("field of " + std::to_string(field.size()) + " bytes; accepted: up to " +
                     std::to_string(kMaxField));
    }
    if (field.find('\0') != std::string_view::npos) return failure("NUL byte in a field");
    size += 2 + field.size();
  }
  std::string out;
  out.reserve(size);  // growing would leave a copy of the password behind
  for (const std::string_view field : fields) append_counted(out, field);
  return Secret::take(out);
}

Result<std::optional<Reply>> ReplyParser::receive(std::string_view bytes) {
  buffer_.append(bytes);
  if (buffer_.size() < 2) return std::optional<Reply>();
  const size_t length =
      static_cast<size_t>(static_cast<uint8_t>(buffer_[0])) << 8 | static_cast<uint8_t>(buffer_[1]);
  if (length < kStatusSize || length > kMaxReply) {
    return failure("reply of " + std::to_string(length) + " bytes; accepted: " +
                   std::to_string(kStatusSize) + " to " + std::to_string(kMaxReply));
  }
  if (buffer_.size() < 2 + length) return std::optional<Reply>();
  const std::string_view text = std::string_view(buffer_).substr(2, length);
  const std::string_view status = text.substr(0, kStatusSize);
  if (status != "OK" && status != "NO") return failure("reply begins with neither OK nor NO");
  Reply reply{.ok = status == "OK", .explanation = ""};
  if (text.size() > kStatusSize) {
    const size_t skip = text[kStatusSize] == ' ' ? 1 : 0;
    reply.explanation = text.substr(kStatusSize + skip);
  }
  return std::optional<Reply>(std::move(reply));
}

}  // namespace saslatch::saslauthd
