#ifndef SASLATCH_DAEMON_STATE_REDIS_RESP_H_
#define SASLATCH_DAEMON_STATE_REDIS_RESP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace saslatch::state::redis {

// A command and its arguments, as bytes; the wire form is made when it is sent.
using Command = std::vector<std::string>;

// Behind all commands that `out` has already.
void append_command(const Command& command, std::string& out);

// An answer of the server (RESP 2). A value.
struct Reply {
  enum class Kind {
    kNil,
    kInteger,
    kText,  // a status or a string
    kArray,
    kError,  // the server's own words
    kLost,   // the connection ended before there was one
  };
  Kind kind = Kind::kNil;
  int64_t integer = 0;
  std::string text;
  std::vector<Reply> items;

  [[nodiscard]] bool is_error() const { return kind == Kind::kError || kind == Kind::kLost; }
  // The item's integer, or its text as one; nullopt where there is none.
  [[nodiscard]] std::optional<int64_t> integer_at(size_t index) const;
};

// Cuts a stream of bytes into replies. hiredis reads them.
class ReplyReader {
 public:
  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  void feed(std::string_view bytes);
  // The next whole reply; nullopt: there is none yet, or is_broken().
  std::optional<Reply> next();
  // The stream is no RESP. It stays so.
  [[nodiscard]] bool is_broken() const { return is_broken_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  bool is_broken_ = false;
};

}  // namespace saslatch::state::redis

#endif  // SASLATCH_DAEMON_STATE_REDIS_RESP_H_
