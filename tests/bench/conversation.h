#ifndef SASLATCH_TESTS_BENCH_CONVERSATION_H_
#define SASLATCH_TESTS_BENCH_CONVERSATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "tests/bench/options.h"

namespace saslatch::bench {

struct Attempt {
  std::string user;
  std::string password;
};

struct Answer {
  uint32_t id;  // from begin()
  bool accepted;
};

// The client's side of one connection, without I/O: bytes to send gather in output(), answers come
// out of receive().
class Conversation {
 public:
  virtual ~Conversation() = default;

  // False until the server's handshake is complete; logins may begin then.
  [[nodiscard]] virtual bool is_ready() const = 0;

  // Begins a login and gives its id on this connection. Error: the protocol cannot express it.
  [[nodiscard]] virtual Result<uint32_t> begin(Attempt attempt) = 0;

  // Appends the answers that `bytes` complete. An error is final for the connection.
  [[nodiscard]] virtual Result<void> receive(std::string_view bytes,
                                             std::vector<Answer>& answers) = 0;

  // What is to be written next; the caller removes what it wrote.
  std::string& output() { return output_; }

 private:
  std::string output_;
};

std::unique_ptr<Conversation> make_conversation(const Options& options);

}  // namespace saslatch::bench

#endif  // SASLATCH_TESTS_BENCH_CONVERSATION_H_
