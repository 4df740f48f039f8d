#include "daemon/policy/subject.h"

namespace saslatch::policy {
namespace {

constexpr std::string_view kAccepted =
    "; accepted: user:NAME, ip:ADDRESS, network:CIDR, user+network:NAME,CIDR, everyone, password";

bool is_one(const Network& network) {
  return network.prefix() == (network.address().is_v4() ? 32 : 128);
}

Result<Subject> refuse(std::string_view text, std::string_view why) {
  return failure("subject '" + std::string(text) + "' " + std::string(why) +
                 std::string(kAccepted));
}

}  // namespace

Result<Subject> Subject::parse(std::string_view text) {
  Subject subject;
  if (text == "everyone" || text == "password") {
    subject.by = text == "everyone" ? By::kEveryone : By::kPassword;
    return subject;
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return refuse(text, "has no kind");
  const auto by = parse_by(text.substr(0, colon));
  std::string_view value = text.substr(colon + 1);
  if (!by || *by == By::kEveryone || *by == By::kPassword) return refuse(text, "has another kind");
  subject.by = *by;
  if (subject.by == By::kUser || subject.by == By::kUserNetwork) {
    // A name may hold a comma, a network cannot: the last one divides.
    const size_t comma = subject.by == By::kUser ? value.size() : value.rfind(',');
    if (comma == std::string_view::npos) return refuse(text, "has no network");
    subject.user = value.substr(0, comma);
    if (subject.user.empty()) return refuse(text, "has no name");
    if (subject.by == By::kUser) return subject;
    value.remove_prefix(comma + 1);
    if (value == "unknown") return subject;
  }
  if (subject.by == By::kIp) {
    const auto address = IpAddress::parse(value);
    if (!address) return refuse(text, "has no IP address");
    subject.network = Network(*address, address->is_v4() ? 32 : 128);
    return subject;
  }
  const auto network = Network::parse(value);
  if (!network) return refuse(text, "has no network (" + network.error().message + ")");
  subject.network = *network;
  if (subject.by == By::kNetwork && is_one(*network)) subject.by = By::kIp;
  return subject;
}

std::string Subject::to_string() const {
  const std::string place = network ? network->to_string() : "unknown";
  switch (by) {
    case By::kUser:
      return "user:" + user;
    case By::kIp:
      return "ip:" + (network ? network->address().to_string() : place);
    case By::kNetwork:
      if (network && is_one(*network)) return "ip:" + network->address().to_string();
      return "network:" + place;
    case By::kUserNetwork:
      return "user+network:" + user + "," + place;
    case By::kPassword:
    case By::kEveryone:
      break;
  }
  return std::string(policy::to_string(by));
}

}  // namespace saslatch::policy
