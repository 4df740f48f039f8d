#include "tests/bench/conversation.h"

#include <unistd.h>

#include <charconv>
#include <unordered_map>

#include "protocol/base/base64.h"
#include "protocol/base/crypto/digest.h"
#include "protocol/sasl/cram_md5.h"
#include "protocol/sasl/plain.h"
#include "protocol/saslauthd/reply.h"

namespace saslatch::bench {
namespace {

std::string_view next_field(std::string_view& line) {
  const size_t tab = std::min(line.find('\t'), line.size());
  const std::string_view field = line.substr(0, tab);
  line.remove_prefix(std::min(tab + 1, line.size()));
  return field;
}

// The lines are written out here and not by protocol/dovecot: a measure that shares the code of
// what it measures would agree with its mistakes too.
class DovecotConversation final : public Conversation {
 public:
  explicit DovecotConversation(const Options& options) : mechanism_(options.mechanism) {
    output() = "VERSION\t1\t2\nCPID\t" + std::to_string(getpid()) + "\n";
    parameters_ =
        "\t" + std::string(name_of(mechanism_)) + "\tservice=smtp\tnologin\tlip=127.0.0.1";
    if (!options.rip.empty()) parameters_ += "\trip=" + options.rip;
    parameters_ += "\tsecured";
  }

  bool is_ready() const override { return ready_; }

  Result<void> begin(uint32_t id, Attempt attempt) override {
    output() += "AUTH\t" + std::to_string(id) + parameters_;
    if (mechanism_ == Mechanism::kPlain) {
      const Secret message = sasl::make_plain({"", attempt.user, attempt.password});
      output() += "\tresp=" + base64_encode(message.reveal());
    }
    output() += '\n';
    if (mechanism_ != Mechanism::kPlain) attempts_[id] = {std::move(attempt), 0};
    return {};
  }

  Result<void> receive(std::string_view bytes, std::vector<Answer>& answers) override {
    input_ += bytes;
    size_t begin = 0;
    for (size_t end; (end = input_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const auto taken = take_line(std::string_view(input_).substr(begin, end - begin), answers);
      if (!taken) return taken;
    }
    input_.erase(0, begin);
    if (input_.size() > kMaxLine) return failure("a line without an end");
    return {};
  }

 private:
  static constexpr size_t kMaxLine = 16384;  // the auth protocol's own bound

  struct InFlight {
    Attempt attempt;
    int responses = 0;
  };

  Result<void> take_line(std::string_view line, std::vector<Answer>& answers) {
    const std::string_view command = next_field(line);
    if (!ready_) return take_handshake(command, line);
    const std::string_view digits = next_field(line);
    uint32_t id = 0;
    if (std::from_chars(digits.begin(), digits.end(), id).ptr != digits.end() || id == 0) {
      return failure("an answer without an id");
    }
    if (command == "CONT") return respond(id, next_field(line));
    if (command != "OK" && command != "FAIL") return failure("unknown answer");
    attempts_.erase(id);
    answers.push_back({id, command == "OK"});
    return {};
  }

  Result<void> take_handshake(std::string_view command, std::string_view rest) {
    if (command == "VERSION" && next_field(rest) != "1") return failure("major version is not 1");
    if (command == "MECH" && next_field(rest) == name_of(mechanism_)) offered_ = true;
    if (command != "DONE") return {};
    if (!offered_) return failure(std::string(name_of(mechanism_)) + " is not offered");
    ready_ = true;
    return {};
  }

  Result<void> respond(uint32_t id, std::string_view challenge_base64) {
    const auto challenge = base64_decode(challenge_base64);
    const auto found = attempts_.find(id);
    if (!challenge || found == attempts_.end()) return failure("a challenge out of turn");
    const Attempt& attempt = found->second.attempt;
    std::string response;
    if (mechanism_ == Mechanism::kCramMd5) {
      const std::string digest = hmac(Hash::kMd5, attempt.password, *challenge);
      response = sasl::make_cram_md5_response(attempt.user, digest);
    } else {
      response = found->second.responses == 0 ? attempt.user : attempt.password;
    }
    if (++found->second.responses > 2) return failure("more challenges than the mechanism has");
    output() += "CONT\t" + std::to_string(id) + "\t" + base64_encode(response) + "\n";
    return {};
  }

  const Mechanism mechanism_;
  std::string parameters_;  // of every AUTH, behind the id
  bool offered_ = false;
  bool ready_ = false;
  std::string input_;  // the beginning of a line
  std::unordered_map<uint32_t, InFlight> attempts_;
};

class SaslauthdConversation final : public Conversation {
 public:
  explicit SaslauthdConversation(const Options& options) : rip_(IpAddress::parse(options.rip)) {}

  bool is_ready() const override { return true; }

  Result<void> begin(uint32_t id, Attempt attempt) override {
    id_ = id;
    // As libsasl2 does: what follows the last @ is the realm.
    const size_t at = attempt.user.rfind('@');
    const bool has_realm = at != std::string::npos;
    const auto request = saslauthd::encode_request({
        .login = has_realm ? attempt.user.substr(0, at) : attempt.user,
        .password = Secret(attempt.password),
        .service = "smtp",
        .realm = has_realm ? attempt.user.substr(at + 1) : "",
        .rip = rip_,
    });
    if (!request) return tl::unexpected(request.error());
    output() += request->reveal();
    return {};
  }

  Result<void> receive(std::string_view bytes, std::vector<Answer>& answers) override {
    const auto reply = parser_.receive(bytes);
    if (!reply) return tl::unexpected(reply.error());
    if (*reply) answers.push_back({id_, (*reply)->ok});
    return {};
  }

 private:
  const std::optional<IpAddress> rip_;
  saslauthd::ReplyParser parser_;
  uint32_t id_ = 0;
};

}  // namespace

std::unique_ptr<Conversation> make_conversation(const Options& options) {
  switch (options.protocol) {
    case Protocol::kDovecot:
      return std::make_unique<DovecotConversation>(options);
    case Protocol::kSaslauthd:
      return std::make_unique<SaslauthdConversation>(options);
  }
  return nullptr;
}

}  // namespace saslatch::bench
